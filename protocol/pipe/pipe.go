// SPDX-License-Identifier: Apache-2.0

// Package pipe is a stream without a network: two ends in memory that satisfy
// protocol.Stream, so that a conversation can be tried under a clock that a
// test controls (testing/synctest), and cut wherever a test wants it cut.
//
// It knows nothing of frames or conversations. The way in is [New].
package pipe

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
)

// DefaultBuffer is how many bytes a direction holds before a writer waits.
const DefaultBuffer = 64 << 10

// ErrReset is what both ends get once either reset the stream.
var ErrReset = errors.New("stream was reset")

// End is one end of a pipe. It keeps the promises of protocol.Stream.
type End struct {
	peer    crypto.DID
	in, out *lane
}

// New makes a pipe. The first end is held by a, and its peer is b. Each
// direction holds up to buffer bytes; zero means [DefaultBuffer].
func New(a, b crypto.DID, buffer int) (*End, *End) {
	if buffer <= 0 {
		buffer = DefaultBuffer
	}
	ab, ba := newLane(buffer), newLane(buffer)
	return &End{peer: b, in: ba, out: ab}, &End{peer: a, in: ab, out: ba}
}

// Peer is the holder of the other end.
func (e *End) Peer() crypto.DID { return e.peer }

// Read reads what the other end wrote.
func (e *End) Read(p []byte) (int, error) {
	n, cut, err := e.in.read(p)
	if cut {
		e.out.fail(ErrReset)
	}
	return n, err
}

// Write returns when all of p is in the buffer.
func (e *End) Write(p []byte) (int, error) { return e.out.write(p) }

// CloseWrite ends this end's direction once its buffer is drained.
func (e *End) CloseWrite() error { e.out.finish(); return nil }

// Close ends both directions: the other end still reads what was written, and
// its writes are thrown away.
func (e *End) Close() error {
	e.out.finish()
	e.in.discard()
	return nil
}

// Reset drops both directions with all that they hold.
func (e *End) Reset() error {
	e.out.fail(ErrReset)
	e.in.fail(ErrReset)
	return nil
}

// SetDeadline bounds this end's reads and writes, also those under way.
func (e *End) SetDeadline(t time.Time) error {
	e.in.setDeadline(&e.in.reader, t)
	e.out.setDeadline(&e.out.writer, t)
	return nil
}

// CutAfter resets the pipe when n more bytes went from this end to the other:
// these n are still read.
func (e *End) CutAfter(n int64) {
	e.out.mu.Lock()
	e.out.budget = n
	e.out.mu.Unlock()
	if n <= 0 {
		_ = e.Reset()
	}
}

// Delivered is how many bytes the other end has read so far.
func (e *End) Delivered() int64 {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	return e.out.delivered
}

// lane is one direction: a ring of bytes that one side fills and the other
// drains.
type lane struct {
	mu   sync.Mutex
	cond *sync.Cond

	ring        []byte
	start, size int
	finished    bool  // no more writes; readers drain, then io.EOF
	discarded   bool  // no more reads; writes vanish
	broken      error // both sides fail at once
	delivered   int64
	budget      int64 // bytes left before the cut; negative is none

	reader, writer deadline
}

type deadline struct {
	timer  *time.Timer
	passed bool
}

func newLane(buffer int) *lane {
	l := &lane{ring: make([]byte, buffer), budget: -1}
	l.cond = sync.NewCond(&l.mu)
	return l
}

// read reports also whether it used up the bytes before a cut.
func (l *lane) read(p []byte) (n int, cut bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.broken != nil:
			return 0, false, l.broken
		case l.discarded:
			return 0, false, io.ErrClosedPipe
		case len(p) == 0:
			return 0, false, nil
		case l.size > 0:
			n, cut := l.drain(p)
			return n, cut, nil
		case l.finished:
			return 0, false, io.EOF
		case l.reader.passed:
			return 0, false, os.ErrDeadlineExceeded
		}
		l.cond.Wait()
	}
}

func (l *lane) drain(p []byte) (n int, cut bool) {
	p = p[:min(len(p), l.size)]
	if l.budget >= 0 {
		p = p[:min(int64(len(p)), l.budget)]
		l.budget -= int64(len(p))
		cut = l.budget == 0
	}
	end := min(l.start+len(p), len(l.ring))
	half := copy(p, l.ring[l.start:end])
	copy(p[half:], l.ring)
	l.start = (l.start + len(p)) % len(l.ring)
	l.size -= len(p)
	l.delivered += int64(len(p))
	if cut {
		l.broken = ErrReset
	}
	l.cond.Broadcast()
	return len(p), cut
}

func (l *lane) write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	written := 0
	for {
		switch {
		case l.broken != nil:
			return written, l.broken
		case l.finished:
			return written, io.ErrClosedPipe
		case l.discarded:
			return written + len(p), nil
		case len(p) == 0:
			return written, nil
		case l.writer.passed:
			return written, os.ErrDeadlineExceeded
		}
		if n := l.fill(p); n > 0 {
			p, written = p[n:], written+n
			continue
		}
		l.cond.Wait()
	}
}

func (l *lane) fill(p []byte) int {
	total := 0
	for len(p) > 0 && l.size < len(l.ring) {
		at := (l.start + l.size) % len(l.ring)
		end := min(len(l.ring), at+len(l.ring)-l.size)
		n := copy(l.ring[at:end], p)
		l.size += n
		total += n
		p = p[n:]
	}
	if total > 0 {
		l.cond.Broadcast()
	}
	return total
}

func (l *lane) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.cond.Broadcast()
}

func (l *lane) discard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.discarded, l.size = true, 0
	l.cond.Broadcast()
}

func (l *lane) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = err
	}
	l.size = 0
	l.cond.Broadcast()
}

func (l *lane) setDeadline(d *deadline, t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	if t.IsZero() {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if d.timer == timer {
			d.passed = true
			l.cond.Broadcast()
		}
	})
	d.timer = timer
}

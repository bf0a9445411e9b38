// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// ClientOptions say how patient and how greedy a client is; the zero value is
// right.
type ClientOptions struct {
	Idle  time.Duration // the longest wait for one frame; 0 is 2 min
	Rate  *rate.Limiter // bytes per second taken from the stream; nil is no limit. May be shared by sessions.
	Ahead int           // bytes wanted ahead of those that came, by estimate; 0 is 32 MiB
	Now   func() time.Time
}

func (o ClientOptions) filled() ClientOptions {
	if o.Idle == 0 {
		o.Idle = 2 * time.Minute
	}
	if o.Ahead == 0 {
		o.Ahead = 32 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Session is the client's half after the server opened the passage. Its
// methods are called one at a time. The caller ends it with Done or Close.
type Session struct {
	stream protocol.Stream
	line   *limitedReader
	in     *bufio.Reader // over line
	opt    ClientOptions
	skew   time.Duration
	head   []byte
	got    countBody
	over   error // why the stream is of no further use
}

// Open asks the node at the other end of s to open a passage. A
// *protocol.Refusal in the error is the server's. On an error the stream has
// been dropped.
func Open(ctx context.Context, s protocol.Stream, r Request, opt ClientOptions) (*Session, error) {
	w := protocol.NewWatch(ctx, s)
	defer w.Close()
	c := &Session{stream: s, opt: opt.filled(), line: &limitedReader{stream: s, limit: opt.Rate}}
	c.in = bufio.NewReaderSize(c.line, 32<<10)
	if err := c.open(w, r); err != nil {
		err = w.Reason(err)
		_ = s.Reset()
		return nil, fmt.Errorf("open a passage at %s: %w", s.Peer(), err)
	}
	return c, nil
}

func (c *Session) open(w *protocol.Watch, r Request) error {
	request, err := r.encode()
	if err != nil {
		return err
	}
	hello, err := c.expect(w, kindHello, maxHello)
	if err != nil {
		return err
	}
	greeting, err := parseHello(hello)
	if err != nil {
		return err
	}
	c.skew = time.Unix(greeting.Clock, 0).Sub(c.opt.Now()).Round(time.Second)
	if err := c.write(w, protocol.AppendFrame(nil, kindRequest, request)); err != nil {
		return err
	}
	c.head, err = c.expect(w, kindAnswer, MaxHead)
	return err
}

// expect reads the one frame that may come now, or a refusal.
func (c *Session) expect(w *protocol.Watch, want protocol.Kind, limit int) ([]byte, error) {
	kind, body, err := c.read(w, limit, nil)
	switch {
	case err != nil:
		return nil, err
	case kind == want:
		return body, nil
	case kind == protocol.KindRefused:
		return nil, refused(body)
	}
	return nil, fmt.Errorf("%w: frame %d where %d belongs", ErrLied, kind, want)
}

// read reads one frame, with as much patience for each as was asked for. The
// time that our own rate limit takes is not the server's.
func (c *Session) read(w *protocol.Watch, limit int, buf []byte) (protocol.Kind, []byte, error) {
	done := w.Within(c.opt.Idle, ErrSlow)
	defer func() { done() }()
	c.line.ctx = w.Context()
	c.line.waited = func() {
		done()
		done = w.Within(c.opt.Idle, ErrSlow)
	}
	kind, body, err := protocol.ReadFrame(c.in, limit, buf)
	switch {
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case errors.Is(err, protocol.ErrBadFrame) || errors.Is(err, protocol.ErrFrameTooLarge):
		err = fmt.Errorf("%w: %w", ErrLied, err)
	}
	return kind, body, err
}

// write writes what is ready to be sent, with the same patience.
func (c *Session) write(w *protocol.Watch, frame []byte) error {
	defer w.Within(c.opt.Idle, ErrSlow)()
	_, err := c.stream.Write(frame)
	return err
}

// refused is the error for the body of a Refused frame.
func refused(body []byte) error {
	refusal, err := protocol.ParseRefusal(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLied, err)
	}
	return refusal
}

// Head is the sealed head as the server sent it; empty if it has none that is
// newer than the one held.
func (c *Session) Head() []byte { return c.head }

// Skew is how far the server's clock is ahead of ours, to about a second. If
// it is a minute or more, one of the two is wrong.
func (c *Session) Skew() time.Duration { return c.skew }

// Received is how many blocks, and bytes of ciphertext, went into sinks.
func (c *Session) Received() (blocks, bytes uint64) { return c.got.Blocks, c.got.Bytes }

// Done tells the server that the client has what it came for, waits for its
// End and closes the stream.
func (c *Session) Done(ctx context.Context) error {
	if c.over != nil {
		return fmt.Errorf("end the transfer from %s: %w", c.stream.Peer(), c.over)
	}
	w := protocol.NewWatch(ctx, c.stream)
	defer w.Close()
	if err := c.done(w); err != nil {
		return fmt.Errorf("end the transfer from %s: %w", c.stream.Peer(), c.drop(w.Reason(err)))
	}
	c.over = io.ErrClosedPipe
	_ = c.stream.Close() // it fails on QUIC where the server was quicker to close
	return nil
}

// drop resets the stream, for why.
func (c *Session) drop(why error) error {
	c.over = why
	_ = c.stream.Reset()
	return why
}

func (c *Session) done(w *protocol.Watch) error {
	if err := c.write(w, protocol.AppendFrame(nil, kindDone, canonical.MustMarshal(c.got))); err != nil {
		return err
	}
	end, err := c.expect(w, kindEnd, maxHello)
	if err != nil {
		return err
	}
	count, err := parseCount(end)
	if err != nil {
		return err
	}
	if count != c.got {
		return fmt.Errorf("%w: it says that it sent %d blocks, %d came", ErrLied, count.Blocks, c.got.Blocks)
	}
	return nil
}

// Close drops the session without ceremony. It does nothing after Done or an
// error.
func (c *Session) Close() error {
	if c.over == nil {
		_ = c.drop(io.ErrClosedPipe)
	}
	return nil
}

// limitedReader takes no more bytes a second from the stream than limit says.
type limitedReader struct {
	stream protocol.Stream
	limit  *rate.Limiter
	ctx    context.Context // of the operation under way
	waited func()          // called after each wait
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.limit == nil || l.limit.Limit() == rate.Inf {
		return l.stream.Read(p)
	}
	n, err := l.stream.Read(p[:min(len(p), max(1, l.limit.Burst()))])
	if n > 0 {
		if stop := l.limit.WaitN(l.ctx, n); stop != nil {
			return n, stop
		}
		l.waited()
	}
	return n, err
}

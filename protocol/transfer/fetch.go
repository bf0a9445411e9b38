// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// How many names are wanted ahead of the blocks that came.
const (
	firstWindow = 256
	minWindow   = 16
	maxWindow   = 2048 // half of what a server queues
)

// buffers is how many blocks are in memory at once: one being read, one being
// hashed, one in the sink, one between each.
const buffers = 5

// maxMissing bounds the list in a MissingError.
const maxMissing = 1024

// MissingError says which of the wanted blocks the server should have and has
// not. It is an [ErrMissing]. The session goes on.
type MissingError struct {
	Count int                // how many
	Names []crypto.BlockName // the first 1,024 of them
}

// Error says how many, and names one.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%d blocks are missing at the server, the first is %s", e.Count, e.Names[0])
}

// Is reports whether target is ErrMissing.
func (e *MissingError) Is(target error) bool { return target == ErrMissing }

// Fetch asks for blocks by name and gives each to sink, in the order of
// names, once its hash was found to be its name. Reading, hashing and sink
// overlap. The ciphertext is valid until sink returns.
//
// names is drawn from in another goroutine, ahead of sink, and must not wait
// for it: to walk a tree, fetch one level after the other.
//
// After a [MissingError] all other blocks went to sink and the session goes
// on. After any other error (ErrLied, what sink returned, a *protocol.Refusal,
// a cut) the stream is dropped; what sink took needs never be asked for again.
func (c *Session) Fetch(ctx context.Context, names iter.Seq[crypto.BlockName], sink func(name crypto.BlockName, ciphertext []byte) error) error {
	if c.over != nil {
		return fmt.Errorf("fetch from %s: %w", c.stream.Peer(), c.over)
	}
	w := protocol.NewWatch(ctx, c.stream)
	defer w.Close()
	f := &fetch{
		session: c, watch: w, names: names, room: make(chan struct{}, 1),
		expect: make(chan crypto.BlockName, maxWindow),
		come:   make(chan arrival, 1), good: make(chan arrival, 1), free: make(chan []byte, buffers),
	}
	if err := f.run(sink); err != nil {
		return fmt.Errorf("fetch from %s: %w", c.stream.Peer(), c.drop(err))
	}
	if f.missing.Count > 0 {
		return fmt.Errorf("fetch from %s: %w", c.stream.Peer(), &f.missing)
	}
	return nil
}

// fetch is one call of Fetch: four stages, each of which ends when the one
// before it closed its channel or when the watch dropped the stream. An error
// of one travels to the sink, behind the blocks that were good.
//
//	ask ─ expect ─► read ─ come ─► hash ─ good ─► sink
//	 ▲               │               ◄── free ──────┘
//	 └──── room ─────┘
type fetch struct {
	session *Session
	watch   *protocol.Watch
	names   iter.Seq[crypto.BlockName]

	flying atomic.Int64 // names asked for that did not come yet
	mean   atomic.Int64 // bytes of a block, smoothed; 0 is unknown
	room   chan struct{}

	expect  chan crypto.BlockName
	unasked error // why asking ended early; written before expect is closed
	come    chan arrival
	good    chan arrival
	free    chan []byte // buffers to use again
	missing MissingError
}

// arrival is a block that came: body is the frame's, data the ciphertext in it.
type arrival struct {
	name crypto.BlockName
	body []byte
	data []byte
	err  error // instead of a block: why none comes any more
}

func (f *fetch) run(sink func(crypto.BlockName, []byte) error) error {
	var stages sync.WaitGroup
	stages.Go(f.ask)
	stages.Go(f.read)
	stages.Go(f.hash)
	if err := f.sink(sink); err != nil {
		f.watch.Drop(err) // the stages before it stop
	}
	stages.Wait()
	if f.watch.Context().Err() != nil {
		return context.Cause(f.watch.Context())
	}
	return nil
}

// ask sends wants, as many at a time as there is room for.
func (f *fetch) ask() {
	defer close(f.expect)
	f.unasked = f.askAll()
}

func (f *fetch) askAll() error {
	var frame []byte
	names := make([]crypto.BlockName, 0, MaxWant)
	send := func() error {
		for _, n := range names {
			f.expect <- n // has room: it holds a whole window
		}
		frame = appendWant(frame[:0], names)
		names = names[:0]
		return f.session.write(f.watch, frame)
	}
	room := firstWindow
	for name := range f.names {
		if f.watch.Context().Err() != nil {
			return context.Cause(f.watch.Context())
		}
		names = append(names, name)
		f.flying.Add(1)
		if len(names) < room {
			continue
		}
		if err := send(); err != nil {
			return err
		}
		var err error
		if room, err = f.wait(); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return send()
}

// wait returns how many names may be sent, once that is a quarter of a window.
func (f *fetch) wait() (int, error) {
	for {
		window := f.window()
		if free := window - int(f.flying.Load()); free >= max(1, window/4) {
			return min(free, MaxWant), nil
		}
		select {
		case <-f.room:
		case <-f.watch.Context().Done():
			return 0, context.Cause(f.watch.Context())
		}
	}
}

func (f *fetch) window() int {
	mean := int(f.mean.Load())
	if mean == 0 {
		return firstWindow
	}
	return min(max(f.session.opt.Ahead/mean, minWindow), maxWindow)
}

// read takes what comes, in the order in which it was asked for. Its error
// goes the way of the blocks, so that those which came before it are kept.
func (f *fetch) read() {
	defer close(f.come)
	for name := range f.expect {
		if err := f.readOne(name); err != nil {
			_ = f.pass(f.come, arrival{name: name, err: err})
			return
		}
		f.landed()
	}
	if f.unasked != nil { // and yet all that was asked for came
		_ = f.pass(f.come, arrival{err: f.unasked})
	}
}

func (f *fetch) readOne(name crypto.BlockName) error {
	var buf []byte
	select {
	case buf = <-f.free:
	default:
	}
	kind, body, err := f.session.read(f.watch, maxServer, buf)
	if err != nil {
		return err
	}
	return f.take(name, kind, body)
}

func (f *fetch) take(name crypto.BlockName, kind protocol.Kind, body []byte) error {
	switch kind {
	case kindBlock:
		data, err := parseSection(body, name)
		if err != nil {
			return err
		}
		old := f.mean.Load()
		if old == 0 {
			old = int64(len(data))
		}
		f.mean.Store(max(1, (7*old+int64(len(data)))/8))
		return f.pass(f.come, arrival{name: name, body: body, data: data})
	case kindMissing:
		if len(body) != nameSize || crypto.BlockName(body) != name {
			return fmt.Errorf("%w: it misses another block than %s", ErrLied, name)
		}
		if f.missing.Count++; len(f.missing.Names) < maxMissing {
			f.missing.Names = append(f.missing.Names, name)
		}
		return nil
	case protocol.KindRefused:
		return refused(body)
	}
	return fmt.Errorf("%w: frame %d where block %s belongs", ErrLied, kind, name)
}

// landed makes room for a want.
func (f *fetch) landed() {
	f.flying.Add(-1)
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// hash checks what came.
func (f *fetch) hash() {
	defer close(f.good)
	for a := range f.come {
		if a.err == nil && crypto.NameOf(a.data) != a.name {
			a.err = fmt.Errorf("%w: block %s", ErrWrongBlock, a.name)
		}
		if f.pass(f.good, a) != nil || a.err != nil {
			return
		}
	}
}

func (f *fetch) sink(sink func(crypto.BlockName, []byte) error) error {
	for a := range f.good {
		if f.watch.Context().Err() != nil {
			return nil // run tells the reason
		}
		if a.err != nil {
			return a.err
		}
		if err := sink(a.name, a.data); err != nil {
			return fmt.Errorf("keep block %s: %w", a.name, err)
		}
		f.session.got.Blocks++
		f.session.got.Bytes += uint64(len(a.data))
		select {
		case f.free <- a.body:
		default:
		}
	}
	return nil
}

func (f *fetch) pass(to chan<- arrival, a arrival) error {
	select {
	case to <- a:
		return nil
	case <-f.watch.Context().Done():
		return context.Cause(f.watch.Context())
	}
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"
)

// TestEndWaits: end returns when the last writer has stopped, not before, and
// touches no other passage.
func TestEndWaits(t *testing.T) {
	t.Parallel()
	var p passages
	mine, other, shared := strangeCID(t, 1), strangeCID(t, 2), strangeCID(t, 3)
	if n := p.end(mine); n != 0 {
		t.Errorf("ended %d of no passages", n)
	}
	stopped, stop := context.WithCancelCause(t.Context())
	goesOn, keep := context.WithCancelCause(t.Context())
	defer keep(nil)
	first := p.enter(mine, []cid.Cid{shared, mine}, stop)
	second := p.enter(other, []cid.Cid{shared, other}, keep)

	var written atomic.Bool
	go func() {
		<-stopped.Done()
		written.Store(true) // the last byte
		p.leave(first)
	}()
	if n := p.end(mine); n != 1 || !written.Load() {
		t.Errorf("end stopped %d passages, and did not wait for the last byte: %v", n, !written.Load())
	}
	if !errors.Is(context.Cause(stopped), errEnded) || goesOn.Err() != nil {
		t.Errorf("the causes are %v and %v", context.Cause(stopped), context.Cause(goesOn))
	}
	go func() { <-goesOn.Done(); p.leave(second) }()
	if n := p.end(shared); n != 1 || len(p.open) != 0 {
		t.Errorf("the ancestor ended %d passages, %d are open", n, len(p.open))
	}
}

// TestPassagesAtOnce: nobody writes after end has returned, however entering,
// ending and leaving fall.
func TestPassagesAtOnce(t *testing.T) {
	t.Parallel()
	var p passages
	for round := range 200 {
		link := strangeCID(t, round)
		var revoked, late atomic.Bool
		var done sync.WaitGroup
		for i := range 8 {
			done.Go(func() {
				ctx, cancel := context.WithCancelCause(context.Background())
				defer cancel(nil)
				entered := p.enter(strangeCID(t, 1000+i), []cid.Cid{link}, cancel)
				defer p.leave(entered)
				if revoked.Load() { // as a server asks, after it has entered
					return
				}
				<-ctx.Done() // writes until it is told to stop
				if late.Load() {
					t.Error("a writer was at work after end had returned")
				}
			})
		}
		for range 2 {
			done.Go(func() {
				revoked.Store(true)
				p.end(link)
			})
		}
		revoked.Store(true)
		p.end(link)
		late.Store(true)
		done.Wait()
	}
	if len(p.open) != 0 {
		t.Errorf("%d passages are open", len(p.open))
	}
}

// TestPassagesAreFew: one grant takes so many passages at once, and leaves room
// for others.
func TestPassagesAreFew(t *testing.T) {
	t.Parallel()
	var p passages
	mine, other := strangeCID(t, 1), strangeCID(t, 2)
	enter := func(grant cid.Cid) *passage { return p.enter(grant, []cid.Cid{grant}, func(error) {}) }
	var entered []*passage
	for range maxPassages {
		entered = append(entered, enter(mine))
	}
	if enter(mine) != nil {
		t.Error("one more was let in")
	}
	if enter(other) == nil {
		t.Error("another grant pays for it")
	}
	p.leave(entered[0])
	if enter(mine) == nil {
		t.Error("no room although one has left")
	}
}

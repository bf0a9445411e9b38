// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"sync"

	"github.com/traboule/traboule/crypto"
)

// turn is a mutex that can also be waited for until a context ends.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lock waits for as long as it takes.
func (t turn) Lock() { t <- struct{}{} }

// Unlock lets the next one in, whoever has locked.
func (t turn) Unlock() { <-t }

// TryLock does not wait.
func (t turn) TryLock() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// viewTurns are the turns of views: one at a time has each cut, or dropped.
type viewTurns struct {
	mu   sync.Mutex
	held map[viewKey]*viewTurn
}

type viewKey struct {
	dataset crypto.DID
	view    string
}

type viewTurn struct {
	turn
	users int // who have it or wait for it; under viewTurns.mu
}

// take waits until ctx ends for the turn of a view, which lasts until done is
// called.
func (t *viewTurns) take(ctx context.Context, key viewKey) (done func(), err error) {
	mine := t.of(key)
	if err := mine.take(ctx); err != nil {
		t.leave(key)
		return nil, err
	}
	return func() {
		mine.Unlock()
		t.leave(key)
	}, nil
}

func (t *viewTurns) of(key viewKey) *viewTurn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = map[viewKey]*viewTurn{}
	}
	if t.held[key] == nil {
		t.held[key] = &viewTurn{turn: newTurn()}
	}
	t.held[key].users++
	return t.held[key]
}

func (t *viewTurns) leave(key viewKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key].users--; t.held[key].users == 0 {
		delete(t.held, key)
	}
}

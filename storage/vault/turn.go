// SPDX-License-Identifier: Apache-2.0

package vault

import "context"

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

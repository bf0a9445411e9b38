// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// Errors of [Vault.Sweep].
var (
	// ErrUnclear means that a list of files cannot be read, so that nobody can
	// tell which blocks it names: none may be called waste.
	ErrUnclear = errors.New("what is still needed cannot be told")
	// ErrUnderWay means that an Add or a fetch is under way, whose blocks no
	// version names yet.
	ErrUnderWay = errors.New("data is coming in")
)

// SweepResult says what [Vault.Sweep] found.
type SweepResult struct {
	Waste      int   // blocks that nothing reaches
	WasteBytes int64 // their ciphertext
	Dead       int   // of these: marked dead now
	DeadBytes  int64
}

// Landing tells that blocks are coming in that a head will name which is not
// here yet. Until the function that it returns is called no sweep takes any
// block, also of those that were here before. It waits for a sweep under way.
func (v *Vault) Landing() (landed func()) {
	v.landing.RLock()
	return v.landing.RUnlock
}

// Sweep finds the blocks that no version and no view reaches, as an Add or a
// fetch leaves behind that was cut off, and marks those dead that have been
// seen as such for longer than grace: until then whoever takes it up again
// finds them. It works on nothing while data comes in ([ErrUnderWay]), nor
// when it cannot tell what is needed ([ErrUnclear]).
func (v *Vault) Sweep(ctx context.Context, grace time.Duration) (SweepResult, error) {
	if !v.adding.TryLock() {
		return SweepResult{}, fmt.Errorf("sweep: %w", ErrUnderWay)
	}
	defer v.adding.Unlock()
	if !v.landing.TryLock() {
		return SweepResult{}, fmt.Errorf("sweep: %w", ErrUnderWay)
	}
	defer v.landing.Unlock()
	s := &sweeping{v: v, idle: map[crypto.BlockName]int{}, walked: map[string]bool{}}
	for name, size := range v.store.Names() {
		s.idle[name] = size
	}
	// First without holding anybody up, and then what has changed meanwhile.
	if err := s.spare(ctx); err != nil && ctx.Err() == nil {
		s.walked = map[string]bool{}
	}
	v.shape.Lock()
	defer v.shape.Unlock()
	err := s.spare(ctx)
	if err == nil {
		err = s.bury(ctx, grace)
	}
	if err != nil {
		return s.result, fmt.Errorf("sweep: %w", err)
	}
	return s.result, nil
}

// sweeping is one sweep.
type sweeping struct {
	v      *Vault
	idle   map[crypto.BlockName]int // and their sizes: all blocks, less what was reached so far
	walked map[string]bool          // signed heads
	result SweepResult
}

// spare takes out of idle what any head reaches that was not walked yet.
func (s *sweeping) spare(ctx context.Context) error {
	for _, d := range s.v.others("") {
		pages := names{} // of each data set its own: see Vault.spare
		enter := func(name crypto.BlockName) bool {
			delete(s.idle, name)
			again := pages.has(name)
			pages[name] = struct{}{}
			return !again
		}
		for _, h := range d.heads() {
			if s.walked[string(h.Bytes)] {
				continue
			}
			delete(s.idle, h.Description.Name)
			err := storage.WalkPages(ctx, h.Head, s.v.store.Get, enter, func(e storage.Entry) error {
				for _, r := range e.Blocks {
					delete(s.idle, r.Name)
				}
				return nil
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("%w: %q version %d: %w", ErrUnclear, d.name, uint32(h.Sequence), err)
			}
			s.walked[string(h.Bytes)] = true
		}
	}
	return nil
}

// bury marks dead what has been idle for so long, and remembers the rest.
func (s *sweeping) bury(ctx context.Context, grace time.Duration) error {
	now, before, after := s.v.opt.Now(), s.v.readWaste(), waste{}
	for name, size := range s.idle {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.result.Waste++
		s.result.WasteBytes += int64(size)
		since := before.since(name, now)
		if now.Sub(since) < grace {
			after[name] = since.Unix()
			continue
		}
		if err := s.v.store.Delete(name); err != nil {
			return err
		}
		s.result.Dead++
		s.result.DeadBytes += int64(size)
	}
	s.v.saveWaste(after)
	return s.v.store.Sync()
}

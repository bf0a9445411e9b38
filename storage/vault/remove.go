// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// Remove destroys a data set's keys (ours or received) in both copies of the
// keyring and marks its blocks dead. It cannot be undone. Once it is in the
// journal it happens, at the next Open if need be. It waits, until ctx ends, for
// an Add or a Writer that is under way.
func (v *Vault) Remove(ctx context.Context, did crypto.DID) error {
	if err := v.adding.take(ctx); err != nil {
		return fmt.Errorf("remove %s: %w", did.Short(), err)
	}
	defer v.adding.Unlock()
	v.shape.Lock()
	defer v.shape.Unlock()
	d, err := v.find(did)
	if err != nil {
		return fmt.Errorf("remove %s: %w", did.Short(), err)
	}
	if _, err := v.commit(ctx, change{kind: kindRemoved, scope: d.scope()}); err != nil {
		return fmt.Errorf("remove %q: %w", d.name, err)
	}
	if err := v.finish(d.scope()); err != nil {
		return fmt.Errorf("remove %q: %w", d.name, err)
	}
	return nil
}

// finishRemovals does what a crash left undone. What it cannot do is tried
// again at the next Open.
func (v *Vault) finishRemovals() {
	for scope := range v.state.pending {
		if v.ring.HasScope(scope) {
			v.finish(scope)
		}
	}
}

// finish carries out a journaled removal: blocks, while the manifests can
// still be read, and then the keys, whatever became of the blocks.
func (v *Vault) finish(scope crypto.Scope) error {
	var failed error
	if d := v.ofScope(scope); d != nil {
		failed = v.bury(d, d.heads(), nil)
		v.index.Drop(scanTable(d.did))
	}
	if err := v.eraseKeys(scope); err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, v.mark())
}

// eraseKeys destroys a scope's keys, unless an earlier try already did and only
// the keyring could not be written.
func (v *Vault) eraseKeys(scope crypto.Scope) error {
	v.keys.Lock()
	defer v.keys.Unlock()
	if err := v.ring.Erase(scope); err != nil && !errors.Is(err, crypto.ErrErased) {
		return err
	}
	v.mu.Lock()
	delete(v.state.opened, scope) // a key that the scope gets now is another
	v.mu.Unlock()
	if err := v.SaveKeyring(); err != nil {
		return err
	}
	v.erased(scope)
	return nil
}

// erased forgets what was known of a scope whose keys are gone for good.
func (v *Vault) erased(scope crypto.Scope) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for did, d := range v.state.sets {
		if d.scope() == scope {
			delete(v.state.sets, did)
		}
	}
	delete(v.state.tags, v.ring.ScopeTag(scope))
	delete(v.state.pending, scope)
}

// FinishErasures writes the keyring if it could not be written when keys were
// destroyed, as on a disk that was full.
func (v *Vault) FinishErasures() error {
	v.keys.Lock()
	defer v.keys.Unlock()
	if err := v.saveOwed(); err != nil {
		return fmt.Errorf("finish an erasure: %w", err)
	}
	v.mu.RLock()
	var done []crypto.Scope
	for scope := range v.state.pending {
		if !v.ring.HasScope(scope) {
			done = append(done, scope)
		}
	}
	v.mu.RUnlock()
	for _, scope := range done {
		v.erased(scope)
	}
	return nil
}

func (v *Vault) ofScope(scope crypto.Scope) *dataset {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, d := range v.state.sets {
		if d.scope() == scope {
			return d
		}
	}
	return nil
}

// heads are all that keep a data set's blocks alive.
func (d *dataset) heads() []SignedHead {
	return slices.Concat(d.versions, d.views, d.cuts)
}

// names is a set of blocks.
type names map[crypto.BlockName]struct{}

func (n names) has(name crypto.BlockName) bool { _, ok := n[name]; return ok }

// bury marks dead what only the dead heads of a data set reach: not what its
// live ones do, nor another data set. When what lives cannot be told, because
// a page is missing, nothing dies.
func (v *Vault) bury(d *dataset, dead, live []SignedHead) error {
	keep := names{}
	for _, h := range live {
		if err := v.reach(context.Background(), h.Head, nil, keep); err != nil {
			return nil
		}
	}
	gone := names{}
	for _, h := range dead {
		// A missing page hides some blocks, which stay as waste.
		if err := v.reach(context.Background(), h.Head, keep, gone); err != nil {
			continue
		}
	}
	if err := v.spare(gone, d); err != nil {
		return nil
	}
	for name := range gone {
		if err := v.store.Delete(name); err != nil {
			return fmt.Errorf("mark blocks dead: %w", err)
		}
	}
	return v.store.Sync()
}

// spare takes out of gone what any other data set reaches. The honest ones
// have no block in common, but a giver may name blocks of ours in a gift: so
// nothing of a gift dies unless all pages of the others are here. Two of ours
// never have: each seals with keys of its own.
func (v *Vault) spare(gone names, but *dataset) error {
	for _, d := range v.others(but.did) {
		if but.from == "" && d.from == "" {
			continue
		}
		walked := names{} // of each data set its own: a page that another calls data is still a page
		enter := func(name crypto.BlockName) bool {
			delete(gone, name)
			again := walked.has(name)
			walked[name] = struct{}{}
			return !again
		}
		for _, h := range d.heads() {
			delete(gone, h.Description.Name)
			if len(gone) == 0 || but.from == "" && !v.store.Has(h.Root.Name) { // nothing of it is here, as after a kit
				continue
			}
			err := storage.WalkPages(context.Background(), h.Head, v.store.Get, enter, func(e storage.Entry) error {
				for _, r := range e.Blocks {
					delete(gone, r.Name)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *Vault) others(but crypto.DID) []*dataset {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var list []*dataset
	for did, d := range v.state.sets {
		if did != but {
			dup := *d
			list = append(list, &dup)
		}
	}
	return list
}

// reach adds to found the pages and blocks below a head that are not in skip.
func (v *Vault) reach(ctx context.Context, h storage.Head, skip, found names) error {
	enter := func(name crypto.BlockName) bool {
		if skip.has(name) || found.has(name) {
			return false
		}
		found[name] = struct{}{}
		return true
	}
	if !h.Description.IsZero() {
		enter(h.Description.Name)
	}
	return storage.WalkPages(ctx, h, v.store.Get, enter, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			enter(r.Name)
		}
		return nil
	})
}

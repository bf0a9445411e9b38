// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/journal"
)

// FirstFact is the first kind that is the node's to give a meaning; smaller
// ones are the vault's.
const FirstFact = 100

// ErrBadFact is returned for a fact that cannot be recorded.
var ErrBadFact = errors.New("not a fact that can be recorded")

// Fact is something that the node has to remember. The vault does not know
// what it means.
type Fact struct {
	Kind   uint16       // from FirstFact on
	Scope  crypto.Scope // whose key seals Body; "" when there is no body
	Public []byte       // readable without keys, for ever
	Body   []byte       // sealed
}

// Recorded is a fact read back.
type Recorded struct {
	Fact
	Seq    uint64 // its place, which it keeps for good
	Time   int64  // Unix seconds
	Erased bool   // the scope's key is gone; Scope and Body are empty
}

// Record remembers facts, all or none, and returns when they are durable. It
// makes the keys of scopes that are new (contacts, received data sets).
func (v *Vault) Record(ctx context.Context, facts ...Fact) (seq uint64, err error) {
	changes, err := changesOf(facts)
	if err == nil {
		err = v.ensureScopes(changes)
	}
	if err == nil {
		seq, err = v.commit(ctx, changes...)
	}
	if err != nil {
		return 0, fmt.Errorf("record %d facts: %w", len(facts), err)
	}
	return seq, nil
}

func changesOf(facts []Fact) ([]change, error) {
	changes := make([]change, len(facts))
	for i, f := range facts {
		if f.Kind < FirstFact || (f.Scope == "" && len(f.Body) > 0) {
			return nil, fmt.Errorf("%w: kind %d, scope %q", ErrBadFact, f.Kind, f.Scope)
		}
		changes[i] = change{kind: f.Kind, scope: f.Scope, public: f.Public, body: f.Body}
	}
	return changes, nil
}

// ensureScopes makes keys that are missing durable before anything is sealed
// with them. A key that somebody else made counts once it is on the disk.
func (v *Vault) ensureScopes(changes []change) error {
	v.keys.Lock()
	defer v.keys.Unlock()
	made := false
	for _, c := range changes {
		if c.scope == "" || v.ring.HasScope(c.scope) {
			continue
		}
		if err := v.ring.AddScope(c.scope, v.opt.Rand); err != nil {
			return fmt.Errorf("make the keys of %s: %w", c.scope, err)
		}
		made = true
		v.learn(c.scope)
	}
	if !made {
		return v.saveOwed()
	}
	return v.SaveKeyring()
}

func (v *Vault) learn(s crypto.Scope) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state.tags[v.ring.ScopeTag(s)] = s
}

// Facts gives fn the facts of these kinds (of all kinds when none is given),
// oldest first, also those that no checkpoint has repeated. It reads the
// journal as far back as it goes, see [Options.History].
func (v *Vault) Facts(fn func(Recorded) error, kinds ...uint16) error {
	return v.history(v.facts(fn, kinds))
}

// LiveFacts gives fn the facts of these kinds (of all when none is given) that
// count, oldest first: those that the last checkpoint repeated, and all since.
func (v *Vault) LiveFacts(fn func(Recorded) error, kinds ...uint16) error {
	return v.live(v.facts(fn, kinds))
}

// facts opens what is a fact.
func (v *Vault) facts(fn func(Recorded) error, kinds []uint16) func(uint64, journal.Entry) error {
	return func(place uint64, e journal.Entry) error {
		if e.Kind < FirstFact || (len(kinds) > 0 && !slices.Contains(kinds, e.Kind)) {
			return nil
		}
		r := Recorded{Fact: Fact{Kind: e.Kind, Public: bytes.Clone(e.Public)}, Seq: place, Time: e.Time}
		if err := v.openFact(e, &r); err != nil {
			return fmt.Errorf("read fact %d: %w", e.Seq, err)
		}
		return fn(r)
	}
}

func (v *Vault) openFact(e journal.Entry, r *Recorded) error {
	if e.Tag == noTag {
		return nil
	}
	v.mu.RLock()
	scope, known := v.state.tags[e.Tag]
	v.mu.RUnlock()
	if !known {
		r.Erased = true
		return nil
	}
	r.Scope = scope
	if len(e.Body) == 0 {
		return nil
	}
	body, err := v.ring.OpenBody(scope, bodyAAD(e.Kind, e.Tag), e.Body)
	if errors.Is(err, crypto.ErrErased) {
		r.Scope, r.Erased = "", true
		return nil
	}
	r.Body = body
	return err
}

// RecordLast remembers facts, and with them that the keys of a contact (or of
// a received data set's facts) are to be destroyed: all or none.
// [Vault.EraseScope] destroys them, or else the next Open. Data sets are erased
// by [Vault.Remove].
func (v *Vault) RecordLast(ctx context.Context, s crypto.Scope, facts ...Fact) (seq uint64, err error) {
	if !v.ring.HasScope(s) {
		return 0, fmt.Errorf("erase %s: %w", s, crypto.ErrUnknownScope)
	}
	if v.hasDataset(s) {
		return 0, fmt.Errorf("erase %s: it is a data set; remove that", s)
	}
	changes, err := changesOf(facts)
	if err == nil {
		err = v.ensureScopes(changes)
	}
	if err == nil {
		seq, err = v.commit(ctx, append(changes, change{kind: kindErased, scope: s})...)
	}
	if err != nil {
		return 0, fmt.Errorf("erase %s: %w", s, err)
	}
	return seq, nil
}

// EraseScope destroys the keys of a contact (or of a received data set's
// facts): what was recorded under it reads as erased from now on. It goes on
// where an earlier call failed.
func (v *Vault) EraseScope(ctx context.Context, s crypto.Scope) error {
	if !v.isErasing(s) {
		if _, err := v.RecordLast(ctx, s); err != nil {
			return err
		}
	}
	return v.finish(s)
}

func (v *Vault) isErasing(s crypto.Scope) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	_, pending := v.state.pending[s]
	return pending
}

func (v *Vault) hasDataset(s crypto.Scope) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, d := range v.state.sets {
		if d.scope() == s {
			return true
		}
	}
	return false
}

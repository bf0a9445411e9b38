// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"fmt"
	"io"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage/journal"
)

// A kit's state is the live part of the journal. Its bodies are open in it:
// the kit as a whole is sealed.
type kitState struct {
	Incarnation uint32     `cbor:"incarnation"`
	Entries     []kitEntry `cbor:"entries"`
}

type kitEntry struct {
	Time   int64  `cbor:"time"`
	Kind   uint16 `cbor:"kind"`
	Scope  string `cbor:"scope"`
	Public []byte `cbor:"public"`
	Body   []byte `cbor:"body"`
}

// SaveKit writes the recovery kit: the keys and the state, sealed to the
// recovery words. Content is not in it. What was erased is not in it either;
// but a kit that was saved before an erasure still opens what was erased. Nor
// are the facts that no longer count, by the digest or at the last checkpoint. changed is the
// place of the last fact that the kit should hold: by it, and by what the vault
// knows of its own, older kits are told from newer ones.
func (v *Vault) SaveKit(w io.Writer, changed uint64, d Digest) error {
	changed = max(changed, v.Changed())
	state, err := v.kitState(d)
	if err != nil {
		return fmt.Errorf("save the recovery kit: %w", err)
	}
	kit, err := v.ring.SealKit(encode(state), changed)
	if err != nil {
		return fmt.Errorf("save the recovery kit: %w", err)
	}
	if _, err := w.Write(kit); err != nil {
		return fmt.Errorf("save the recovery kit: %w", err)
	}
	return nil
}

// kitState leaves out what the digest sums up, and says that instead.
func (v *Vault) kitState(d Digest) (kitState, error) {
	state := kitState{Incarnation: v.Incarnation(), Entries: []kitEntry{}}
	err := v.live(func(place uint64, e journal.Entry) error {
		if e.Kind >= FirstFact && d.Dead[place] {
			return nil
		}
		if k, ok := v.kitEntry(e); ok {
			state.Entries = append(state.Entries, k)
		}
		return nil
	})
	for _, f := range d.Instead {
		if f.Scope == "" || v.ring.HasScope(f.Scope) {
			state.Entries = append(state.Entries, kitEntry{v.opt.Now().Unix(), f.Kind, string(f.Scope), append([]byte{}, f.Public...), append([]byte{}, f.Body...)})
		}
	}
	return state, err
}

// Changed is the place in the journal of the last entry of the vault's own that
// a kit made before lacks. The node knows that of its facts.
func (v *Vault) Changed() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.state.changed
}

// ChangesSince counts what happened after a place in the journal and is not in
// a kit made there, as a person counts: a data set that is born with its first
// version is one change. The function facts says which of the node's kinds count.
func (v *Vault) ChangesSince(seq uint64, facts func(kind uint16) bool) (n int, err error) {
	err = v.log.Read(seq+1, func(e journal.Entry) error {
		counts := kitLacks(e.Kind) && e.Kind != kindDataset && e.Kind != kindGeneration
		if !e.Checkpoint && (counts || e.Kind >= FirstFact && facts(e.Kind)) {
			n++
		}
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("count the changes since journal entry %d: %w", seq, err)
	}
	return n, nil
}

// kitLacks says whether a kit from before an entry of the vault's own kinds is
// the poorer for it, or holds what is gone.
func kitLacks(kind uint16) bool {
	switch kind {
	case kindDataset, kindVersion, kindGeneration, kindErased, kindReceived, kindRemoved, kindDropped:
		return true
	}
	return false
}

// kitEntry leaves out what is erased, and what a restored vault says anew, or
// cuts anew: the blocks of an old cut may have died since the kit was made.
func (v *Vault) kitEntry(e journal.Entry) (kitEntry, bool) {
	switch e.Kind {
	case kindErased, kindRemoved, kindIncarnation, kindSuspended, kindConfirmed, kindLost, kindPlaces, kindChanged, kindCut, kindUncut:
		return kitEntry{}, false
	}
	var r Recorded
	if err := v.openFact(e, &r); err != nil || r.Erased {
		return kitEntry{}, false
	}
	return kitEntry{Time: e.Time, Kind: e.Kind, Scope: string(r.Scope), Public: bytes.Clone(e.Public), Body: r.Body}, true
}

// Restore makes a vault in dir from a kit; dir may hold the old packs folder,
// and what is in it is found by name. The grants are suspended until the owner
// confirms them, since the kit may be older than a revocation.
func Restore(kit io.Reader, words, dir string, passphrase []byte, opt Options) (*Vault, error) {
	v, err := restore(kit, words, dir, passphrase, opt.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("restore a vault in %s: %w", dir, err)
	}
	return v, nil
}

func restore(kit io.Reader, words, dir string, passphrase []byte, opt Options) (*Vault, error) {
	raw, err := io.ReadAll(io.LimitReader(kit, crypto.MaxKit+1))
	if err != nil {
		return nil, err
	}
	ring, plain, err := crypto.OpenKit(words, raw)
	if err != nil {
		return nil, err
	}
	var state kitState
	if err := canonical.Unmarshal(plain, &state); err != nil {
		return nil, fmt.Errorf("read the kit's state: %w", err)
	}
	if err := ring.UseArgon(opt.Argon); err != nil {
		return nil, err
	}
	if err := ring.SetPassphrase(passphrase, opt.Rand); err != nil {
		return nil, err
	}
	first := []change{{kind: kindIncarnation, public: encode(incarnationBody{nextLife(state.Incarnation, opt.Now())})}}
	for _, e := range state.Entries {
		if e.Scope != "" && !ring.HasScope(crypto.Scope(e.Scope)) { // erased while the kit was made
			continue
		}
		first = append(first, change{e.Kind, crypto.Scope(e.Scope), e.Public, e.Body, e.Time, noTag})
	}
	first = append(first, change{kind: kindSuspended, scope: crypto.NodeScope,
		body: encode(suspendedBody{FromKit})})
	return create(dir, ring, opt, first...)
}

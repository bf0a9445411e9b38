// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/journal"
)

// ledger is what a vault has acknowledged, and what is on its way.
type ledger struct {
	doing  string // what has begun and not been acknowledged; "" for nothing
	target string // the data set that this is about, by name

	sets      map[string]ackedSet
	tries     map[string][]map[string]node // what was offered as a version of each, acknowledged or not
	removed   []crypto.DID
	erased    []crypto.Scope
	facts     []string
	coming    []string // facts on their way
	after     []string // facts acknowledged since what was on its way failed
	loose     bool     // any number of the first of them may have come
	pass      string
	newPass   string // on its way
	suspended bool   // the grants are, and must stay so
	mended    bool   // Repair has been done, and need not be again
}

// ackedSet is a data set as it was acknowledged.
type ackedSet struct {
	did        crypto.DID
	generation uint64
	versions   map[uint64]map[string]node // by sequence
	view       *SignedHead                // the newest that was given out
}

func newLedger() ledger {
	return ledger{sets: map[string]ackedSet{}, tries: map[string][]map[string]node{}, pass: passphrase}
}

func (l ledger) clone() ledger {
	l.sets, l.tries = maps.Clone(l.sets), maps.Clone(l.tries)
	l.facts, l.removed, l.erased = slices.Clone(l.facts), slices.Clone(l.removed), slices.Clone(l.erased)
	return l
}

// check compares an open vault with what it has acknowledged: all of that is
// there, byte for byte, and of what was on its way all or nothing.
func (l ledger) check(t testing.TB, v *Vault) {
	t.Helper()
	for name, s := range l.sets {
		l.checkSet(t, v, name, s)
	}
	for _, d := range v.Datasets() {
		if _, known := l.sets[d.Name]; !known && l.target != d.Name {
			t.Errorf("nobody made the data set %q", d.Name)
		}
		l.checkVersions(t, v, d)
	}
	for _, did := range l.removed {
		if _, err := v.find(did); err == nil || v.ring.HasScope(crypto.DatasetScope(did)) || v.ring.HasScope(crypto.ReceivedScope(did)) {
			t.Errorf("%s was removed and is back (%v)", did.Short(), err)
		}
	}
	for _, s := range l.erased {
		if v.ring.HasScope(s) {
			t.Errorf("the keys of %s were destroyed and are back", s)
		}
	}
	l.checkFacts(t, v)
	bad, err := v.Check(bg, nil)
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, d := range bad {
		if !d.Harmless && !(l.loose && d.Kind == MarkDamaged) { // that is written anew at the next Close
			t.Errorf("check finds %+v", d)
		}
	}
}

func (l ledger) checkSet(t testing.TB, v *Vault, name string, s ackedSet) {
	t.Helper()
	d, err := v.find(s.did)
	if err != nil {
		if l.doing != "remove" || l.target != name {
			t.Errorf("acknowledged, and lost: %q: %v", name, err)
		}
		return
	}
	busy := l.target == name
	if d.generation != s.generation && !(busy && d.generation == s.generation+1) {
		t.Errorf("%q: generation %d, acknowledged %d", name, d.generation, s.generation)
	}
	missing := 0
	for seq := range s.versions {
		if !slices.ContainsFunc(d.versions, func(h SignedHead) bool { return h.Sequence == seq }) {
			missing++
		}
	}
	// What is on its way may have taken the oldest one's place.
	if missing > 1 || missing == 1 && !busy {
		t.Errorf("%q: %d acknowledged versions of %d are lost", name, missing, len(s.versions))
	}
	if s.view != nil && !busy {
		if !slices.ContainsFunc(d.heads(), func(h SignedHead) bool { return string(h.Bytes) == string(s.view.Bytes) }) {
			t.Errorf("%q: a view that was given out is forgotten", name)
		}
		if err := v.complete(bg, s.view.Head); err != nil {
			t.Errorf("%q: a view that was given out: %v", name, err)
		}
	}
}

// checkVersions reads every version that the vault says it has.
func (l ledger) checkVersions(t testing.TB, v *Vault, d Dataset) {
	t.Helper()
	for _, h := range d.Versions {
		got, err := exported(v, d.DID, h)
		if err != nil {
			t.Errorf("%q version %d: %v", d.Name, h.Sequence, err)
			continue
		}
		if want, ok := l.sets[d.Name].versions[h.Sequence]; ok {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q version %d is not what was acknowledged: %s", d.Name, h.Sequence, diff)
			}
			continue
		}
		if !slices.ContainsFunc(l.tries[d.Name], func(try map[string]node) bool { return cmp.Equal(try, got) }) {
			t.Errorf("%q version %d is half a version: %v", d.Name, h.Sequence, slices.Sorted(maps.Keys(got)))
		}
	}
}

func exported(v *Vault, did crypto.DID, h storage.Head) (map[string]node, error) {
	to, err := os.MkdirTemp("", "exported")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(to)
	if err := v.Export(bg, did, to, ExportOptions{Version: h.Sequence}); err != nil {
		return nil, err
	}
	return readTree(to)
}

// forgettable is a fact that nobody is going to ask for.
const forgettable = "forgettable"

func (l ledger) checkFacts(t testing.TB, v *Vault) {
	t.Helper()
	got, want := l.allFacts(t, v), l.facts
	switch {
	case l.loose:
		want = append(slices.Clone(want), l.coming...)
		want = want[:max(len(l.facts), min(len(want), len(got)-len(l.after)))]
	case len(got) > len(want)+len(l.after):
		want = append(slices.Clone(want), l.coming...)
	}
	want = append(slices.Clone(want), l.after...)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the facts: %s", diff)
	}
}

// allFacts are those of the whole journal, which have to be those that count:
// no checkpoint here leaves anything out.
func (l ledger) allFacts(t testing.TB, v *Vault) []string {
	t.Helper()
	var all, live []string
	into := func(list *[]string) func(Recorded) error {
		return func(r Recorded) error {
			if !r.Erased && string(r.Public) != forgettable {
				*list = append(*list, fmt.Sprintf("%s %s", r.Public, r.Body))
			}
			return nil
		}
	}
	if err := errors.Join(v.Facts(into(&all)), v.LiveFacts(into(&live))); err != nil {
		t.Errorf("read the facts: %v", err)
	}
	if diff := cmp.Diff(all, live); diff != "" {
		t.Errorf("the facts that count are not all: %s", diff)
	}
	return all
}

// settled is the ledger when the next process has seen what became of the
// thing that was on its way: what it has shown counts, too.
func (l ledger) settled(t testing.TB, v *Vault) ledger {
	t.Helper()
	l = l.clone()
	l.facts = l.allFacts(t, v)
	l.coming, l.loose = nil, false
	return l
}

// stated says whether an error of Open is one that says why, and that Repair
// mends.
func stated(err error) bool { return errors.Is(err, journal.ErrDamaged) }

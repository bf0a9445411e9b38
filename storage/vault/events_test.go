// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eventsOf tells the events as the journal has them, after a restart.
func eventsOf(t *testing.T, v *Vault) (kinds []EventKind, list []Event) {
	t.Helper()
	err := v.Events(func(e Event) error {
		if n := len(list); n > 0 && e.Seq <= list[n-1].Seq {
			t.Errorf("entry %d after entry %d", e.Seq, list[n-1].Seq)
		}
		kinds, list = append(kinds, e.Kind), append(list, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kinds, list
}

// Versions stand between facts, in the order in which they were made, under
// the names that they had; also those that are dropped; and a removal is told
// although nobody can say any more of what.
func TestEvents(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "1")
	first, err := v.Add(bg, "x", src, AddOptions{Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	fact, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("between")})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Rename(bg, first.Dataset.DID, "y"); err != nil {
		t.Fatal(err)
	}
	write(t, src, "a", "other")
	if r := mustAdd(t, v, "y", src); r.Dropped != 1 {
		t.Fatalf("%+v", r)
	}
	if err := v.suspend(OldJournal); err != nil {
		t.Fatal(err)
	}
	v, _ = reopen(t, v)
	kinds, list := eventsOf(t, v)
	if d := cmp.Diff([]EventKind{VersionMade, VersionMade, GrantsSuspended}, kinds); d != "" {
		t.Fatal(d)
	}
	if list[0].Name != "x" || list[1].Name != "y" || list[1].Head.Counts.Bytes != 5 || list[2].Why != OldJournal {
		t.Errorf("%+v", list)
	}
	if list[0].Seq >= fact || list[1].Seq <= fact {
		t.Errorf("the fact %d is not between the versions %d and %d", fact, list[0].Seq, list[1].Seq)
	}
	if err := v.Remove(bg, first.Dataset.DID); err != nil {
		t.Fatal(err)
	}
	v, _ = reopen(t, v)
	kinds, list = eventsOf(t, v)
	if d := cmp.Diff([]EventKind{GrantsSuspended, DatasetRemoved}, kinds); d != "" {
		t.Error(d)
	}
	if last := list[len(list)-1]; last.Name != "" || last.Head.Sequence != 0 {
		t.Errorf("a removed data set is still told of: %+v", last)
	}
}

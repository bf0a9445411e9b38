// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/node/problem"
)

// TestRemoveEndsGrants: no grant outlives its data set.
func TestRemoveEndsGrants(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	alice.add("other", tree{"b": "b"})
	r, other := alice.give("notes", bob), alice.give("other", bob)
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})

	done := do(alice, Remove, NameRequest{Name: "notes"})
	if done.Revoked != 1 || done.Received {
		t.Errorf("removed: %+v", done)
	}
	if n := alice.facts(factRevocation); n != 1 {
		t.Errorf("%d revocations are recorded", n)
	}
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.denied")
	fails(alice, Remove, NameRequest{Name: "notes"}, "dataset.none")
	do(bob, Fetch, FetchRequest{Grant: other.Grant.ID})
	alice.sound()
	alice.restart()
	alice.sound()
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.denied")
	do(bob, Fetch, FetchRequest{Grant: other.Grant.ID})
	bob.wantTree("notes", tree{"a": "a"}) // what they have, they have

	// The name is free, for another data set.
	alice.add("notes", tree{"c": "c"})
	again := alice.give("notes", bob)
	got := do(bob, Fetch, FetchRequest{Grant: again.Grant.ID})
	bob.wantTree(got.Name, tree{"c": "c"})
}

// TestReceivedAgain: what was received can be removed, and fetched once more.
func TestReceivedAgain(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	fails(bob, Grant, GrantRequest{Name: "notes", To: "alice"}, "dataset.not-ours")
	if done := do(bob, Remove, NameRequest{Name: "notes"}); !done.Received || done.Revoked != 0 {
		t.Errorf("removed: %+v", done)
	}
	if n := len(do(bob, List, None{}).Datasets); n != 0 {
		t.Errorf("%d data sets are left", n)
	}
	bob.sound()
	bob.restart()
	do(bob, Fetch, FetchRequest{Grant: r.Link})
	bob.wantTree("notes", tree{"a": "a"})
	bob.restart()
	bob.wantTree("notes", tree{"a": "a"})
	bob.sound()
	alice.add("notes", tree{"a": "b"})
	do(bob, Fetch, FetchRequest{Grant: "notes"})
	bob.wantTree("notes", tree{"a": "b"})
}

// TestRestoredNodeWaits: a node from its kit honours no grant until its owner
// says so, for the kit may be older than a revocation.
func TestRestoredNodeWaits(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	kit := filepath.Join(t.TempDir(), "kit")
	do(alice, Kit, KitRequest{To: kit})
	saved, err := os.ReadFile(kit)
	if err != nil {
		t.Fatal(err)
	}
	alice.close()

	// Another folder, with the packs that survived.
	old := alice.home
	alice.home = filepath.Join(t.TempDir(), "restored")
	if err := os.CopyFS(filepath.Join(alice.home, "packs"), os.DirFS(filepath.Join(old, "packs"))); err != nil {
		t.Fatal(err)
	}
	for _, keyfile := range [][]byte{nil, []byte("short")} {
		home := alice.home
		if keyfile != nil {
			home = filepath.Join(t.TempDir(), "refused")
		}
		_, err := Restore(t.Context(), RestoreOptions{
			CreateOptions: CreateOptions{Home: home, Passphrase: []byte(passphrase), Keyfile: keyfile, Weak: true},
			Kit:           saved, Words: alice.words,
		})
		if (err == nil) != (keyfile == nil) {
			t.Fatal(err)
		}
		n, err := OpenHome(t.Context(), Options{Home: home, Secret: alice.secret()})
		if err != nil {
			t.Fatalf("the vault is still held by the Restore: %v", err)
		}
		n.Close()
	}
	alice.open()
	alice.start()
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.suspended")
	fails(alice, Grant, GrantRequest{Name: "notes", To: "bob"}, "grants.suspended")
	if g := alice.given(r.Grant.ID); g.State != "suspended" {
		t.Errorf("the grant is %s", g.State)
	}
	if !do(alice, Status, None{}).Suspended {
		t.Error("the status does not say so")
	}
	if done := do(alice, GrantsConfirm, None{}); done.Confirmed != 1 {
		t.Errorf("%d grants were confirmed", done.Confirmed)
	}
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	bob.wantTree("notes", tree{"a": "a"})
	alice.restart()
	do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.revoked")
	alice.sound()
}

// TestRemoveTellsGrantees: who had a grant on what was removed, or was a
// contact, hears that it is over: at once, or when their node is there again.
func TestRemoveTellsGrantees(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	for _, name := range []string{"now", "later", "last"} {
		alice.add(name, tree{"a": name})
	}
	now, later, last := alice.give("now", bob), alice.give("later", bob), alice.give("last", bob)

	do(alice, Remove, NameRequest{Name: "now"})
	if state := bob.gotten(now.Grant.ID).State; state != "revoked" {
		t.Errorf("removed while the grantee was there: %s", state)
	}
	bob.leave()
	do(alice, Remove, NameRequest{Name: "later"})
	alice.restart() // what is owed survives
	bob.start()
	alice.handsOver(func() bool { return bob.gotten(later.Grant.ID).State == "revoked" })
	alice.handsOver(func() bool { return len(alice.book.owedList()) == 0 })

	do(alice, ContactRemove, NameRequest{Name: "bob"})
	if state := bob.gotten(last.Grant.ID).State; state != "revoked" {
		t.Errorf("the contact was removed while they were there: %s", state)
	}
	alice.sound()
}

// TestRemovedStaysRemoved: a fetch that is under way does not bring back what
// is removed meanwhile, nor does it if the grant comes again.
func TestRemovedStaysRemoved(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	g := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: g.Grant.ID})
	alice.add("notes", tree{"b": "b"})
	removed := false
	_, err := Fetch.Do(t.Context(), bob.Node, FetchRequest{Grant: g.Grant.ID}, func(p Progress) {
		if !removed && p.Step == "blocks" {
			removed = true
			do(bob, Remove, NameRequest{Name: "notes"})
		}
	})
	if found := problem.Of(err); !removed || found == nil || found.Key != "grant.none" {
		t.Errorf("removed: %v; the fetch under way: %v", removed, err)
	}
	bob.restart()
	if list, n := do(bob, List, None{}).Datasets, len(do(bob, Grants, None{}).Received); len(list) != 0 || n != 0 {
		t.Errorf("after the removal there are %v and %d grants", list, n)
	}
	do(bob, Fetch, FetchRequest{Grant: g.Link})
	bob.wantTree("notes", tree{"b": "b"})
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
)

// TestOwnLinksAreRenewed: well before the node's own link ends, it is signed
// anew, once; what was granted under the old one goes on.
func TestOwnLinksAreRenewed(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	did := crypto.DID(alice.add("notes", tree{"a": "a"}).Dataset)
	alice.leave()
	tend := func() grant.Chain {
		t.Helper()
		if err := alice.housekeeping(t.Context()); err != nil {
			t.Fatal(err)
		}
		return alice.book.chainOf(did)
	}
	first := tend()
	alice.clock.advance(renewAfter - time.Hour)
	if early := tend(); !early[grant.LinkNode].CID().Equals(first[grant.LinkNode].CID()) {
		t.Error("the link was renewed too early")
	}
	alice.clock.advance(2 * time.Hour)
	renewed := tend()
	if renewed[grant.LinkNode].CID().Equals(first[grant.LinkNode].CID()) {
		t.Fatal("the link was not renewed after 60 days")
	}
	if !renewed[grant.LinkBirth].CID().Equals(first[grant.LinkBirth].CID()) {
		t.Error("the data set was born again")
	}
	if again := tend(); !again[grant.LinkNode].CID().Equals(renewed[grant.LinkNode].CID()) {
		t.Error("the link was renewed twice")
	}
	alice.close()
	alice.open()
	if kept := alice.book.chainOf(did); !kept[grant.LinkNode].CID().Equals(renewed[grant.LinkNode].CID()) {
		t.Error("the renewal did not survive")
	}
}

// TestGranteeRefreshes: a grant outlives the link above it.
func TestGranteeRefreshes(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "1"})
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", For: 300 * day})
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	alice.add("notes", tree{"a": "2"})
	alice.clock.advance(91 * day) // bob's clock is the same one

	if _, _, err := bob.tries(r.Grant.ID); !isRefused(err, protocol.Refresh) {
		t.Fatalf("an old chain is answered with %v, want refresh", err)
	}
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	bob.wantTree("notes", tree{"a": "2"})

	// The links that came are kept: the next fetch asks for none.
	bob.restart()
	f, closing := bob.asks(r.Grant.ID)
	defer closing()
	if f.grant.cid.String() != r.Grant.CID {
		t.Errorf("the grant became %s", f.grant.cid)
	}
	if g := bob.gotten(r.Grant.ID); g.Deliveries != 2 || g.State != "live" {
		t.Errorf("after the refresh bob's grant is %+v", g)
	}
}

func TestGrantExpires(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	alice.clock.advance(31 * day)
	if p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.expired"); p.Args["time"] != moment(r.Grant.Until) {
		t.Errorf("it says %v, and it expired at %s", p.Args, moment(r.Grant.Until))
	}
	if a, b := alice.given(r.Grant.ID).State, bob.gotten(r.Grant.ID).State; a != "expired" || b != "expired" {
		t.Errorf("it is %s at alice's, %s at bob's", a, b)
	}
	if lines := do(alice, List, None{}).Datasets; lines[0].Grants != 0 {
		t.Errorf("%d grants are live", lines[0].Grants)
	}
}

// TestClockSetBack: nothing is admitted under a clock that stands before what
// the journal says, until the owner lowers the mark.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	alice, bob := newPerson(t, "alice", newClock()), newPerson(t, "bob", newClock())
	meet(alice, bob)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)

	// One wrong answer of a time server.
	alice.leave()
	alice.clock.advance(10 * day)
	if err := alice.housekeeping(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.clock.advance(-10 * day)
	alice.start()
	warned := func() bool {
		for _, w := range do(alice, Status, None{}).Warnings {
			if w.Key == "warn-clock" {
				return true
			}
		}
		return false
	}
	for range 2 {
		if p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.clock"); p.Args["here"] == "" || p.Args["time"] == "" {
			t.Errorf("it does not say which clock says what: %v", p.Args)
		}
		if !warned() {
			t.Error("the status does not warn")
		}
		alice.restart()
	}
	alice.close()
	if err := LowerClock(t.Context(), Options{Home: alice.home, Secret: Secret{Passphrase: []byte("another")}}); err == nil {
		t.Fatal("anybody can lower the mark")
	}
	if err := LowerClock(t.Context(), Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		alice.open()
		alice.start()
		if warned() {
			t.Error("the status still warns")
		}
		alice.close()
	}
	alice.open()
	alice.start()
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	alice.sound()
}

// TestGranteesClockIsWrong: the answer is the same, and both times are said.
func TestGranteesClockIsWrong(t *testing.T) {
	t.Parallel()
	alice, bob := newPerson(t, "alice", newClock()), newPerson(t, "bob", newClock())
	meet(alice, bob)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	for _, by := range []time.Duration{2 * time.Hour, -4 * time.Hour} {
		bob.clock.advance(by)
		p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.clock")
		if p.Args["here"] != moment(bob.clock.now()) || p.Args["time"] != moment(alice.clock.now()) {
			t.Errorf("it says %v", p.Args)
		}
	}
}

// TestGrantFromTheFuture: what was granted while the clock stood ahead is good
// once the clock is right, for those who took it and for those who were away.
func TestGrantFromTheFuture(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{20 * time.Minute, 10 * day} {
		alice, bob := newPerson(t, "alice", newClock()), newPerson(t, "bob", newClock())
		meet(alice, bob)
		alice.leave()
		alice.clock.advance(ahead)
		alice.add("notes", tree{"a": "a"})
		r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", For: 90 * day})
		alice.close()
		alice.clock.advance(-ahead)
		if err := LowerClock(t.Context(), Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now}); err != nil {
			t.Fatal(err)
		}
		alice.open()
		alice.start()
		do(bob, Fetch, FetchRequest{Grant: r.Link})
		bob.sound()
	}
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"
	"time"
)

// TestAbsenceCostsLittle: at a round every 30 seconds, who is away for a week
// is tried about twenty times, the first few soon.
func TestAbsenceCostsLittle(t *testing.T) {
	for _, spread := range []float64{0, 0.5, 1} {
		a := &absences[string]{spread: func() float64 { return spread }}
		start := time.Now()
		var tries []time.Duration
		for at := time.Duration(0); at < 7*day; at += retryEvery {
			if a.due("bob", start.Add(at)) {
				tries = append(tries, at)
				a.missed("bob", start.Add(at))
			}
		}
		if len(tries) < 15 || len(tries) > 22 || tries[1] != retryEvery || tries[4] > 10*time.Minute {
			t.Errorf("spread %v: tried %d times, first at %v", spread, len(tries), tries[:min(len(tries), 6)])
		}
		last := tries[len(tries)-1]
		if before := tries[len(tries)-2]; last-before > longestAbsence*5/4+retryEvery {
			t.Errorf("spread %v: left alone for %v", spread, last-before)
		}
		if !a.due("bob", start.Add(-time.Hour)) {
			t.Error("a clock that was set back keeps the contact away")
		}
		a.met("bob")
		if !a.due("bob", start.Add(last)) {
			t.Error("who was met is not due")
		}
	}
}

// TestAwayUntilHeardOf: a contact that was away is left alone, until a word
// from it.
func TestAwayUntilHeardOf(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	known := alice.give("notes", bob)
	bob.leave()
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob"})
	alice.net().handOver(t.Context())
	bob.start()
	alice.net().handOver(t.Context())
	if state := alice.given(r.Grant.ID).State; state != "pending" {
		t.Fatalf("bob, away just now, was tried at once: the grant is %s", state)
	}
	do(bob, Fetch, FetchRequest{Grant: known.Grant.ID})
	alice.net().handOver(t.Context())
	if state := alice.given(r.Grant.ID).State; state != "live" {
		t.Errorf("bob was heard of, and the grant is still %s", state)
	}
}

// TestRefusedHoldsUpNothing: what a contact does not take keeps nothing else
// from it, however often it is tried; and is not tried all the time.
func TestRefusedHoldsUpNothing(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("kept", tree{"a": "a"})
	alice.add("gone", tree{"a": "b"})
	r := alice.give("kept", bob)
	bob.leave()
	do(bob, ContactRemove, NameRequest{Name: "alice"})
	var id string
	for range 2 {
		id = do(alice, Grant, GrantRequest{Name: "kept", To: "bob"}).Grant.ID // refused for ever
		do(alice, Grant, GrantRequest{Name: "gone", To: "bob"})
	}
	do(alice, Remove, NameRequest{Name: "gone"}) // bob's node says that it knows nothing of these
	do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	bob.start()
	told := func() bool { g, err := alice.givenNamed(r.Grant.ID); return err == nil && g.told }
	for range 3 {
		alice.clock.advance(30 * time.Hour)
		alice.net().handOver(t.Context())
	}
	if !told() || bob.gotten(r.Grant.ID).State != "revoked" {
		t.Fatalf("after the refusals of others bob was not told: %v, at bob's it is %s", told(), bob.gotten(r.Grant.ID).State)
	}
	g, err := alice.givenNamed(id)
	if err != nil {
		t.Fatal(err)
	}
	refused := push{node: bob.self(), about: g.cid}
	if alice.net().item.due(refused, alice.clock.now()) {
		t.Error("what was refused just now is due")
	}
	alice.net().met(bob.self())
	if !alice.net().item.due(refused, alice.clock.now()) {
		t.Error("bob was heard of, and what he refused is not due")
	}
}

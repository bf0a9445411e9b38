// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
)

// TestDenialsAreCounted: whoever is refused makes the node write nothing; what
// was refused is in the log a minute later, in one line for each reason.
func TestDenialsAreCounted(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	stolen := bob.request(r.Grant.ID, 0)

	entries := alice.vault.Entries()
	for range 3 {
		if _, err := bob.present(alice, bob.request(r.Grant.ID, 0)); !isRefused(err, protocol.Revoked) {
			t.Fatalf("bob hears %v", err)
		}
	}
	for range 2 {
		if _, err := eve.present(alice, stolen); !isRefused(err, protocol.Denied) {
			t.Fatalf("eve hears %v", err)
		}
	}
	if now := alice.vault.Entries(); now != entries {
		t.Errorf("refusals wrote %d entries", now-entries)
	}
	alice.leave() // what is counted is saved on the way out
	got := map[string]string{}
	for _, line := range alice.events("denied") {
		got[line.Contact+"/"+line.Args["reason"]] = line.Args["count"]
	}
	if len(got) != 2 || got["bob/"+protocol.Revoked.String()] != "3" || got["/"+string(access.LayerGate)] != "2" {
		t.Errorf("the log counts %v", got)
	}
	if err := alice.saveDenials(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(alice.events("denied")); n != 2 {
		t.Errorf("saving twice made %d lines", n)
	}
	alice.start()
}

func TestDenialsAreBounded(t *testing.T) {
	t.Parallel()
	var n Node
	const peers = 10 * maxDenials
	for i := range peers {
		peer := crypto.DID(fmt.Sprintf("did:key:z%d", i))
		n.denied(peer, &access.Denial{Code: protocol.Busy, Audience: true, Reason: errors.New("busy")})
		n.denied(peer, &access.Denial{Code: protocol.Denied, Layer: access.LayerUCAN, Reason: errors.New("any")})
	}
	facts, total := n.denials.counts, uint64(0)
	for _, count := range facts {
		total += count
	}
	if len(facts) > maxDenials+1 || total != 2*peers {
		t.Errorf("%d kinds of refusal are kept apart, %d in all; want at most %d, and %d", len(facts), total, maxDenials+1, 2*peers)
	}
	if taken := n.denials.take(); len(taken) != len(facts) || n.denials.take() != nil {
		t.Error("what was taken is not what was counted")
	}
}

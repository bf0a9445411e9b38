// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestDamagedHistoryDecidesNothing: when what rots lies before a checkpoint,
// the node refuses to start and says why; after a repair no grant waits for
// the owner, and all that decides is as it was: what was revoked is refused,
// uses stay used, no invocation is answered twice, the clock's mark stands.
func TestDamagedHistoryDecidesNothing(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	did := crypto.DID(alice.add("counted", tree{"a": "1"}).Dataset)
	leaf, err := grant.Issue(alice.keys.Node(), grant.Grant{
		Dataset: did, Audience: bob.owner(), Purpose: grant.Purposes["service"], Until: alice.now().Add(90 * day), Uses: 1,
	}, newNonce())
	if err != nil {
		t.Fatal(err)
	}
	f := fact(factGiven, crypto.DatasetScope(did), givenFact{Dataset: did, Leaf: leaf.Bytes(), Audience: bob.owner()})
	if err := alice.record(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	alice.net().handOver(t.Context())
	counted := grantID(leaf.CID())
	do(bob, Fetch, FetchRequest{Grant: counted})
	alice.add("closed", tree{"b": "1"})
	closed := alice.give("closed", bob).Grant.ID
	do(bob, Fetch, FetchRequest{Grant: closed})
	do(alice, Revoke, NameRequest{Name: closed})
	alice.add("open", tree{"c": "1"})
	open := alice.give("open", bob).Grant.ID
	alice.clock.advance(time.Hour)
	if err := alice.housekeeping(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := bob.request(open, 0)
	if _, err := bob.present(alice, asked); err != nil {
		t.Fatal(err)
	}
	alice.shortens()
	alice.restart()
	before, generation := alice.decides(), alice.generation("closed")
	alice.close()

	first := filepath.Join(alice.home, "journal", "00000001.log")
	disktest.Flip(t, disk.OS, first, disktest.Size(t, disk.OS, first)*4)
	opt := Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now}
	refused := (*problem.Problem)(nil)
	if _, err := OpenHome(t.Context(), opt); !errors.As(err, &refused) || refused.Kind != problem.Damaged {
		t.Fatalf("opened: %v", err)
	}
	r, err := RepairHome(t.Context(), opt)
	if err != nil || r.Suspended || len(r.Lost) != 1 || r.Lost[0].Key != "damage.history-aside" {
		t.Fatalf("%+v, %v", r, err)
	}
	alice.open()
	alice.start()
	if diff := cmp.Diff(before, alice.decides()); diff != "" {
		t.Errorf("it decides otherwise:\n%s", diff)
	}
	if g := alice.generation("closed"); g != generation {
		t.Errorf("generation %d, was %d", g, generation)
	}
	fails(bob, Fetch, FetchRequest{Grant: closed}, "refused.revoked")
	alice.add("counted", tree{"a": "2"})
	fails(bob, Fetch, FetchRequest{Grant: counted}, "refused.limit")
	if _, err := bob.present(alice, asked); err == nil {
		t.Error("an invocation was answered twice")
	}
	do(bob, Fetch, FetchRequest{Grant: open})
	alice.sound()
}

// decides is all that a node tells, but its log.
func (p *person) decides() []string {
	p.t.Helper()
	all := p.tells()
	return append(all[:3:3], all[4:]...)
}

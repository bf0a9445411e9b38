// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage/vault"
)

// TestDeliveryIsJournaledFirst: when the head arrives, the journal has it.
func TestDeliveryIsJournaledFirst(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	_, closing := bob.asks(r.Grant.ID)
	defer closing()
	if n := alice.facts(factDelivered); n != 1 {
		t.Errorf("the head is here, and the giver's journal tells of %d deliveries", n)
	}
	if lines := alice.events("delivered"); len(lines) != 1 || lines[0].Contact != "bob" || lines[0].Args["purpose"] != "service" {
		t.Errorf("the log says %+v", lines)
	}
}

// TestNoDeliveryWithoutJournal: what cannot be journaled is not sent, and may
// be asked for again with the same words.
func TestNoDeliveryWithoutJournal(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	request := bob.request(r.Grant.ID, 0)

	alice.files.setFull(true)
	for range 2 { // the second time too: it was not taken for a replay
		if _, err := bob.present(alice, request); !isRefused(err, protocol.Failed) {
			t.Errorf("with a full disk: %v, want a refusal that says failed", err)
		}
	}
	alice.restart() // with room again
	if n := alice.facts(factDelivered); n != 0 {
		t.Errorf("%d deliveries are journaled", n)
	}
	head, err := bob.present(alice, request)
	if err != nil || len(head) == 0 {
		t.Fatalf("the same invocation again, with room: %v", err)
	}
	if _, err := bob.present(alice, request); !isRefused(err, protocol.Denied) {
		t.Errorf("the same invocation after it was answered: %v", err)
	}
	alice.restart()
	if _, err := bob.present(alice, request); !isRefused(err, protocol.Denied) {
		t.Errorf("the same invocation after a restart: %v", err)
	}
	alice.sound()
}

// request is what bob would ask with, signed now.
func (p *person) request(id string, seq int64) transfer.Request {
	p.t.Helper()
	r, err := p.receivedNamed(id)
	if err != nil {
		p.t.Fatal(err)
	}
	args := grant.ReadArgs{
		Columns: []string{}, Rows: []string{}, Paths: []string{""}, Purpose: r.grant.Purpose,
		Seq: seq, HPKE: p.keys.Receive().Public(),
	}
	invocation, err := grant.Ask(p.keys.Node(), r.chain, r.Node, grant.CommandRead, args.ToMap(), p.now(), newNonce())
	if err != nil {
		p.t.Fatal(err)
	}
	return transfer.Request{Invocation: invocation.Bytes(), Proofs: r.chain.Tokens()}
}

// present asks a node with a request, and gives the sealed head.
func (p *person) present(to *person, q transfer.Request) ([]byte, error) {
	p.t.Helper()
	stream, err := p.net().dial(p.t.Context(), to.self(), to.net().reachable(), transfer.ProtocolID)
	if err != nil {
		p.t.Fatal(err)
	}
	session, err := transfer.Open(p.t.Context(), stream, q, transfer.ClientOptions{Now: p.clock.now})
	if err != nil {
		return nil, err
	}
	return session.Head(), session.Done(p.t.Context())
}

// TestRepeatedDelivery: the log tells a resumed fetch from a new version.
func TestRepeatedDelivery(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	alice.add("notes", tree{"a": "b"})
	got := do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	if got.Unchanged || got.Version != 2 {
		t.Errorf("fetched %+v, want version 2", got)
	}
	if first, again := len(alice.events("delivered")), len(alice.events("delivered.again")); first != 2 || again != 1 {
		t.Errorf("%d deliveries and %d repeated, want 2 and 1", first, again)
	}
	if g := alice.given(r.Grant.ID); g.Deliveries != 3 || g.LastVersion != 2 {
		t.Errorf("the grant says %+v", g)
	}
	bob.wantTree("notes", tree{"a": "b"})
}

// givesUses hands to a contact a grant on a data set that ends with so many
// uses, as no operation makes one yet.
func (p *person) givesUses(name string, to *person, uses uint64) (id string) {
	p.t.Helper()
	d, err := p.vault.Lookup(name)
	if err != nil {
		p.t.Fatal(err)
	}
	leaf, err := grant.Issue(p.keys.Node(), grant.Grant{
		Dataset: d.DID, Audience: to.owner(), Purpose: grant.Purposes["service"], Until: p.now().Add(90 * day), Uses: uses,
	}, newNonce())
	if err != nil {
		p.t.Fatal(err)
	}
	f := fact(factGiven, crypto.DatasetScope(d.DID), givenFact{Dataset: d.DID, Leaf: leaf.Bytes(), Audience: to.owner()})
	if err := p.record(p.t.Context(), f); err != nil {
		p.t.Fatal(err)
	}
	p.net().handOver(p.t.Context())
	return grantID(leaf.CID())
}

// TestUsesAreBounded: each new head draws one use, a head that was delivered
// before none; restarts on either side give nothing back.
func TestUsesAreBounded(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "1"})
	id := alice.givesUses("notes", bob, 2)

	do(bob, Fetch, FetchRequest{Grant: id})
	do(bob, Fetch, FetchRequest{Grant: id})
	alice.restart()
	do(bob, Fetch, FetchRequest{Grant: id})
	alice.add("notes", tree{"a": "2"})
	do(bob, Fetch, FetchRequest{Grant: id})
	alice.add("notes", tree{"a": "3"})
	fails(bob, Fetch, FetchRequest{Grant: id}, "refused.limit")
	alice.restart()
	bob.restart()
	fails(bob, Fetch, FetchRequest{Grant: id}, "refused.limit")
	bob.wantTree("notes", tree{"a": "2"})
	for seq := range int64(4) {
		if _, err := bob.present(alice, bob.request(id, seq)); err == nil {
			t.Errorf("with seq %d a third head was delivered", seq)
		}
	}
}

// TestAdmissionEnds: a stream does not outlive the grant it stands on.
func TestAdmissionEnds(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", For: time.Minute})
	alice.clock.advance(time.Minute) // the last second is still good
	_, closing := bob.asks(r.Grant.ID)
	defer closing()
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range alice.passages.under(g.cid) {
		select {
		case <-open.left:
		case <-time.After(patience):
			t.Error("the stream goes on after its grant's end")
		}
	}
}

// TestAddWhileServing: a version that is made during a delivery changes
// nothing about it.
func TestAddWhileServing(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	files := tree{"a": noise(100), "b": noise(2 << 20)}
	did := crypto.DID(alice.add("notes", files).Dataset)
	r := alice.give("notes", bob)
	f, closing := bob.asks(r.Grant.ID)
	defer closing()
	alice.add("notes", tree{"c": "c"})
	if err := f.receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	bob.wantTree("notes", files)
	if _, err := alice.vault.ViewHead(t.Context(), did, vault.View{}); err == nil {
		t.Error("a view of nothing in particular is a view")
	}
}

// TestPassagesShareAView: however many passages serve a head, the list of its
// blocks is there once, in no more room than it needs; one grant opens only
// so many, and hears when it may not.
func TestPassagesShareAView(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a", "b/c": "c", "b/again": "c"})
	r := alice.give("notes", bob)
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	var close []func()
	for range maxPassages {
		f, closing := bob.asks(r.Grant.ID)
		close = append(close, closing)
		if err := f.session.Fetch(t.Context(), slices.Values([]crypto.BlockName{f.head.Root.Name}), f.nothing); err != nil {
			t.Fatal(err)
		}
	}
	held := &alice.passages.views
	held.mu.Lock()
	for _, v := range held.open {
		if v.users != maxPassages || len(v.blocks) < 3 || cap(v.blocks) > len(v.blocks)+2 || !slices.IsSortedFunc(v.blocks, compareNames) {
			t.Errorf("%d passages share %d names in room for %d", v.users, len(v.blocks), cap(v.blocks))
		}
	}
	if len(held.open) != 1 {
		t.Errorf("%d lists for one head", len(held.open))
	}
	held.mu.Unlock()

	request := bob.request(r.Grant.ID, 0)
	if _, err := bob.present(alice, request); !isRefused(err, protocol.Busy) {
		t.Errorf("one passage too many: %v", err)
	}
	open := alice.passages.under(g.cid)
	for i := range close {
		close[i]()
	}
	for _, p := range open {
		select {
		case <-p.left:
		case <-time.After(patience):
			t.Fatal("a passage goes on after its client left")
		}
	}
	if len(held.open) != 0 {
		t.Errorf("%d lists are kept for nobody", len(held.open))
	}
	if _, err := bob.present(alice, request); err != nil {
		t.Errorf("the same words, when there is room: %v", err)
	}
}

func (f *fetching) nothing(crypto.BlockName, []byte) error { return nil }

// TestRevokedWhileEntering: a revocation that falls between the gate's answer
// and the entry, which it could not stop, is seen by a second look.
func TestRevokedWhileEntering(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	s := &serving{node: alice.Node, cancel: stop, admit: func() func() {
		record := vault.Fact{Kind: factRevocation, Public: alice.revocationOf(alice.keys.Node(), g)}
		if err := alice.record(t.Context(), record); err != nil {
			t.Error(err)
		}
		return func() {}
	}}
	defer s.leave()
	if _, err := s.Open(t.Context(), bob.self(), bob.request(r.Grant.ID, 0)); !isRefused(err, protocol.Revoked) {
		t.Errorf("revoked while it entered: %v", err)
	}
	if n := alice.facts(factDelivered); n != 0 {
		t.Errorf("%d deliveries under a revoked grant", n)
	}
}

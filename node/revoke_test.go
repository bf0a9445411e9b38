// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"sync"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage/vault"
)

// generation is how often a data set's keys were changed.
func (p *person) generation(name string) uint64 {
	p.t.Helper()
	d, err := p.vault.Lookup(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return d.Generation
}

// TestRevokeStopsFetch: the fetch that runs ends, and its grantee hears why.
func TestRevokeStopsFetch(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"big": noise(8 << 20)})
	r := alice.give("notes", bob)
	ended := bob.fetches(r.Grant.ID)
	done := do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	if done.Stopped != 1 || !done.Notified || done.Grant.State != "revoked" {
		t.Errorf("revoked: %+v", done)
	}
	err := <-ended
	found := (*problem.Problem)(nil)
	if !errors.As(err, &found) || found.Key != "refused.revoked" {
		t.Errorf("the fetch ended with %v", err)
	}
	if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
		t.Errorf("bob's grant is %s", state)
	}
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(alice.passages.under(g.cid)); n != 0 {
		t.Errorf("%d passages are still open", n)
	}
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.revoked")
	alice.sound()
	bob.sound()
}

// TestEndHeardBeforeItsGrant: what a stranger's node says is over is remembered
// in memory alone; once its grant is taken in, and listed as revoked, it stays
// so.
func TestEndHeardBeforeItsGrant(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "1"})
	do(bob, ContactRemove, NameRequest{Name: "alice"})
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob"})
	if do(alice, Revoke, NameRequest{Name: r.Grant.ID}).Notified {
		t.Error("a stranger's word is acknowledged")
	}
	fails(bob, Fetch, FetchRequest{Grant: r.Link}, "refused.revoked")
	for range 2 {
		if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
			t.Errorf("bob's grant is %s", state)
		}
		bob.shortens()
		bob.restart()
	}
}

// TestBroughtRevocationStopsFetch: so does a record that somebody else brings.
func TestBroughtRevocationStopsFetch(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"big": noise(8 << 20)})
	r := alice.give("notes", bob)
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	ended := bob.fetches(r.Grant.ID)
	if err := eve.bringRevocation(alice, alice.revocationOf(alice.keys.Node(), g)); err != nil {
		t.Fatal(err)
	}
	if n := len(alice.passages.under(g.cid)); n != 0 {
		t.Errorf("%d passages are open under a grant that is over", n)
	}
	if found := problem.Of(<-ended); found == nil || found.Key != "refused.revoked" {
		t.Errorf("the fetch ended with %v", found)
	}
}

// fetches begins a fetch that takes seconds, and returns when blocks arrive.
func (p *person) fetches(id string) (ended chan error) {
	p.t.Helper()
	began, ended := make(chan struct{}), make(chan error, 1)
	begin := sync.OnceFunc(func() { close(began) })
	go func() {
		_, err := Fetch.Do(p.t.Context(), p.Node, FetchRequest{Grant: id, LimitRate: 1 << 20}, func(at Progress) {
			if at.Step == "blocks" {
				begin()
			}
		})
		ended <- err
	}()
	select {
	case <-began:
	case err := <-ended:
		p.t.Fatalf("the fetch ended before it was stopped: %v", err)
	}
	return ended
}

// TestRevocationLasts: it is recorded once, raises the generation once, and
// survives a restart on both sides.
func TestRevocationLasts(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	before := alice.generation("notes")

	done := do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	keys := map[string]bool{}
	for _, notice := range done.Notices {
		keys[notice.Key] = true
	}
	if !keys["revoked.delivered"] || keys["revoked.nothing-delivered"] || keys["revoked.stopped"] || !keys["revoked.told"] || keys["revoked.not-told"] {
		t.Errorf("it says %v", keys)
	}
	fails(alice, Revoke, NameRequest{Name: r.Grant.ID}, "grant.revoked-already")
	if n := alice.facts(factRevocation); n != 1 {
		t.Errorf("%d records", n)
	}
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("generation %d, then %d", before, g)
	}
	for range 2 {
		alice.restart()
		bob.restart()
	}
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("after restarts the generation is %d, want %d", g, before+1)
	}
	if a, b := alice.given(r.Grant.ID).State, bob.gotten(r.Grant.ID).State; a != "revoked" || b != "revoked" {
		t.Errorf("after restarts it is %s at alice's, %s at bob's", a, b)
	}
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.revoked")
	fails(bob, Fetch, FetchRequest{Grant: r.Link}, "refused.revoked")

	// A new grant on the same data set is another passage.
	again := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: again.Grant.ID})
}

// TestRevokeWhileAway: the grantee is told when they come back.
func TestRevokeWhileAway(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	bob.leave()
	done := do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	if done.Notified || done.Notices[len(done.Notices)-1].Key != "revoked.not-told" {
		t.Errorf("nobody could be told: %+v", done)
	}
	bob.start()
	alice.handsOver(func() bool { return bob.gotten(r.Grant.ID).State == "revoked" })
	alice.handsOver(func() bool { return len(alice.events("revocation.acknowledged")) > 0 })
	told := bob.facts(factRevocation)
	alice.net().handOver(t.Context())
	if again := bob.facts(factRevocation); again != told || told != 1 {
		t.Errorf("bob's node recorded it %d, then %d times", told, again)
	}
}

// TestHalfARevocation: the power went between the record and what follows it.
func TestHalfARevocation(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	before := alice.generation("notes")
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	record := alice.revocationOf(alice.keys.Node(), g)
	if _, err := alice.vault.Record(t.Context(), vault.Fact{Kind: factRevocation, Public: record}); err != nil {
		t.Fatal(err)
	}
	alice.restart()
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("generation %d, then %d", before, g)
	}
	if state := alice.given(r.Grant.ID).State; state != "revoked" {
		t.Errorf("the grant is %s", state)
	}
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.revoked")
	alice.restart()
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("finished twice: generation %d", g)
	}
}

func (p *person) revocationOf(issuer crypto.Signer, g given) []byte {
	p.t.Helper()
	record, err := ucan.Revoke(issuer, g.cid, nil, newNonce())
	if err != nil {
		p.t.Fatal(err)
	}
	return record.Bytes()
}

// TestBroughtRevocations: anybody may bring a record; who signed it decides.
func TestBroughtRevocations(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}

	// Eve's own word ends nothing, and leaves nothing.
	forged := alice.revocationOf(eve.keys.Node(), g)
	for _, to := range []*person{alice, bob} {
		entries := to.vault.Entries()
		if err := eve.bringRevocation(to, forged); !isRefused(err, protocol.Denied) {
			t.Errorf("%s on a stranger's revocation: %v", to.name, err)
		}
		if now := to.vault.Entries(); now != entries {
			t.Errorf("a stranger made the node of %s write: %d entries, then %d", to.name, entries, now)
		}
	}
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})

	// Alice's word, carried by eve, to bob and back to alice herself.
	before := alice.generation("notes")
	record := alice.revocationOf(alice.keys.Node(), g)
	for range 2 {
		if err := eve.bringRevocation(bob, record); err != nil {
			t.Fatal(err)
		}
	}
	if n := bob.facts(factRevocation); n != 1 {
		t.Errorf("bob's node recorded it %d times", n)
	}
	if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
		t.Errorf("bob's grant is %s", state)
	}
	if err := eve.bringRevocation(alice, record); err != nil {
		t.Fatal(err)
	}
	if state := alice.given(r.Grant.ID).State; state != "revoked" {
		t.Errorf("alice's grant is %s", state)
	}
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("a revocation that came from outside left the generation at %d, want %d", g, before+1)
	}
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.revoked")
	alice.restart()
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("after a restart the generation is %d, want %d", g, before+1)
	}
}

// TestRevocationComesFirst: a record that arrives before its grant.
func TestRevocationComesFirst(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	bob.leave()
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob"})
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	bob.start()
	if err := alice.bringRevocation(bob, alice.revocationOf(alice.keys.Node(), g)); err != nil {
		t.Fatal(err)
	}
	alice.handsOver(func() bool { return alice.given(r.Grant.ID).State == "live" })
	if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
		t.Errorf("the grant that came after its revocation is %s", state)
	}
	bob.restart()
	if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
		t.Errorf("after a restart it is %s", state)
	}
}

// TestSameWordAgain: who says the same thing again in other bytes does not
// fill the journal.
func TestSameWordAgain(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := alice.bringRevocation(bob, alice.revocationOf(alice.keys.Node(), g)); err != nil {
			t.Fatal(err)
		}
	}
	if n := bob.facts(factRevocation); n != 1 {
		t.Errorf("the same word was recorded %d times", n)
	}
	bob.restart()
	if err := alice.bringRevocation(bob, alice.revocationOf(alice.keys.Node(), g)); err != nil {
		t.Fatal(err)
	}
	if n := bob.facts(factRevocation); n != 1 {
		t.Errorf("after a restart it was recorded again: %d", n)
	}
	if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
		t.Errorf("bob's grant is %s", state)
	}
}

// TestEarlyWordsAreBounded: a contact who revokes what nobody here has heard
// of is believed so many times, and no more.
func TestEarlyWordsAreBounded(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	g, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	early := func(i int) []byte {
		return alice.revocationOf(alice.keys.Node(), given{cid: strangeCID(t, i)})
	}
	if err := alice.bringRevocation(bob, early(0)); err != nil {
		t.Fatal(err)
	}
	bob.restart()
	bob.book.mu.Lock()
	counted := bob.book.early[alice.self()]
	bob.book.early[alice.self()] = maxReceived
	bob.book.mu.Unlock()
	if counted != 1 {
		t.Errorf("%d early revocations are counted, want 1", counted)
	}
	if err := alice.bringRevocation(bob, early(1)); !isRefused(err, protocol.Limit) {
		t.Errorf("beyond the bound: %v", err)
	}
	// What is known here can be ended all the same.
	if err := alice.bringRevocation(bob, alice.revocationOf(alice.keys.Node(), g)); err != nil {
		t.Error(err)
	}
	if state := bob.gotten(r.Grant.ID).State; state != "revoked" {
		t.Errorf("bob's grant is %s", state)
	}
}

// TestRevokeTwiceAtOnce: two who revoke at the same time make one revocation,
// and both find it done.
func TestRevokeTwiceAtOnce(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	before := alice.generation("notes")
	var both sync.WaitGroup
	for range 4 {
		both.Go(func() {
			_, err := Revoke.Do(t.Context(), alice.Node, NameRequest{Name: r.Grant.ID}, nil)
			if p := problem.Of(err); p != nil && p.Key != "grant.revoked-already" {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if n, g := alice.facts(factRevocation), alice.generation("notes"); n != 1 || g != before+1 {
		t.Errorf("%d records, %d generations", n, g-before)
	}
}

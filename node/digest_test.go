// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/storage/vault"
)

// shortens makes a checkpoint, as housekeeping does when the journal has grown.
func (p *person) shortens() {
	p.t.Helper()
	d, err := p.digest()
	if err == nil {
		err = p.vault.Checkpoint(p.t.Context(), d)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// tells is all that a node tells its owner.
func (p *person) tells() (lines []string) {
	p.t.Helper()
	for _, answer := range []any{
		do(p, Grants, None{}), do(p, ContactList, None{}), do(p, List, None{}), do(p, Log, LogRequest{}).Lines,
		p.gate.Behind(), p.book.early, len(p.book.words), len(p.book.owed), p.book.kits, p.book.changed,
	} {
		b, err := json.Marshal(answer)
		if err != nil {
			p.t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	return lines
}

// TestCheckpointChangesNothing: after any number of checkpoints and starts a
// revoked grant is refused, a use stays used, an invocation is not answered
// twice, and the owner is told what they were told.
func TestCheckpointChangesNothing(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("counted", tree{"a": "1"})
	counted := alice.givesUses("counted", bob, 2)
	do(bob, Fetch, FetchRequest{Grant: counted})
	alice.add("counted", tree{"a": "2"})
	do(bob, Fetch, FetchRequest{Grant: counted})

	alice.add("closed", tree{"b": "1"})
	closed := do(alice, Grant, GrantRequest{Name: "closed", To: "bob", For: 90 * day}).Grant.ID
	do(bob, Fetch, FetchRequest{Grant: closed})
	do(alice, Revoke, NameRequest{Name: closed})

	alice.add("open", tree{"c": "0"})
	open := do(alice, Grant, GrantRequest{Name: "open", To: "bob", For: 90 * day}).Grant.ID
	alice.add("gone", tree{"d": "0"})
	do(bob, Fetch, FetchRequest{Grant: do(alice, Grant, GrantRequest{Name: "gone", To: "bob", For: 90 * day}).Grant.ID})
	do(alice, Remove, NameRequest{Name: "gone"})
	for _, content := range []string{"1", "2", "3", "4"} {
		alice.add("open", tree{"c": content})
		do(bob, Fetch, FetchRequest{Grant: open})
		alice.clock.advance(50 * time.Hour)
		if err := alice.housekeeping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	asked := bob.request(open, 0)
	if _, err := bob.present(alice, asked); err != nil {
		t.Fatal(err)
	}
	do(bob, Fetch, FetchRequest{Grant: open}) // a later one that stands for the grant
	for _, p := range []*person{alice, bob} {
		p.restart() // what only memory knew is no part of this
	}
	before := [2][]string{alice.tells(), bob.tells()}
	entries := [2]int{alice.liveFacts(), bob.liveFacts()}
	for range 2 {
		for i, p := range []*person{alice, bob} {
			p.shortens()
			p.restart()
			if diff := cmp.Diff(before[i], p.tells()); diff != "" {
				t.Fatalf("%s tells something else:\n%s", p.name, diff)
			}
		}
		fails(bob, Fetch, FetchRequest{Grant: closed}, "refused.revoked")
		alice.add("counted", tree{"a": before[0][0][:20] + alice.now().String()})
		fails(bob, Fetch, FetchRequest{Grant: counted}, "refused.limit")
		if _, err := bob.present(alice, asked); err == nil {
			t.Error("an invocation was answered twice")
		}
		alice.restart()
		bob.restart()
		before = [2][]string{alice.tells(), bob.tells()}
	}
	if alice.liveFacts() >= entries[0] || bob.liveFacts() >= entries[1] {
		t.Errorf("facts that count: %d of %d and %d of %d", alice.liveFacts(), entries[0], bob.liveFacts(), entries[1])
	}
	do(bob, Fetch, FetchRequest{Grant: open})
	alice.sound()
	bob.sound()
}

// TestCheckpointKnowsWhoHasAGrant: a grant that its grantee has because they
// fetched by its link is not pending again after a checkpoint that leaves out
// that delivery, or the contact as it was then.
func TestCheckpointKnowsWhoHasAGrant(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("letters", tree{"a": "1"})
	bob.leave()
	g := do(alice, Grant, GrantRequest{Name: "letters", To: "bob", For: 90 * day})
	bob.start()
	do(bob, Fetch, FetchRequest{Grant: g.Link})
	if alice.given(g.Grant.ID).State != "live" {
		t.Fatal("who fetches has the grant")
	}
	do(alice, ContactConfirm, NameRequest{Name: "bob"})
	for range 2 {
		alice.leave() // nothing is handed over any more
		alice.shortens()
		if err := alice.Node.Close(); err != nil {
			t.Fatal(err)
		}
		alice.open()
		if state := alice.given(g.Grant.ID).State; state != "live" {
			t.Errorf("after a checkpoint and a start it is %s", state)
		}
		alice.start()
	}
}

// TestDeliveriesAreSummedUp: however often a grantee asks, what counts of it is
// little, in the journal and in a kit; the number stays, and uses stay used.
func TestDeliveriesAreSummedUp(t *testing.T) {
	t.Parallel()
	const times = 20
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	open := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", For: 90 * day}).Grant.ID
	alice.add("counted", tree{"a": "1"})
	counted := alice.givesUses("counted", bob, 1)
	do(bob, Fetch, FetchRequest{Grant: open})
	do(bob, Fetch, FetchRequest{Grant: counted})
	alice.clock.advance(time.Hour)
	var few, many bytes.Buffer
	if err := alice.sealKit(&few); err != nil {
		t.Fatal(err)
	}
	for range times {
		do(bob, Fetch, FetchRequest{Grant: open})
		do(bob, Fetch, FetchRequest{Grant: counted})
	}
	alice.clock.advance(lasting + grant.MaxInvocationLife)
	if err := alice.sealKit(&many); err != nil {
		t.Fatal(err)
	}
	if grown := many.Len() - few.Len(); grown > 1000 {
		t.Errorf("%d deliveries make a kit %d bytes larger", 2*times, grown)
	}
	for range 2 {
		alice.shortens()
		alice.restart()
		live := 0
		if err := alice.vault.LiveFacts(func(vault.Recorded) error { live++; return nil }, factDelivered); err != nil || live != 2 {
			t.Errorf("%d deliveries count one by one, want each grant's last: %v", live, err)
		}
		for _, id := range []string{open, counted} {
			if n := alice.given(id).Deliveries; n != times+1 {
				t.Errorf("%d deliveries, want %d", n, times+1)
			}
		}
	}
	home := filepath.Join(t.TempDir(), "restored")
	opt := RestoreOptions{CreateOptions: CreateOptions{Home: home, Passphrase: []byte(passphrase), Weak: true}, Kit: many.Bytes(), Words: alice.words}
	if _, err := Restore(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	restored, err := OpenHome(t.Context(), Options{Home: home, Secret: alice.secret()})
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	for _, id := range []string{open, counted} {
		if g, err := restored.givenNamed(id); err != nil || g.deliveries != times+1 {
			t.Errorf("restored: %d deliveries, want %d: %v", g.deliveries, times+1, err)
		}
	}
	alice.add("counted", tree{"a": "2"})
	fails(bob, Fetch, FetchRequest{Grant: counted}, "refused.limit")
}

// TestLessThanAMarkBack: a checkpoint that is made while the clock stands
// ahead, by less than its mark notices, lets nothing be answered twice.
func TestLessThanAMarkBack(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	id := alice.give("notes", bob).Grant.ID
	if err := alice.record(t.Context(), vault.Fact{Kind: factClock, Public: publicMark(alice.now())}); err != nil {
		t.Fatal(err)
	}
	asked := bob.request(id, 0)
	if _, err := bob.present(alice, asked); err != nil {
		t.Fatal(err)
	}
	do(bob, Fetch, FetchRequest{Grant: id}) // a later one stands for the grant
	ahead := access.MarkStep - time.Second
	alice.clock.advance(ahead)
	alice.shortens()
	alice.clock.advance(30*time.Second - ahead)
	alice.restart()
	if _, err := bob.present(alice, asked); err == nil {
		t.Error("an invocation was answered twice")
	}
	do(bob, Fetch, FetchRequest{Grant: id})
}

// TestReceivedGrantsAreFew: a contact who brings a grant with other addresses
// again and again makes little that counts; where it came from last is known,
// and since when.
func TestReceivedGrantsAreFew(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	id := alice.give("notes", bob).Grant.ID
	first, err := bob.receivedNamed(id)
	if err != nil {
		t.Fatal(err)
	}
	g, err := alice.givenNamed(id)
	if err != nil {
		t.Fatal(err)
	}
	o := offer.Grant{Chain: append(alice.book.chainOf(g.Dataset)[:2:2], g.leaf).Tokens(), Name: "notes"}
	const days = 5
	for i := range 24 * days {
		bob.clock.advance(61 * time.Minute)
		o.Addresses = []string{fmt.Sprintf("/ip4/10.0.0.1/tcp/%d", 1000+i)}
		if err := alice.bringGrant(bob, o); err != nil {
			t.Fatal(err)
		}
	}
	if n := bob.facts(factReceivedGrant); n < 3 || n > days+2 {
		t.Errorf("%d times written in %d days", n, days)
	}
	bob.clock.advance(25 * time.Hour)
	o.Addresses = []string{"/ip4/10.0.0.2/tcp/1"}
	if err := alice.bringGrant(bob, o); err != nil {
		t.Fatal(err)
	}
	bob.shortens()
	bob.restart()
	live := 0
	if err := bob.vault.LiveFacts(func(vault.Recorded) error { live++; return nil }, factReceivedGrant); err != nil || live > 3 {
		t.Errorf("%d facts of one grant count: %v", live, err)
	}
	r, err := bob.receivedNamed(id)
	if err != nil || !slices.Equal(r.Addresses, o.Addresses) || r.since.Unix() != first.since.Unix() || r.place != first.place {
		t.Errorf("it is at %v since %v, want %v since %v: %v", r.Addresses, r.since, o.Addresses, first.since, err)
	}
	do(bob, Fetch, FetchRequest{Grant: id})
}

// TestDigestOfClocks: of any marks, raised and lowered, so much stays that a
// start knows the last.
func TestDigestOfClocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		d := &digesting{dead: map[uint64]bool{}}
		var all []vault.Recorded
		for seq := range uint64(rng.IntN(12)) {
			kind := factClock
			if rng.IntN(4) == 0 {
				kind = factClockLowered
			}
			rec := vault.Recorded{Fact: vault.Fact{Kind: kind, Public: publicMark(time.Unix(int64(rng.IntN(9)), 0))}, Seq: seq + 1}
			all = append(all, rec)
			d.take(rec)
		}
		after := func(dead map[uint64]bool) (at int64) {
			for _, rec := range all {
				switch mark := markOf(rec.Public).Unix(); {
				case dead[rec.Seq]:
					continue
				case rec.Kind == factClock:
					at = max(at, mark)
				default:
					at = min(at, mark)
				}
			}
			return at
		}
		want, got := after(nil), after(d.dead)
		if got != want {
			t.Fatalf("%v without %v: %d, want %d", all, d.dead, got, want)
		}
	}
}

// liveFacts is how many facts a start reads.
func (p *person) liveFacts() (n int) {
	p.t.Helper()
	if err := p.vault.LiveFacts(func(vault.Recorded) error { n++; return nil }); err != nil {
		p.t.Fatal(err)
	}
	return n
}

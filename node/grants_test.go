// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage/vault"
)

func TestGrantRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := newClock()
	alice, bob := newPerson(t, "alice", c), newPerson(t, "bob", c)
	do(bob, Card, CardRequest{Name: "bob"})
	do(bob, ContactAdd, ContactAddRequest{Link: do(alice, Card, CardRequest{Name: "alice"}).Link})
	alice.add("notes", tree{"a/x": "1", "b/y": "2"})

	ask := func(change func(*GrantRequest)) GrantRequest {
		q := GrantRequest{Name: "notes", To: "bob"}
		change(&q)
		return q
	}
	fails(alice, Grant, ask(func(*GrantRequest) {}), "contact.unconfirmed")
	do(alice, ContactConfirm, NameRequest{Name: "bob"})
	before := alice.facts(factGiven)
	tests := []struct {
		key    string
		change func(*GrantRequest)
	}{
		{"dataset.none", func(q *GrantRequest) { q.Name = "nothing" }},
		{"contact.none", func(q *GrantRequest) { q.To = "nobody" }},
		{"grant.bad-purpose", func(q *GrantRequest) { q.Purpose = "no such purpose" }},
		{"grant.too-short", func(q *GrantRequest) { q.For = time.Second }},
		{"grant.too-short", func(q *GrantRequest) { q.For = -day }},
		{"grant.bad-path", func(q *GrantRequest) { q.Paths = []string{"../b/"} }},
		{"grant.bad-path", func(q *GrantRequest) { q.Paths = []string{"/a/"} }},
		{"grant.bad-path", func(q *GrantRequest) { q.Paths = []string{"a//x"} }},
		{"grant.bad-path", func(q *GrantRequest) { q.Paths = []string{"a/%78"} }},
		{"no-such-path", func(q *GrantRequest) { q.Paths = []string{"c/"} }},
		{"no-such-path", func(q *GrantRequest) { q.Paths = []string{"a/", "A/"} }},
		{"grant.folder-path", func(q *GrantRequest) { q.Paths = []string{"a"} }},
	}
	for _, tt := range tests {
		fails(alice, Grant, ask(tt.change), tt.key)
	}
	if after := alice.facts(factGiven); after != before {
		t.Errorf("refused requests left %d grants", after-before)
	}
	fails(alice, Fetch, FetchRequest{Grant: "notes"}, "grant.none")
	fails(alice, Revoke, NameRequest{Name: "g-nothing"}, "grant.none")
}

func TestPurposes(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	for asked, want := range map[string]string{
		"": "service", "research": "research", grant.Purposes["family"]: "family",
		"https://example.org/why": "https://example.org/why",
	} {
		r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", Purpose: asked})
		if r.Grant.Purpose != want || bob.gotten(r.Grant.ID).Purpose != want {
			t.Errorf("asked for %q: %q given, %q received, want %q", asked, r.Grant.Purpose, bob.gotten(r.Grant.ID).Purpose, want)
		}
	}
}

// TestPathsBound: who was granted a folder gets that folder, and no block of
// the rest, known by name or not.
func TestPathsBound(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	files := tree{"mine/secret": noise(5000), "shared/a": noise(5000), "shared/deep/b": noise(5000), "shared.txt": noise(5000)}
	added := alice.add("notes", files)
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", Paths: []string{"shared/"}})
	got := do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	if got.Files != 2 || got.Bytes != 10000 {
		t.Errorf("fetched %+v, want two files", got)
	}
	bob.wantTree("notes", tree{"shared/a": files["shared/a"], "shared/deep/b": files["shared/deep/b"]})

	whole, err := alice.vault.ViewHead(t.Context(), crypto.DID(added.Dataset), vault.View{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	all, err := alice.blocksOf(t.Context(), whole.Head)
	if err != nil {
		t.Fatal(err)
	}
	outside := 0
	for _, name := range all {
		if bob.vault.Blocks().Has(name) {
			continue
		}
		outside++
		f, closing := bob.asks(r.Grant.ID)
		err := f.session.Fetch(t.Context(), slices.Values([]crypto.BlockName{name}), func(crypto.BlockName, []byte) error {
			t.Error("a block outside the grant was served")
			return nil
		})
		closing()
		if !isRefused(err, protocol.Outside) {
			t.Errorf("asked for a block outside the grant: %v", err)
		}
	}
	if outside < 2 {
		t.Fatalf("only %d blocks lie outside: nothing was shown", outside)
	}
}

// asks opens a session under a grant of p's, by hand.
func (p *person) asks(id string) (*fetching, func()) {
	p.t.Helper()
	f, closing, err := p.tries(id)
	if err != nil {
		p.t.Fatal(err)
	}
	return f, closing
}

func (p *person) tries(id string) (*fetching, func(), error) {
	p.t.Helper()
	r, err := p.receivedNamed(id)
	if err != nil {
		p.t.Fatal(err)
	}
	f := &fetching{node: p.Node, link: p.net(), grant: r, progress: func(Progress) {}, landing: landing{store: p.vault.Blocks()}}
	stream, err := f.link.dial(p.t.Context(), r.Node, r.addresses(p.Node), transfer.ProtocolID)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := f.ask(p.t.Context(), stream); err != nil {
		stream.Close()
		return f, nil, err
	}
	return f, func() { f.session.Close(); stream.Close() }, nil
}

// TestGranteeAway: a grant waits for its grantee, and says so.
func TestGranteeAway(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	bob.leave()
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob"})
	if r.Delivered || r.Grant.State != "pending" {
		t.Errorf("granted to somebody away: %+v", r)
	}
	alice.net().handOver(t.Context())
	if state := alice.given(r.Grant.ID).State; state != "pending" {
		t.Errorf("the grant is %s", state)
	}
	alice.restart()
	bob.start()
	alice.handsOver(func() bool { return alice.given(r.Grant.ID).State == "live" })
	// Once is enough.
	taken := alice.facts(factAcknowledged)
	alice.net().handOver(t.Context())
	if again := alice.facts(factAcknowledged); again != taken {
		t.Errorf("it was handed over again: %d acknowledgements, then %d", taken, again)
	}
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	bob.wantTree("notes", tree{"a": "a"})
}

func TestGrantLinks(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"a": "a"})
	bob.leave()
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob"})
	bob.start()

	fails(eve, Fetch, FetchRequest{Grant: r.Link}, "grant.somebody-else")
	fails(alice, Fetch, FetchRequest{Grant: r.Link}, "grant.somebody-else")
	fails(bob, Fetch, FetchRequest{Grant: r.Link + "x"}, "link.altered")
	do(bob, Fetch, FetchRequest{Grant: r.Link})
	if state := alice.given(r.Grant.ID).State; state != "live" {
		t.Errorf("who fetches has the grant, and it is %s", state)
	}
	bob.wantTree("notes", tree{"a": "a"})

	kept := bob.facts(factReceivedGrant)
	if got := do(bob, Fetch, FetchRequest{Grant: r.Link}); !got.Unchanged {
		t.Errorf("the second fetch: %+v", got)
	}
	alice.net().handOver(t.Context())
	if again := bob.facts(factReceivedGrant); again != kept {
		t.Errorf("accepting twice left %d facts more", again-kept)
	}
	alice.clock.advance(31 * day)
	fails(bob, Fetch, FetchRequest{Grant: r.Link}, "grant.expired")
}

// TestBroughtGrants: only a contact's grants are kept, only so many, and none
// that is for somebody else.
func TestBroughtGrants(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	meet(alice, eve)
	alice.add("notes", tree{"a": "a"})
	for range 2 {
		alice.give("notes", eve)
	}
	bring := func(from, to *person, g offer.Grant) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		stream, err := from.net().dial(ctx, to.self(), to.net().reachable(), offer.ProtocolID)
		if err != nil {
			t.Fatal(err)
		}
		return offer.BringGrant(ctx, stream, g, offer.Options{})
	}
	first := alice.book.givenOn("")[0]
	of := func(g given) offer.Grant { return alice.offerOf(append(alice.book.chainOf(g.Dataset)[:2:2], g.leaf)) }
	if err := bring(alice, bob, of(first)); !isRefused(err, protocol.Denied) {
		t.Errorf("bob takes eve's grant: %v", err)
	}
	if n := bob.facts(factReceivedGrant); n != 0 {
		t.Errorf("bob kept %d of them", n)
	}

	// Beyond the budget a new one is refused with its reason, a known one is not.
	known := eve.book.receivedList()[0]
	eve.book.mu.Lock()
	for i := range maxReceived {
		copied := known
		eve.book.received[strangeCID(t, i)] = &copied
	}
	eve.book.mu.Unlock()
	bob.leave()
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "eve"})
	if r.Delivered {
		t.Error("eve's node takes more than its budget")
	}
	if err := bring(alice, eve, of(first)); err != nil {
		t.Errorf("a grant that is here already is refused: %v", err)
	}
	beyond, err := alice.givenNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := bring(alice, eve, of(beyond)); !isRefused(err, protocol.Limit) {
		t.Errorf("beyond the budget: %v", err)
	}
	bob.start()
}

// TestGrantBroughtByOthers: a grant that somebody else brings again does
// not send its audience elsewhere.
func TestGrantBroughtByOthers(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	link, err := offer.ParseLink(r.Link)
	if err != nil {
		t.Fatal(err)
	}
	before, err := bob.receivedNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	link.Addresses = []string{"/ip4/127.0.0.1/tcp/1"}
	stream, err := eve.net().dial(t.Context(), bob.self(), bob.net().reachable(), offer.ProtocolID)
	if err != nil {
		t.Fatal(err)
	}
	if err := offer.BringGrant(t.Context(), stream, link, offer.Options{}); !isRefused(err, protocol.Denied) {
		t.Errorf("eve brings alice's grant: %v", err)
	}
	if after, _ := bob.receivedNamed(r.Grant.ID); !slices.Equal(before.Addresses, after.Addresses) {
		t.Errorf("its addresses are now %v", after.Addresses)
	}
}

// TestOneNameTwoGrants: of two grants on a data set, its name means the newest
// that is live.
func TestOneNameTwoGrants(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a/x": "a", "b/y": "b"})
	one := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", Paths: []string{"a/"}})
	two := do(alice, Grant, GrantRequest{Name: "notes", To: "bob", Paths: []string{"b/y"}})
	do(bob, Fetch, FetchRequest{Grant: "notes"})
	if n := bob.gotten(two.Grant.ID).Deliveries; n != 1 {
		t.Errorf("the newest grant was used %d times", n)
	}
	do(bob, Fetch, FetchRequest{Grant: one.Grant.CID})
	do(bob, Fetch, FetchRequest{Grant: two.Grant.ID})
	fails(bob, Revoke, NameRequest{Name: one.Grant.ID}, "grant.not-ours")
	do(alice, Revoke, NameRequest{Name: two.Grant.CID})
	do(bob, Fetch, FetchRequest{Grant: "NOTES"})
	if n := bob.gotten(one.Grant.ID).Deliveries; n != 2 {
		t.Errorf("the grant that is live was used %d times", n)
	}
}

// TestTwoDatasetsOneName: a name that fits data sets of two givers is asked
// back about, with both commands, until one of them is here.
func TestTwoDatasetsOneName(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	carol := newPerson(t, "carol", alice.clock)
	meet(carol, bob)
	alice.add("notes", tree{"a": "a"})
	carol.add("notes", tree{"c": "c"})
	one, two := alice.give("notes", bob), carol.give("notes", bob)
	p := fails(bob, Fetch, FetchRequest{Grant: "notes"}, "grant.ambiguous")
	if p.Args["one"] != one.Grant.ID || p.Args["other"] != two.Grant.ID {
		t.Errorf("told are %v, want %s and %s", p.Args, one.Grant.ID, two.Grant.ID)
	}
	do(bob, Fetch, FetchRequest{Grant: one.Grant.ID})
	alice.add("notes", tree{"a": "A"})
	if got := do(bob, Fetch, FetchRequest{Grant: "notes"}); got.From != "alice" || got.Name != "notes" {
		t.Errorf("carol's offer took the name of what is here: %+v", got)
	}
	carol.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: two.Grant.ID})
	if got := do(bob, Fetch, FetchRequest{Grant: "notes (2)"}); got.From != "carol" {
		t.Errorf("the second of the name is %+v", got)
	}
	do(bob, Fetch, FetchRequest{Grant: "notes"})
}

// TestGrantOnAccents: a path is the same however its accents are spelled.
func TestGrantOnAccents(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"\u00e9t\u00e9/a": "a", "hiver/b": "b"})
	r, err := Grant.Do(t.Context(), alice.Node, GrantRequest{Name: "notes", To: "bob", Paths: []string{"e\u0301te\u0301/"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	bob.wantTree("notes", tree{"\u00e9t\u00e9/a": "a"})
}

// TestFetchWithoutGiver: who is away is named.
func TestFetchWithoutGiver(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	alice.leave()
	// Right after, an old connection may seem to be there and be cut.
	_, err := Fetch.Do(t.Context(), bob.Node, FetchRequest{Grant: r.Grant.ID}, nil)
	if p := problem.Of(err); p.Key != "peer.nobody" && p.Key != "fetch.cut" || p.Args["contact"] != "alice" {
		t.Errorf("alice is away, and it says %v", p)
	}
	if p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "peer.nobody"); p.Args["contact"] != "alice" {
		t.Errorf("it says %v", p)
	}
	bob.leave()
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "needs-run")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	alice.start()
	bob.start()
	_, err = Fetch.Do(ctx, bob.Node, FetchRequest{Grant: r.Grant.ID}, nil)
	if err == nil || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("a fetch under a context that is over: %v", err)
	}
}

// strangeCID names something that is nowhere.
func strangeCID(t *testing.T, i int) cid.Cid {
	t.Helper()
	sum, err := multihash.Sum([]byte{byte(i), byte(i >> 8)}, multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(cid.DagCBOR, sum)
}

// TestHandedOverAtOnce: however many tries meet, a grant, and its revocation,
// are acknowledged once.
func TestHandedOverAtOnce(t *testing.T) {
	t.Parallel()
	alice, _ := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	alice.leave()
	r := do(alice, Grant, GrantRequest{Name: "notes", To: "bob"})
	alice.start()
	g := alice.book.givenOn("")[0]
	atOnce := func(push func(context.Context, given) error) {
		var pushing sync.WaitGroup
		for range 8 {
			pushing.Go(func() {
				if err := push(t.Context(), g); err != nil {
					t.Error(err)
				}
			})
		}
		pushing.Wait()
	}
	atOnce(alice.net().pushGrant)
	if n := alice.facts(factAcknowledged); n != 1 {
		t.Errorf("the grant is acknowledged %d times", n)
	}
	do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	g = alice.book.givenOn("")[0]
	atOnce(alice.net().pushRevocation)
	if n := alice.facts(factAcknowledged); n != 2 {
		t.Errorf("the grant and its revocation are acknowledged %d times", n)
	}
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage"
)

// nothingAt names a delegation that nobody ever made.
func nothingAt(i int) cid.Cid {
	sum := sha256.Sum256(fmt.Append(nil, "nothing ", i))
	mh, _ := multihash.Encode(sum[:], multihash.SHA2_256)
	return cid.NewCidV1(cid.DagCBOR, mh)
}

func revokes(t *testing.T, p *person, target cid.Cid) []byte {
	t.Helper()
	record, err := ucan.Revoke(p.keys.Node(), target, nil, newNonce())
	if err != nil {
		t.Fatal(err)
	}
	return record.Bytes()
}

// bringGrant carries an offer to somebody's node.
func (p *person) bringGrant(to *person, g offer.Grant) error {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	stream, err := p.net().dial(ctx, to.self(), to.net().reachable(), offer.ProtocolID)
	if err != nil {
		p.t.Fatal(err)
	}
	return offer.BringGrant(ctx, stream, g, offer.Options{})
}

// journalSize is how many bytes the journal takes.
func (p *person) journalSize() (size int64) {
	p.t.Helper()
	err := filepath.WalkDir(filepath.Join(p.home, "journal"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return size
}

// TestPoisonedGrant: what a contact brings is understood before it is kept. A
// grant that is valid UCAN and says what no grant here says would keep the
// node from ever opening again.
func TestPoisonedGrant(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	bob.add("notes", tree{"a": "a"})
	dataset := bob.vault.Datasets()[0].DID
	end := bob.clock.now().Add(24 * time.Hour).Unix()
	leaf, err := ucan.Delegate(bob.keys.Node(), ucan.DelegationClaims{
		Audience: alice.owner(), Subject: dataset, Command: grant.CommandRead, Nonce: newNonce(), Expires: &end,
	})
	if err != nil {
		t.Fatal(err)
	}
	chain := append(bob.book.chainOf(dataset)[:2:2], leaf)
	err = bob.bringGrant(alice, offer.Grant{Chain: chain.Tokens(), Name: "x", Addresses: []string{}})
	if !isRefused(err, protocol.Denied) {
		t.Errorf("a grant without a meaning: %v", err)
	}
	if n := alice.facts(factReceivedGrant); n != 0 {
		t.Errorf("%d of them were kept", n)
	}
	alice.restart()
}

// TestFloods: a contact can repeat itself for ever, and the journal stays as
// it is.
func TestFloods(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	bob.add("notes", tree{"a": "a"})
	bob.give("notes", alice)
	g := bob.book.givenOn("")[0]
	offered := bob.offerOf(append(bob.book.chainOf(g.Dataset)[:2:2], g.leaf))
	before := alice.journalSize()
	for i := range 50 {
		offered.Addresses = []string{fmt.Sprintf("/ip4/192.0.2.%d/tcp/4721", i)}
		if err := bob.bringGrant(alice, offered); err != nil {
			t.Fatal(err)
		}
	}
	if grown := alice.journalSize() - before; grown != 0 {
		t.Errorf("50 times the same grant, with other addresses: %d bytes of journal", grown)
	}
	if got := alice.book.receivedList()[0].Addresses; len(got) != 1 || got[0] != offered.Addresses[0] {
		t.Errorf("the last addresses are not those that count: %v", got)
	}
	for range 50 {
		if err := bob.bringRevocation(alice, revokes(t, bob, nothingAt(1))); err != nil {
			t.Fatal(err)
		}
	}
	if n := alice.facts(factRevocation); n != 1 {
		t.Errorf("50 times the same revocation of nothing: %d are kept", n)
	}
}

// TestInvitationOnce: an invitation that was used writes nothing when it is
// shown again, and is worth nothing once its contact was removed.
func TestInvitationOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	alice, bob := newPerson(t, "alice", c), newPerson(t, "bob", c)
	link := do(alice, Card, CardRequest{Name: "alice"}).Link
	do(bob, ContactAdd, ContactAddRequest{Link: link})
	before := alice.journalSize()
	for range 20 {
		do(bob, ContactAdd, ContactAddRequest{Link: link})
	}
	if grown := alice.journalSize() - before; grown != 0 {
		t.Errorf("an invitation shown 20 times more: %d bytes of journal", grown)
	}
	do(alice, ContactRemove, NameRequest{Name: do(alice, ContactList, None{}).Contacts[0].Name})
	fails(bob, ContactAdd, ContactAddRequest{Link: link}, "link.used")
	if n := len(do(alice, ContactList, None{}).Contacts); n != 0 {
		t.Errorf("%d contacts after the removal", n)
	}
}

// TestWhoKnowsWhom: the answer to a record of somebody's tells its bearer
// nothing of whether we know them. What a contact signed is kept all the same,
// once: what it revokes may still come.
func TestWhoKnowsWhom(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve, other := newPerson(t, "eve", alice.clock), newPerson(t, "other", alice.clock)
	for _, p := range []*person{bob, other, bob} {
		if err := eve.bringRevocation(alice, revokes(t, p, nothingAt(2))); !isRefused(err, protocol.Denied) {
			t.Errorf("a record of %s, brought by a stranger: %v", p.name, err)
		}
	}
	if n := alice.facts(factRevocation); n != 1 {
		t.Errorf("%d of them were kept", n)
	}
}

// TestWorthlessRecordCutsNobody: one grantee's record about a link that all
// grantees share ends nothing, and stops no transfer.
func TestWorthlessRecordCutsNobody(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	mallory := newPerson(t, "mallory", alice.clock)
	meet(alice, mallory)
	alice.add("notes", tree{"a": noise(1 << 20)})
	r := alice.give("notes", bob)
	alice.give("notes", mallory)
	g, err := bob.receivedNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	f := &fetching{node: bob.Node, link: bob.net(), grant: g, progress: func(Progress) {}}
	stream, err := f.link.dial(t.Context(), g.Node, g.addresses(bob.Node), transfer.ProtocolID)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ask(t.Context(), stream); err != nil {
		t.Fatal(err)
	}
	birth := mallory.book.receivedList()[0].chain[grant.LinkBirth].CID() // the same as in bob's chain
	if err := mallory.bringRevocation(alice, revokes(t, mallory, birth)); err != nil {
		t.Log(err)
	}
	if err := f.session.Done(t.Context()); err != nil {
		t.Errorf("bob's transfer was cut: %v", err)
	}
}

// TestClockComesBack: links that were signed while the clock stood in the
// future are signed anew once the owner has mended it.
func TestClockComesBack(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	right := alice.clock.now()
	alice.clock.advance(20 * 365 * 24 * time.Hour)
	if err := alice.housekeeping(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.clock.advance(-alice.clock.now().Sub(right))
	alice.close()
	n, err := OpenHome(t.Context(), Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.record(t.Context(), lowered(right)); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	alice.open()
	alice.start()
	r := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
}

// TestGrantWhileContactGoes: no grant outlives its contact.
func TestGrantWhileContactGoes(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	for try := range 5 {
		if try > 0 {
			meet(alice, bob)
		}
		alice.leave() // no pushing: quick
		var granting sync.WaitGroup
		for range 8 {
			granting.Go(func() {
				for {
					if _, err := Grant.Do(t.Context(), alice.Node, GrantRequest{Name: "notes", To: "bob"}, nil); err != nil {
						return
					}
				}
			})
		}
		do(alice, ContactRemove, NameRequest{Name: "bob"})
		granting.Wait()
		for _, g := range alice.book.givenOn("") {
			if !g.ended(alice.now()) {
				t.Fatalf("try %d: %s is live, its contact is gone", try, g.id())
			}
		}
		alice.start()
	}
}

// liar serves a manifest that names blocks of its victim's.
type liar struct {
	person *person
	head   storage.Head
	raw    []byte
	pages  map[crypto.BlockName][]byte
	wanted map[crypto.BlockName]bool
}

func newLiar(t *testing.T, p *person, dataset crypto.DID, refs []storage.Ref) *liar {
	t.Helper()
	l := &liar{person: p, pages: map[crypto.BlockName][]byte{}, wanted: map[crypto.BlockName]bool{}}
	sealer, err := p.keys.Sealer(dataset, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	cuts, err := p.keys.PageKey(dataset)
	if err != nil {
		t.Fatal(err)
	}
	b := storage.NewBuilder(sealer, cuts, func(name crypto.BlockName, page []byte) error {
		l.pages[name] = append([]byte{}, page...)
		return nil
	})
	for i, r := range refs {
		e := storage.Entry{Path: fmt.Append(nil, i), Kind: storage.File, Mode: 0o644, Size: 10, Blocks: []storage.Ref{r}}
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	l.head = storage.Head{Dataset: dataset, Sequence: storage.SequenceOf(1, 9), Time: 1}
	if l.head.Root, l.head.Counts, err = b.Finish(); err != nil {
		t.Fatal(err)
	}
	if l.raw, err = storage.SignHead(p.keys.Node(), l.head); err != nil {
		t.Fatal(err)
	}
	return l
}

// Open seals the lying head for whoever asks.
func (l *liar) Open(_ context.Context, peer crypto.DID, r transfer.Request) (transfer.Passage, error) {
	invocation, err := ucan.DecodeInvocation(r.Invocation)
	if err != nil {
		return nil, err
	}
	args, err := grant.ParseReadArgs(invocation.Args)
	if err != nil {
		return nil, err
	}
	leaf, err := ucan.DecodeDelegation(r.Proofs[grant.LinkGrant])
	if err != nil {
		return nil, err
	}
	sealed, err := envelope.Seal(l.person.keys.Node(), envelope.Binding{
		Dataset: l.head.Dataset, Grant: leaf.CID(), Generation: l.head.Generation, Sequence: l.head.Sequence, Audience: peer,
	}, args.HPKE, l.raw)
	return lie{l, sealed}, err
}

type lie struct {
	*liar
	sealed []byte
}

func (l lie) Head() []byte { return l.sealed }
func (l lie) Close()       {}

func (l lie) Block(_ context.Context, name crypto.BlockName, dst []byte) ([]byte, error) {
	l.wanted[name] = true
	if page, ok := l.pages[name]; ok {
		return append(dst, page...), nil
	}
	return nil, transfer.ErrMissing
}

// TestUnknownKind: a data set of a kind that only later versions know is refused
// as that, before its content is fetched.
func TestUnknownKind(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	gift := bob.add("gift", tree{"x": "x"})
	g := bob.give("gift", alice)
	l := newLiar(t, bob, crypto.DID(gift.Dataset), nil)
	sealer, err := bob.keys.Sealer(l.head.Dataset, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	sealed, key, err := sealer.Seal(nil, storage.Description{Name: "gift", Kind: "dreams"}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	l.head.Description = storage.Ref{Name: crypto.NameOf(sealed), Key: key}
	l.pages[l.head.Description.Name] = sealed
	if l.raw, err = storage.SignHead(bob.keys.Node(), l.head); err != nil {
		t.Fatal(err)
	}
	bob.net().host.Handle(transfer.ProtocolID, func(ctx context.Context, s protocol.Stream) {
		_ = transfer.Serve(ctx, s, l, transfer.ServerOptions{})
	})
	p := fails(alice, Fetch, FetchRequest{Grant: g.Grant.ID}, "fetch.unknown-kind")
	if p.Args["kind"] != "dreams" || l.wanted[l.head.Root.Name] {
		t.Errorf("refused with %v; pages asked for: %v", p.Args, l.wanted[l.head.Root.Name])
	}
}

// TestPlantedBlocks: a grantee who gives back a data set that is made of our
// own blocks learns nothing of what is here, and removing it harms nothing.
func TestPlantedBlocks(t *testing.T) {
	t.Parallel()
	alice, mallory := neighbours(t)
	notes := tree{"a": noise(3000), "b": noise(5000)}
	alice.add("notes", notes)
	do(mallory, Fetch, FetchRequest{Grant: alice.give("notes", mallory).Grant.ID})
	var refs []storage.Ref
	stolen := mallory.vault.Datasets()[0]
	err := mallory.vault.Walk(t.Context(), stolen.DID, 0, func(e storage.Entry) error {
		refs = append(refs, e.Blocks...)
		return nil
	})
	if err != nil || len(refs) == 0 {
		t.Fatalf("%d blocks, %v", len(refs), err)
	}
	gift := mallory.add("gift", tree{"x": "x"})
	g := mallory.give("gift", alice)
	l := newLiar(t, mallory, crypto.DID(gift.Dataset), refs)
	mallory.net().host.Handle(transfer.ProtocolID, func(ctx context.Context, s protocol.Stream) {
		_ = transfer.Serve(ctx, s, l, transfer.ServerOptions{})
	})
	if _, err := Fetch.Do(t.Context(), alice.Node, FetchRequest{Grant: g.Grant.ID}, nil); err == nil {
		t.Error("a data set of somebody else's blocks was taken")
	}
	for i, r := range refs {
		if !l.wanted[r.Name] {
			t.Errorf("block %d was not asked for: the giver learns that it is here", i)
		}
	}
	if _, err := Remove.Do(t.Context(), alice.Node, NameRequest{Name: "gift"}, nil); err == nil {
		t.Log("the gift could be removed")
	}
	if diff := cmp.Diff(notes, alice.opened("notes")); diff != "" {
		t.Errorf("alice's own notes (-want +got):\n%s", diff)
	}
	alice.sound()
}

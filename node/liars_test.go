// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/vault"
)

// forger serves what a person has in their vault, with their keys, and changes it
// on the way.
type forger struct {
	*person
	head  func(h *storage.Head)                           // before it is signed
	block func(name crypto.BlockName, data []byte) []byte // before it is sent
	asked atomic.Int64

	view func(ctx context.Context) (vault.SignedHead, error) // which head it is; nil for the true one of all
}

// lie has a node answer as the forger likes, until it tells the truth again.
func (p *person) lie(l *forger) (truth func()) {
	p.t.Helper()
	l.person = p
	p.net().host.Handle(transfer.ProtocolID, func(ctx context.Context, s protocol.Stream) {
		_ = transfer.Serve(ctx, s, l, transfer.ServerOptions{Now: p.clock.now})
	})
	return func() { p.net().host.Handle(transfer.ProtocolID, p.net().serveTransfer) }
}

// Open answers whoever the gate lets in.
func (l *forger) Open(ctx context.Context, peer crypto.DID, r transfer.Request) (transfer.Passage, error) {
	l.asked.Add(1)
	d, denial := l.gate.Check(peer, r.Invocation, r.Proofs)
	if denial != nil {
		return nil, denial.Refusal()
	}
	cut := l.view
	if cut == nil {
		cut = func(ctx context.Context) (vault.SignedHead, error) {
			return l.vault.ViewHead(ctx, d.Grant.Dataset, vault.View{Whole: true})
		}
	}
	h, err := cut(ctx)
	if err != nil {
		return nil, err
	}
	if l.head != nil {
		l.head(&h.Head)
		if h.Bytes, err = storage.SignHead(l.keys.Node(), h.Head); err != nil {
			return nil, err
		}
	}
	sealed, err := envelope.Seal(l.keys.Node(), envelope.Binding{
		Dataset: d.Grant.Dataset, Grant: d.Leaf, Generation: h.Generation, Sequence: h.Sequence, Audience: d.Audience,
	}, d.Args.HPKE, h.Bytes)
	return &forgery{l, sealed}, err
}

// forgery is a passage of a forger's.
type forgery struct {
	*forger
	sealed []byte
}

func (l *forgery) Head() []byte { return l.sealed }
func (l *forgery) Close()       {}

func (l *forgery) Block(_ context.Context, name crypto.BlockName, dst []byte) ([]byte, error) {
	data, err := l.vault.Blocks().Get(name, dst)
	if err == nil && l.block != nil {
		data = l.block(name, data)
	}
	return data, err
}

// manifestOf is every block of a person's data set, in the order in which they
// are fetched.
func (p *person) manifestOf(name string) []crypto.BlockName {
	p.t.Helper()
	d, err := p.vault.Lookup(name)
	if err != nil {
		p.t.Fatal(err)
	}
	h, err := p.vault.ViewHead(p.t.Context(), d.DID, vault.View{Whole: true})
	if err != nil {
		p.t.Fatal(err)
	}
	tracker := storage.NewTracker(h.Head)
	for !tracker.Done() {
		for _, page := range tracker.Wants(1) {
			data, err := p.vault.Blocks().Get(page, nil)
			if err == nil {
				err = tracker.Add(page, data)
			}
			if err != nil {
				p.t.Fatal(err)
			}
		}
	}
	return append(tracker.Pages(), tracker.Blocks()...)
}

// TestWrongBlocks: a giver who sends another block than its name says is cut
// off and named; nothing of it is kept, and what was right before it is.
func TestWrongBlocks(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": noise(5 << 20), "b": "b"})
	r := alice.give("notes", bob)
	names := alice.manifestOf("notes")
	wrong := names[len(names)-2]
	flip := &forger{block: func(name crypto.BlockName, data []byte) []byte {
		if name == wrong {
			data = bytes.Clone(data)
			data[len(data)/2] ^= 1
		}
		return data
	}}
	truth := alice.lie(flip)
	p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "fetch.lied")
	if p.Kind != problem.Misbehaviour || p.Args["contact"] != "alice" || !errors.Is(p, transfer.ErrLied) {
		t.Errorf("bob reads %+v", p)
	}
	kept := 0
	for _, name := range names {
		here := bob.vault.Blocks().Has(name)
		switch {
		case here && name == wrong:
			t.Error("the wrong block is kept")
		case here:
			kept++
			if data, err := bob.vault.Blocks().Get(name, nil); err != nil || crypto.NameOf(data) != name {
				t.Errorf("block %s is kept and is another: %v", name, err)
			}
		}
	}
	if kept < len(names)/2 || kept >= len(names) {
		t.Errorf("of %d blocks %d are kept", len(names), kept)
	}
	if _, err := bob.vault.Lookup("notes"); err == nil {
		t.Error("half a version is a version")
	}
	if n := flip.asked.Load(); n > 2 {
		t.Errorf("a liar was asked %d times", n)
	}
	truth()
	got := do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	if int(got.Blocks) >= len(names) || got.HadBlocks == 0 {
		t.Errorf("of %d blocks, %d of them kept, %d came again", len(names), kept, got.Blocks)
	}
	bob.wantTree("notes", tree{"a": alice.opened("notes")["a"], "b": "b"})
	bob.sound()
}

// TestLieAfterACut: a cut does not hide what came after it.
func TestLieAfterACut(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	var cut atomic.Bool
	lying := &forger{person: alice, head: func(h *storage.Head) { h.Counts.Files++ }}
	alice.net().host.Handle(transfer.ProtocolID, func(ctx context.Context, s protocol.Stream) {
		if cut.CompareAndSwap(false, true) {
			_ = s.Reset()
			return
		}
		_ = transfer.Serve(ctx, s, lying, transfer.ServerOptions{Now: alice.clock.now})
	})
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "fetch.lied")
	if !cut.Load() {
		t.Error("nothing was cut")
	}
}

// TestNoPlaceForAStream: who has all the streams that a peer may have reads
// that the other side is busy, and not that the line is bad.
func TestNoPlaceForAStream(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	var open []protocol.Stream
	for range 40 {
		s, err := bob.net().dial(t.Context(), alice.self(), alice.net().reachable(), offer.ProtocolID)
		if err == nil {
			_, err = s.Write([]byte{100}) // the length of a frame that does not come
		}
		if err == nil {
			open = append(open, s)
		}
	}
	p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "refused.busy")
	if p.Kind != problem.Refused || p.Args["contact"] != "alice" {
		t.Errorf("bob reads %+v", p)
	}
	for _, s := range open {
		_ = s.Reset()
	}
	for end := time.Now().Add(20 * time.Second); ; { // the other node hears of it in its own time
		_, err := Fetch.Do(t.Context(), bob.Node, FetchRequest{Grant: r.Grant.ID}, nil)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// TestEquivocation: a giver who signs two heads with one number is found out,
// nothing of the second is taken over, and both are kept, once.
func TestEquivocation(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	if again := do(bob, Fetch, FetchRequest{Grant: r.Grant.ID}); !again.Unchanged {
		t.Fatal("the same head is new")
	}
	truth := alice.lie(&forger{head: func(h *storage.Head) { h.Time++ }})
	for range 2 {
		p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "fetch.equivocated")
		if p.Kind != problem.Misbehaviour || p.Args["contact"] != "alice" || p.Args["name"] != "notes" {
			t.Errorf("bob reads %+v", p)
		}
	}
	wantEvidence := func() {
		t.Helper()
		lines := bob.events("equivocated")
		if len(lines) != 1 || lines[0].Contact != "alice" || lines[0].Name != "notes" || lines[0].Grant != r.Grant.ID || lines[0].Args["version"] != "1" {
			t.Errorf("the log says %+v", lines)
		}
	}
	wantEvidence()
	bob.restart()
	fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "fetch.equivocated")
	wantEvidence()
	bob.wantTree("notes", tree{"a": "a"})
	truth()
	if again := do(bob, Fetch, FetchRequest{Grant: r.Grant.ID}); !again.Unchanged {
		t.Error("the true head is new")
	}
	alice.add("notes", tree{"a": "b"})
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	bob.wantTree("notes", tree{"a": "b"})
}

// TestContradictions: which heads contradict one that is here.
func TestContradictions(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	d, err := alice.vault.Lookup("notes")
	if err != nil {
		t.Fatal(err)
	}
	have, err := alice.vault.ViewHead(t.Context(), d.DID, vault.View{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		by     *person
		change func(*storage.Head)
		want   bool
	}{
		"the same":             {alice, func(*storage.Head) {}, false},
		"another root":         {alice, func(h *storage.Head) { h.Root.Name[0]++ }, true},
		"other counts":         {alice, func(h *storage.Head) { h.Counts.Files++ }, true},
		"another time":         {alice, func(h *storage.Head) { h.Time++ }, true},
		"a later sequence":     {alice, func(h *storage.Head) { h.Sequence++ }, false},
		"another generation":   {alice, func(h *storage.Head) { h.Generation++ }, false},
		"another view":         {alice, func(h *storage.Head) { h.View = "paths/" + fmt.Sprintf("%064x", 1) }, false},
		"of another signature": {bob, func(*storage.Head) {}, false},
	} {
		other := have.Head
		c.change(&other)
		signed, err := storage.SignHead(c.by.keys.Node(), other)
		if err != nil {
			if what == "another view" { // however views are spelled
				continue
			}
			t.Fatalf("%s: %v", what, err)
		}
		if got := contradicts(have, other, signed); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// TestEndlessManifest: a giver whose list of files does not end is left when
// it has sent as much as this node takes.
func TestEndlessManifest(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	files := tree{}
	for i := range 2000 {
		files[fmt.Sprintf("%04d-%0100d", i, 0)] = ""
	}
	alice.add("list", files)
	r := alice.give("list", bob)
	g, err := bob.receivedNamed(r.Grant.ID)
	if err != nil {
		t.Fatal(err)
	}
	const most = 100 << 10
	f := &fetching{node: bob.Node, link: bob.net(), grant: g, progress: func(Progress) {}, mostManifest: most,
		landing: landing{store: bob.vault.Blocks()}}
	err = f.explain(f.persist(t.Context()))
	if p := problem.Of(err); p.Key != "fetch.too-large" || p.Args["contact"] != "alice" {
		t.Errorf("bob reads %v", p)
	}
	if f.result.NewBytes > most {
		t.Errorf("%d bytes of pages are kept, at most %d are taken", f.result.NewBytes, most)
	}
	if got := do(bob, Fetch, FetchRequest{Grant: r.Grant.ID}); got.Files != 2000 {
		t.Errorf("fetched %+v", got)
	}
}

// TestLyingHeads: what a giver's head may not say.
func TestLyingHeads(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": noise(3000), "b": noise(2000)})
	r := alice.give("notes", bob)
	heads := map[string]func(*storage.Head){
		"more files than there are": func(h *storage.Head) { h.Counts.Files += 1 << 40 },
		"more bytes than there are": func(h *storage.Head) { h.Counts.Bytes++ },
		"a root of the wrong key":   func(h *storage.Head) { h.Root.Key[3]++ },
		"a data block for a root":   func(h *storage.Head) { h.Root = h.Description },
	}
	for what, change := range heads {
		truth := alice.lie(&forger{head: change})
		p := fails(bob, Fetch, FetchRequest{Grant: r.Grant.ID}, "fetch.lied")
		if p.Args["contact"] != "alice" {
			t.Errorf("%s: bob reads %+v", what, p)
		}
		if _, err := bob.vault.Lookup("notes"); err == nil {
			t.Errorf("%s: it is a data set", what)
		}
		truth()
	}
	do(bob, Fetch, FetchRequest{Grant: r.Grant.ID})
	if diff := cmp.Diff(alice.opened("notes"), bob.opened("notes")); diff != "" {
		t.Error(diff)
	}
	if slices.ContainsFunc(bob.events("received"), func(l LogLine) bool { return l.Args["files"] != "2" }) {
		t.Error("a lie is in the log as received")
	}
}

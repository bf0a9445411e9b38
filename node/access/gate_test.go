// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// What must be admitted, each beside a refusal that is one step away.
var admissions = []struct {
	name string
	make func(w *world) *attempt
}{
	{"a grantee's node", func(w *world) *attempt { return w.ask(w.chain) }},
	{"a worker's node", func(w *world) *attempt { return w.ask(w.grow(w.terms, 6)) }},
	{"a subscription", func(w *world) *attempt {
		w.terms.Command = grant.CommandSubscribe
		a := w.ask(w.grow(w.terms, 4))
		a.claims.Command = grant.CommandSubscribe
		return a
	}},
	{"a list", func(w *world) *attempt {
		w.terms.Command, w.terms.Paths, w.terms.Uses = grant.CommandList, nil, 0
		a := w.ask(w.grow(w.terms, 4))
		a.claims.Command = grant.CommandList
		a.claims.Args = ucan.MakeMap(map[string]ucan.Value{"purpose": ucan.String(w.terms.Purpose)})
		return a
	}},
	{"a narrower device link, kept to", limited(all("paths", like("photos/lyon/*")))},
	{"a path as granted", pathed("photos/")},
	{"a name below", pathed("photos/lyon/a*b.jpg")},
	{"the last second of a grant", func(w *world) *attempt { return w.after(w.terms.Until) }},
	{"the first second of a grant", func(w *world) *attempt {
		w.terms.Begins = start
		return w.ask(w.grow(w.terms, 4))
	}},
	{"an invocation of a minute ago", asking(func(_ *world, a *attempt) { a.times(-60, 0) })},
	{"an invocation a minute ahead, for five minutes", asking(func(_ *world, a *attempt) { a.times(60, 300) })},
	{"a clock back within the tolerance", asking(func(w *world, a *attempt) {
		w.gate.Mark(start.Add(30 * time.Second))
	})},
	{"after the mark was lowered by the owner", asking(func(w *world, _ *attempt) {
		w.gate.Mark(start.Add(365 * 24 * time.Hour))
		w.gate.LowerMark(start)
	})},
	{"after a stranger's revocation", asking(func(w *world, _ *attempt) {
		if r := w.revoke(w.mallory, w.chain[2], w.chain); r.Counts || r.Keep {
			w.t.Errorf("a stranger's record counts: %+v", r)
		}
	})},
	{"after the worker revoked what is above it", asking(func(w *world, _ *attempt) { w.revoke(w.workerOwner, w.chain[2], w.chain) })},
	{"after another grant was revoked", asking(func(w *world, _ *attempt) {
		other := w.grow(w.terms, 4)
		w.revoke(w.node, other[2], other)
	})},
	{"again, after the delivery could not be journaled", asking(func(w *world, a *attempt) { w.gate.Release(w.admit(a)) })},
	{"again, after it was denied", asking(func(w *world, a *attempt) {
		w.grants = access.Suspended
		a.check()
		w.grants = access.Live
	})},
	{"the current upper links", func(w *world) *attempt { return w.askChain(w.chain) }},
	{"the current upper links, when they aged", func(w *world) *attempt {
		w.terms.Until = start.Add(200 * 24 * time.Hour)
		chain := w.grow(w.terms, 4)
		w.now = start.Add(grant.NodeLinkLife)
		return w.askChain(chain)
	}},
}

func (w *world) askChain(chain grant.Chain) *attempt {
	a := w.ask(chain)
	a.claims.Command = grant.CommandChain
	a.claims.Args = ucan.MakeMap(map[string]ucan.Value{"grant": ucan.Link(chain[2].CID())})
	return a
}

func TestAdmissions(t *testing.T) {
	for _, c := range admissions {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if _, denial := c.make(w).check(); denial != nil {
				t.Error(denial)
			}
		})
	}
}

func TestUpperLinksAreNotForOthers(t *testing.T) {
	w := newWorld(t)
	other := w.askChain(w.chain)
	other.claims.Args = ucan.MakeMap(map[string]ucan.Value{"grant": ucan.Link(w.grow(w.terms, 3)[2].CID())})
	stranger := w.askChain(w.chain)
	stranger.signer, stranger.peer = w.mallory, w.mallory.DID()
	revoked := w.askChain(w.grow(w.terms, 4))
	for name, a := range map[string]*attempt{"another grant": other, "a stranger": stranger} {
		if d, _ := a.check(); d != nil {
			t.Errorf("%s: admitted", name)
		}
	}
	w.revoke(w.owner, w.chain[0], w.chain) // not the owner's to revoke: the data set issued it
	if _, denial := revoked.check(); denial != nil {
		t.Error(denial)
	}
}

func TestDecisionSaysAll(t *testing.T) {
	w := newWorld(t)
	a := w.ask(w.chain)
	d := w.admit(a)
	terms := w.terms
	terms.Command = grant.CommandRead
	if diff := cmp.Diff(terms, d.Grant, cmp.Comparer(func(a, b cid.Cid) bool { return a.Equals(b) })); diff != "" {
		t.Errorf("another grant than was given (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(a.args, d.Args); diff != "" {
		t.Errorf("another view than was asked (-want +got):\n%s", diff)
	}
	if !d.Leaf.Equals(w.chain[2].CID()) || d.GrantID != d.Leaf.String() || d.Audience != w.granteeNode.DID() || d.UsesLeft != 2 {
		t.Errorf("leaf %s, audience %s, uses left %d", d.GrantID, d.Audience, d.UsesLeft)
	}
	if want := start.Add(access.MaxAdmission); !d.Ends.Equal(want) {
		t.Errorf("it ends at %v, want %v", d.Ends, want)
	}
	w.now = w.terms.Until.Add(-time.Hour)
	if d := w.admit(w.ask(w.chain)); !d.Ends.Equal(w.terms.Until.Add(time.Second)) {
		t.Errorf("it ends at %v, and the grant with %v", d.Ends, w.terms.Until)
	}
}

// Of the same invocation at the same time exactly one is admitted.
func TestTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.ask(w.chain)
	token := a.token()
	admitted := make(chan bool, 32)
	var all sync.WaitGroup
	for range cap(admitted) {
		all.Go(func() {
			d, _ := w.gate.Check(a.peer, token, a.tokens)
			admitted <- d != nil
		})
	}
	all.Wait()
	close(admitted)
	n := 0
	for ok := range admitted {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Errorf("admitted %d times", n)
	}
}

// A use counts once, whoever it was passed on to, and reconnecting burns none.
func TestUsesAreCountedWhereTheBoundIs(t *testing.T) {
	w := newWorld(t)
	upper := w.chain[:3]
	devices := []*crypto.Identity{w.granteeNode, w.workerOwner}
	var asks [2]func() *attempt
	for i, device := range devices {
		link := must[*ucan.Delegation](t)(grant.PassOn(w.granteeOwner, upper, device.DID(), w.terms.Until, nil, w.nonce()))
		asks[i] = func() *attempt {
			a := w.ask(append(upper[:3:3], link))
			a.signer, a.peer = device, device.DID()
			return a
		}
	}
	steps := []struct {
		device int
		seq    int64
		head   string
		spent  bool
	}{
		{0, 1, "one", false},
		{0, 1, "one", false}, // reconnects
		{1, 1, "one", false}, // passed on twice, counted once
		{1, 1, "two", true},  // a reused seq
		{1, 2, "two", false},
		{0, 2, "two", false},
		{0, 2, "three", true},
		{0, 0, "one", false}, // what was delivered stays delivered
	}
	for i, s := range steps {
		if err := w.use(asks[s.device](), s.seq, s.head); (err != nil) != s.spent {
			t.Errorf("step %d: %v, want spent %v", i, err, s.spent)
		}
	}
	if d := w.admit(asks[0]()); d.UsesLeft != 0 {
		t.Errorf("%d uses left", d.UsesLeft)
	}
}

// Each bound counts for itself, and seq speaks of the lowest.
func TestABoundBelowABound(t *testing.T) {
	w := newWorld(t)
	w.terms.Uses = 3
	w.chain = w.grow(w.terms, 4)
	below := w.bend(w.chain, 3, func(c *ucan.DelegationClaims) {
		c.Policy = ucan.Policy{{Op: ucan.OpLessOrEqual, Selector: field("seq"), Value: ucan.Int(1)}}
	})
	for i, s := range []struct {
		chain grant.Chain
		seq   int64
		head  string
		spent bool
	}{
		{w.chain, 1, "one", false}, {w.chain, 2, "two", false},
		{below, 1, "three", false}, // the third above, the first below
		{below, 1, "one", true},    // delivered above before, not below
		{w.chain, 3, "four", true}, // what was delivered below counts above
	} {
		if err := w.use(w.ask(s.chain), s.seq, s.head); (err != nil) != s.spent {
			t.Errorf("step %d: %v, want spent %v", i, err, s.spent)
		}
	}
}

func TestUsesAfterARestartAndAfterAFailure(t *testing.T) {
	w := newWorld(t)
	d := w.admit(w.ask(w.chain))
	drawn, denial := w.gate.Use(d, digest("one"))
	if denial != nil || len(drawn) != 1 {
		t.Fatal(drawn, denial)
	}
	again := w.admit(w.ask(w.chain))
	if stand, denial := w.gate.Use(again, digest("one")); denial != nil || !slices.Equal(stand, drawn) {
		t.Errorf("a second delivery of the head stands on %v (%v)", stand, denial)
	}
	w.gate.Release(d)
	if left := w.admit(w.ask(w.chain)).UsesLeft; left != 1 {
		t.Errorf("%d uses left while one delivery stands", left)
	}
	w.gate.Release(again)
	if left := w.admit(w.ask(w.chain)).UsesLeft; left != 2 {
		t.Errorf("%d uses left after nothing was delivered", left)
	}
	w.gate = w.newGate(time.Time{})
	w.gate.LoadUses(append(drawn, drawn...)...)
	if left := w.admit(w.ask(w.chain)).UsesLeft; left != 1 {
		t.Errorf("%d uses left after a restart", left)
	}
}

// Everything a stranger hears is the same bytes, and the same code without a
// time.
func TestStrangersHearOneThing(t *testing.T) {
	want := (&protocol.Refusal{Code: denied}).Encode()
	for _, r := range refusals() {
		w := newWorld(t)
		a := r.make(w)
		a.peer = w.mallory.DID()
		_, denial := a.check()
		if denial == nil || denial.Audience || !bytes.Equal(denial.Refusal().Encode(), want) {
			t.Errorf("%s: a stranger hears %+v", r.name, denial)
		}
	}
}

// Every single bit of what is brought counts.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	w := newWorld(t)
	a := w.ask(w.chain)
	token := a.token()
	parts := append([][]byte{token}, a.tokens...)
	n := 0
	for _, part := range parts {
		for bit := range len(part) * 8 {
			part[bit/8] ^= 1 << (bit % 8)
			if d, denial := w.gate.Check(a.peer, token, a.tokens); d != nil || denial.Code != denied {
				t.Fatalf("bit %d flipped: %v", bit, denial)
			}
			part[bit/8] ^= 1 << (bit % 8)
			n++
		}
	}
	if _, denial := w.gate.Check(a.peer, token, a.tokens); denial != nil {
		t.Fatal("nothing flipped: ", denial)
	}
	t.Logf("%d bits", n)
}

// Strangers can neither fill the gate's memory nor push out of it what is there.
func TestMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	w.gate = access.New(access.Options{
		Self: w.node.DID(), Clock: func() time.Time { return w.now }, Seen: 2, Share: 3, Verified: 2,
		Datasets: func(did crypto.DID) access.Standing { return w.standing[did] },
	})
	for range 10 {
		stranger := w.ask(w.chain)
		stranger.signer, stranger.peer = w.mallory, w.mallory.DID()
		stranger.check()
	}
	w.admit(w.ask(w.chain))
	w.admit(w.ask(w.chain))
	if d, denial := w.ask(w.chain).check(); d != nil || denial.Layer != byGate || denial.Code != protocol.Busy {
		t.Errorf("more is remembered than should be: %v", denial)
	}
	w.now = start.Add(6 * time.Minute)
	w.admit(w.ask(w.chain))
}

// One grantee, with all whom they pass their grant on to, fills a share of the
// memory, hears that it is full, and is in nobody else's way.
func TestGranteeLocksNobodyOut(t *testing.T) {
	w := newWorld(t)
	w.gate = access.New(access.Options{
		Self: w.node.DID(), Clock: func() time.Time { return w.now }, Seen: 48,
		Datasets: func(did crypto.DID) access.Standing { return w.standing[did] },
	})
	byWorker := w.grow(w.terms, 6)
	released := w.admit(w.ask(w.chain))
	w.admit(w.ask(w.chain))
	w.admit(w.ask(byWorker))
	for range 2 {
		for _, chain := range []grant.Chain{w.chain, byWorker, w.grow(w.terms, 4)} {
			if d, denial := w.ask(chain).check(); d != nil || denial.Code != protocol.Busy {
				t.Fatalf("beyond the grantee's share: %v", denial)
			}
		}
	}
	for range 100 { // nothing of these is remembered
		w.admit(w.askChain(w.chain))
	}
	w.gate.Release(released)
	w.admit(w.ask(w.chain))
	other := *w
	other.terms.Audience, other.granteeOwner, other.granteeNode = w.mallory.DID(), w.mallory, w.workerNode
	other.admit(other.ask(other.grow(other.terms, 4)))
	w.now = start.Add(6 * time.Minute)
	w.admit(w.ask(w.chain))
}

// What changes nothing may be asked in the same words again.
func TestUpperLinksTwice(t *testing.T) {
	w := newWorld(t)
	a := w.askChain(w.chain)
	w.admit(a)
	w.admit(a)
	w.now = start.Add(time.Hour)
	if d, _ := a.check(); d != nil {
		t.Error("admitted after its time")
	}
}

func TestKnownIssuersEarlyRecordsAreToBeKept(t *testing.T) {
	w := newWorld(t)
	if r := w.revoke(w.granteeOwner, w.chain[3], nil); r.Counts || !r.Keep || !r.New {
		t.Errorf("a contact's early record: %+v", r)
	}
	if r := w.revoke(w.granteeOwner, w.chain[3], nil); r.New {
		t.Errorf("the same in other bytes: %+v", r)
	}
	if !w.gate.Revoked(w.chain) {
		t.Error("an early record does not end what comes after it")
	}
	for want := range 2 {
		if r := w.revoke(w.granteeOwner, w.chain[3], w.chain); !r.Counts || !r.Keep || r.New != (want == 0) {
			t.Errorf("the same again, witnessed: %+v", r)
		}
	}
	if !w.gate.Revoked(w.chain) || w.gate.Revoked(w.chain[:3]) {
		t.Error("the chain is over, and its upper part is not")
	}
	if _, err := w.gate.Revoke(must[*ucan.Invocation](t)(ucan.DecodeInvocation(w.ask(w.chain).token())), nil); err == nil {
		t.Error("a read was taken for a revocation")
	}
}

// However many revocations of nothing a contact signs and anybody brings, the
// gate holds a few thousand of them, and all that the journal has.
func TestEarlyRecordsOfContactsAreBounded(t *testing.T) {
	w := newWorld(t)
	record := must[*ucan.Invocation](t)(ucan.Revoke(w.granteeOwner, w.chain[3].CID(), nil, w.nonce()))
	first := must[access.Recorded](t)(w.gate.Revoke(record, nil))
	flood := func() {
		for i := range 5000 {
			target := cidOf(t, binary.BigEndian.AppendUint64(nil, uint64(i)))
			r := must[*ucan.Invocation](t)(ucan.Revoke(w.granteeOwner, target, nil, nil))
			must[access.Recorded](t)(w.gate.Revoke(r, nil))
		}
	}
	flood()
	if w.gate.Revoked(w.chain) || !first.New {
		t.Error("more is held than should be")
	}
	if err := w.gate.LoadRevocation(record, nil); err != nil {
		t.Fatal(err)
	}
	flood()
	if !w.gate.Revoked(w.chain) {
		t.Error("a revocation in the journal un-happened")
	}
}

func TestClockMark(t *testing.T) {
	w := newWorld(t)
	if now, due := w.gate.MarkDue(); !due || !now.Equal(start) {
		t.Errorf("without a mark: %v, due %v", now, due)
	}
	w.gate.Mark(start)
	w.now = start.Add(access.MarkStep - time.Second)
	if _, due := w.gate.MarkDue(); due {
		t.Error("due before its step")
	}
	w.now = start.Add(access.MarkStep)
	if _, due := w.gate.MarkDue(); !due {
		t.Error("not due after its step")
	}
	w.gate.Mark(start.Add(-time.Hour))
	w.now = start.Add(-time.Hour)
	if got := w.gate.Behind(); got != time.Hour {
		t.Errorf("the clock is %v behind, want 1h: a mark went back", got)
	}
	w.gate.LowerMark(w.now)
	if got := w.gate.Behind(); got != 0 {
		t.Errorf("still %v behind", got)
	}
}

// One wrong answer of a time server does not poison the gate for ever.
func TestLowerMarkAfterAWrongTime(t *testing.T) {
	w := newWorld(t)
	w.now = start.Add(365 * 24 * time.Hour)
	w.terms.Until = start.Add(2 * 365 * 24 * time.Hour)
	chain := w.grow(w.terms, 4)
	chain[1] = must[*ucan.Delegation](t)(grant.AppointNode(w.owner, w.dataset.DID(), w.node.DID(), w.now, w.nonce()))
	w.admit(w.ask(chain))
	w.gate.Mark(w.now)
	w.now = w.now.Add(10 * time.Minute)
	w.admit(w.ask(chain)) // and the first is swept
	w.now = start
	if _, denial := w.ask(w.chain).check(); denial == nil || denial.Code != protocol.Clock || denial.Time != start.Unix() {
		t.Errorf("a year behind: %v", denial)
	}
	w.gate.LowerMark(start)
	w.admit(w.ask(w.chain))
}

// Proofs of chains to data sets here are verified once, and strangers' are not
// kept at all.
func TestVerifiedProofsAreFewAndOurs(t *testing.T) {
	w := newWorld(t)
	w.gate = access.New(access.Options{
		Self: w.node.DID(), Clock: func() time.Time { return w.now }, Verified: 5,
		Datasets: func(did crypto.DID) access.Standing { return w.standing[did] },
	})
	stranger := w.ask(w.chain)
	stranger.signer, stranger.peer = w.mallory, w.mallory.DID()
	stranger.check()
	if n := w.gate.Verified(); n != 0 {
		t.Errorf("%d proofs of a stranger are kept", n)
	}
	w.admit(w.ask(w.chain))
	w.admit(w.ask(w.chain))
	if n := w.gate.Verified(); n != 4 {
		t.Errorf("%d proofs are kept, want 4", n)
	}
	w.admit(w.ask(w.grow(w.terms, 4)))
	w.admit(w.ask(w.chain))
	if n := w.gate.Verified(); n != 5 {
		t.Errorf("%d proofs are kept, want 5", n)
	}
}

// Many at once, of all kinds: for the race detector.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	var tokens [][]byte
	for range 20 {
		tokens = append(tokens, w.ask(w.chain).token())
	}
	record := must[*ucan.Invocation](t)(ucan.Revoke(w.node, w.chain[2].CID(), nil, nil))
	var all sync.WaitGroup
	for i, token := range tokens {
		all.Go(func() {
			d, _ := w.gate.Check(w.granteeNode.DID(), token, w.chain.Tokens())
			if d != nil {
				_, _ = w.gate.Use(d, digest("one"))
				w.gate.Release(d)
			}
			w.gate.Mark(start)
			if i == 10 {
				_, _ = w.gate.Revoke(record, w.chain)
			}
			w.gate.Revoked(w.chain)
		})
	}
	all.Wait()
	if d, denial := w.ask(w.chain).check(); d != nil || denial.Code != protocol.Revoked {
		t.Errorf("after all that: %v", denial)
	}
}

func FuzzCheck(f *testing.F) {
	w := newWorld(f)
	a := w.ask(w.chain)
	f.Add(a.token(), []byte(w.chain[3].Bytes()))
	good := w.chain[:3].Tokens()
	f.Fuzz(func(t *testing.T, token, last []byte) {
		d, denial := w.gate.Check(a.peer, token, append(good[:3:3], last))
		if (d == nil) == (denial == nil) {
			t.Fatal("neither or both")
		}
		if d != nil {
			w.gate.Release(d)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for name, remembered := range map[string]int{"cold": -1, "verified before": 0} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			a := w.ask(w.chain)
			token := a.token()
			w.gate.Release(w.admit(a))
			for b.Loop() {
				if remembered < 0 {
					b.StopTimer()
					w.gate = w.newGate(time.Time{})
					b.StartTimer()
				}
				d, denial := w.gate.Check(a.peer, token, a.tokens)
				if denial != nil {
					b.Fatal(denial)
				}
				w.gate.Release(d)
			}
		})
	}
}

func BenchmarkStranger(b *testing.B) {
	w := newWorld(b)
	a := w.ask(w.chain)
	a.signer, a.peer = w.mallory, w.mallory.DID()
	token := a.token()
	for b.Loop() {
		if d, _ := w.gate.Check(a.peer, token, a.tokens); d != nil {
			b.Fatal("admitted")
		}
	}
}

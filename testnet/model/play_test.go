// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
)

// play carries out one move, here and in the truth, and compares. A move whose
// actor or object is not there is passed over: so a history from which moves
// were taken is one too. The error is a difference.
func (c *city) play(m move) error {
	plays := map[verb]func(move) error{
		meet: c.meet, dismiss: c.dismiss, add: c.add, change: c.change, remove: c.remove, give: c.give,
		revoke: c.revoke, fetch: c.fetch, present: c.present, withdraw: c.withdraw, overtake: c.overtake,
		blackout: c.blackout, crash: c.crash, stop: c.stop, start: c.startMove, cutWire: c.cut, joinWire: c.cut,
		tick: c.tick, edge: c.edge, misset: c.misset, reset: c.misset, backup: c.backup, putBack: c.putBack,
		confirm: c.confirm, settle: func(move) error { return c.settle() },
		compact: c.compact,
	}
	if err := plays[m.verb](m); err != nil {
		return err
	}
	for i, h := range c.homes {
		if c.truth.up[i] {
			book := &c.truth.books[i]
			book.latest = later(book.latest, h.now())
		}
	}
	return c.compare()
}

func (c *city) meet(m move) error {
	a, b := c.homes[m.who], c.homes[m.with]
	if !c.truth.linked(m.who, m.with) || c.apart(m.who, m.with) {
		return nil
	}
	card, err := call(b, node.Card, node.CardRequest{})
	if err != nil {
		return err
	}
	err = c.insist(func() error {
		_, err := call(a, node.ContactAdd, node.ContactAddRequest{Link: card.Link, Name: b.name()})
		return err
	})
	if err != nil {
		return err
	}
	if _, err := call(b, node.ContactConfirm, node.NameRequest{Name: string(a.did)}); err != nil {
		return err
	}
	c.truth.books[m.who].contacts[m.with], c.truth.books[m.with].contacts[m.who] = true, true
	return nil
}

// apart says whether two clocks differ too much for cards to be exchanged.
func (c *city) apart(x, y int) bool {
	off := time.Duration(c.homes[x].off.Load() - c.homes[y].off.Load()).Abs()
	return off > 0
}

// insist tries something that reaches for another node until it does: the
// first tries may go over a connection that is dead without anybody's having
// noticed.
func (c *city) insist(try func() error) (err error) {
	for range 4 {
		if err = try(); !outOfReach(err) {
			return err
		}
		time.Sleep(35 * time.Second)
	}
	return err
}

func (c *city) dismiss(m move) error {
	book := &c.truth.books[m.who]
	if !c.truth.up[m.who] || !book.contacts[m.with] {
		return nil
	}
	live := c.live(m.who, func(g granted) bool { return g.to == m.with })
	r, err := call(c.homes[m.who], node.ContactRemove, node.NameRequest{Name: string(c.homes[m.with].did)})
	if err != nil {
		return err
	}
	for _, number := range live {
		c.truth.end(number)
	}
	if r.Revoked != len(live) {
		return fmt.Errorf("dismissing ended %d grants, the truth says %d", r.Revoked, len(live))
	}
	delete(book.contacts, m.with)
	return nil
}

// live lists the grants of somebody that have not ended, at a moment at which
// none is about to.
func (c *city) live(who int, which func(granted) bool) (list []int) {
	book, h := &c.truth.books[who], c.homes[who]
	for _, number := range c.numbers() {
		if until := c.truth.grants[number].until; h.now().Sub(until).Abs() < 2*slack {
			time.Sleep(4 * slack)
		}
	}
	for number := range book.given {
		if g := c.truth.grants[number]; which(g) && !book.over[number] && h.now().Before(g.until) {
			list = append(list, number)
		}
	}
	return list
}

// content is a tree that a move's seed draws; now and then one with a file of
// some size.
func content(seed uint64, large bool) tree {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := tree{}
	for _, path := range []string{"a/x", "a/y", "b/x", "top"} {
		if rng.IntN(3) > 0 {
			t[path] = text(rng, 10+rng.IntN(2000))
		}
	}
	if large || len(t) == 0 {
		t["a/x"] = text(rng, 600_000)
	}
	return t
}

func text(rng *rand.Rand, size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

func setName(number int) string { return fmt.Sprintf("set %d", number) }

func (c *city) add(m move) error {
	if !c.truth.up[m.who] {
		return nil
	}
	c.truth.owners[m.number] = m.who
	return c.store(m.who, m.number, content(m.seed, false))
}

func (c *city) change(m move) error {
	before, here := c.truth.books[m.who].sets[m.of]
	if !c.truth.up[m.who] || !here || c.truth.owners[m.of] != m.who {
		return nil
	}
	next := content(m.seed, m.large)
	if maps.Equal(before.tree, next) {
		return nil
	}
	return c.store(m.who, m.of, next)
}

// store makes the next version of a data set.
func (c *city) store(who, set int, t tree) error {
	h, book := c.homes[who], &c.truth.books[who]
	from := filepath.Join(c.t.TempDir(), "source")
	for path, content := range t {
		whole := filepath.Join(from, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(whole), 0o755), os.WriteFile(whole, []byte(content), 0o644)); err != nil {
			return err
		}
	}
	r, err := call(h, node.Add, node.AddRequest{Path: from, Name: setName(set), Replace: true})
	if err != nil {
		return err
	}
	before, here := book.sets[set]
	next := version{life: book.life, number: before.number + 1, raised: before.raised, tree: t}
	if !here {
		book.links[set] = h.now()
	}
	book.sets[set] = next
	c.dids[set] = crypto.DID(r.Dataset)
	if r.Version != uint64(next.number) || r.Unchanged {
		return fmt.Errorf("version %d was made (unchanged: %v), the truth says %d", r.Version, r.Unchanged, next.number)
	}
	return nil
}

func (c *city) remove(m move) error {
	book := &c.truth.books[m.who]
	owner, made := c.truth.owners[m.of]
	if !made || !c.truth.up[m.who] {
		return nil
	}
	_, _, held := book.opens(m.of)
	if _, own := book.sets[m.of]; !own && !held {
		return nil
	}
	var live []int
	if owner == m.who {
		live = c.live(m.who, func(g granted) bool { return g.set == m.of })
	}
	r, err := call(c.homes[m.who], node.Remove, node.NameRequest{Name: string(c.dids[m.of])})
	if err != nil {
		return err
	}
	for _, number := range live {
		c.truth.end(number)
	}
	if r.Revoked != len(live) {
		return fmt.Errorf("removing ended %d grants, the truth says %d", r.Revoked, len(live))
	}
	c.truth.removes(m.who, m.of)
	return nil
}

func (c *city) give(m move) error {
	h, book := c.homes[m.who], &c.truth.books[m.who]
	set, here := book.sets[m.of]
	if !c.truth.up[m.who] || !here {
		return nil
	}
	q := node.GrantRequest{Name: setName(m.of), To: string(c.homes[m.with].did), For: m.span}
	if m.view != "" {
		q.Paths = []string{m.view}
	}
	var r node.GrantResult
	var err error
	now := h.during(func() { r, err = call(h, node.Grant, q) })
	want := ""
	switch {
	case !book.contacts[m.with]:
		want = "contact.none"
	case book.suspended:
		want = "grants.suspended"
	case len(set.tree.cut(m.view)) == 0:
		want = "no-such-path"
	}
	if key(err) != want || want == "" && err != nil {
		return fmt.Errorf("granting ended with %v, the truth says %q", err, want)
	}
	if want != "" {
		return nil
	}
	return c.keep(m, r, now)
}

// keep writes a grant down that was given.
func (c *city) keep(m move, r node.GrantResult, now span) error {
	offered, err := offer.ParseLink(r.Link)
	if err != nil {
		return err
	}
	chain, err := grant.DecodeChain(offered.Chain)
	if err != nil {
		return err
	}
	c.grants[m.number] = &signed{id: r.Grant.ID, link: r.Link, chain: chain, below: map[int]grant.Chain{}}
	c.truth.grants[m.number] = granted{set: m.of, from: m.who, to: m.with, view: m.view, until: r.Grant.Until}
	c.truth.books[m.who].given[m.number] = true
	if until := r.Grant.Until; until.Before(now.from.Add(m.span-slack)) || until.After(now.to.Add(m.span+slack)) {
		return fmt.Errorf("the grant ends at %v", until)
	}
	if r.Delivered {
		if yes, sure := c.truth.accepts(m.number, c.homes[m.with].nowish()); !c.truth.linked(m.who, m.with) || !yes && sure {
			return errors.New("a grant was delivered to somebody who cannot have taken it")
		}
		c.arrives(m.number)
	}
	return nil
}

// arrives is the grantee's node taking a grant, and the giver's learning it.
func (c *city) arrives(number int) {
	g := c.truth.grants[number]
	c.truth.books[g.to].received[number], c.truth.books[g.from].handed[number] = true, true
}

// takes is a grantee's node taking a version.
func (c *city) takes(number int) version {
	g := c.truth.grants[number]
	held, at := c.truth.books[g.to].held, holding{g.set, g.view}
	v := c.truth.books[g.from].sets[g.set]
	v.tree = v.tree.cut(g.view)
	if before, had := held[at]; had && v.order(before) == 0 {
		return v // and it keeps its place
	}
	c.turn++
	v.turn = c.turn
	held[at] = v
	return v
}

// nowish is the present, with some doubt on both sides.
func (h *home) nowish() span { return span{h.now().Add(-slack), h.now()} }

func (c *city) revoke(m move) error {
	s, signed := c.grants[m.of]
	if !signed || !c.truth.up[m.who] {
		return nil
	}
	r, err := call(c.homes[m.who], node.Revoke, node.NameRequest{Name: s.id})
	return c.revoked(m.of, r, err)
}

// revoked compares what came of a revocation.
func (c *city) revoked(number int, r node.RevokeResult, err error) error {
	g := c.truth.grants[number]
	book, want := &c.truth.books[g.from], ""
	switch {
	case !book.given[number]:
		want = "grant.none"
	case book.over[number]:
		want = "grant.revoked-already"
	}
	if key(err) != want || want == "" && err != nil {
		return fmt.Errorf("revoking ended with %v, the truth says %q", err, want)
	}
	if want != "" {
		return nil
	}
	c.truth.end(number)
	if !r.Notified {
		return nil
	}
	if !c.truth.linked(g.from, g.to) || !c.truth.heeds(number) {
		return errors.New("a revocation was heard by somebody who cannot have heard it")
	}
	c.hears(number)
	return nil
}

// hears is the grantee's node learning that a grant is over.
func (c *city) hears(number int) {
	g := c.truth.grants[number]
	c.truth.books[g.to].over[number] = true
	delete(c.truth.books[g.from].untold, number)
}

func (c *city) fetch(m move) error {
	s, signed := c.grants[m.of]
	if !signed {
		return nil
	}
	g := c.truth.grants[m.of]
	if !c.truth.up[g.to] {
		return nil
	}
	name := s.id
	if !c.truth.books[g.to].received[m.of] {
		name = s.link
	}
	h, tries, before := c.homes[g.to], 0, c.deliveries(m.of)
	var r node.FetchResult
	var err error
	took := h.during(func() {
		err = c.insist(func() error {
			tries++
			r, err = call(h, node.Fetch, node.FetchRequest{Grant: name})
			if !c.truth.joined(g.to, g.from) {
				return errors.Join(err) // one try is enough
			}
			return err
		})
	})
	if differs := c.recount(m.of, before, tries, err == nil); differs != nil {
		return fmt.Errorf("%w; the fetch ended with %v", differs, err)
	}
	return c.fetched(m.of, took, r, err)
}

// fetched compares what came of a fetch that took some time of the grantee's
// clock.
func (c *city) fetched(number int, took span, r node.FetchResult, err error) error {
	g := c.truth.grants[number]
	grantee, giver := &c.truth.books[g.to], &c.truth.books[g.from]
	if !grantee.received[number] { // by its link
		switch expired := key(err) == "grant.expired"; {
		case expired && took.to.Before(g.until.Add(-slack)):
			return errors.New("a link was refused as expired before its time")
		case expired:
			return nil
		case took.from.After(g.until.Add(slack)):
			return fmt.Errorf("an expired link is taken: %v", err)
		}
		grantee.received[number] = true
	}
	if !c.truth.joined(g.to, g.from) {
		if !outOfReach(err) {
			return fmt.Errorf("nobody can have answered, and the fetch ended with %v", err)
		}
		return nil
	}
	at := took.add(time.Duration(c.homes[g.from].off.Load() - c.homes[g.to].off.Load()))
	want := c.truth.answer(question{number: -1, grant: number, asker: g.to, view: g.view, made: took, at: at, renewed: true})
	v := giver.sets[g.set]
	v.tree = v.tree.cut(g.view)
	before, had := grantee.held[holding{g.set, g.view}]
	code, known := codeOf(err)
	switch {
	case !known && key(err) == "fetch.old-head" && want[served] && had && v.older(before):
		return nil // it was put back from a backup, and we know better
	case !known:
		return fmt.Errorf("the fetch ended with %v, the truth says %v", err, want)
	case !want[code]:
		return fmt.Errorf("the answer was %v (%v), the truth says %v", only(code), err, want)
	case code != served:
		return nil
	case had && v.older(before):
		return errors.New("an older version than the one that is here was taken")
	}
	v = c.takes(number)
	giver.handed[number] = true
	if r.Version != uint64(v.number) || r.Files != uint64(len(v.tree)) {
		return fmt.Errorf("version %d with %d files came, the truth says %d with %d", r.Version, r.Files, v.number, len(v.tree))
	}
	return c.reads(g.to, g.set)
}

// codeOf is the refusal that an error of a fetch tells of.
func codeOf(err error) (protocol.Code, bool) {
	var r *protocol.Refusal
	if err == nil {
		return served, true
	}
	if errors.As(err, &r) {
		return r.Code, true
	}
	var p *problem.Problem
	if errors.As(err, &p) && p.Kind == problem.WrongClock {
		return protocol.Clock, true
	}
	return 0, false
}

// reads compares the plaintext of a received data set with the truth.
func (c *city) reads(who, set int) error {
	v, view, ok := c.truth.books[who].opens(set)
	if !ok {
		return nil
	}
	to := filepath.Join(c.t.TempDir(), "opened")
	if _, err := call(c.homes[who], node.Open, node.OpenRequest{Name: string(c.dids[set]), To: to}); err != nil {
		return err
	}
	return c.sameTree(to, v, view)
}

func (c *city) sameTree(dir string, want version, view string) error {
	got := tree{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !maps.Equal(got, want.tree) {
		return fmt.Errorf("what is opened holds %s, the truth says %s (view %q of version %d of life %d)",
			sizes(got), sizes(want.tree), view, want.number, want.life)
	}
	return nil
}

func sizes(t tree) string {
	var list []string
	for path, content := range t {
		list = append(list, fmt.Sprintf("%s (%d bytes)", path, len(content)))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (c *city) present(m move) error {
	if _, signed := c.grants[m.of]; !signed {
		return nil
	}
	d, carrier, err := c.demandOf(m)
	if err != nil || d == nil {
		return err
	}
	g := c.truth.grants[m.of]
	giver, who := c.homes[g.from], carrier.number
	var code protocol.Code
	tries := 0
	before := c.deliveries(m.of)
	d.at = giver.during(func() {
		for range 3 {
			tries++
			if code, err = c.bring(carrier, d); err == nil || !c.truth.joined(who, g.from) || m.hand == "replay" {
				return
			}
			time.Sleep(35 * time.Second)
			if d, carrier, err = c.demandOf(m); err != nil { // what was lost may have been heard
				return
			}
		}
	})
	if !c.truth.joined(who, g.from) {
		if err == nil {
			return fmt.Errorf("nobody can have answered, and the answer was %v", only(code))
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("shown by hand: %w", err)
	}
	if err := c.recount(m.of, before, tries, code == served && !d.links); err != nil {
		return err
	}
	return c.presented(m, d, code)
}

func (c *city) presented(m move, d *demand, code protocol.Code) error {
	want := c.truth.answer(d.question)
	if !want[code] {
		return fmt.Errorf("the answer was %v, the truth says %v", only(code), want)
	}
	if d.links || d.other {
		return nil
	}
	c.asked[m.of] = d
	if code != served {
		return nil
	}
	g := c.truth.grants[m.of]
	c.truth.books[g.from].answered[d.number] = true
	v := c.truth.books[g.from].sets[g.set]
	if files := uint64(len(v.tree.cut(d.view))); d.head.Counts.Files != files || d.head.Generation != uint64(v.raised) ||
		uint32(d.head.Sequence) != uint32(v.number) {
		return fmt.Errorf("the head is of %d files of version %d in generation %d, the truth says %d of %d in %d",
			d.head.Counts.Files, uint32(d.head.Sequence), d.head.Generation, files, v.number, v.raised)
	}
	return nil
}

// demandOf is what a hand shows, and over whose connection; nil for nothing.
//
//	own        the grantee's hand asks as their node would
//	backdated  the same, made by a clock that is 50 seconds late
//	links      the same, asking for the upper links
//	onward     somebody asks to whom the grantee passed the grant on
//	narrowed   the same, who was given a part of it
//	stolen     somebody asks on the grantee's chain
//	carried    somebody brings what the grantee's node has just signed
//	replay     what was asked before is asked again, in the same bytes
func (c *city) demandOf(m move) (*demand, *home, error) {
	g := c.truth.grants[m.of]
	grantee, who := c.homes[g.to], c.homes[m.who]
	if m.hand == "replay" {
		if d := c.asked[m.of]; d != nil {
			again := *d
			return &again, c.homes[d.asker], nil
		}
		return nil, nil, nil
	}
	c.retold++
	q := question{number: 1000*m.number + c.retold, grant: m.of, asker: m.who, view: m.view}
	signer, carrier, end, made := grantee, who, g.to, grantee.now()
	switch m.hand {
	case "own":
	case "backdated":
		made = made.Add(-50 * time.Second)
	case "links":
		q.links = true
	case "stolen":
		signer, q.other, made = who, true, who.now()
	case "carried":
		q.other = true
	case "onward", "narrowed":
		if m.who == g.from || m.who == g.to {
			return nil, nil, nil
		}
		signer, end, q.passed, made = who, m.who, true, who.now()
		if m.hand == "narrowed" {
			q.narrow = narrower(g.view)
		}
	}
	chain, err := c.chainFor(m.of, end, q.narrow)
	if err != nil {
		return nil, nil, err
	}
	d, err := c.ask(signer, q, chain, made)
	return d, carrier, err
}

func (c *city) withdraw(m move) error {
	g, signed := c.truth.grants[m.of]
	if !signed || m.with == g.from || m.with == g.to || !c.truth.joined(g.to, g.from) || !c.truth.books[g.from].contacts[g.to] {
		return nil
	}
	var err error
	for range 3 {
		if err = c.withdrawAt(m.of, m.with); err == nil || errors.Is(err, errRefused) {
			break
		}
		time.Sleep(35 * time.Second)
	}
	if err != nil {
		return err
	}
	c.truth.books[g.from].withdrawn[passed{m.of, m.with}] = true
	return nil
}

var errRefused = errors.New("refused")

// deliveries is how many heads the giver of a grant has written down, as its
// node says; -1 if it does not run or does not know the grant.
func (c *city) deliveries(number int) int {
	g := c.truth.grants[number]
	if !c.truth.up[g.from] || !c.truth.books[g.from].given[number] {
		return -1
	}
	r, err := call(c.homes[g.from], node.Grants, node.None{})
	if err != nil {
		return -1
	}
	for _, line := range r.Given {
		if line.ID == c.grants[number].id {
			return line.Deliveries
		}
	}
	return -1
}

// recount compares what the giver wrote down during a question: one delivery
// if it was served, none if not, and for each further try at most one.
func (c *city) recount(number, before, tries int, answered bool) error {
	after := c.deliveries(number)
	if before < 0 || after < 0 {
		return nil
	}
	least := 0
	if answered {
		least = 1
	}
	if got := after - before; got < least || got > least+tries-1 {
		return fmt.Errorf("the giver wrote down %d deliveries, the truth says %d (in %d tries)", got, least, tries)
	}
	c.truth.books[c.truth.grants[number].from].delivered[number] = after
	return nil
}

// overtake revokes a grant while its grantee takes what it gives, slowly.
func (c *city) overtake(m move) error {
	s, signed := c.grants[m.of]
	g := c.truth.grants[m.of]
	if !signed || !c.truth.linked(g.to, g.from) || !c.truth.books[g.to].received[m.of] {
		return nil
	}
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	had, _, err := c.receivedLine(m.of)
	if err != nil {
		return err
	}
	go func() { ended <- c.slowly(m.of, s.id, started) }()
	var fetchErr error
	select {
	case <-started:
	case fetchErr = <-ended:
		ended <- fetchErr
	}
	revoked, err := call(c.homes[m.who], node.Revoke, node.NameRequest{Name: s.id})
	sent := c.wires.sentFrom(g.from, g.to)
	fetchErr = <-ended
	if more := c.wires.sentFrom(g.from, g.to) - sent; err == nil && more > 64<<10 {
		return fmt.Errorf("%d bytes left after the revocation had returned", more)
	}
	if err := c.anyOutcome(m.of, had.Deliveries, fetchErr); err != nil {
		return err
	}
	return c.revoked(m.of, revoked, err)
}

// slowly fetches at a pace that leaves time for something to happen; started
// hears of the first block.
func (c *city) slowly(number int, id string, started chan<- struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	h := c.homes[c.truth.grants[number].to]
	_, err := node.Fetch.Do(ctx, h.node, node.FetchRequest{Grant: id, LimitRate: 64 << 10}, func(p node.Progress) {
		if p.Step == "blocks" {
			select {
			case started <- struct{}{}:
			default:
			}
		}
	})
	return err
}

// anyOutcome takes a fetch that something disturbed for what it was: whole, or
// not at all; and with it what the giver wrote down. fetched is how often
// anything had come whole under the grant before.
func (c *city) anyOutcome(number, fetched int, err error) error {
	g := c.truth.grants[number]
	line, _, problem := c.receivedLine(number)
	if problem != nil {
		return problem
	}
	if err == nil || line.Deliveries > fetched {
		if v := c.takes(number); line.Deliveries > fetched && line.LastVersion != uint64(v.number) {
			return fmt.Errorf("version %d came, the truth says %d", line.LastVersion, v.number)
		}
	}
	if after := c.deliveries(number); after >= 0 {
		if line.Deliveries > fetched && after == c.truth.books[g.from].delivered[number] {
			return errors.New("what came was not written down by its giver")
		}
		c.truth.books[g.from].delivered[number] = after
	}
	return c.reads(g.to, g.set)
}

// blackout cuts the giver's power in the middle of a fetch. What reached the
// grantee is in the giver's journal, whatever its disk lost.
func (c *city) blackout(m move) error {
	s, signed := c.grants[m.of]
	g := c.truth.grants[m.of]
	if !signed || !c.truth.linked(g.to, g.from) || !c.truth.books[g.to].received[m.of] {
		return nil
	}
	before := c.deliveries(m.of)
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	had, _, err := c.receivedLine(m.of)
	if err != nil {
		return err
	}
	go func() { ended <- c.slowly(m.of, s.id, started) }()
	begun := false
	select {
	case <-started:
		begun = true
	case err = <-ended:
		ended <- err
	}
	c.homes[g.from].powerCut(m.seed)
	err = <-ended
	if err := c.homes[g.from].start(); err != nil {
		return err
	}
	if after := c.deliveries(m.of); begun && after >= 0 && after <= before {
		return fmt.Errorf("blocks came, and after the power cut %d deliveries are written down, as before", after)
	}
	return c.anyOutcome(m.of, had.Deliveries, err)
}

func (c *city) crash(m move) error {
	h := c.homes[m.who]
	if h.node == nil {
		return nil
	}
	h.powerCut(m.seed)
	return h.start()
}

func (c *city) stop(m move) error { return c.homes[m.who].stop() }

func (c *city) startMove(m move) error {
	if c.homes[m.who].node != nil {
		return nil
	}
	return c.homes[m.who].start()
}

func (c *city) cut(m move) error {
	if m.who != m.with {
		cut := m.verb == cutWire
		c.wires.setCut(m.who, m.with, cut)
		c.truth.cut[pair(m.who, m.with)] = cut
	}
	return nil
}

// housekeeping waits until every node has looked at its clock, after the
// pushes that it tries in vain before that.
func (c *city) housekeeping() { time.Sleep(time.Duration(35+5*len(c.grants)) * time.Second) }

func (c *city) tick(m move) error {
	c.shift.Add(int64(m.span))
	c.housekeeping()
	return nil
}

// edge lets the clocks go on until 30 seconds after a grant ended.
func (c *city) edge(m move) error {
	g, signed := c.truth.grants[m.of]
	if !signed {
		return nil
	}
	wait := time.Duration(35+5*len(c.grants)) * time.Second
	by := g.until.Add(30*time.Second).Sub(c.homes[g.from].now()) - wait
	if by > 0 && by < 40*24*time.Hour {
		c.shift.Add(int64(by))
		c.housekeeping()
	}
	return nil
}

func (c *city) misset(m move) error {
	c.homes[m.who].off.Store(int64(m.span))
	c.housekeeping()
	return nil
}

func (c *city) backup(m move) error {
	if err := c.homes[m.who].copyHome(m.number); err != nil {
		return err
	}
	c.truth.copies[m.number] = c.truth.books[m.who].clone()
	return nil
}

// putBack stops a node, puts an older copy of its home in the place of the
// newer, and starts it. If anything was written since, it says so.
func (c *city) putBack(m move) error {
	copied, made := c.truth.copies[m.of]
	if !made {
		return nil
	}
	h := c.homes[m.who]
	running := h.node != nil
	if err := h.stop(); err != nil {
		return err
	}
	old, err := h.journalBehind(m.of)
	if err != nil {
		return err
	}
	if err := h.putBack(m.of); err != nil {
		return err
	}
	book := copied.clone()
	if old {
		book.suspended = true
		time.Sleep(2 * time.Second) // two lives do not begin in one second
		book.life = max(book.life+1, int(h.now().Unix()))
	}
	c.truth.books[m.who] = book
	if !running {
		if err := h.start(); err != nil {
			return err
		}
		return h.stop()
	}
	return h.start()
}

func (c *city) compact(m move) error {
	if !c.truth.up[m.who] {
		return nil
	}
	_, err := call(c.homes[m.who], node.Compact, node.CompactRequest{Waste: m.seed%2 == 0})
	return err
}

func (c *city) confirm(m move) error {
	if !c.truth.up[m.who] {
		return nil
	}
	_, err := call(c.homes[m.who], node.GrantsConfirm, node.None{})
	c.truth.books[m.who].suspended = false
	return err
}

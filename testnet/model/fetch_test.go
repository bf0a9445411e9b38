// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
)

func (c *city) fetch(m move) error {
	s, signed := c.grants[m.of]
	if !signed {
		return nil
	}
	g := c.truth.grants[m.of]
	if !c.truth.up[g.to] {
		return nil
	}
	h, tries, before := c.homes[g.to], 0, c.deliveries(m.of)
	var r node.FetchResult
	var err, differs error
	took := h.during(func() {
		err = c.insist(c.truth.joined(g.to, g.from), func() (err error) {
			tries++
			began := h.now()
			name := s.id
			if !c.truth.books[g.to].received[m.of] {
				name = s.link
			}
			r, err = call(h, node.Fetch, node.FetchRequest{Grant: name})
			if name == s.link {
				differs = errors.Join(differs, c.tookLink(m.of, span{began, h.now()}, err))
			}
			return err
		})
	})
	if differs == nil {
		differs = c.recount(m.of, before, tries, err == nil || key(err) == "fetch.old-head")
	}
	if differs != nil {
		return fmt.Errorf("%w; the fetch ended with %v", differs, err)
	}
	if !c.truth.books[g.to].received[m.of] {
		return nil
	}
	return c.fetched(m.of, took, r, err)
}

// tookLink compares what a fetch by a grant's link said of the link. One that
// has not ended is taken in before anybody is asked, and so whoever is away.
func (c *city) tookLink(number int, took span, err error) error {
	g := c.truth.grants[number]
	switch expired := key(err) == "grant.expired"; {
	case expired && took.to.Before(g.until.Add(-slack)):
		return errors.New("a link was refused as expired before its time")
	case expired:
		return nil
	case took.from.After(g.until.Add(slack)):
		return fmt.Errorf("an expired link is taken: %v", err)
	}
	c.truth.books[g.to].received[number] = true
	return nil
}

// fetched compares what came of a fetch that took some time of the grantee's
// clock.
func (c *city) fetched(number int, took span, r node.FetchResult, err error) error {
	g := c.truth.grants[number]
	grantee, giver := &c.truth.books[g.to], &c.truth.books[g.from]
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

// deliveries is how many heads the giver of a grant has written down, as its
// node says; -1 if it does not run or does not know the grant.
func (c *city) deliveries(number int) int {
	if line, listed := c.givenLine(number); listed {
		return line.Deliveries
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

// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"time"

	"github.com/traboule/traboule/protocol"
)

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
	if d.asker == g.to { // it was their node's key, and whoever fetches has the grant
		c.truth.books[g.from].handed[m.of] = true
	}
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
		if err = c.withdrawAt(m.of, m.with); err == nil {
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

// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
)

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
	book := &c.truth.books[m.who]
	book.given[m.number] = true
	if until := r.Grant.Until; until.Before(now.from.Add(m.span-slack)) || until.After(now.to.Add(m.span+slack)) {
		return fmt.Errorf("the grant ends at %v", until)
	}
	if r.Delivered {
		if yes, sure := c.truth.accepts(m.number, c.homes[m.with].nowish()); !c.truth.linked(m.who, m.with) || !yes && sure {
			return errors.New("a grant was delivered to somebody who cannot have taken it")
		}
		c.truth.books[m.with].received[m.number], book.handed[m.number] = true, true
	}
	return nil
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

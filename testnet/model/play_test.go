// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"time"

	"github.com/traboule/traboule/node"
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
		compact: c.compact, kit: c.kit, restore: c.restore, lower: c.lower,
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
	err = c.insist(true, func() error {
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

// insist tries something that reaches for another node until it does, if it
// can: the first tries may go over a connection that is dead without anybody's
// having noticed.
func (c *city) insist(joined bool, try func() error) (err error) {
	for range 4 {
		if err = try(); !outOfReach(err) || !joined {
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
	c.truth.goesBack(m.who, book)
	return h.startAnew(running)
}

// startAnew starts a node, and stops it again if it was not running before.
func (h *home) startAnew(running bool) error {
	if err := h.start(); err != nil || running {
		return err
	}
	return h.stop()
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

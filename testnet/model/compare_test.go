// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/storage/disk"
)

// compare holds the lists of every node that runs against the truth.
func (c *city) compare() error {
	for i, h := range c.homes {
		if !c.truth.up[i] {
			continue
		}
		err := c.compareGrants(h)
		if err == nil {
			err = c.compareSets(h)
		}
		if err != nil {
			return fmt.Errorf("at %s's: %w", h.name(), err)
		}
	}
	return c.compareHanded()
}

// compareHanded holds against the truth what givers list as handed over since
// the last move: it is there, or was before the grantee's home was put back.
func (c *city) compareHanded() error {
	for number, g := range c.truth.grants {
		giver := &c.truth.books[g.from]
		if giver.handed[number] || c.stateGiven(number) != "live" {
			continue
		}
		if !c.truth.books[g.to].received[number] {
			return fmt.Errorf("at %s's: #%d is listed as handed over, and %s does not list it", names[g.from], number, names[g.to])
		}
		giver.handed[number] = true
	}
	return nil
}

// stateGiven is the state in which the giver of a grant lists it, if they do.
func (c *city) stateGiven(number int) string {
	line, _ := c.givenLine(number)
	return line.State
}

// givenLine is what the giver of a grant lists of it, if their node runs.
func (c *city) givenLine(number int) (line node.GrantLine, listed bool) {
	g := c.truth.grants[number]
	if !c.truth.up[g.from] || !c.truth.books[g.from].given[number] {
		return line, false
	}
	r, err := call(c.homes[g.from], node.Grants, node.None{})
	for _, line := range r.Given {
		if err == nil && line.ID == c.grants[number].id {
			return line, true
		}
	}
	return line, false
}

func (c *city) compareGrants(h *home) error {
	book := &c.truth.books[h.number]
	r, err := call(h, node.Grants, node.None{})
	if err != nil {
		return err
	}
	if (r.SuspendedBy != "") != book.suspended {
		return fmt.Errorf("suspended by %q, the truth says %v", r.SuspendedBy, book.suspended)
	}
	if err := c.compareLines(h, "given", r.Given, book.given); err != nil {
		return err
	}
	return c.compareLines(h, "received", r.Received, book.received)
}

// compareLines compares the grants given or received.
func (c *city) compareLines(h *home, way string, lines []node.GrantLine, want map[int]bool) error {
	book := &c.truth.books[h.number]
	found := map[string]node.GrantLine{}
	for _, line := range lines {
		found[line.ID] = line
	}
	for number := range want {
		line, ok := found[c.grants[number].id]
		if !ok {
			return fmt.Errorf("the grant #%d that was %s is not listed", number, way)
		}
		delete(found, line.ID)
		g := c.truth.grants[number]
		if state := c.stateOf(h, number, way); !slices.Contains(state, line.State) {
			return fmt.Errorf("the grant #%d that was %s is %s, the truth says %v", number, way, line.State, state)
		}
		if way == "received" && line.State == "revoked" && !book.over[number] {
			c.hears(number) // between two moves, or in this one
		}
		if way == "given" && line.Deliveries != book.delivered[number] {
			return fmt.Errorf("%d deliveries under #%d, the truth says %d", line.Deliveries, number, book.delivered[number])
		}
		var paths []string
		if g.view != "" {
			paths = []string{g.view}
		}
		if !slices.Equal(line.Paths, paths) || !line.Until.Equal(g.until) {
			return fmt.Errorf("the grant #%d is on %v until %v, the truth says %v until %v", number, line.Paths, line.Until, paths, g.until)
		}
	}
	for id := range found {
		for number, s := range c.grants {
			if s.id == id && way == "received" && c.mayHaveCome(number) {
				book.received[number] = true // between two moves, as is right
				delete(found, id)
			}
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("%d more grants are listed as %s than the truth knows", len(found), way)
	}
	return nil
}

// mayHaveCome says whether the giver's node may have handed a grant over since
// the last move.
func (c *city) mayHaveCome(number int) bool {
	g := c.truth.grants[number]
	return c.truth.books[g.from].given[number] && c.truth.books[g.to].contacts[g.from]
}

// stateOf is what may be listed of a grant: two states where the moment of its
// end is too near, or where it is not known whether the word has gone round.
func (c *city) stateOf(h *home, number int, way string) []string {
	book, g, now := &c.truth.books[h.number], c.truth.grants[number], h.now()
	if book.over[number] {
		return []string{"revoked"}
	}
	var states []string
	if way == "received" && c.truth.books[g.from].over[number] {
		states = append(states, "revoked")
	}
	if now.After(g.until.Add(-slack)) {
		states = append(states, "expired")
	}
	if now.After(g.until.Add(slack)) {
		return states
	}
	switch {
	case way == "given" && book.suspended:
		return append(states, "suspended")
	case way == "given" && !book.handed[number]:
		return append(states, "live", "pending") // see compareHanded
	}
	return append(states, "live")
}

func (c *city) compareSets(h *home) error {
	book := &c.truth.books[h.number]
	r, err := call(h, node.List, node.None{})
	if err != nil {
		return err
	}
	found := map[string]node.Dataset{}
	for _, d := range r.Datasets {
		found[d.Dataset] = d
	}
	for number := range c.dids {
		d, listed := found[string(c.dids[number])]
		delete(found, string(c.dids[number]))
		v, here := book.sets[number]
		if c.truth.owners[number] != h.number {
			v, _, here = book.opens(number)
		}
		switch {
		case here != listed:
			return fmt.Errorf("set %d: listed %v, the truth says %v", number, listed, here)
		case here && (d.Version != uint64(v.number) || d.Files != uint64(len(v.tree)) || d.Missing):
			return fmt.Errorf("set %d: version %d with %d files (missing: %v), the truth says %d with %d",
				number, d.Version, d.Files, d.Missing, v.number, len(v.tree))
		}
	}
	if len(found) > 0 {
		return fmt.Errorf("%d data sets are listed that nobody made", len(found))
	}
	return nil
}

// settle waits until what has to be handed over is: grants, and the word that
// they are over. Who was away for long is tried again after a day at most.
func (c *city) settle() error {
	var late error
	for round := range 12 {
		if round == 5 {
			c.shift.Add(int64(31 * time.Hour))
		}
		time.Sleep(35 * time.Second)
		if late = c.late(); late == nil {
			return nil
		}
	}
	return late
}

// late finds something that has still to be handed over and can be; what was,
// the truth notes.
func (c *city) late() error {
	var late error
	for number, g := range c.truth.grants {
		giver := &c.truth.books[g.from]
		if giver.suspended || !c.truth.linked(g.from, g.to) || !giver.contacts[g.to] {
			continue
		}
		switch {
		case giver.over[number] && giver.untold[number]:
			late = errors.Join(late, c.lateWord(number))
		case giver.given[number] && !giver.over[number] && !giver.handed[number]:
			late = errors.Join(late, c.lateGrant(number))
		}
	}
	return late
}

func (c *city) lateWord(number int) error {
	g := c.truth.grants[number]
	if !c.truth.heeds(number) {
		return nil
	}
	line, listed, err := c.receivedLine(number)
	if err != nil {
		return err
	}
	if listed && line.State != "revoked" {
		return fmt.Errorf("%s does not hear from %s that #%d is over", names[g.to], names[g.from], number)
	}
	if listed || c.truth.books[g.to].received[number] {
		c.hears(number)
	}
	return nil
}

func (c *city) lateGrant(number int) error {
	g := c.truth.grants[number]
	ended := c.homes[g.from].now().After(g.until.Add(-slack))
	yes, sure := c.truth.accepts(number, c.homes[g.to].nowish())
	if ended || !yes || !sure {
		return nil
	}
	_, listed, err := c.receivedLine(number)
	if err != nil {
		return err
	}
	if !listed {
		return fmt.Errorf("%s's grant #%d does not reach %s", names[g.from], number, names[g.to])
	}
	c.truth.books[g.to].received[number] = true
	if c.stateGiven(number) == "pending" {
		return fmt.Errorf("%s does not learn that %s has #%d", names[g.from], names[g.to], number)
	}
	return nil
}

// receivedLine is what a grantee's node lists of a grant.
func (c *city) receivedLine(number int) (line node.GrantLine, listed bool, err error) {
	r, err := call(c.homes[c.truth.grants[number].to], node.Grants, node.None{})
	for _, line := range r.Received {
		if line.ID == c.grants[number].id {
			return line, true, err
		}
	}
	return line, false, err
}

// journalBehind says whether the journal of a backup is another than that of
// the home.
func (h *home) journalBehind(number int) (bool, error) {
	now, err := h.bytesOf(filepath.Join(homeDir, "journal"))
	if err != nil {
		return false, err
	}
	then, err := h.bytesOf(filepath.Join(backupDir(number), "journal"))
	return !bytes.Equal(now, then), err
}

func (h *home) bytesOf(dir string) (all []byte, err error) {
	list, err := h.disk.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		data, err := disk.ReadFile(h.disk, filepath.Join(dir, e.Name()), 1<<30)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, data...)
	}
	return all, nil
}

// judgement ends every history: all wires are joined, all clocks are right, all
// nodes run, every owner has confirmed, and then every grant is tried once more
// and every vault is checked.
func (c *city) judgement() error {
	for i, h := range c.homes {
		for j := range c.homes[:i] {
			if err := c.cut(move{verb: joinWire, who: i, with: j}); err != nil {
				return err
			}
		}
		h.off.Store(0)
	}
	c.shift.Add(int64(3 * time.Hour))
	for i, h := range c.homes {
		if err := c.startMove(move{who: i}); err != nil {
			return err
		}
		if err := c.confirm(move{who: i}); err != nil {
			return err
		}
		c.truth.books[i].latest = later(c.truth.books[i].latest, h.now())
	}
	if err := c.settle(); err != nil {
		return err
	}
	for _, number := range c.numbers() {
		if err := c.fetch(move{of: number}); err != nil {
			return fmt.Errorf("the last fetch under #%d: %w", number, err)
		}
	}
	for _, h := range c.homes {
		if err := c.sound(h); err != nil {
			return err
		}
	}
	return c.compare()
}

func (c *city) numbers() []int {
	var list []int
	for number := range c.grants {
		list = append(list, number)
	}
	slices.Sort(list)
	return list
}

// sound says what the node's own check finds wrong, and whether its log tells
// of every delivery.
func (c *city) sound(h *home) error {
	r, err := call(h, node.Check, node.None{})
	if err != nil {
		return err
	}
	if len(r.Damages) > 0 {
		return fmt.Errorf("%s's vault is damaged: %v", h.name(), r.Damages)
	}
	log, err := call(h, node.Log, node.LogRequest{})
	if err != nil {
		return err
	}
	told := map[string]int{}
	for _, line := range log.Lines {
		if line.Event == "delivered" || line.Event == "delivered.again" {
			told[line.Grant]++
		}
	}
	for number := range c.truth.books[h.number].given {
		if got, want := told[c.grants[number].id], c.truth.books[h.number].delivered[number]; got > want || got < want && !c.truth.books[h.number].fromKit {
			return fmt.Errorf("%s's log tells of %d deliveries under #%d, the truth says %d", h.name(), got, number, want)
		}
	}
	return nil
}

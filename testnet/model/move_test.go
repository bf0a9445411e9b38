// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

var names = [...]string{"ada", "ben", "cleo", "dan", "eve"}

// verb is what a move does.
type verb string

const (
	meet      verb = "meet"      // who brings with's link; with confirms
	dismiss   verb = "dismiss"   // who removes the contact with
	add       verb = "add"       // who makes a data set
	change    verb = "change"    // who makes the next version of of
	remove    verb = "remove"    // who removes the data set of, or what came of it
	give      verb = "give"      // who grants of to with
	revoke    verb = "revoke"    // who revokes the grant of
	fetch     verb = "fetch"     // the grantee of of fetches
	present   verb = "present"   // who shows the chain of the grant of, by hand
	withdraw  verb = "withdraw"  // the grantee of of ends what they passed on to with
	overtake  verb = "overtake"  // of is revoked in the middle of a fetch
	blackout  verb = "blackout"  // who's power is cut in the middle of a fetch under of
	crash     verb = "crash"     // who's power is cut
	stop      verb = "stop"      // who's node is stopped
	start     verb = "start"     // and started
	cutWire   verb = "cut"       // between who and with
	joinWire  verb = "join"      //
	tick      verb = "tick"      // all clocks go on by for
	edge      verb = "edge"      // all clocks go on until just after the grant of ended
	misset    verb = "misset"    // who's clock stands for off
	reset     verb = "reset"     // and is right again
	backup    verb = "backup"    // who's home is copied
	putBack   verb = "put back"  // the backup of takes its place
	kit       verb = "kit"       // who saves a recovery kit, and the blocks as they are
	restore   verb = "restore"   // who makes the home anew from the kit of
	lower     verb = "lower"     // who says that their clock is right as it stands
	confirm   verb = "confirm"   // who confirms their grants
	settle    verb = "settle"    // everybody waits
	compact   verb = "compact"   // who's node gives room back
	lifeShort      = time.Minute // the shortest that a grant may live
)

// move is one step of a history. Its number names what it makes: data sets,
// grants and backups are spoken of by the number of their move, so that a
// history stays readable, and stays the same for the rest, when moves go.
type move struct {
	number    int
	verb      verb
	who, with int
	of        int
	view      string // "" is everything
	hand      string // how a chain is shown
	span      time.Duration
	large     bool // the version has a file that takes a while
	seed      uint64
}

// String is a line of the script.
func (m move) String() string {
	var b strings.Builder
	who := names[m.who]
	switch m.verb {
	case tick, edge, settle:
		who = "all"
	}
	fmt.Fprintf(&b, "%3d  %-4s %-8s", m.number, who, m.verb)
	switch m.verb {
	case meet, dismiss, cutWire, joinWire:
		fmt.Fprintf(&b, " %s", names[m.with])
	case change:
		fmt.Fprintf(&b, " #%d", m.of)
		if m.large {
			b.WriteString(", large")
		}
	case remove, revoke, fetch, overtake, blackout, edge, putBack, restore:
		fmt.Fprintf(&b, " #%d", m.of)
		if m.verb == restore && m.seed%2 == 0 {
			b.WriteString(", on another machine")
		}
	case give:
		fmt.Fprintf(&b, " #%d to %s, view %q, for %v", m.of, names[m.with], m.view, m.span)
	case present:
		fmt.Fprintf(&b, " #%d, %s, asking for %q", m.of, m.hand, m.view)
	case withdraw:
		fmt.Fprintf(&b, " #%d from %s", m.of, names[m.with])
	case tick, misset:
		fmt.Fprintf(&b, " %v", m.span)
	}
	return strings.TrimRight(b.String(), " ")
}

func script(history []move) string {
	lines := make([]string, len(history))
	for i, m := range history {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// author draws a history. It knows what was made, not what became of it: most
// of what can go wrong is done to things that are gone.
type author struct {
	rng     *rand.Rand
	history []move
	met     [][2]int // who may grant to whom
	sets    []move
	grants  []move
	copies  []move
	kits    []move
}

// draw makes a history of about so many moves: the same for the same seed.
func draw(seed uint64, length int) []move {
	a := &author{rng: rand.New(rand.NewPCG(seed, 0x7472616265))}
	a.acquaint(0, 1)
	a.acquaint(a.rng.IntN(2), 2)
	a.acquaint(a.rng.IntN(3), 3)
	a.acquaint(a.rng.IntN(4), 4)
	for range 2 {
		a.write(move{verb: add, who: a.anybody()})
	}
	for range 3 {
		a.drawGive()
	}
	for len(a.history) < length {
		a.next()
	}
	return a.history
}

func (a *author) anybody() int { return a.rng.IntN(len(names)) }

// somebodyElse is anybody but who.
func (a *author) somebodyElse(who int) int { return (who + 1 + a.rng.IntN(len(names)-1)) % len(names) }

func (a *author) write(m move) move {
	m.number, m.seed = len(a.history), a.rng.Uint64()
	a.history = append(a.history, m)
	switch m.verb {
	case add:
		a.sets = append(a.sets, m)
	case give:
		a.grants = append(a.grants, m)
	case backup:
		a.copies = append(a.copies, m)
	case kit:
		a.kits = append(a.kits, m)
	case meet:
		a.met = append(a.met, [2]int{m.who, m.with}, [2]int{m.with, m.who})
	}
	return m
}

func (a *author) acquaint(x, y int) { a.write(move{verb: meet, who: x, with: y}) }

// pick draws one, the newest more often than the others.
func pick[T any](rng *rand.Rand, list []T) T {
	if len(list) == 0 {
		var none T
		return none
	}
	if rng.IntN(3) == 0 {
		return list[len(list)-1]
	}
	return list[rng.IntN(len(list))]
}

// views are the parts of a data set that are granted and asked for.
var views = []string{"", "", "a/", "b/", "top"}

func (a *author) view() string { return views[a.rng.IntN(len(views))] }

func (a *author) drawGive() {
	s := pick(a.rng, a.sets)
	var friends []int
	for _, m := range a.met {
		if m[0] == s.who {
			friends = append(friends, m[1])
		}
	}
	if len(friends) == 0 {
		return
	}
	spans := []time.Duration{lifeShort, time.Hour, 30 * 24 * time.Hour, 200 * 24 * time.Hour}
	a.write(move{verb: give, who: s.who, of: s.number, with: friends[a.rng.IntN(len(friends))],
		view: a.view(), span: spans[a.rng.IntN(len(spans))]})
}

// hands are the ways to show a chain by hand; see hand_test.go.
var hands = []string{"own", "own", "replay", "replay", "stolen", "carried", "backdated", "onward", "onward", "narrowed", "links"}

func (a *author) drawPresent() {
	g := pick(a.rng, a.grants)
	m := move{verb: present, who: g.with, of: g.number, view: g.view, hand: hands[a.rng.IntN(len(hands))]}
	if a.rng.IntN(4) == 0 {
		m.view = a.view()
	}
	switch m.hand {
	case "stolen", "carried", "onward", "narrowed":
		for m.who == g.with || m.who == g.who {
			m.who = a.anybody()
		}
	}
	a.write(m)
	if m.hand == "own" && a.rng.IntN(2) == 0 {
		a.forgetful(g)
		a.write(move{verb: present, who: g.with, of: g.number, hand: "replay"})
	}
}

// forgetful has a giver start anew, perhaps, or make the home anew from a kit
// that has a later delivery than the last one by hand.
func (a *author) forgetful(g move) {
	switch a.rng.IntN(4) {
	case 0:
		a.write(move{verb: fetch, who: g.with, of: g.number})
		saved := a.write(move{verb: kit, who: g.who})
		a.write(move{verb: restore, who: g.who, of: saved.number})
		a.write(move{verb: confirm, who: g.who})
	case 1:
		a.write(move{verb: crash, who: g.who})
	}
}

// next draws one move, or two that belong together.
func (a *author) next() {
	total := 0
	for _, c := range menu {
		total += c.weight
	}
	n := a.rng.IntN(total)
	for _, c := range menu {
		if n -= c.weight; n < 0 {
			c.draw(a)
			return
		}
	}
}

// menu is what histories are made of, and how much of each.
var menu = []struct {
	weight int
	draw   func(a *author)
}{
	{18, func(a *author) { g := pick(a.rng, a.grants); a.write(move{verb: fetch, who: g.with, of: g.number}) }},
	{16, (*author).drawPresent},
	{10, (*author).drawGive},
	{8, func(a *author) { s := pick(a.rng, a.sets); a.write(move{verb: change, who: s.who, of: s.number}) }},
	{2, func(a *author) { a.write(move{verb: add, who: a.anybody()}) }},
	{7, func(a *author) {
		g := pick(a.rng, a.grants)
		a.write(move{verb: revoke, who: g.who, of: g.number})
		a.sometimesAsk(g)
	}},
	{2, func(a *author) { a.disturb(overtake) }},
	{2, func(a *author) { a.disturb(blackout) }},
	{2, func(a *author) { s := pick(a.rng, a.sets); a.write(move{verb: remove, who: s.who, of: s.number}) }},
	{2, func(a *author) { g := pick(a.rng, a.grants); a.write(move{verb: remove, who: g.with, of: g.of}) }},
	{3, func(a *author) {
		g := pick(a.rng, a.grants)
		a.write(move{verb: withdraw, who: g.with, of: g.number, with: a.somebodyElse(g.with)})
	}},
	{5, func(a *author) { a.write(move{verb: crash, who: a.anybody()}) }},
	{3, func(a *author) { a.write(move{verb: stop, who: a.anybody()}) }},
	{5, func(a *author) { a.undo(stop, start) }},
	{3, func(a *author) { w := a.anybody(); a.write(move{verb: cutWire, who: w, with: a.somebodyElse(w)}) }},
	{5, func(a *author) { a.undo(cutWire, joinWire) }},
	{4, func(a *author) {
		spans := []time.Duration{30 * time.Second, 20 * time.Minute, 25 * time.Hour, 35 * 24 * time.Hour}
		a.write(move{verb: tick, span: spans[a.rng.IntN(len(spans))]})
	}},
	{2, func(a *author) {
		g := pick(a.rng, a.grants)
		a.write(move{verb: edge, of: g.number})
		a.write(move{verb: present, who: g.with, of: g.number, view: g.view, hand: "backdated"})
	}},
	{2, func(a *author) {
		spans := []time.Duration{-90 * time.Second, -time.Hour, 2 * time.Hour}
		g := pick(a.rng, a.grants)
		a.write(move{verb: misset, who: g.who, span: spans[a.rng.IntN(len(spans))]})
		a.sometimesAsk(g)
	}},
	{4, func(a *author) { a.undo(misset, reset) }},
	{2, func(a *author) { a.write(move{verb: backup, who: a.anybody()}) }},
	{2, func(a *author) {
		if c := pick(a.rng, a.copies); len(a.copies) > 0 {
			a.write(move{verb: putBack, who: c.who, of: c.number})
			a.relive(c.who)
		}
	}},
	{2, func(a *author) { a.write(move{verb: kit, who: a.anybody()}) }},
	{2, func(a *author) {
		if k := pick(a.rng, a.kits); len(a.kits) > 0 {
			a.write(move{verb: restore, who: k.who, of: k.number})
			a.relive(k.who)
		}
	}},
	{3, func(a *author) { a.setBack(pick(a.rng, a.grants)) }},
	{1, func(a *author) { a.misjudge(pick(a.rng, a.grants)) }},
	{2, func(a *author) { a.write(move{verb: compact, who: a.anybody()}) }},
	{3, func(a *author) { a.undo(putBack, confirm) }},
	{1, func(a *author) { a.undo(restore, confirm) }},
	{1, func(a *author) { w := a.anybody(); a.acquaint(w, a.somebodyElse(w)) }},
	{1, func(a *author) { m := pick(a.rng, a.met); a.write(move{verb: dismiss, who: m[0], with: m[1]}) }},
	{4, func(a *author) { a.write(move{verb: settle}) }},
}

// sometimesAsk has somebody ask at once for what a grant gave, by any hand.
func (a *author) sometimesAsk(g move) {
	if a.rng.IntN(3) == 0 {
		return
	}
	hand := []string{"own", "onward", "onward", "links", "backdated"}[a.rng.IntN(5)]
	who := g.with
	for hand == "onward" && (who == g.with || who == g.who) {
		who = a.anybody()
	}
	a.write(move{verb: present, who: who, of: g.number, view: g.view, hand: hand})
}

// disturb makes a version that takes a while to fetch, has it fetched, and has
// something happen meanwhile.
func (a *author) disturb(v verb) {
	g := pick(a.rng, a.grants)
	a.write(move{verb: change, who: g.who, of: g.of, large: true})
	a.write(move{verb: v, who: g.who, of: g.number})
}

// setBack has a giver lose what happened last, to a backup or a kit from before.
func (a *author) setBack(g move) {
	save, back := backup, putBack
	if a.rng.IntN(2) == 0 {
		save, back = kit, restore
	}
	copied := a.write(move{verb: save, who: g.who})
	switch a.rng.IntN(3) {
	case 0:
		a.write(move{verb: revoke, who: g.who, of: g.number})
	case 1:
		a.write(move{verb: change, who: g.who, of: g.of})
	case 2:
		a.write(move{verb: fetch, who: g.with, of: g.number})
	}
	a.write(move{verb: back, who: g.who, of: copied.number})
	a.write(move{verb: fetch, who: g.with, of: g.number})
	a.relive(g.who)
}

// relive has somebody whose home was put back ask a grantee in before or after
// confirming, and sometimes make another version than the one that is lost.
func (a *author) relive(who int) {
	for _, g := range a.grants {
		if g.who != who || a.rng.IntN(2) == 0 {
			continue
		}
		a.sometimesAsk(g)
		a.write(move{verb: confirm, who: who})
		if a.rng.IntN(2) == 0 {
			a.write(move{verb: change, who: who, of: g.of})
		}
		a.write(move{verb: fetch, who: g.with, of: g.number})
		return
	}
}

// misjudge has a giver's clock run ahead, and the giver believe it too little
// or too much: the mark that it left is lowered, now or never.
func (a *author) misjudge(g move) {
	a.write(move{verb: misset, who: g.who, span: 2 * time.Hour})
	if a.rng.IntN(2) == 0 {
		a.write(move{verb: change, who: g.who, of: g.of})
	}
	a.write(move{verb: reset, who: g.who})
	a.sometimesAsk(g)
	a.write(move{verb: lower, who: g.who})
	a.write(move{verb: fetch, who: g.with, of: g.number})
}

// undo ends what the last move of a kind did, unless that is done already.
func (a *author) undo(v, end verb) {
	for i := len(a.history) - 1; i >= 0; i-- {
		switch m := a.history[i]; m.verb {
		case v:
			a.write(move{verb: end, who: m.who, with: m.with})
			return
		case end:
			return
		}
	}
}

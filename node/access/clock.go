// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"
	"time"
)

// The clock mark is the latest time that is known, durably, to have passed. A
// clock that stands before it by more than MarkTolerance was set back (a
// Raspberry Pi has no battery clock), and nothing is admitted until it is right
// again. One wrong answer of a time server can raise the mark too far; lowering
// it is an act of the owner.
const (
	MarkStep      = 5 * time.Minute // how far the clock runs ahead before the mark is due
	MarkTolerance = 2 * time.Minute
)

type mark struct{ at int64 } // Unix seconds; 0: none

// moment is one reading of the clock.
type moment struct {
	at     int64 // Unix seconds; never before the mark
	told   int64 // what the clock says, for a peer to compare
	behind int64 // seconds behind the mark, if more than the tolerance; else 0
}

func (m moment) error() error {
	return fmt.Errorf("the clock here stands %d s before what the journal says", m.behind)
}

func (g *Gate) now() moment {
	at := g.opt.Clock().Unix()
	g.mu.Lock()
	defer g.mu.Unlock()
	m := moment{at: max(at, g.clock.at), told: at}
	if behind := g.clock.at - at; behind > int64(MarkTolerance/time.Second) {
		m.behind = behind
	}
	return m
}

// MarkDue says whether the mark should be raised to now: the caller journals
// now and then calls [Gate.Mark].
func (g *Gate) MarkDue() (now time.Time, due bool) {
	now = g.opt.Clock()
	g.mu.Lock()
	defer g.mu.Unlock()
	return now, now.Unix() >= g.clock.at+int64(MarkStep/time.Second)
}

// Mark raises the clock mark to at, which the journal holds. It never lowers it.
func (g *Gate) Mark(at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clock.at = max(g.clock.at, at.Unix())
}

// LowerMark sets the clock mark back to at: an act of the owner, by passphrase,
// journaled before.
func (g *Gate) LowerMark(at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clock.at = min(g.clock.at, at.Unix())
	g.seen.floor = min(g.seen.floor, at.Unix())
	g.seen.swept = min(g.seen.swept, at.Unix())
}

// Behind is how far the clock stands behind the mark, if so far that nothing
// is admitted; else 0.
func (g *Gate) Behind() time.Duration {
	return time.Duration(g.now().behind) * time.Second
}

func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

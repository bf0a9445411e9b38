// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/protocol"
)

// The truth is what five nodes must know and do, without saying how.

// tree is the content of a version: paths and what is in the files.
type tree map[string]string

// cut is the part of a tree that a view shows.
func (t tree) cut(view string) tree {
	part := tree{}
	for path, content := range t {
		if view == "" || path == view || strings.HasSuffix(view, "/") && strings.HasPrefix(path, view) {
			part[path] = content
		}
	}
	return part
}

// within says whether all that a view shows is shown by another, in whatever
// version.
func within(view, other string) bool {
	return other == "" || view == other || strings.HasSuffix(other, "/") && strings.HasPrefix(view, other)
}

// version is one state of a data set. Of two, the later life wins, then the
// higher number: a vault that was put back from a backup begins another life.
// A version that is handed out again after a revocation has new keys, and so is
// newer too: raised counts them.
type version struct {
	life, number, raised int
	tree                 tree
	turn                 int // of received ones: when it came
}

func (v version) order(w version) int {
	return cmp.Or(cmp.Compare(v.life, w.life), cmp.Compare(v.number, w.number), cmp.Compare(v.raised, w.raised))
}

func (v version) older(w version) bool { return v.order(w) < 0 }

// granted is what was signed; nothing changes it.
type granted struct {
	set      int
	from, to int
	view     string
	until    time.Time
}

// passed is a grant that its grantee passed on, whole, to somebody. What was
// passed on in part is another delegation, which nobody withdraws.
type passed struct{ grant, to int }

// holding is a view of somebody's data set that was fetched.
type holding struct {
	set  int
	view string
}

// notebook is what one node must not forget: all of it is in its vault, and a
// backup is a copy of it. Sets, grants and questions go by the number of the
// move that made them.
type notebook struct {
	life      int
	suspended bool
	contacts  map[int]bool
	sets      map[int]version
	links     map[int]time.Time // when the node's own link above a set was signed
	given     map[int]bool
	handed    map[int]bool // given, and the grantee's node said that it has them
	over      map[int]bool // revocations, ours and those that we were told of
	untold    map[int]bool // revocations of ours that the grantee has not heard of
	withdrawn map[passed]bool
	delivered map[int]int  // heads handed out under a grant of ours
	answered  map[int]bool // questions that were admitted
	received  map[int]bool
	held      map[holding]version
	latest    time.Time // that its clock showed while it ran, or since its mark was lowered
	fromKit   bool      // its log begins with what was in a kit
}

func newNotebook() notebook {
	return notebook{contacts: map[int]bool{}, sets: map[int]version{}, links: map[int]time.Time{}, given: map[int]bool{}, handed: map[int]bool{},
		over: map[int]bool{}, untold: map[int]bool{}, withdrawn: map[passed]bool{}, delivered: map[int]int{},
		answered: map[int]bool{}, received: map[int]bool{}, held: map[holding]version{}}
}

func (b notebook) clone() notebook {
	b.contacts, b.sets, b.links = maps.Clone(b.contacts), maps.Clone(b.sets), maps.Clone(b.links)
	b.given, b.handed, b.over, b.untold = maps.Clone(b.given), maps.Clone(b.handed), maps.Clone(b.over), maps.Clone(b.untold)
	b.withdrawn, b.delivered, b.answered = maps.Clone(b.withdrawn), maps.Clone(b.delivered), maps.Clone(b.answered)
	b.received, b.held = maps.Clone(b.received), maps.Clone(b.held)
	return b
}

// truth is the whole of it.
type truth struct {
	books  [len(names)]notebook
	up     [len(names)]bool
	cut    map[[2]int]bool
	grants map[int]granted
	owners map[int]int // of data sets
	copies map[int]notebook
}

func newTruth() *truth {
	t := &truth{cut: map[[2]int]bool{}, grants: map[int]granted{}, owners: map[int]int{}, copies: map[int]notebook{}}
	for i := range t.books {
		t.books[i] = newNotebook()
	}
	return t
}

// joined says whether a's hands reach the running node of b.
func (t *truth) joined(a, b int) bool { return t.up[b] && !t.cut[pair(a, b)] }

// linked says whether the running nodes of a and b reach each other.
func (t *truth) linked(a, b int) bool { return t.up[a] && t.joined(a, b) }

// span is a moment that is known to lie between two.
type span struct{ from, to time.Time }

func (s span) add(d time.Duration) span { return span{s.from.Add(d), s.to.Add(d)} }

// question is a demand for what a grant gives.
type question struct {
	number  int // of the move that made it; what is asked again has the same
	grant   int
	asker   int    // whose node brings it
	other   bool   // somebody else made it, or it stands on somebody else's chain
	passed  bool   // the grantee passed the grant on to the asker
	narrow  string // what the grantee passed on; "" is all that they have
	view    string
	made    span      // by the clock of whoever made it
	at      span      // by the clock of the node that is asked
	links   bool      // it asks for the current upper links, not for content
	renewed bool      // the chain's upper links are current
	signed  time.Time // when the upper link that it brings was signed
}

// What a node may answer: served, or a refusal with one of these codes.
type answers map[protocol.Code]bool

const served protocol.Code = 0

func only(codes ...protocol.Code) answers {
	a := answers{}
	for _, c := range codes {
		a[c] = true
	}
	return a
}

func (a answers) and(more ...protocol.Code) answers {
	a = maps.Clone(a)
	for _, c := range more {
		a[c] = true
	}
	return a
}

func (a answers) String() string {
	var list []string
	for _, c := range slices.Sorted(maps.Keys(a)) {
		if c == served {
			list = append(list, "served")
		} else {
			list = append(list, c.String())
		}
	}
	return strings.Join(list, " or ")
}

const (
	skew      = 60 * time.Second              // between the clocks of two who talk
	tolerance = 2 * time.Minute               // that a clock may stand behind its mark
	markLag   = 5*time.Minute + 2*time.Minute // at most, from the clock to its mark
	linkLife  = 90*24*time.Hour - linkLead
	linkLead  = time.Minute // that a link begins before it is signed
	slack     = 3 * time.Second
)

// answer is what the owner's node may say to a question: the order of the
// checks is the order of the reasons.
func (t *truth) answer(q question) answers {
	g := t.grants[q.grant]
	b := &t.books[g.from]
	if q.other {
		return only(protocol.Denied)
	}
	if _, here := b.sets[g.set]; !here {
		return only(protocol.Denied)
	}
	at, clock := b.judgingTime(q.at)
	if !clock[served] {
		return clock
	}
	timely := timely(q.made, at)
	if !timely[served] {
		return clock.and(protocol.Clock)
	}
	reason := t.reason(q, g, b, at)
	for c := range clock {
		timely[c] = true
	}
	if b.answered[q.number] { // and so it is not good any more
		reason = only(protocol.Denied)
	}
	if len(timely) > 1 {
		for c := range timely {
			if c != served {
				reason = reason.and(c)
			}
		}
	}
	return reason
}

// judgingTime is the time by which a node judges: its clock, unless that stands
// before the mark in its journal, which lags behind what the clock once showed.
func (b *notebook) judgingTime(at span) (span, answers) {
	behind := b.latest.Sub(at.from)
	switch {
	case behind <= 0:
		return at, only(served)
	case behind > tolerance+markLag:
		return at, only(protocol.Clock)
	case at.to.Before(b.latest):
		at.to = b.latest
	}
	// The mark may stand anywhere.
	return at, only(served, protocol.Clock)
}

// timely says whether a question was made now.
func timely(made, at span) answers {
	early, late := made.from.Sub(at.to), made.to.Sub(at.from)
	switch {
	case early > skew+slack || late < -skew-slack:
		return only(protocol.Clock)
	case late > skew-slack || early < -skew+slack:
		return only(served, protocol.Clock)
	}
	return only(served)
}

// reason is what remains to be said once the clocks agree.
func (t *truth) reason(q question, g granted, b *notebook, at span) answers {
	doubt := only()
	if !q.links && !q.renewed {
		switch begin, end := q.signed.Add(-linkLead), q.signed.Add(linkLife); {
		case at.from.After(end.Add(slack)), at.to.Before(begin.Add(-slack)):
			return only(protocol.Refresh)
		case at.to.After(end.Add(-slack)), at.from.Before(begin.Add(slack)):
			doubt = doubt.and(protocol.Refresh)
		}
	}
	switch {
	case at.from.After(g.until.Add(slack)):
		return doubt.and(protocol.Expired)
	case at.to.After(g.until.Add(-slack)):
		doubt = doubt.and(protocol.Expired)
	}
	switch {
	case b.over[q.grant], q.passed && q.narrow == "" && b.withdrawn[passed{q.grant, q.asker}]:
		return doubt.and(protocol.Revoked)
	case b.suspended:
		return doubt.and(protocol.Suspended)
	case q.links:
		return doubt.and(served)
	case !within(q.view, g.view), q.narrow != "" && !within(q.view, q.narrow):
		return doubt.and(protocol.Denied)
	}
	return doubt.and(served)
}

// accepts says whether b's node takes a grant that a's node brings; where it
// cannot be known, ok is false.
func (t *truth) accepts(number int, now span) (yes, ok bool) {
	g := t.grants[number]
	if !t.books[g.to].contacts[g.from] {
		return false, true
	}
	if now.from.After(g.until.Add(slack)) {
		return false, true
	}
	return true, !now.to.After(g.until.Add(-slack))
}

// heeds says whether the grantee's node keeps the word that a grant is over.
func (t *truth) heeds(number int) bool {
	g := t.grants[number]
	b := &t.books[g.to]
	return b.received[number] || b.contacts[g.from]
}

// opens is what the owner of a received data set sees of it: the newest
// version, of the views of it the fullest, and of equally full ones the last
// that came.
func (b *notebook) opens(set int) (best version, view string, ok bool) {
	for h, v := range b.held {
		if h.set != set {
			continue
		}
		c := cmp.Or(cmp.Compare(v.life, best.life), cmp.Compare(v.number, best.number),
			cmp.Compare(len(v.tree), len(best.tree)), cmp.Compare(v.turn, best.turn))
		if !ok || c > 0 {
			best, view, ok = v, h.view, true
		}
	}
	return best, view, ok
}

// end is the end of a grant at its giver's.
func (t *truth) end(number int) {
	g := t.grants[number]
	b := &t.books[g.from]
	b.over[number], b.untold[number] = true, true
	if v, here := b.sets[g.set]; here {
		v.raised++
		b.sets[g.set] = v
	}
}

// removes forgets a data set, and all that hung on it.
func (t *truth) removes(who, set int) {
	b := &t.books[who]
	for number, g := range t.grants {
		if g.set != set {
			continue
		}
		if g.from == who {
			delete(b.given, number)
			delete(b.delivered, number)
		}
		if g.to == who {
			delete(b.received, number)
		}
	}
	delete(b.sets, set)
	delete(b.links, set)
	maps.DeleteFunc(b.held, func(h holding, _ version) bool { return h.set == set })
}

// goesBack puts an older notebook in the place of somebody's. That a grant is
// over they may have heard when they had removed what came of it, which shows
// in no list: whether that is still to be told nobody knows.
func (t *truth) goesBack(who int, older notebook) {
	for number, g := range t.grants {
		if g.to == who && !t.books[who].received[number] {
			delete(t.books[g.from].untold, number)
		}
	}
	t.books[who] = older
}

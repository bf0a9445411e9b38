// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"slices"
)

// standing is what has become of a row that is here.
type standing uint8

const (
	counted    standing = iota
	superseded          // something stands in its place
	forgotten           // all that brought it was taken back
	standings
)

// table finds rows that are here and that those of one batch may meet. Of the
// rows that are alike it holds as many as the batch can ask for, so that it
// grows with the batch alone, and with how often its rows were corrected.
type table struct {
	used  numbers // the rows with which the identities began that were met in this import
	lines []line
	byRow index // by identity and values
	byKey index // by what tells them apart; of lines that count
}

// line is one row that is here.
type line struct {
	number, leader Number   // leader is the row that the identity began with
	standing       standing //
	places         [2]uint32
	next           [2]uint32 // place and 1 of the next line of the same list; 0 for none
}

// Places in a line of what concerns each index.
const (
	inRow = iota
	inKey
)

// index holds a list of lines for each hash that some row of the batch has.
type index struct {
	at    map[uint64]uint32 // place and 1 in lists
	lists []list
}

type list struct {
	asked int               // rows of the batch of this hash
	alone [standings]int    // lines whose identity has no other row
	first [standings]uint32 // place and 1 of a line; 0 for none
}

// ask makes the table ready for the rows of a batch, and forgets those before.
func (t *table) ask(p prints) {
	t.lines = t.lines[:0]
	t.byRow.clear(len(p.row))
	t.byKey.clear(len(p.key))
	for i := range p.row {
		t.byRow.ask(both(p.key[i], p.row[i]))
		t.byKey.ask(p.key[i])
	}
}

func (x *index) clear(room int) {
	if x.at == nil {
		x.at = make(map[uint64]uint32, room)
	}
	clear(x.at)
	x.lists = x.lists[:0]
}

func (x *index) ask(hash uint64) {
	at := x.at[hash]
	if at == 0 {
		x.lists = append(x.lists, list{})
		at = uint32(len(x.lists))
		x.at[hash] = at
	}
	x.lists[at-1].asked++
}

// room is the list, and 1, that a line of some hash and standing belongs to; 0
// if no row of the batch gets as far as it. A row uses up one identity, and one
// of a single row is met in one list of byRow alone: of such lines, those that
// come first are enough.
func (x *index) room(hash uint64, s standing, alone bool) uint32 {
	at := x.at[hash]
	if at == 0 || !alone {
		return at
	}
	l := &x.lists[at-1]
	if l.alone[s] == l.asked {
		return 0
	}
	l.alone[s]++
	return at
}

// add takes a row that is here, in order of the numbers of those that are alone
// in their identity. It is found once the table is settled.
func (t *table) add(key, row uint64, n, leader Number, s standing, alone bool) {
	if t.used.has(leader) {
		return
	}
	l := line{number: n, leader: leader, standing: s}
	l.places[inRow] = t.byRow.room(both(key, row), s, alone)
	if s == counted {
		l.places[inKey] = t.byKey.room(key, s, alone)
	}
	if l.places != [2]uint32{} {
		t.lines = append(t.lines, l)
	}
}

// settle makes the lines be found, of several that are alike the row that came
// first.
func (t *table) settle() {
	last := func(a, b line) int { return cmp.Compare(b.number, a.number) }
	slices.Reverse(t.lines)
	if !slices.IsSortedFunc(t.lines, last) {
		slices.SortFunc(t.lines, last)
	}
	for i := range t.lines {
		t.byRow.put(t.lines, i, inRow)
		t.byKey.put(t.lines, i, inKey)
	}
}

func (x *index) put(lines []line, i, in int) {
	l := &lines[i]
	if at := l.places[in]; at > 0 {
		first := &x.lists[at-1].first[l.standing]
		l.next[in], *first = *first, uint32(i+1)
	}
}

// both is one hash of two: a row that was edited may have the values of another
// identity.
func both(key, row uint64) uint64 { return row*0x9e3779b97f4a7c15 + key }

// byValues finds a row of some standing with all the values of one of the batch,
// and byOwnKey one that counts and only has its key. The identity, which was not
// met before, is met by that.
func (t *table) byValues(key, row uint64, s standing) (Number, bool) {
	return t.take(&t.byRow, both(key, row), s, inRow)
}

func (t *table) byOwnKey(key uint64) (Number, bool) {
	return t.take(&t.byKey, key, counted, inKey)
}

func (t *table) take(x *index, hash uint64, s standing, in int) (Number, bool) {
	first := &x.lists[x.at[hash]-1].first[s]
	for *first != 0 {
		l := &t.lines[*first-1]
		*first = l.next[in]
		if !t.used.has(l.leader) {
			t.used.add(l.leader)
			return l.number, true
		}
	}
	return 0, false
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// What tells rows apart is compared by hashes of 64 bits, keyed anew in each
// process: no file can be made whose rows collide, and among the rows of one
// identity two different ones that do are not to be expected in 2^64.

// hasher hashes rows column by column.
type hasher struct {
	schema *Schema
	keys   [][]int // fields of each key
	seed   maphash.Seed
	salt   [3]uint64
}

func newHasher(s *Schema) *hasher {
	h := &hasher{schema: s, seed: maphash.MakeSeed(), salt: [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}}
	for _, key := range s.Keys {
		var fields []int
		for _, name := range key {
			i, _ := s.Index(name) // ParseSchema saw that it is there
			fields = append(fields, i)
		}
		h.keys = append(h.keys, fields)
	}
	return h
}

// byTime says that rows of one identity are rows of one instant, so that only
// segments that touch it can hold the same.
func (h *hasher) byTime() bool {
	time, ok := h.schema.Index(h.schema.Time)
	for _, key := range h.keys {
		found := false
		for _, i := range key {
			found = found || i == time
		}
		ok = ok && found
	}
	return ok
}

// mix is a multiplication folded: of wyhash's kind.
func (h *hasher) mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^h.salt[0], b^h.salt[1])
	return high ^ low
}

// prints are what is remembered of rows: a hash of what tells each apart, and
// one of all its values.
type prints struct {
	key, row []uint64
}

// of hashes the rows of a batch, or only those at some places.
func (h *hasher) of(b *Batch, at []int) prints {
	n := b.Len
	if at != nil {
		n = len(at)
	}
	values := make([][]uint64, len(b.Columns))
	p := prints{key: make([]uint64, n), row: make([]uint64, n)}
	for i, c := range b.Columns {
		if at != nil {
			c = c.pick(at)
		}
		values[i] = h.column(c, n)
		for j, v := range values[i] {
			p.row[j] = h.mix(p.row[j]+uint64(i), v)
		}
	}
	for j := range n {
		p.key[j] = h.key(values, j, p.row[j])
	}
	return p
}

// key hashes the values of the first key of which none is null in row j.
func (h *hasher) key(values [][]uint64, j int, whole uint64) uint64 {
keys:
	for i, key := range h.keys {
		hash := h.mix(uint64(i)+1, h.salt[2])
		for _, field := range key {
			v := values[field][j]
			if v == nullPrint {
				continue keys
			}
			hash = h.mix(hash, v)
		}
		return hash
	}
	return whole
}

// nullPrint is the hash of nothing.
const nullPrint = 0

// column hashes the values of a column: equal ones alike, in whatever batch and
// with whatever scale.
func (h *hasher) column(c *Column, rows int) []uint64 {
	out := make([]uint64, rows)
	switch c.Type {
	case Text:
		dict := make([]uint64, len(c.Dict))
		for i, s := range c.Dict {
			dict[i] = maphash.String(h.seed, s) | 1
		}
		for i, at := range c.Index {
			if !c.Null(i) {
				out[i] = dict[at]
			}
		}
	case Decimal:
		for i := range c.Ints {
			if !c.Null(i) {
				n, scale := c.Decimal(i)
				out[i] = h.decimal(n, scale)
			}
		}
	default:
		for i, n := range c.Ints {
			if !c.Null(i) {
				out[i] = h.mix(uint64(n), h.salt[2]) | 1
			}
		}
	}
	return out
}

// decimal hashes n × 10^-scale by all 128 bits of it × 10^18.
func (h *hasher) decimal(n int64, scale int) uint64 {
	size := uint64(n)
	if n < 0 {
		size = -size
	}
	high, low := bits.Mul64(size, uint64(pow10(uint8(MaxDigits-scale))))
	if n < 0 {
		high = ^high
	}
	return h.mix(h.mix(low, h.salt[2]), high) | 1
}

// standing is what has become of a row that is here.
type standing uint8

const (
	counted    standing = iota
	superseded          // something stands in its place
	forgotten           // all that brought it was taken back
	standings
)

// table finds rows that are here. An identity is in it once, with a line for
// each of the rows that have stood for it; one row of a file meets it once.
type table struct {
	lines []line
	byRow [standings]index // lines, by their identity and their values
	byKey index            // lines that count, by what tells them apart
}

// line is one row that is here.
type line struct {
	key, row uint64 // prints; key is that of the row that the identity began with
	number   Number
	leader   uint32 // the line that the identity began with
	nextRow  uint32 // place and 1 of the next line of the same slot in byRow; 0 for none
	nextKey  uint32
	standing standing
	used     bool // a leader's: met in this import
	mixed    bool // the list that this line begins is in no order
}

// index is an open hash table whose slots hold lists of lines.
type index struct {
	slots []uint32 // the first line's place and 1; 0 for none
	held  int      // slots in use
}

// add takes a row that is here; leader is its own place for one that its
// identity began with. It is found once the table is settled.
func (t *table) add(key, row uint64, n Number, s standing, leader int) {
	t.lines = append(t.lines, line{key: key, row: row, number: n, leader: uint32(leader), standing: s})
}

// settle makes the lines from a place on be found, of several that are alike
// the row that came first.
func (t *table) settle(from int) {
	order := make([]uint32, 0, len(t.lines)-from)
	for i := from; i < len(t.lines); i++ {
		order = append(order, uint32(i))
	}
	slices.SortFunc(order, func(i, j uint32) int { return cmp.Compare(t.lines[j].number, t.lines[i].number) })
	for _, i := range order {
		l := &t.lines[i]
		t.put(&t.byRow[l.standing], int(i), false)
		if l.standing == counted && l.key != l.row {
			t.put(&t.byKey, int(i), true)
		}
	}
}

func (l *line) hash(byKey bool) uint64 {
	if byKey {
		return l.key
	}
	return both(l.key, l.row)
}

// both is one hash of two: a row that was edited may have the values of another
// identity.
func both(key, row uint64) uint64 { return row*0x9e3779b97f4a7c15 + key }

func (l *line) next(byKey bool) *uint32 {
	if byKey {
		return &l.nextKey
	}
	return &l.nextRow
}

// slot is that of a hash: the first empty one if there is none.
func (t *table) slot(x *index, hash uint64, byKey bool) *uint32 {
	mask := uint64(len(x.slots) - 1)
	at := hash & mask
	for x.slots[at] != 0 && t.lines[x.slots[at]-1].hash(byKey) != hash {
		at = (at + 1) & mask
	}
	return &x.slots[at]
}

func (t *table) put(x *index, i int, byKey bool) {
	if 3*x.held >= 2*len(x.slots) {
		old := x.slots
		x.slots = make([]uint32, max(64, 2*len(old)))
		for _, first := range old {
			if first != 0 {
				*t.slot(x, t.lines[first-1].hash(byKey), byKey) = first
			}
		}
	}
	l := &t.lines[i]
	at := t.slot(x, l.hash(byKey), byKey)
	if *at == 0 {
		x.held++
	}
	if first := *at; first != 0 {
		l.mixed = l.mixed || t.lines[first-1].mixed || t.lines[first-1].number < l.number
	}
	*l.next(byKey), *at = *at, uint32(i+1)
}

// sort puts the list of a slot in order of the rows' numbers.
func (t *table) sort(at *uint32, byKey bool) {
	var all []uint32
	for i := *at; i != 0; i = *t.lines[i-1].next(byKey) {
		all = append(all, i)
	}
	slices.SortFunc(all, func(i, j uint32) int { return cmp.Compare(t.lines[j-1].number, t.lines[i-1].number) })
	*at = 0
	for _, i := range all { // the last first
		t.lines[i-1].mixed = false
		*t.lines[i-1].next(byKey), *at = *at, i
	}
}

// take finds a line of a hash whose identity was not met yet, and marks it met;
// -1 for none.
func (t *table) take(x *index, hash uint64, byKey bool) int {
	if len(x.slots) == 0 {
		return -1
	}
	at := t.slot(x, hash, byKey)
	if *at != 0 && t.lines[*at-1].mixed {
		t.sort(at, byKey)
	}
	for *at != 0 {
		l := &t.lines[*at-1]
		lead := &t.lines[l.leader]
		if !lead.used {
			lead.used = true
			return int(*at - 1)
		}
		if *l.next(byKey) == 0 {
			return -1 // the last stays, so that the slot keeps its hash
		}
		*at = *l.next(byKey)
	}
	return -1
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"sort"
	"strings"
)

// Column is what one field holds in the rows of a [Batch]: row i's value is at
// place i of each of its lists. It is read-only for all but who built it.
type Column struct {
	Type  Type
	Nulls []bool // true where nothing is known; nil when every row has a value

	// Ints are the values of all types but text (and 0 where nothing is known):
	// microseconds of instants, days since 1970, integers, 0 and 1, places as
	// lat<<32 | lon in units of 1e-7 degrees, and decimals without their point.
	Ints []int64

	// A decimal is Ints[i] × 10^-Scale. Only when the values have no common
	// scale within 18 digits, Scales is there and holds one for each row.
	Scale  int
	Scales []uint8

	// Row i of a text column holds Dict[Index[i]] (unless it is null). The texts
	// of Dict differ from one another.
	Dict  []string
	Index []uint32
}

// Null says whether nothing is known in row i.
func (c *Column) Null(i int) bool { return c.Nulls != nil && c.Nulls[i] }

// Text is the text of row i, "" for null.
func (c *Column) Text(i int) string {
	if c.Null(i) {
		return ""
	}
	return c.Dict[c.Index[i]]
}

// Value is the value of row i.
func (c *Column) Value(i int) Value {
	if c.Null(i) {
		return Null
	}
	switch c.Type {
	case Text:
		return Value{kind: text, s: c.Dict[c.Index[i]]}
	case Decimal:
		return Dec(c.Decimal(i))
	}
	return Value{kind: kindOf[c.Type], n: c.Ints[i]}
}

var kindOf = map[Type]kind{Instant: instant, Day: day, Decimal: decimal, Integer: integer, Boolean: boolean, Text: text, Place: place}

// Decimal is the decimal of row i as n × 10^-scale.
func (c *Column) Decimal(i int) (n int64, scale int) {
	if c.Scales != nil {
		return c.Ints[i], int(c.Scales[i])
	}
	return c.Ints[i], c.Scale
}

// Batch is some rows of a data set, column by column.
type Batch struct {
	Len     int
	Columns []*Column // in the order of the schema's fields, or in that asked for

	numbers ranges   // of its rows, in order; nil in one that is being built
	before  []Number // how many rows there are before each range of numbers
}

// number tells a batch the numbers of its rows.
func (b *Batch) number(numbers ranges) {
	b.numbers, b.before = numbers, make([]Number, len(numbers))
	n := Number(0)
	for i, r := range numbers {
		b.before[i] = n
		n += r.Count
	}
}

// Row copies row i into r, which has as many places as there are columns.
func (b *Batch) Row(i int, r Row) {
	for j, c := range b.Columns {
		r[j] = c.Value(i)
	}
}

// Number is the number that row i got when it came into its data set.
func (b *Batch) Number(i int) Number {
	at := sort.Search(len(b.before), func(j int) bool { return b.before[j] > Number(i) }) - 1
	return b.numbers[at].First + Number(i) - b.before[at]
}

// pick is the column of the rows at the given places.
func (c *Column) pick(at []int) *Column {
	out := &Column{Type: c.Type, Scale: c.Scale, Dict: c.Dict}
	out.Nulls = pick(c.Nulls, at)
	out.Ints = pick(c.Ints, at)
	out.Scales = pick(c.Scales, at)
	out.Index = pick(c.Index, at)
	return out
}

// compact is the same column, whose texts are no more than those it has.
func (c *Column) compact() *Column {
	if c.Dict == nil {
		return c
	}
	out := *c
	out.Dict, out.Index = nil, make([]uint32, len(c.Index))
	places := map[uint32]uint32{}
	for i, at := range c.Index {
		if c.Null(i) {
			continue
		}
		place, ok := places[at]
		if !ok {
			place = uint32(len(out.Dict))
			places[at], out.Dict = place, append(out.Dict, strings.Clone(c.Dict[at]))
		}
		out.Index[i] = place
	}
	return &out
}

func pick[T any](from []T, at []int) []T {
	if from == nil {
		return nil
	}
	to := make([]T, len(at))
	for i, j := range at {
		to[i] = from[j]
	}
	return to
}

// A Builder gathers rows into a [Batch]. The zero Builder is not usable.
type Builder struct {
	schema *Schema
	len    int
	bytes  int // of texts
	cols   []*Column
	texts  []map[string]uint32
}

// NewBuilder makes a builder of rows of a schema.
func NewBuilder(s *Schema) *Builder {
	b := &Builder{schema: s}
	b.Reset()
	return b
}

// Reset forgets all rows. Batches built before stay as they are.
func (b *Builder) Reset() {
	b.len, b.bytes = 0, 0
	b.cols = make([]*Column, len(b.schema.Fields))
	b.texts = make([]map[string]uint32, len(b.schema.Fields))
	for i, f := range b.schema.Fields {
		b.cols[i] = &Column{Type: f.Type}
		if f.Type == Text {
			b.texts[i] = map[string]uint32{}
		}
	}
}

// Len is how many rows there are.
func (b *Builder) Len() int { return b.len }

// Full says that the rows should become a segment before more come: there are
// [MaxRows], or their texts have grown long.
func (b *Builder) Full() bool {
	return b.len >= limits.rows || b.bytes >= maxTexts/2 || b.len*len(b.cols) >= maxCells
}

// limits are what tests make small.
var limits = struct {
	rows int // of a segment
	few  int // new rows that are looked for one by one among those that are here
	tail int // rows that the last segment has at most when new ones are written into it
	held int // rows of which an import keeps the prints from one batch to the next: 32 MiB
}{MaxRows, 4096, 4096, 2 << 20}

// Add takes a row that [Schema.Check] allows, and does not keep the slice.
func (b *Builder) Add(r Row) {
	for i, v := range r {
		b.add(i, v)
	}
	b.len++
}

func (b *Builder) add(i int, v Value) {
	c := b.cols[i]
	switch {
	case v.IsNull():
		if c.Nulls == nil {
			c.Nulls = make([]bool, b.len, max(b.len+1, cap(c.Ints), cap(c.Index)))
		}
		c.Nulls = append(c.Nulls, true)
	case c.Nulls != nil:
		c.Nulls = append(c.Nulls, false)
	}
	if c.Type == Text {
		c.Index = append(c.Index, b.text(i, v.s))
		return
	}
	if c.Type == Decimal {
		c.Scales = append(c.Scales, v.scale)
	}
	c.Ints = append(c.Ints, v.n)
}

func (b *Builder) text(i int, s string) uint32 {
	if s == "" { // null
		return 0
	}
	at, ok := b.texts[i][s]
	if !ok {
		c := b.cols[i]
		s = strings.Clone(s) // or it would keep all of the line that it was cut from
		at = uint32(len(c.Dict))
		c.Dict = append(c.Dict, s)
		b.texts[i][s] = at
		b.bytes += len(s) + 4
	}
	return at
}

// Batch is the rows that were added. The builder must be [Builder.Reset] before
// it takes more.
func (b *Builder) Batch() *Batch {
	for _, c := range b.cols {
		c.align()
	}
	return &Batch{Len: b.len, Columns: b.cols}
}

// align gives decimals a common scale if there is one within 18 digits.
func (c *Column) align() {
	if c.Scales == nil {
		return
	}
	var top uint8
	for _, s := range c.Scales {
		top = max(top, s)
	}
	for i, n := range c.Ints {
		if room := pow10(MaxDigits - (top - c.Scales[i])); n >= room || n <= -room {
			return
		}
	}
	for i := range c.Ints {
		c.Ints[i] *= pow10(top - c.Scales[i])
	}
	c.Scale, c.Scales = int(top), nil
}

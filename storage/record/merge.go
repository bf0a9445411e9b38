// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Rows hands over the rows asked for in order of time, those without an instant
// first and rows of one instant by their numbers. The row is fn's until it
// returns.
func (s *Set) Rows(ctx context.Context, q Query, fn func(Number, Row) error) error {
	fields, err := q.fields(s.schema)
	if err != nil {
		return err
	}
	m := merge{set: s, fields: fields, span: q.Span}
	for _, e := range s.extents(q) {
		m.waiting = append(m.waiting, turn{e, e.begin()})
	}
	slices.SortStableFunc(m.waiting, turn.compare)
	row := make(Row, len(fields))
	for {
		c, err := m.next(ctx)
		if err != nil || c == nil {
			return err
		}
		b := Batch{Columns: c.batch.Columns[:len(fields)]}
		b.Row(c.at(), row)
		if err := fn(c.number(), row); err != nil {
			return err
		}
		if c.order = c.order[1:]; len(c.order) > 0 {
			heap.Fix(&m.open, 0)
		} else {
			m.held -= c.size
			heap.Pop(&m.open)
		}
	}
}

// begin is the earliest instant of a segment: before all of them if some row
// has none.
func (e extent) begin() int64 {
	if e.dated < e.rows() {
		return math.MinInt64
	}
	return e.least
}

// turn is what of a segment was not read yet: its rows from an instant on.
type turn struct {
	extent
	from int64
}

func (t turn) compare(u turn) int {
	return cmp.Or(cmp.Compare(t.from, u.from), cmp.Compare(t.first(), u.first()))
}

// before says whether some row of it may come before the next of an open one.
func (t turn) before(c *cursor) bool {
	d := cmp.Compare(t.from, c.instant())
	return d < 0 || d == 0 && t.first() < c.number()
}

// merge joins segments by time. A segment is read when it is its turn, and what
// does not fit of it later once more.
type merge struct {
	set     *Set
	fields  []int
	span    *Span
	waiting []turn // by time
	open    cursors
	held    int // bytes of the open ones
	putOffs int // how often something was put off
}

// mostOpen is how many bytes of segments are open at once, beside the one that is
// being read. Tests make it small.
var mostOpen = 24 << 20

// mostPutOffs ends what would read the same segments over and over: hundreds of
// full ones that are all of one time.
const mostPutOffs = 1 << 14

// size is about how many bytes a batch has.
func (b *Batch) size() (n int) {
	for _, c := range b.Columns {
		n += 8*len(c.Ints) + len(c.Nulls) + len(c.Scales) + 4*len(c.Index) + 16*len(c.Dict)
		for _, s := range c.Dict {
			n += len(s)
		}
	}
	return n
}

// cursor is a segment being read.
type cursor struct {
	extent extent
	batch  *Batch
	when   []int64
	order  []int // places of the rows that are left, by time
	size   int   // bytes, about
}

func (c *cursor) at() int { return c.order[0] }

// instant is that of the row whose turn it is, number its number.
func (c *cursor) instant() int64 { return c.when[c.at()] }
func (c *cursor) number() Number { return c.batch.Number(c.at()) }

type cursors []*cursor

func (h cursors) Len() int      { return len(h) }
func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)   { *h = append(*h, x.(*cursor)) }
func (h cursors) Less(i, j int) bool {
	a, b := h[i], h[j]
	if d := cmp.Compare(a.instant(), b.instant()); d != 0 {
		return d < 0
	}
	return a.number() < b.number()
}
func (h *cursors) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// next is the cursor whose turn it is, nil at the end.
func (m *merge) next(ctx context.Context) (*cursor, error) {
	for len(m.waiting) > 0 && (len(m.open) == 0 || m.waiting[0].before(m.open[0])) {
		t := m.waiting[0]
		m.waiting = m.waiting[1:]
		c, err := m.cursor(ctx, t)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		heap.Push(&m.open, c)
		if m.held += c.size; m.held > mostOpen {
			if err := m.makeRoom(); err != nil {
				return nil, err
			}
		}
	}
	if len(m.open) == 0 {
		return nil, nil
	}
	return m.open[0], nil
}

// makeRoom puts off rows of the open segments, half of the largest and all that
// are as late, until the others fit. Rows of one instant cannot be parted.
func (m *merge) makeRoom() error {
	for ; m.held > mostOpen; m.putOffs++ {
		var largest *cursor
		earliest, latest := int64(math.MaxInt64), int64(math.MinInt64)
		for _, c := range m.open {
			earliest, latest = min(earliest, c.instant()), max(latest, c.instant())
			if c.when[c.order[len(c.order)-1]] > c.instant() && (largest == nil || c.size > largest.size) {
				largest = c
			}
		}
		switch {
		case m.putOffs == mostPutOffs:
			return fmt.Errorf("%d segments, and others, have rows of the same time: %w", len(m.open), ErrTooMuch)
		case largest != nil:
			m.putOff(largest.middle())
		case latest > earliest:
			m.putOff(latest)
		default:
			return fmt.Errorf("%d segments have rows of the same time: %w", len(m.open), ErrTooMuch)
		}
	}
	return nil
}

// middle is an instant that parts the rows that are left: some are before it.
func (c *cursor) middle() int64 {
	half := c.order[len(c.order)/2:]
	later := sort.Search(len(half), func(i int) bool { return c.when[half[i]] > c.instant() })
	return c.when[half[later]]
}

// putOff closes all open segments from an instant on.
func (m *merge) putOff(from int64) {
	open := m.open
	m.open, m.held = nil, 0
	for _, c := range open {
		n := sort.Search(len(c.order), func(i int) bool { return c.when[c.order[i]] >= from })
		if n < len(c.order) {
			m.wait(turn{c.extent, from})
			c.keep(n)
		}
		if n > 0 {
			m.open, m.held = append(m.open, c), m.held+c.size
		}
	}
	heap.Init(&m.open)
}

// wait puts a segment's turn among the others, in the place of a later one.
func (m *merge) wait(t turn) {
	m.waiting = slices.DeleteFunc(m.waiting, func(u turn) bool { return u.first() == t.first() })
	m.waiting = append(m.waiting, t)
	slices.SortFunc(m.waiting, turn.compare)
}

// keep lets go of all rows but the next n.
func (c *cursor) keep(n int) {
	at := slices.Sorted(slices.Values(c.order[:n]))
	c.batch, c.when = c.batch.pick(at), pick(c.when, at)
	for i, column := range c.batch.Columns {
		c.batch.Columns[i] = column.compact()
	}
	c.sort()
}

// cursor reads a segment; nil if it has no rows that are asked for.
func (m *merge) cursor(ctx context.Context, t turn) (*cursor, error) {
	fields := m.fields
	time, dated := m.set.schema.Index(m.set.schema.Time)
	if dated {
		fields = append(slices.Clone(fields), time)
	}
	b, err := m.set.batch(ctx, t.extent, fields, t.span(m.span))
	if err != nil || b == nil {
		return nil, err
	}
	c := &cursor{extent: t.extent, batch: b, when: make([]int64, b.Len)}
	for i := range c.when {
		c.when[i] = math.MinInt64
	}
	if dated {
		when := m.set.schema.instants(b.Columns[len(fields)-1])
		for i, n := range when.Ints {
			if !when.Null(i) {
				c.when[i] = n
			}
		}
	}
	c.sort()
	return c, nil
}

// span is what of the one asked for is left when it is the segment's turn.
func (t turn) span(asked *Span) *Span {
	if t.from <= t.extent.begin() {
		return asked
	}
	left := Span{From: t.from, To: math.MaxInt64}
	if asked != nil {
		left = Span{From: max(asked.From, t.from), To: asked.To}
	}
	return &left
}

// sort puts all rows of the batch in their order.
func (c *cursor) sort() {
	c.order = make([]int, len(c.when))
	for i := range c.order {
		c.order[i] = i
	}
	if !slices.IsSorted(c.when) {
		slices.SortStableFunc(c.order, func(i, j int) int { return cmp.Compare(c.when[i], c.when[j]) })
	}
	c.size = c.batch.size() + 16*len(c.when)
}

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

// Query says which rows of a set are asked for, and what of them.
type Query struct {
	Columns []string // names of fields; nil for all, in the order of the schema
	Span    *Span    // nil for all rows, those without an instant too
}

// Span is the instants from From to before To, in microseconds since 1970.
type Span struct {
	From, To int64
	Undated  bool // and the rows without an instant
}

// fields are the places of the columns asked for.
func (q Query) fields(s *Schema) ([]int, error) {
	var out []int
	if q.Columns == nil {
		for i := range s.Fields {
			out = append(out, i)
		}
	}
	for _, name := range q.Columns {
		i, ok := s.Index(name)
		if !ok {
			return nil, fmt.Errorf("%s has no column %q", s.Kind, clip(name))
		}
		out = append(out, i)
	}
	return out, nil
}

// Scan hands over all rows asked for that count, batch by batch, in the order
// of their numbers. Only the columns asked for are decoded. A batch is fn's own
// to keep, not to change.
func (s *Set) Scan(ctx context.Context, q Query, fn func(*Batch) error) error {
	fields, err := q.fields(s.schema)
	if err != nil {
		return err
	}
	for _, e := range s.extents(q) {
		b, err := s.batch(ctx, e, fields, q.Span)
		if err == nil && b != nil {
			err = fn(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// extents are the segments that may hold rows asked for.
func (s *Set) extents(q Query) (out []extent) {
	for _, e := range s.log.segments {
		if q.Span == nil || e.touches(q.Span.From, q.Span.To) || q.Span.Undated && e.dated < e.rows() {
			out = append(out, e)
		}
	}
	return out
}

// batch is what of a segment counts and lies in the span; nil for nothing.
func (s *Set) batch(ctx context.Context, e extent, fields []int, span *Span) (*Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	counts := s.counts.and(e.numbers)
	if len(counts) == 0 {
		return nil, nil
	}
	seg, err := s.open(ctx, e)
	if err != nil {
		return nil, err
	}
	b := &Batch{Len: seg.Rows, Columns: make([]*Column, len(fields))}
	b.number(e.numbers)
	var when *Column // if it is asked for, not to be read twice
	for i, f := range fields {
		if b.Columns[i], err = seg.Column(f); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.path(), err)
		}
		if s.schema.Fields[f].Name == s.schema.Time {
			when = b.Columns[i]
		}
	}
	at, err := s.places(seg, e, counts, span, when)
	if err != nil || at == nil {
		return b, err
	}
	if len(at) == 0 {
		return nil, nil
	}
	return b.pick(at), nil
}

// places are those in a segment of the rows that count and lie in the span;
// nil for all. when is its column of time, nil if it was not read yet.
func (s *Set) places(seg *Segment, e extent, counts ranges, span *Span, when *Column) ([]int, error) {
	whole := span == nil || e.dated == seg.Rows && span.From <= e.least && e.most < span.To ||
		span.Undated && e.dated == 0
	if whole && int(counts.count()) == seg.Rows {
		return nil, nil
	}
	at := placesOf(counts, e)
	if whole {
		return at, nil
	}
	if when == nil {
		var err error
		if when, err = s.instants(seg); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.path(), err)
		}
	}
	when = s.schema.instants(when)
	return slices.DeleteFunc(at, func(i int) bool {
		if when.Null(i) {
			return !span.Undated
		}
		return when.Ints[i] < span.From || when.Ints[i] >= span.To
	}), nil
}

// placesOf are the places in a segment of some of its rows.
func placesOf(some ranges, e extent) []int {
	at := make([]int, 0, some.count())
	before := 0 // rows of the segment in earlier ranges
	for _, r := range e.numbers {
		for _, part := range some.within(r) {
			for i := range int(part.Count) {
				at = append(at, before+int(part.First-r.First)+i)
			}
		}
		before += int(r.Count)
	}
	return at
}

// pick is the rows of a batch at some places, which ascend.
func (b *Batch) pick(at []int) *Batch {
	out := &Batch{Len: len(at)}
	for _, c := range b.Columns {
		out.Columns = append(out.Columns, c.pick(at))
	}
	var numbers ranges
	for _, i := range at {
		numbers = numbers.add(b.Number(i))
	}
	out.number(numbers)
	return out
}

// instants is the column of instants of a segment; of days, their beginnings.
func (s *Set) instants(seg *Segment) (*Column, error) {
	i, ok := s.schema.Index(s.schema.Time)
	if !ok {
		c := &Column{Type: Instant}
		return c, seg.nothing(c)
	}
	c, err := seg.Column(i)
	if err != nil {
		return nil, err
	}
	return s.schema.instants(c), nil
}

// instants is a column of instants, made from one of days perhaps.
func (s *Schema) instants(c *Column) *Column {
	if c.Type == Instant {
		return c
	}
	out := &Column{Type: Instant, Nulls: c.Nulls, Ints: make([]int64, len(c.Ints))}
	day, micros := int64(math.MinInt64), int64(0)
	for i, d := range c.Ints {
		if d != day {
			day, micros = d, s.micros(Days(d))
		}
		out.Ints[i] = micros
	}
	return out
}

// Rows hands over the rows asked for in order of time, those without an instant
// first and rows of one instant by their numbers. The row is fn's until it
// returns.
func (s *Set) Rows(ctx context.Context, q Query, fn func(Number, Row) error) error {
	fields, err := q.fields(s.schema)
	if err != nil {
		return err
	}
	m := merge{set: s, fields: fields, span: q.Span, waiting: s.extents(q)}
	sort.SliceStable(m.waiting, func(i, j int) bool { return m.waiting[i].begin() < m.waiting[j].begin() })
	row := make(Row, len(fields))
	for {
		c, err := m.next(ctx)
		if err != nil || c == nil {
			return err
		}
		b := Batch{Columns: c.batch.Columns[:len(fields)]}
		b.Row(c.at(), row)
		if err := fn(c.batch.Number(c.at()), row); err != nil {
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

// merge joins segments by time. A segment is read when it is its turn.
type merge struct {
	set     *Set
	fields  []int
	span    *Span
	waiting []extent
	open    cursors
	held    int // bytes of the open ones
}

// mostOpen is how many bytes of segments whose rows are of one time are open at
// once. Some of the largest fit. Tests make it small.
var mostOpen = 64 << 20

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
	batch *Batch
	when  []int64
	order []int // places of the rows that are left, by time
	size  int   // bytes, about
}

func (c *cursor) at() int { return c.order[0] }

type cursors []*cursor

func (h cursors) Len() int      { return len(h) }
func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *cursors) Push(x any)   { *h = append(*h, x.(*cursor)) }
func (h cursors) Less(i, j int) bool {
	a, b := h[i], h[j]
	if d := cmp.Compare(a.when[a.at()], b.when[b.at()]); d != 0 {
		return d < 0
	}
	return a.batch.numbers[0].First < b.batch.numbers[0].First
}
func (h *cursors) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// next is the cursor whose turn it is, nil at the end.
func (m *merge) next(ctx context.Context) (*cursor, error) {
	for len(m.waiting) > 0 && (len(m.open) == 0 || m.waiting[0].begin() <= m.open[0].when[m.open[0].at()]) {
		c, err := m.cursor(ctx, m.waiting[0])
		if err != nil {
			return nil, err
		}
		m.waiting = m.waiting[1:]
		if c != nil {
			if m.held += c.size; m.held > mostOpen {
				return nil, fmt.Errorf("%d segments have rows of the same time: %w", len(m.open)+1, ErrTooMuch)
			}
			heap.Push(&m.open, c)
		}
	}
	if len(m.open) == 0 {
		return nil, nil
	}
	return m.open[0], nil
}

func (m *merge) cursor(ctx context.Context, e extent) (*cursor, error) {
	fields := m.fields
	time, dated := m.set.schema.Index(m.set.schema.Time)
	if dated {
		fields = append(slices.Clone(fields), time)
	}
	b, err := m.set.batch(ctx, e, fields, m.span)
	if err != nil || b == nil {
		return nil, err
	}
	c := &cursor{batch: b, when: make([]int64, b.Len), order: make([]int, b.Len), size: b.size() + 16*b.Len}
	for i := range c.order {
		c.order[i], c.when[i] = i, math.MinInt64
	}
	if !dated {
		return c, nil
	}
	when := m.set.schema.instants(b.Columns[len(fields)-1])
	for i, n := range when.Ints {
		if !when.Null(i) {
			c.when[i] = n
		}
	}
	if !slices.IsSorted(c.when) {
		slices.SortStableFunc(c.order, func(i, j int) int { return cmp.Compare(c.when[i], c.when[j]) })
	}
	return c, nil
}

// Row is a row by its number, whether it counts or not.
func (s *Set) Row(ctx context.Context, n Number) (Row, error) {
	i := sort.Search(len(s.log.segments), func(i int) bool { return s.log.segments[i].end() > n })
	if i == len(s.log.segments) || !s.log.segments[i].numbers.has(n) {
		return nil, fmt.Errorf("%v: %w", n, ErrNoRow)
	}
	e := s.log.segments[i]
	seg, err := s.open(ctx, e)
	if err != nil {
		return nil, err
	}
	at := placesOf(ranges{{n, 1}}, e)[0]
	row := make(Row, len(s.schema.Fields))
	for j := range row {
		c, err := seg.Column(j)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", e.path(), err)
		}
		row[j] = c.Value(at)
	}
	return row, nil
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
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

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// output makes segments of new rows.
type output struct {
	set      *Set
	w        Writer
	rows     *Builder
	numbers  ranges // of the rows gathered
	next     Number // that the next new row gets
	segments []extent
	drop     []string
	row      Row
}

func newOutput(s *Set, w Writer) *output {
	return &output{
		set: s, w: w, rows: NewBuilder(s.schema), next: s.log.next,
		segments: slices.Clone(s.log.segments), row: make(Row, len(s.schema.Fields)),
	}
}

// add takes the rows at some places of a batch, in their order, and gives them
// the next numbers.
func (o *output) add(b *Batch, at []int) error {
	if o.next+Number(len(at)) > MaxNumber {
		return errTooMany
	}
	if o.rows.Len() == 0 && len(at) == b.Len && b.Len >= limits.rows && inOrder(at) {
		first := o.next
		o.next += Number(len(at))
		return o.write(b, ranges{{first, Number(len(at))}})
	}
	for _, i := range at {
		b.Row(i, o.row)
		if err := o.put(o.row, o.next); err != nil {
			return err
		}
		o.next++
	}
	return nil
}

func inOrder(at []int) bool {
	for i, j := range at {
		if i != j {
			return false
		}
	}
	return true
}

// put takes a row that has its number.
func (o *output) put(r Row, n Number) error {
	o.rows.Add(r)
	o.numbers = o.numbers.add(n)
	if o.rows.Full() {
		return o.flush()
	}
	return nil
}

// flush writes the rows gathered.
func (o *output) flush() error {
	if o.rows.Len() == 0 {
		return nil
	}
	err := o.write(o.rows.Batch(), o.numbers)
	o.rows.Reset()
	o.numbers = nil
	return err
}

// finish writes what is left: into the last segment if both are small, which
// makes few objects and writes little for one row.
func (o *output) finish(ctx context.Context) error {
	last := len(o.segments) - 1
	if o.rows.Len() == 0 || last < 0 || last >= len(o.set.log.segments) || o.segments[last].rows()+o.rows.Len() > limits.tail {
		return o.flush()
	}
	b, numbers, e := o.rows.Batch(), o.numbers, o.segments[last]
	o.rows, o.numbers, o.segments = NewBuilder(o.set.schema), nil, o.segments[:last]
	if err := o.again(ctx, e, nil); err != nil {
		return err
	}
	all := Batch{}
	all.number(numbers)
	for i := range b.Len {
		b.Row(i, o.row)
		if err := o.put(o.row, all.Number(i)); err != nil {
			return err
		}
	}
	return o.flush()
}

// again takes the rows of a segment, which is dropped; but for some.
func (o *output) again(ctx context.Context, e extent, but ranges) error {
	seg, err := o.set.open(ctx, e)
	if err != nil {
		return err
	}
	b := &Batch{Len: seg.Rows}
	b.number(e.numbers)
	for i := range o.set.schema.Fields {
		c, err := seg.Column(i)
		if err != nil {
			return fmt.Errorf("read %s: %w", e.path(), err)
		}
		b.Columns = append(b.Columns, c)
	}
	o.drop = append(o.drop, e.path())
	for i := range b.Len {
		n := b.Number(i)
		if but.has(n) {
			continue
		}
		b.Row(i, o.row)
		if err := o.put(o.row, n); err != nil {
			return err
		}
	}
	return nil
}

// write writes a segment.
func (o *output) write(b *Batch, numbers ranges) error {
	file, err := EncodeSegment(o.set.schema, b)
	if err != nil {
		return err
	}
	e := extent{numbers: numbers}
	if i, ok := o.set.schema.Index(o.set.schema.Time); ok {
		e.date(o.set.schema.instants(b.Columns[i]))
	}
	if err := o.w.Write(e.path(), file); err != nil {
		return fmt.Errorf("write %s: %w", e.path(), err)
	}
	o.segments = append(o.segments, e)
	o.drop = slices.DeleteFunc(o.drop, func(path string) bool { return path == e.path() })
	return nil
}

// date finds the span of the instants of a segment.
func (e *extent) date(when *Column) {
	e.least, e.most = math.MaxInt64, math.MinInt64
	for i, n := range when.Ints {
		if !when.Null(i) {
			e.least, e.most = min(e.least, n), max(e.most, n)
			e.dated++
		}
	}
	if e.dated == 0 {
		e.least, e.most = 0, 0
	}
}

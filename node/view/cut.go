// SPDX-License-Identifier: Apache-2.0

package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Counts say what a cut went through.
type Counts struct {
	Rows   int // that the view has
	Longer int // rows that were left out because they are longer than the bucket in which they begin
}

// mostValues is how many values of rows are gathered at once, of a part that
// cannot be cut in smaller ones: about 70 MB.
const mostValues = 2 << 20

// enough is about how many rows are gathered before they are handed on.
const enough = 1 << 17

// Rows cuts the whole view at this moment, out of a source as it was at
// AsOf(now).
func (v *View) Rows(ctx context.Context, src Source, now time.Time) ([]record.Row, error) {
	var all []record.Row
	_, err := v.Cut(ctx, src, v.Parts(src, now), func(_ Part, rows []record.Row) error {
		all = append(all, rows...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Cut calls fn with the rows of each of these parts, which are some of those
// that [View.Parts] lists of the same source, in the same order. The rows fit
// [View.Schema]; they are ordered by their values, the time first, then the
// columns in their order, and so the same rows are always the same list. fn may
// keep them. An error of fn ends the cut.
func (v *View) Cut(ctx context.Context, src Source, parts []Part, fn func(Part, []record.Row) error) (Counts, error) {
	var sum Counts
	window := 1
	if v.spec.Period >= Day {
		window = len(parts) // they come to little
	}
	for len(parts) > 0 {
		n := together(parts, window)
		c := v.newCutter(parts[:n])
		if err := c.scan(ctx, src); errors.Is(err, record.ErrTooMuch) && n > 1 {
			window = n / 2
			continue
		} else if err != nil {
			return sum, err
		}
		rows, err := c.rows()
		if err != nil {
			return sum, err
		}
		got := 0
		for i, part := range parts[:n] {
			slices.SortFunc(rows[i], v.compareRows)
			if err := fn(part, rows[i]); err != nil {
				return sum, err
			}
			got += len(rows[i])
		}
		sum.Rows, sum.Longer, parts = sum.Rows+got, sum.Longer+c.longer, parts[n:]
		switch {
		case got > enough && window > 1:
			window /= 2
		case got < enough/2:
			window *= 2
		}
	}
	return sum, nil
}

// together is how many of the first parts, at most n, have no gap between them.
func together(parts []Part, n int) int {
	for i := range parts[:min(n, len(parts))] {
		if i > 0 && (parts[i].Name == Undated || parts[i].From != parts[i-1].To) {
			return i
		}
	}
	return min(n, len(parts))
}

// compareRows orders the rows of the view: by the time, then by each column.
func (v *View) compareRows(a, b record.Row) int {
	if i, ok := v.output.Index(v.output.Time); ok {
		if d := a[i].Compare(b[i]); d != 0 {
			return d
		}
	}
	for i := range a {
		if d := a[i].Compare(b[i]); d != 0 {
			return d
		}
	}
	return 0
}

// cutter gathers the rows of some parts that follow one another.
type cutter struct {
	v        *View
	parts    []Part
	from, to int64
	undated  bool // the rows without a time, and no others
	longer   int

	raw     [][]record.Row // of each part
	kept    int            // of all
	buckets buckets
	levels  []level   // of each column that groups
	folds   []int     // the columns that are folded, and counted
	folded  []folding // len(folds) for each group of the last level

	when   []int64 // of the rows of one batch that are in the view: when,
	at     []int   // where in the batch,
	groups []int   // in which group
}

func (v *View) newCutter(parts []Part) *cutter {
	c := &cutter{v: v, parts: parts, from: parts[0].From, to: parts[len(parts)-1].To, undated: parts[0].Name == Undated}
	c.raw = make([][]record.Row, len(parts))
	c.buckets = buckets{period: v.spec.Period, zone: v.schema.Location()}
	for i, col := range v.columns {
		switch col.role {
		case groups:
			c.levels = append(c.levels, newLevel(col))
		case folds:
			c.folds = append(c.folds, i)
		}
	}
	return c
}

func (c *cutter) scan(ctx context.Context, src Source) error {
	from, to := c.v.hint(c.from, c.to)
	return src.Scan(ctx, c.v.fields, from, to, func(b *record.Batch) error {
		c.selectRows(b)
		if c.v.spec.Period != Raw {
			c.group(b)
			c.fold(b)
		} else if c.kept += len(c.at); !c.tooMuch() {
			c.keep(b)
		}
		if c.tooMuch() {
			return fmt.Errorf("%s, %s: %w", c.parts[0].Name, c.v.schema.Kind, record.ErrTooMuch)
		}
		return ctx.Err()
	})
}

// tooMuch says whether more is gathered than there may be.
func (c *cutter) tooMuch() bool { return (c.size()+c.kept)*len(c.v.columns) > mostValues }

// selectRows finds the rows of a batch that are in the view.
func (c *cutter) selectRows(b *record.Batch) {
	c.when, c.at = slices.Grow(c.when[:0], b.Len), slices.Grow(c.at[:0], b.Len)
	conditions := make([]func(int) bool, len(c.v.conditions))
	for i, condition := range c.v.conditions {
		conditions[i] = condition.on(b.Columns[condition.read])
	}
	var begins *record.Column
	if c.v.time >= 0 {
		begins = b.Columns[c.v.time]
	}
	for row := range b.Len {
		var t int64
		if dated := begins != nil && !begins.Null(row); dated == c.undated {
			continue
		} else if dated {
			t = begins.Ints[row]
			if begins.Type == record.Day {
				t = c.buckets.dayBegins(t)
			}
			if t < c.from || t >= c.to {
				continue
			}
		}
		if len(conditions) == 0 || slices.ContainsFunc(conditions, func(holds func(int) bool) bool { return holds(row) }) {
			c.when, c.at = append(c.when, t), append(c.at, row)
		}
	}
}

// on is the condition for the rows of one batch. Texts are compared once each.
func (c condition) on(col *record.Column) func(row int) bool {
	if col.Type != record.Text {
		return func(row int) bool { return c.holds(col.Value(row)) }
	}
	dict := make([]bool, len(col.Dict))
	for i, s := range col.Dict {
		dict[i] = c.holds(record.Str(s))
	}
	return func(row int) bool { return !col.Null(row) && dict[col.Index[row]] }
}

// keep takes rows as they are.
func (c *cutter) keep(b *record.Batch) {
	for i, row := range c.at {
		r := make(record.Row, len(c.v.columns))
		for j, col := range c.v.columns {
			if r[j] = b.Columns[col.read].Value(row); col.grid != Exact {
				r[j] = col.grid.Cell(r[j])
			}
		}
		part := c.partOf(c.when[i])
		c.raw[part] = append(c.raw[part], r)
	}
}

func (c *cutter) partOf(micros int64) int {
	return max(0, sort.Search(len(c.parts), func(i int) bool { return c.parts[i].From > micros })-1)
}

// group finds the group of each row that is in the view, and leaves out those
// that are longer than their bucket.
func (c *cutter) group(b *record.Batch) {
	c.groups = slices.Grow(c.groups[:0], len(c.at))
	var ends *record.Column
	if c.v.end >= 0 {
		ends = b.Columns[c.v.end]
	}
	kept := 0
	for i, row := range c.at {
		bucket := c.buckets.find(c.when[i])
		if ends != nil && !ends.Null(row) {
			end := ends.Ints[row]
			if ends.Type == record.Day {
				end = c.buckets.dayBegins(end)
			}
			if end > c.when[i] && end-c.when[i] > bucket.end-bucket.begin {
				c.longer++
				continue
			}
		}
		c.at[kept] = row
		kept++
		c.groups = append(c.groups, c.buckets.numberFound())
	}
	c.at = c.at[:kept]
	for i := range c.levels {
		c.levels[i].group(b, c.at, c.groups)
	}
}

// fold adds the values of a batch to their groups.
func (c *cutter) fold(b *record.Batch) {
	if need := c.size() * len(c.folds); need > len(c.folded) {
		c.folded = append(c.folded, make([]folding, need-len(c.folded))...)
	}
	for j, column := range c.folds {
		col := c.v.columns[column]
		values, sign := b.Columns[col.read], 1
		if col.fold == record.Min {
			sign = -1
		}
		for i, row := range c.at {
			if values.Null(row) {
				continue
			}
			f := &c.folded[c.groups[i]*len(c.folds)+j]
			switch col.fold {
			case record.Count:
				f.count++
			case record.Sum, record.Mean:
				f.add(values.Decimal(row))
			default:
				n, scale := values.Decimal(row)
				f.choose(n, scale, sign)
			}
		}
	}
}

// size is how many groups there are.
func (c *cutter) size() int {
	if len(c.levels) == 0 {
		return len(c.buckets.list)
	}
	return len(c.levels[len(c.levels)-1].groups)
}

// rows are the rows of each part, in no order.
func (c *cutter) rows() ([][]record.Row, error) {
	if c.v.spec.Period == Raw {
		return c.raw, nil
	}
	out := make([][]record.Row, len(c.parts))
	for group := range c.size() {
		row, begin, err := c.row(group)
		if err != nil {
			return nil, err
		}
		part := c.partOf(begin)
		out[part] = append(out[part], row)
	}
	return out, nil
}

// row makes the row of a group.
func (c *cutter) row(group int) (record.Row, int64, error) {
	values, bucket := make([]record.Value, len(c.levels)), group
	for i, l := range slices.Backward(c.levels) {
		values[i] = l.groups[bucket].value
		bucket = l.groups[bucket].within
	}
	b := c.buckets.list[bucket]
	row, level, fold := make(record.Row, len(c.v.columns)), 0, 0
	for i, col := range c.v.columns {
		f := c.v.schema.Fields[col.field]
		switch col.role {
		case groups:
			row[i] = values[level]
			level++
		case begins:
			row[i] = c.buckets.moment(b.begin, f.Type)
		case ends:
			row[i] = c.buckets.moment(b.end, f.Type)
		case folds:
			var ok bool
			if row[i], ok = c.folded[group*len(c.folds)+fold].result(col.fold, f.Type); !ok {
				return nil, 0, wrong("sum-too-large", "column", col.spelling, "bucket", c.v.moment(b.begin/1e6))
			}
			fold++
		}
	}
	return row, b.begin, nil
}

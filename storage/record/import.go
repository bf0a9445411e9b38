// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Import takes rows into a set, in one pass and bounded memory: for each batch
// it looks through the segments that touch the time of its rows, and keeps of
// those that are here what the batch may meet. Beyond the batch it remembers two
// bits of each row that was met. It is for one goroutine.
type Import struct {
	ctx   context.Context
	set   *Set
	w     Writer
	hash  *hasher
	links links
	here  table
	alike *alike         // nil if no two keys can be of one row
	held  map[int]prints // of segments that the batch before touched

	in   *Builder
	out  *output
	took Meta
	new  ranges  // numbers given
	met  numbers // rows found here
	old  []pairs // what is superseded
	err  error   // after which nothing goes
}

// Meta is what the log keeps of an import.
type Meta struct {
	When     int64    // Unix seconds
	Files    []string // names without folders
	Format   string
	Rejected int // rows that could not be read

	fresh, here, corrected int
}

// Import begins to take rows in. Segments go to the writer as they fill, the
// log when the import is finished.
func (s *Set) Import(ctx context.Context, w Writer) *Import {
	hash := newHasher(s.schema)
	return &Import{
		ctx: ctx, set: s, w: w, hash: hash, links: s.log.links(), alike: newAlike(s, hash), held: map[int]prints{},
		in: NewBuilder(s.schema), out: newOutput(s, w),
	}
}

// Add takes a row that [Schema.Check] allows, and does not keep the slice.
func (im *Import) Add(r Row) error {
	if im.err == nil {
		im.in.Add(r)
		if im.in.Full() {
			im.err = im.flush(false)
		}
	}
	return im.err
}

// Finish writes the log. If the rows were all here, nothing was written and the
// change has no operation: the same file changes nothing.
func (im *Import) Finish(m Meta) (Change, error) {
	if im.err == nil && im.in.Len() > 0 {
		im.err = im.flush(true)
	}
	if im.err == nil {
		im.err = im.out.finish(im.ctx)
	}
	if im.err != nil {
		return Change{}, fmt.Errorf("import: %w", im.err)
	}
	s := im.set
	met := im.met.ranges()
	if len(im.new) == 0 && len(met.without(s.covered)) == 0 {
		return Change{Set: s}, nil
	}
	alike, err := im.alike.count(im)
	if err != nil {
		return Change{}, fmt.Errorf("import: %w", err)
	}
	o := Operation{
		Kind: Imported, When: m.When, Files: m.Files, Format: m.Format, Rejected: m.Rejected,
		New: im.took.fresh, Here: im.took.here, Corrected: im.took.corrected,
		covers: union(append(slices.Clone(im.new), met...)), replaces: gather(im.old),
	}
	c, err := s.change(o, im.out.next, im.out.segments, im.out.drop, im.w)
	c.Alike = alike
	return c, err
}

// flush looks where the rows gathered so far belong. The last of few rows are
// looked for one by one.
func (im *Import) flush(last bool) error {
	b := im.in.Batch()
	p, err := im.hash.of(b.Len, func(i int) (*Column, error) { return b.Columns[i], nil })
	if err != nil {
		return err
	}
	if err := im.load(b, p, last && b.Len <= limits.few); err != nil {
		return err
	}
	var left, begin []int // places of rows that are not here, and that begin to count beside what is
	for i := range b.Len {
		switch found, again := im.meet(p.key[i], p.row[i]); {
		case !found:
			left = append(left, i)
		case again:
			begin = append(begin, i)
		}
	}
	replaces := map[int]Number{} // by place, a row of the identity that the one there goes on with
	for _, i := range left {
		if n, ok := im.corrects(p.key[i], p.row[i]); ok {
			replaces[i] = n
		} else {
			begin = append(begin, i)
		}
	}
	if err := im.alike.add(im.set, b, begin); err != nil {
		return err
	}
	if err := im.write(b, left, replaces); err != nil {
		return err
	}
	im.old = gather(im.old)
	im.in.Reset()
	return nil
}

// corrects looks for a row of the identity of which a row that is not here says
// something else.
func (im *Import) corrects(key, row uint64) (Number, bool) {
	if key == row {
		return 0, false
	}
	return im.here.byOwnKey(key)
}

// meet looks whether a row is here with all its values; again says that it
// begins to count once more, in the place of nothing.
func (im *Import) meet(key, row uint64) (found, again bool) {
	for s := counted; s < standings; s++ {
		n, ok := im.here.byValues(key, row, s)
		if !ok {
			continue
		}
		im.met.add(n)
		if s == forgotten {
			return true, im.revive(n)
		}
		im.took.here++
		return true, false
	}
	return false, false
}

// revive makes a row count again, in the place of all else of its identity; alone
// says that nothing of it counted.
func (im *Import) revive(n Number) (alone bool) {
	counted := false
	for _, m := range im.links.identity(n) {
		if m != n && !im.set.superseded.has(m) {
			im.old = append(im.old, pairs{m, n, 1})
			counted = counted || im.set.covered.has(m)
		}
	}
	if counted {
		im.took.corrected++
	} else {
		im.took.fresh++
	}
	return !counted
}

// write gives the rows at some places their numbers, in order of time.
func (im *Import) write(b *Batch, at []int, replaces map[int]Number) error {
	less := b.order(im.set.schema)
	if !slices.IsSortedFunc(at, less) {
		slices.SortStableFunc(at, less)
	}
	for k, i := range at {
		n := im.out.next + Number(k)
		m, ok := replaces[i]
		if !ok {
			im.took.fresh++
			continue
		}
		im.took.corrected++
		for _, m := range im.links.identity(m) {
			im.old = append(im.old, pairs{m, n, 1})
		}
	}
	im.new = im.new.join(Range{im.out.next, Number(len(at))})
	return im.out.add(b, at)
}

// order compares rows of a batch: by time, then by values.
func (b *Batch) order(s *Schema) func(i, j int) int {
	columns := slices.Clone(b.Columns)
	if i, ok := s.Index(s.Time); ok {
		time := columns[i]
		columns = slices.Insert(slices.Delete(columns, i, i+1), 0, time)
	}
	return func(i, j int) int {
		for _, c := range columns {
			if d := c.compare(i, j); d != 0 {
				return d
			}
		}
		return 0
	}
}

func (c *Column) compare(i, j int) int {
	if c.Nulls != nil || c.Scales != nil || c.Type == Text {
		return c.Value(i).Compare(c.Value(j))
	}
	return cmp.Compare(c.Ints[i], c.Ints[j])
}

// load puts the rows that are here and may be met by those of b in the table.
func (im *Import) load(b *Batch, p prints, few bool) error {
	byTime := im.hash.byTime()
	times, span, undated := im.times(b)
	var touched []int
	for i, e := range im.set.log.segments {
		if !byTime || undated && e.dated < e.rows() || e.touches(span.From, span.To) {
			touched = append(touched, i)
		} else {
			delete(im.held, i)
		}
	}
	im.here.ask(p)
	for _, i := range touched {
		var at []int // nil for all
		if _, held := im.held[i]; few && byTime && !held {
			var err error
			if at, err = im.candidates(i, times, undated); err != nil {
				return err
			}
			if len(at) == 0 {
				continue
			}
		}
		if err := im.remember(i, at); err != nil {
			return err
		}
	}
	im.here.settle()
	return im.ctx.Err()
}

// times are the instants of new rows, their span, and whether some have none.
func (im *Import) times(b *Batch) (times map[int64]bool, span Span, undated bool) {
	s := im.set.schema
	i, ok := s.Index(s.Time)
	if !ok {
		return nil, span, true
	}
	span = Span{From: math.MaxInt64, To: math.MinInt64}
	when := s.instants(b.Columns[i])
	times = map[int64]bool{}
	for j, n := range when.Ints {
		if when.Null(j) {
			undated = true
			continue
		}
		span.From, span.To = min(span.From, n), max(span.To, n+1)
		if b.Len <= limits.few {
			times[n] = true
		}
	}
	return times, span, undated
}

// candidates are the places in a segment of rows at one of the instants.
func (im *Import) candidates(segment int, times map[int64]bool, undated bool) (at []int, err error) {
	e := im.set.log.segments[segment]
	seg, err := im.set.open(im.ctx, e)
	if err != nil {
		return nil, err
	}
	when, err := im.set.instants(seg)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.path(), err)
	}
	for i, n := range when.Ints {
		if when.Null(i) && undated || !when.Null(i) && times[n] {
			at = append(at, i)
		}
	}
	return at, nil
}

// remember puts rows of a segment in the table: those with which an identity
// began, and the others of these wherever they lie.
func (im *Import) remember(segment int, at []int) error {
	p, err := im.prints(segment, at)
	if err != nil {
		return err
	}
	here := Batch{}
	here.number(im.set.log.segments[segment].numbers)
	later := map[Number]leader{}
	for i := range p.row {
		if im.here.byKey.at[p.key[i]] == 0 {
			continue
		}
		place := i
		if at != nil {
			place = at[i]
		}
		n := here.Number(place)
		if im.links.goesOn(n) {
			continue
		}
		after := im.links.after(n)
		for _, m := range after {
			later[m] = leader{n, p.key[i]}
		}
		im.here.add(p.key[i], p.row[i], n, n, im.set.standing(n), len(after) == 0)
	}
	return im.rememberLater(later)
}

// leader is the row that an identity began with, and the hash of its key.
type leader struct {
	number Number
	key    uint64
}

// rememberLater puts rows in the table with which an identity goes on.
func (im *Import) rememberLater(later map[Number]leader) error {
	var all ranges
	for _, n := range slices.Sorted(maps.Keys(later)) {
		all = all.add(n)
	}
	for segment, e := range im.set.log.segments {
		some := all.and(e.numbers)
		if len(some) == 0 {
			continue
		}
		p, err := im.prints(segment, placesOf(some, e))
		if err != nil {
			return err
		}
		numbers := Batch{}
		numbers.number(some)
		for i := range p.row {
			n := numbers.Number(i)
			im.here.add(later[n].key, p.row[i], n, later[n].number, im.set.standing(n), false)
		}
	}
	return nil
}

// prints are those of rows of a segment. Where they are of all its rows, they
// are kept for as long as the next batch may ask for them.
func (im *Import) prints(segment int, at []int) (prints, error) {
	if p, ok := im.held[segment]; ok {
		return p.pick(at), nil
	}
	e := im.set.log.segments[segment]
	seg, err := im.set.open(im.ctx, e)
	if err != nil {
		return prints{}, err
	}
	rows := seg.Rows
	if at != nil {
		rows = len(at)
	}
	p, err := im.hash.of(rows, func(i int) (*Column, error) {
		c, err := seg.Column(i)
		if err == nil && at != nil {
			c = c.pick(at)
		}
		return c, err
	})
	if err != nil {
		return p, fmt.Errorf("read %s: %w", e.path(), err)
	}
	if at == nil {
		im.hold(segment, p)
	}
	return p, nil
}

func (im *Import) hold(segment int, p prints) {
	rows := len(p.row)
	for _, other := range im.held {
		rows += len(other.row)
	}
	if rows <= limits.held {
		im.held[segment] = p
	}
}

func (s *state) standing(n Number) standing {
	switch {
	case s.superseded.has(n):
		return superseded
	case s.covered.has(n):
		return counted
	}
	return forgotten
}

var errTooMany = errors.New("a data set can have no more rows")

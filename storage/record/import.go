// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Import takes rows into a set, in one pass and bounded memory: what it keeps
// of the rows that are here is some 60 bytes each, and only of segments that
// touch the time of the new ones. It is for one goroutine.
type Import struct {
	ctx   context.Context
	set   *Set
	w     Writer
	hash  *hasher
	links links
	here  table
	known map[int]bool // segments whose rows are in the table

	in   *Builder
	out  *output
	took Meta
	new  ranges   // numbers given
	met  []Number // rows found here
	old  []pairs  // what is superseded
	err  error    // after which nothing goes
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
	return &Import{
		ctx: ctx, set: s, w: w, hash: newHasher(s.schema), links: s.log.links(), known: map[int]bool{},
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
	slices.Sort(im.met)
	var met ranges
	for _, n := range im.met {
		met = met.add(n)
	}
	if len(im.new) == 0 && len(met.without(s.covered)) == 0 {
		return Change{Set: s}, nil
	}
	o := Operation{
		Kind: Imported, When: m.When, Files: m.Files, Format: m.Format, Rejected: m.Rejected,
		New: im.took.fresh, Here: im.took.here, Corrected: im.took.corrected,
		covers: union(append(slices.Clone(im.new), met...)), replaces: gather(im.old),
	}
	return s.change(o, im.out.next, im.out.segments, im.out.drop, im.w)
}

// flush looks where the rows gathered so far belong. The last of few rows are
// looked for one by one.
func (im *Import) flush(last bool) error {
	b := im.in.Batch()
	p := im.hash.of(b, nil)
	if err := im.load(b, last && len(im.known) == 0 && b.Len <= limits.few); err != nil {
		return err
	}
	var fresh []int     // places of rows that get a number
	replaces := []int{} // for each of them the line whose identity it goes on with, or -1
	for i := range b.Len {
		if !im.meet(both(p.key[i], p.row[i])) {
			fresh = append(fresh, i)
		}
	}
	for _, i := range fresh {
		at := -1
		if p.key[i] != p.row[i] {
			at = im.here.take(&im.here.byKey, p.key[i], true)
		}
		replaces = append(replaces, at)
	}
	if err := im.write(b, fresh, replaces); err != nil {
		return err
	}
	im.in.Reset()
	return nil
}

// meet looks whether a row is here with all its values.
func (im *Import) meet(print uint64) bool {
	for s := counted; s < standings; s++ {
		i := im.here.take(&im.here.byRow[s], print, false)
		if i < 0 {
			continue
		}
		n := im.here.lines[i].number
		im.met = append(im.met, n)
		if s != forgotten {
			im.took.here++
			return true
		}
		im.revive(n)
		return true
	}
	return false
}

// revive makes a row count again, in the place of all else of its identity.
func (im *Import) revive(n Number) {
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
}

// write gives new rows their numbers, in order of time.
func (im *Import) write(b *Batch, fresh, replaces []int) error {
	order := make([]int, len(fresh))
	for i := range order {
		order[i] = i
	}
	less := b.order(im.set.schema)
	if !sort.SliceIsSorted(order, func(i, j int) bool { return less(fresh[i], fresh[j]) < 0 }) {
		slices.SortStableFunc(order, func(i, j int) int { return less(fresh[i], fresh[j]) })
	}
	at := make([]int, len(order))
	for k, i := range order {
		at[k] = fresh[i]
		n := im.out.next + Number(k)
		if replaces[i] < 0 {
			im.took.fresh++
			continue
		}
		im.took.corrected++
		for _, m := range im.links.identity(im.here.lines[replaces[i]].number) {
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
func (im *Import) load(b *Batch, few bool) error {
	byTime := im.hash.byTime()
	times, span, undated := im.times(b)
	before := len(im.here.lines)
	for i, e := range im.set.log.segments {
		if im.known[i] || byTime && !(undated && e.dated < e.rows() || e.touches(span.From, span.To)) {
			continue
		}
		seg, err := im.set.open(im.ctx, e)
		if err != nil {
			return err
		}
		var at []int // nil for all
		if few && byTime {
			if at, err = im.candidates(seg, times, undated); err != nil {
				return fmt.Errorf("read %s: %w", e.path(), err)
			}
			if len(at) == 0 {
				continue
			}
		} else {
			im.known[i] = true
		}
		if err := im.remember(seg, e, at); err != nil {
			return fmt.Errorf("read %s: %w", e.path(), err)
		}
	}
	im.here.settle(before)
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
func (im *Import) candidates(seg *Segment, times map[int64]bool, undated bool) (at []int, err error) {
	when, err := im.set.instants(seg)
	if err != nil {
		return nil, err
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
func (im *Import) remember(seg *Segment, e extent, at []int) error {
	p, err := im.prints(seg, at)
	if err != nil {
		return err
	}
	numbers := Batch{}
	numbers.number(e.numbers)
	later := map[Number]int{} // rows of an identity but the first, and its leader's line
	for i := range p.row {
		place := i
		if at != nil {
			place = at[i]
		}
		n := numbers.Number(place)
		if im.links.goesOn(n) {
			continue
		}
		leader := len(im.here.lines)
		im.here.add(p.key[i], p.row[i], n, im.set.standing(n), leader)
		for _, m := range im.links.after(n) {
			later[m] = leader
		}
	}
	return im.rememberLater(later)
}

// rememberLater puts rows in the table with which an identity goes on.
func (im *Import) rememberLater(later map[Number]int) error {
	var all ranges
	for _, n := range sorted(later) {
		all = all.add(n)
	}
	for _, e := range im.set.log.segments {
		some := all.and(e.numbers)
		if len(some) == 0 {
			continue
		}
		seg, err := im.set.open(im.ctx, e)
		if err != nil {
			return err
		}
		p, err := im.prints(seg, placesOf(some, e))
		if err != nil {
			return err
		}
		numbers := Batch{}
		numbers.number(some)
		for i := range p.row {
			n := numbers.Number(i)
			im.here.add(im.here.lines[later[n]].key, p.row[i], n, im.set.standing(n), later[n])
		}
	}
	return nil
}

func sorted(m map[Number]int) []Number {
	out := make([]Number, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// prints hashes rows of a segment.
func (im *Import) prints(seg *Segment, at []int) (prints, error) {
	b := &Batch{Len: seg.Rows}
	for i := range im.set.schema.Fields {
		c, err := seg.Column(i)
		if err != nil {
			return prints{}, err
		}
		b.Columns = append(b.Columns, c)
	}
	return im.hash.of(b, at), nil
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

// links are the pairs of all operations, those taken back too, one by one: they
// say which rows are of one identity.
type links struct {
	byOld, byNew []pairs
}

func (h *history) links() (l links) {
	for _, o := range h.all {
		for _, p := range o.replaces {
			if p.Old > p.New { // an old row that counts again: of this identity already
				continue
			}
			for i := range p.Count {
				l.byOld = append(l.byOld, pairs{p.Old + i, p.New + i, 1})
			}
		}
	}
	l.byNew = slices.Clone(l.byOld)
	slices.SortFunc(l.byOld, func(a, b pairs) int { return cmp.Or(cmp.Compare(a.Old, b.Old), cmp.Compare(a.New, b.New)) })
	slices.SortFunc(l.byNew, func(a, b pairs) int { return cmp.Or(cmp.Compare(a.New, b.New), cmp.Compare(a.Old, b.Old)) })
	return l
}

// goesOn says whether an identity was there before the row.
func (l links) goesOn(n Number) bool {
	_, ok := l.before(n)
	return ok
}

// before is the row that the identity of a row began with, if it is another.
func (l links) before(n Number) (Number, bool) {
	i := sort.Search(len(l.byNew), func(i int) bool { return l.byNew[i].New >= n })
	if i == len(l.byNew) || l.byNew[i].New != n {
		return 0, false
	}
	return l.byNew[i].Old, true
}

// after are the rows that an identity went on with; first is the one it began with.
func (l links) after(first Number) (out []Number) {
	i := sort.Search(len(l.byOld), func(i int) bool { return l.byOld[i].Old >= first })
	for ; i < len(l.byOld) && l.byOld[i].Old == first; i++ {
		if n := l.byOld[i].New; len(out) == 0 || out[len(out)-1] != n {
			out = append(out, n)
		}
	}
	return out
}

// identity are all rows of the identity of a row, itself too.
func (l links) identity(n Number) []Number {
	if first, ok := l.before(n); ok {
		n = first
	}
	return append([]Number{n}, l.after(n)...)
}

var errTooMany = errors.New("a data set can have no more rows")

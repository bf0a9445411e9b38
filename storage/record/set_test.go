// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// store keeps objects in memory, as a vault does: what is written counts when
// it is committed.
type store map[string][]byte

func (s store) Get(_ context.Context, path string) ([]byte, error) {
	b, ok := s[path]
	if !ok {
		return nil, fmt.Errorf("no object %s", path)
	}
	return b, nil
}

func (s store) Write(path string, content []byte) error {
	s[path] = content
	return nil
}

// commit makes the next version.
func (s store) commit(w store, c Change) (store, *Set) {
	next := maps.Clone(s)
	for _, path := range c.Drop {
		delete(next, path)
	}
	maps.Copy(next, w)
	return next, c.Set.Over(next)
}

// data is a data set being tried, with what a naive model says of it.
type data struct {
	t     fataler
	objs  store
	set   *Set
	model model
	clock int64
	marks []string // what the model says after each operation
	since int      // the operations before were perhaps compacted away
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func newData(t fataler, s *Schema) *data {
	objs := store{}
	set, err := Create(s, objs)
	if err != nil {
		t.Fatal(err)
	}
	d := &data{t: t, objs: objs, set: set.Over(objs), model: model{schema: s}, clock: 1}
	d.marks = []string{""}
	return d
}

func (d *data) apply(w store, c Change, err error) Change {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	if !c.Written {
		if len(w) > 0 || c.Set != d.set {
			d.t.Fatalf("nothing changed, and %d objects were written", len(w))
		}
		return c
	}
	d.objs, d.set = d.objs.commit(w, c)
	return c
}

func (d *data) load(rows []Row) Change {
	d.t.Helper()
	w := store{}
	im := d.set.Import(context.Background(), w)
	for _, r := range rows {
		if err := im.Add(r); err != nil {
			d.t.Fatal(err)
		}
	}
	d.clock++
	c, err := im.Finish(Meta{When: d.clock})
	return d.apply(w, c, err)
}

// check holds the set, as it is and read again, against the model.
func (d *data) check() {
	d.t.Helper()
	want := d.model.content()
	if got := contentOf(d.t, d.set); got != want {
		d.t.Fatalf("the set says\n%s\nand should say\n%s", got, want)
	}
	again, err := Open(context.Background(), d.objs)
	if err != nil {
		d.t.Fatal(err)
	}
	if got := contentOf(d.t, again); got != want || again.Len() != d.model.len() {
		d.t.Fatalf("read again the set says\n%s\nand should say\n%s", got, want)
	}
	paths := []string{SchemaPath, LogPath}
	for _, e := range again.log.segments {
		paths = append(paths, e.path())
	}
	for _, first := range again.log.older {
		paths = append(paths, olderName(first))
	}
	if diff := gocmp.Diff(slices.Sorted(slices.Values(paths)), slices.Sorted(maps.Keys(d.objs))); diff != "" {
		d.t.Fatalf("objects that the log does not know, or has lost: %s", diff)
	}
}

// contentOf spells all rows that count with their numbers, and compares the two
// ways to read them.
func contentOf(t fataler, s *Set) string {
	t.Helper()
	byTime := map[Number]string{}
	last := int64(0)
	count := 0
	err := s.Rows(context.Background(), Query{}, func(n Number, r Row) error {
		when, ok := s.schema.When(r)
		if ok && count > 0 && when < last {
			t.Fatalf("row %v comes after a later one", n)
		}
		if ok {
			last = when
		} else {
			last = -1 << 63
		}
		byTime[n] = string(s.schema.AppendJSON(nil, r))
		count++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = s.Scan(context.Background(), Query{}, func(b *Batch) error {
		r := make(Row, len(b.Columns))
		for i := range b.Len {
			b.Row(i, r)
			n := b.Number(i)
			if one, err := s.Row(context.Background(), n); err != nil || !slices.Equal(one, r) {
				t.Fatalf("row %v alone is %v, %v; among others %v", n, one, err, r)
			}
			if byTime[n] != string(s.schema.AppendJSON(nil, r)) || !s.Counts(n) {
				t.Fatalf("row %v: %s by time, %v by number, counts: %v", n, byTime[n], r, s.Counts(n))
			}
			lines = append(lines, fmt.Sprintf("%v %s", n, byTime[n]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != count || len(lines) != s.Len() {
		t.Fatalf("%d rows, %d by time, %d counted", len(lines), count, s.Len())
	}
	return strings.Join(lines, "\n")
}

// model is the rule of protocol/spec/records.md over slices, without segments,
// hashes and ranges.
type model struct {
	schema *Schema
	rows   []modelRow
	ops    []modelOp
}

type modelRow struct {
	row      Row
	identity int // number of the row it began with
	gone     bool
}

type modelOp struct {
	covers, supersedes map[int]bool
	undoes             int // place of an operation, or -1
}

func (m *model) undone(i int) bool {
	return slices.ContainsFunc(m.ops, func(o modelOp) bool { return o.undoes == i })
}

// standing says whether a row is superseded, and whether it is covered.
func (m *model) standing(n int) (out standing) {
	out = forgotten
	for i, o := range m.ops {
		if m.undone(i) {
			continue
		}
		if o.supersedes[n] {
			return superseded
		}
		if o.covers[n] {
			out = counted
		}
	}
	return out
}

func (m *model) len() (n int) {
	for i := range m.rows {
		if m.standing(i) == counted {
			n++
		}
	}
	return n
}

func (m *model) content() string {
	var lines []string
	for i, r := range m.rows {
		if m.standing(i) == counted {
			lines = append(lines, fmt.Sprintf("r%d %s", i, m.schema.AppendJSON(nil, r.row)))
		}
	}
	return strings.Join(lines, "\n")
}

func (m *model) key(r Row) (string, bool) {
keys:
	for i, key := range m.schema.Keys {
		out := fmt.Sprint(i)
		for _, name := range key {
			j, _ := m.schema.Index(name)
			if r[j].IsNull() {
				continue keys
			}
			out += "|" + r[j].String()
		}
		return out, true
	}
	return "all " + fmt.Sprint(r), false
}

// load takes a file in, so many rows at a time.
func (m *model) load(rows []Row) {
	in := modelImport{model: m, known: len(m.rows), used: map[int]bool{}}
	in.op = modelOp{covers: map[int]bool{}, supersedes: map[int]bool{}, undoes: -1}
	for i := range m.rows {
		in.was = append(in.was, m.standing(i))
	}
	for part := range slices.Chunk(rows, limits.rows) {
		in.load(part)
	}
	if in.changed {
		m.ops = append(m.ops, in.op)
	}
}

type modelImport struct {
	*model
	op      modelOp
	known   int // rows before
	was     []standing
	used    map[int]bool // identities met
	changed bool
}

func (m *modelImport) load(rows []Row) {
	op, known, used, was := m.op, m.known, m.used, m.was
	var left []Row
next:
	for _, r := range rows {
		key, _ := m.key(r)
		for class := counted; class < standings; class++ {
			for i := range known {
				root, _ := m.key(m.rows[m.rows[i].identity].row)
				if m.rows[i].gone || root != key || used[m.rows[i].identity] || !slices.Equal(m.rows[i].row, r) || was[i] != class {
					continue
				}
				used[m.rows[i].identity], op.covers[i] = true, true
				m.changed = m.changed || !m.coveredNow(i)
				if class == forgotten {
					for j := range known {
						if j != i && m.rows[j].identity == m.rows[i].identity && was[j] != superseded {
							op.supersedes[j] = true
						}
					}
				}
				continue next
			}
		}
		left = append(left, slices.Clone(r))
	}
	identities := map[int]int{} // of a left row, the identity it goes on with
	for l, r := range left {
		key, real := m.key(r)
		for i := 0; i < known && real; i++ {
			root, _ := m.key(m.rows[m.rows[i].identity].row)
			if root == key && was[i] == counted && !used[m.rows[i].identity] {
				used[m.rows[i].identity] = true
				identities[l] = m.rows[i].identity
				break
			}
		}
	}
	order := make([]int, len(left))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return m.compare(left[i], left[j]) })
	for _, l := range order {
		n := len(m.rows)
		identity, ok := identities[l]
		if !ok {
			identity = n
		}
		for j := range known {
			if ok && m.rows[j].identity == identity {
				op.supersedes[j] = true
			}
		}
		m.rows = append(m.rows, modelRow{row: left[l], identity: identity})
		op.covers[n], m.changed = true, true
	}
}

// compact leaves out what nothing was said of since some operation.
func (m *model) compact(since int) {
	all := m.ops
	for i := range m.rows {
		needed := false
		for n := since; n <= len(all); n++ {
			m.ops = all[:n]
			needed = needed || m.coveredNow(i)
		}
		for _, o := range all {
			needed = needed || o.supersedes[i]
		}
		m.rows[i].gone = m.rows[i].gone || !needed
	}
	m.ops = all
}

func (m *model) coveredNow(n int) bool {
	for i, o := range m.ops {
		if o.covers[n] && !m.undone(i) {
			return true
		}
	}
	return false
}

func (m *model) compare(a, b Row) int {
	if i, ok := m.schema.Index(m.schema.Time); ok {
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

func (m *model) replace(n int, r Row) {
	op := modelOp{covers: map[int]bool{}, supersedes: map[int]bool{}, undoes: -1}
	for j := range m.rows {
		if m.rows[j].identity == m.rows[n].identity {
			op.supersedes[j] = true
		}
	}
	if r != nil {
		op.covers[len(m.rows)] = true
		m.rows = append(m.rows, modelRow{row: slices.Clone(r), identity: m.rows[n].identity})
	}
	m.ops = append(m.ops, op)
}

// drawSchema draws a schema with keys and a time of few values.
func drawSchema(t *rapid.T, tb testing.TB) *Schema {
	types := append([]Type{rapid.SampledFrom([]Type{Instant, Day}).Draw(t, "time")},
		rapid.SliceOfN(rapid.SampledFrom([]Type{Decimal, Text, Boolean}), 1, 3).Draw(t, "types")...)
	notes := map[string]any{}
	if rapid.IntRange(0, 3).Draw(t, "timed") > 0 {
		notes["time"] = name(0)
	}
	keys := [][][]string{nil, {{name(0)}}, {{name(1)}}, {{name(0), name(1)}}, {{name(1)}, {name(0)}}}
	if key := rapid.SampledFrom(keys).Draw(t, "keys"); key != nil {
		notes["keys"] = key
	}
	return schemaOf(tb, notes, types...)
}

func drawFew(t *rapid.T, s *Schema, least, most int) []Row {
	rows := make([]Row, rapid.IntRange(least, most).Draw(t, "rows"))
	for i := range rows {
		rows[i] = make(Row, len(s.Fields))
		for j, f := range s.Fields {
			rows[i][j] = drawValue(t, f.Type, true)
		}
	}
	return rows
}

// Whatever is done to a set, it says what the rule says.
func TestSetAgainstModel(t *testing.T) {
	defer func(was struct{ rows, few, tail, held int }) { limits = was }(limits)
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSchema(rt, t)
		limits.rows = rapid.SampledFrom([]int{2, 5, 100}).Draw(rt, "rows of a segment")
		limits.few = rapid.SampledFrom([]int{0, 100}).Draw(rt, "few")
		limits.tail = rapid.SampledFrom([]int{0, 4, 100}).Draw(rt, "tail")
		limits.held = rapid.SampledFrom([]int{0, 4, 1000}).Draw(rt, "held")
		d := newData(rt, s)
		files := [][]Row{drawFew(rt, s, 1, 12), drawFew(rt, s, 1, 12), drawFew(rt, s, 1, 5)}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			d.step(rt, files)
			d.check()
			if n := len(d.set.Operations()); n >= len(d.marks) {
				d.marks = append(d.marks, d.model.content())
			}
			at := rapid.IntRange(d.since, len(d.marks)-1).Draw(rt, "at")
			if got := contentOf(rt, d.set.At(at)); got != d.marks[at] {
				rt.Fatalf("after %d operations the set said\n%s\nand now it says\n%s", at, d.marks[at], got)
			}
		}
	})
}

func (d *data) step(t *rapid.T, files [][]Row) {
	ctx, w := context.Background(), store{}
	d.clock++
	switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
	case what <= 3:
		file := rapid.SampledFrom(files).Draw(t, "file")
		i := rapid.IntRange(0, len(file)).Draw(t, "from")
		d.model.load(file[i:])
		d.load(file[i:])
	case what <= 6 && d.set.Len() > 0: // by hand
		n := d.draw(t)
		r := drawFew(t, d.set.schema, 1, 1)[0]
		if what == 6 {
			d.model.replace(int(n), nil)
			c, err := d.set.Delete(w, []Number{n}, "twice", d.clock)
			d.apply(w, c, err)
			return
		}
		if !slices.Equal(r, d.model.rows[n].row) {
			d.model.replace(int(n), r)
		}
		c, err := d.set.Edit(ctx, w, n, r, "misread", d.clock)
		d.apply(w, c, err)
	case what <= 8 && len(d.model.ops) > 0:
		o := rapid.IntRange(0, len(d.model.ops)-1).Draw(t, "operation")
		if d.model.undone(o) || d.model.ops[o].undoes >= 0 {
			if _, err := d.set.Undo(w, o+1, d.clock); err == nil {
				t.Fatalf("undone twice")
			}
			return
		}
		d.model.ops = append(d.model.ops, modelOp{undoes: o})
		c, err := d.set.Undo(w, o+1, d.clock)
		d.apply(w, c, err)
	default:
		if rapid.Bool().Draw(t, "another year") {
			d.clock += 366 * 86400
			d.since = len(d.model.ops)
		}
		d.model.compact(d.since)
		c, err := d.set.Compact(ctx, w, time.Unix(d.clock, 0))
		d.apply(w, c, err)
	}
}

// draw is the number of a row that counts.
func (d *data) draw(t *rapid.T) Number {
	var all []Number
	for _, r := range d.set.counts {
		for i := range r.Count {
			all = append(all, r.First+i)
		}
	}
	return rapid.SampledFrom(all).Draw(t, "row")
}

// sortedContent spells the rows that count without their numbers.
func sortedContent(t fataler, s *Set) string {
	lines := strings.Split(contentOf(t, s), "\n")
	for i, l := range lines {
		_, lines[i], _ = strings.Cut(l, " ")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Files that overlap give the same rows in any order, wherever they were cut
// between identities; and again, nothing.
func TestOverlappingFiles(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSchema(rt, t)
		m := model{schema: s}
		truth := drawFew(rt, s, 1, 30)
		slices.SortStableFunc(truth, func(a, b Row) int {
			x, _ := m.key(a)
			y, _ := m.key(b)
			return cmp.Compare(x, y)
		})
		cuts := []int{0}
		for i := 1; i < len(truth); i++ {
			a, _ := m.key(truth[i-1])
			b, _ := m.key(truth[i])
			if a != b {
				cuts = append(cuts, i)
			}
		}
		cuts = append(cuts, len(truth))
		d := newData(rt, s)
		covered := make([]bool, len(cuts))
		for !slices.Equal(covered, slices.Repeat([]bool{true}, len(cuts))) {
			i := rapid.IntRange(0, len(cuts)-1).Draw(rt, "from")
			j := rapid.IntRange(i, len(cuts)-1).Draw(rt, "to")
			part := slices.Clone(truth[cuts[i]:cuts[j]])
			if rapid.Bool().Draw(rt, "turned") {
				slices.Reverse(part)
			}
			d.load(part)
			covered[len(cuts)-1] = true
			for k := i; k < j; k++ {
				covered[k] = true
			}
		}
		once := newData(rt, s)
		once.load(truth)
		if got, want := sortedContent(rt, d.set), sortedContent(rt, once.set); got != want {
			rt.Fatalf("in parts\n%s\nat once\n%s", got, want)
		}
		slices.Reverse(truth)
		if c := d.load(truth); c.Written {
			rt.Fatalf("the same rows again changed something: %+v", c.Operation)
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
)

// found is what somebody finds in a Parquet file.
type found struct {
	Error   string
	Rows    int
	Columns []inColumn
}

// inColumn is what a column comes to. Its numbers are as it stores them, exact;
// an instant is microseconds, a day days since 1970, a boolean 0 or 1.
type inColumn struct {
	Name, Type    string // the type as DuckDB calls it
	Known         int    // rows that have a value
	Sum, Min, Max string // of all but texts
	Texts         []string
	Digest        string // of all values in their order
}

// bothFound is what the two readers find in one file.
type bothFound struct{ DuckDB, Hyparquet found }

// TestOthersReadParquet: DuckDB and hyparquet find in what is exported, and in
// each segment, what our own reader finds: the types, every value, exactly.
func TestOthersReadParquet(t *testing.T) {
	need(t, javascript)
	seed := disktest.Seed(t)
	wide, absent, files, rows := 0, 0, 0, 0
	for i := range disktest.Runs(t, 2, 150) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		dir := t.TempDir()
		var paths []string
		var want []found
		expect := func(content []byte, w found) {
			paths, want = append(paths, filepath.Join(dir, strconv.Itoa(len(paths)))), append(want, w)
			must(t, writePrivate(paths[len(paths)-1], content))
		}
		set, objects := randomSet(t, r)
		expect(export(t, set))
		expect(export(t, emptySet(t, set.Schema())))
		for _, path := range segmentsOf(objects) {
			expect(objects[path], inSegment(t, set.Schema(), objects[path]))
		}
		got := askJS[[]bothFound](t, "parquet.mjs", "read", map[string]any{"paths": paths})
		for j, w := range want {
			for reader, g := range map[string]found{"DuckDB": got[j].DuckDB, "hyparquet": got[j].Hyparquet} {
				for k := range g.Columns {
					slices.Sort(g.Columns[k].Texts)
				}
				if d := cmp.Diff(short(w), short(g)); d != "" {
					t.Errorf("set %d, file %d of %d: %s finds something else (-ours +theirs):\n%.4000s", i, j, len(want), reader, d)
				}
			}
			for _, c := range w.Columns {
				wide += strings.Count(c.Type, "DECIMAL(36,18)")
			}
			if j > 1 {
				absent += len(want[0].Columns) - len(w.Columns)
			}
			files, rows = files+1, rows+w.Rows
		}
	}
	if wide == 0 || absent == 0 {
		t.Errorf("%d wide decimals and %d columns of nothing: not what was to be tried", wide, absent)
	}
	t.Logf("%d files with %d rows, %d columns of DECIMAL(36,18), %d left out of their segment", files, rows, wide, absent)
}

// short makes lists of texts comparable in a line.
func short(f found) found {
	f.Columns = slices.Clone(f.Columns)
	for i, c := range f.Columns {
		if len(c.Texts) > 8 {
			f.Columns[i].Texts = []string{fmt.Sprintf("%d, %x", len(c.Texts), sha256.Sum256([]byte(strings.Join(c.Texts, "\x00"))))}
		} else if len(c.Texts) == 0 {
			f.Columns[i].Texts = nil
		}
	}
	return f
}

// everyType is a schema with fields of each type, under names that others might
// take for something of theirs.
func everyType(t *testing.T) *record.Schema {
	t.Helper()
	s, err := record.ParseSchema([]byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:every", "title": "Every type", "type": "object",
		"traboule": {"time": "when"},
		"properties": {
			"sum": {"type": "boolean"},
			"when": {"type": "string", "format": "date-time"}, "seen": {"type": "string", "format": "date-time"},
			"date": {"type": "string", "format": "date"}, "due": {"type": "string", "format": "date"},
			"amount": {"type": "number"}, "balance": {"type": "number"}, "rate": {"type": "number"},
			"steps": {"type": "integer"}, "count": {"type": "integer"},
			"select": {"type": "string"}, "label": {"type": "string"},
			"group": {"type": "boolean"},
			"where": {"type": "object"}, "from": {"type": "object"}
		}}`))
	must(t, err)
	return s
}

// drawer keeps the objects of a set of records.
type drawer map[string][]byte

func (d drawer) Write(path string, content []byte) error {
	d[path] = bytes.Clone(content)
	return nil
}

func (d drawer) Get(_ context.Context, path string) ([]byte, error) {
	if b, ok := d[path]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("no object %s", path)
}

// randomSet is a set of a few imports, each of which draws each field in its
// own way, with some rows that were deleted and perhaps an import undone.
func randomSet(t *testing.T, r *rand.Rand) (*record.Set, drawer) {
	t.Helper()
	s, objects := everyType(t), drawer{}
	set, err := record.Create(s, objects)
	must(t, err)
	sizes := []int{1, 4200, 4097 + r.IntN(4000), 1 + r.IntN(64), 2 + r.IntN(2000)}
	r.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	for n, size := range slices.Concat([]int{5000 + r.IntN(500)}, sizes[:r.IntN(len(sizes)+1)]) {
		im := set.Over(objects).Import(t.Context(), objects)
		ways := make([]func() record.Value, len(s.Fields))
		for i, f := range s.Fields {
			ways[i] = wayToDraw(r, f.Type)
		}
		if n == 0 { // whatever the others are
			rate, _ := s.Index("rate")
			label, _ := s.Index("label")
			ways[rate], ways[label] = func() record.Value { return wideDecimal(r) }, func() record.Value { return record.Null }
		}
		row := make(record.Row, len(s.Fields))
		for range size {
			for i, way := range ways {
				row[i] = way()
			}
			must(t, im.Add(row))
		}
		change, err := im.Finish(record.Meta{When: int64(n), Format: "test"})
		set = apply(t, objects, change, err)
	}
	gone := []record.Number{}
	for n := range record.Number(set.Len()) {
		if set.Counts(n) && r.IntN(20) == 0 {
			gone = append(gone, n)
		}
	}
	if len(gone) > 0 {
		change, err := set.Delete(objects, gone, "a test", 10)
		set = apply(t, objects, change, err)
	}
	if o := set.Operations(); len(o) > 4 && r.IntN(2) == 0 {
		change, err := set.Undo(objects, o[1].Number, 11)
		set = apply(t, objects, change, err)
	}
	return set, objects
}

func emptySet(t *testing.T, s *record.Schema) *record.Set {
	t.Helper()
	objects := drawer{}
	set, err := record.Create(s, objects)
	must(t, err)
	return set.Over(objects)
}

func apply(t *testing.T, objects drawer, change record.Change, err error) *record.Set {
	t.Helper()
	must(t, err)
	for _, path := range change.Drop {
		delete(objects, path)
	}
	return change.Set.Over(objects)
}

func segmentsOf(objects drawer) (paths []string) {
	for path := range objects {
		if strings.HasPrefix(path, "rows/") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// wayToDraw is a way to draw the values of a column: of nothing, of some or no
// nulls; near each other, few, or anything its type can hold.
func wayToDraw(r *rand.Rand, typ record.Type) func() record.Value {
	way := map[record.Type]func(*rand.Rand) func() record.Value{
		record.Instant: drawInstants, record.Day: drawDays, record.Decimal: drawDecimals, record.Integer: drawIntegers,
		record.Boolean: drawBooleans, record.Text: drawTexts, record.Place: drawPlaces,
	}[typ](r)
	nulls := []int{0, 0, 1, 20, 50, 98, 100}[r.IntN(7)]
	return func() record.Value {
		if r.IntN(100) < nulls {
			return record.Null
		}
		return way()
	}
}

func oneOf[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// From the first year that has four digits to the last.
var firstYear, lastYear = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()

func drawInstants(r *rand.Rand) func() record.Value {
	at, step := int64(1.6e15)+r.Int64N(1e14), int64(1800e6)
	anywhere := func() int64 { return firstYear + r.Int64N(lastYear-firstYear) }
	if r.IntN(2) == 0 {
		return func() record.Value {
			return record.Micros(oneOf(r, firstYear, lastYear, -1, 0, anywhere(), anywhere()))
		}
	}
	return func() record.Value { at += step; return record.Micros(at) }
}

func drawDays(r *rand.Rand) func() record.Value {
	const day = int64(86400e6)
	if r.IntN(2) == 0 {
		return func() record.Value {
			return record.Days(oneOf(r, firstYear/day, lastYear/day, -1, 0, firstYear/day+r.Int64N((lastYear-firstYear)/day)))
		}
	}
	at := int64(20000)
	return func() record.Value { at += r.Int64N(3); return record.Days(at) }
}

// drawDecimals stays below 10^15, so that sums fit into what readers sum
// DECIMAL(36,18) with: 38 digits.
func drawDecimals(r *rand.Rand) func() record.Value {
	scale, most := r.IntN(5), int64(math.Pow10(1+r.IntN(15)))
	switch r.IntN(4) {
	case 0: // money
		return func() record.Value { return record.Dec(r.Int64N(2*most)-most, 2) }
	case 1: // several scales that 18 digits can hold
		return func() record.Value { return record.Dec(r.Int64N(2e9)-1e9, r.IntN(9)) }
	case 2: // several scales that they cannot
		return func() record.Value { return wideDecimal(r) }
	}
	one := record.Dec(r.Int64N(2*most)-most, scale) // always the same
	return func() record.Value { return one }
}

func wideDecimal(r *rand.Rand) record.Value {
	switch r.IntN(100) {
	case 0:
		return record.Dec(oneOf[int64](r, 1, -1, 999_999_999_999_999_999, -999_999_999_999_999_999), 18)
	case 1:
		return record.Dec(oneOf[int64](r, 1, -1)*999_999_999_999_999, 0)
	}
	return record.Dec(r.Int64N(2e15)-1e15, r.IntN(19))
}

func drawIntegers(r *rand.Rand) func() record.Value {
	few, one := r.IntN(2) == 0, r.Int64()
	return func() record.Value {
		if few {
			return record.Int(r.Int64N(20) - 10)
		}
		return record.Int(oneOf(r, math.MinInt64, math.MaxInt64, 0, one, r.Int64()-1<<62))
	}
}

func drawBooleans(r *rand.Rand) func() record.Value {
	trues := oneOf(r, 0, 1, 50, 100)
	return func() record.Value { return record.Bool(r.IntN(100) < trues) }
}

func drawTexts(r *rand.Rand) func() record.Value {
	words := []string{"card", "virement", "été", "e\u0301te\u0301", "\ufeffmark", "日本", "👩‍👩‍👧", `"quoted"`, "a\nb", "NULL", "0", "\u2028", strings.Repeat("long ", 400) + "."}
	few, n := oneOf(r, 1, 2, len(words), 0, 3000), 0
	return func() record.Value {
		switch n++; few {
		case 0: // all differ
			return record.Str(fmt.Sprintf("%s %d", words[r.IntN(12)], n))
		case 3000: // a large dictionary
			return record.Str("n° " + strconv.Itoa(r.IntN(few)))
		}
		return record.Str(words[r.IntN(few)])
	}
}

func drawPlaces(r *rand.Rand) func() record.Value {
	near := r.IntN(2) == 0
	return func() record.Value {
		lat, lon := oneOf(r, -90e7, 90e7, r.Int64N(180e7)-90e7), oneOf(r, -180e7, 180e7, -1, r.Int64N(360e7)-180e7)
		if near {
			lat, lon = 457578137+r.Int64N(1000), 48320114+r.Int64N(1000)
		}
		v, err := record.E7(lat, lon)
		if err != nil {
			panic(err)
		}
		return v
	}
}

// export is the file of a whole set, and what our own Scan finds in the set.
func export(t *testing.T, set *record.Set) ([]byte, found) {
	t.Helper()
	var out bytes.Buffer
	scan := func(fn func(*record.Batch) error) error { return set.Scan(t.Context(), record.Query{}, fn) }
	must(t, record.WriteParquet(&out, set.Schema(), scan))
	tally := newTally(set.Schema())
	must(t, scan(func(b *record.Batch) error { tally.add(b); return nil }))
	if tally.rows != set.Len() {
		t.Fatalf("%d rows of %d", tally.rows, set.Len())
	}
	return out.Bytes(), tally.found(true)
}

func inSegment(t *testing.T, s *record.Schema, file []byte) found {
	t.Helper()
	seg, err := record.OpenSegment(s, file)
	must(t, err)
	b := &record.Batch{Len: seg.Rows}
	for i := range s.Fields {
		c, err := seg.Column(i)
		must(t, err)
		b.Columns = append(b.Columns, c)
	}
	tally := newTally(s)
	tally.add(b)
	return tally.found(false)
}

// source is a set as views read it.
type source struct{ *record.Set }

func (s source) Scan(ctx context.Context, fields []int, from, to int64, fn func(*record.Batch) error) error {
	q := record.Query{Columns: make([]string, len(fields)), Span: &record.Span{From: from, To: to, Undated: true}}
	for i, f := range fields {
		q.Columns[i] = s.Schema().Fields[f].Name
	}
	return s.Set.Scan(ctx, q, fn)
}

func (s source) Any(from, to int64) bool {
	return s.Set.Any(record.Query{Span: &record.Span{From: from, To: to, Undated: true}})
}

// TestOthersSumDays: the sums of each day of ten years of half-hours in Paris
// are the same in a view, by DuckDB and by hyparquet with JavaScript's calendar,
// also on days of 23 and 25 hours.
func TestOthersSumDays(t *testing.T) {
	need(t, javascript)
	s, ok := catalogue.Kind("electricity-load-curve")
	if !ok {
		t.Fatal("no such kind")
	}
	set := tenYears(t, s, 175_000)
	file, _ := export(t, set)
	path := filepath.Join(t.TempDir(), "rows.parquet")
	must(t, writePrivate(path, file))

	v, err := view.Parse(s, view.Spec{Columns: []string{"start", "energy/sum", "energy/count"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day})
	must(t, err)
	rows, err := v.Rows(t.Context(), source{set}, time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC))
	must(t, err)
	var want [][3]string
	days := map[string]int{} // by how many half-hours they have
	for _, row := range rows {
		at := row[0].Time()
		if row[0].Type() == record.Instant {
			at = at.In(s.Location())
		}
		want = append(want, [3]string{at.Format(time.DateOnly), row[1].String(), row[2].String()})
		days[row[2].String()]++
	}
	got := askJS[struct{ DuckDB, Hyparquet [][3]string }](t, "parquet.mjs", "daily",
		map[string]string{"path": path, "zone": s.Zone, "time": "start", "value": "energy"})
	if d := cmp.Diff(want, got.DuckDB); d != "" {
		t.Errorf("DuckDB sums otherwise (-ours +theirs):\n%.2000s", d)
	}
	if d := cmp.Diff(want, got.Hyparquet); d != "" {
		t.Errorf("hyparquet sums otherwise (-ours +theirs):\n%.2000s", d)
	}
	if days["46"] < 9 || days["50"] < 9 || len(want) < 3600 {
		t.Errorf("%d days, by their half-hours: %v", len(want), days)
	}
	t.Logf("%d readings in %d bytes, %d days, by their half-hours: %v", set.Len(), len(file), len(want), days)
}

// tenYears is a load curve of half-hours from 2016 on.
func tenYears(t *testing.T, s *record.Schema, readings int) *record.Set {
	t.Helper()
	set, objects := emptySet(t, s), drawer{}
	im := set.Import(t.Context(), objects)
	row := make(record.Row, len(s.Fields))
	put := func(name string, v record.Value) {
		i, _ := s.Index(name)
		row[i] = v
	}
	r := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2016, time.January, 1, 0, 0, 0, 0, s.Location())
	for i := range readings {
		at := begin.Add(time.Duration(i) * 30 * time.Minute)
		put("start", record.At(at))
		put("end", record.At(at.Add(30*time.Minute)))
		put("energy", record.Dec(r.Int64N(4000), 3))
		must(t, im.Add(row))
	}
	change, err := im.Finish(record.Meta{When: begin.Unix(), Format: "test"})
	return apply(t, objects, change, err)
}

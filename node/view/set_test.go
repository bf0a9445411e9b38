// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
)

// cupboard keeps the objects of a set of records in memory.
type cupboard map[string][]byte

func (c cupboard) Write(path string, content []byte) error {
	c[path] = slices.Clone(content)
	return nil
}

func (c cupboard) Get(_ context.Context, path string) ([]byte, error) {
	b, ok := c[path]
	if !ok {
		return nil, fmt.Errorf("no object %s", path)
	}
	return b, nil
}

// drawer is a set as package node hands it to views.
type drawer struct{ *record.Set }

// of is a set as a view sees it at a moment.
func of(v *view.View, set *record.Set, now time.Time) drawer {
	if v.Spec().Period == view.Raw {
		return drawer{set}
	}
	return drawer{set.At(set.Before(v.AsOf(now).Unix()))}
}

func (d drawer) query(fields []int, from, to int64) record.Query {
	q := record.Query{Columns: make([]string, len(fields)), Span: &record.Span{From: from, To: to, Undated: true}}
	for i, f := range fields {
		q.Columns[i] = d.Schema().Fields[f].Name
	}
	return q
}

func (d drawer) Scan(ctx context.Context, fields []int, from, to int64, fn func(*record.Batch) error) error {
	return d.Set.Scan(ctx, d.query(fields, from, to), fn)
}

func (d drawer) Any(from, to int64) bool { return d.Set.Any(d.query(nil, from, to)) }

// changed are the parts in which there may be other rows than there were.
func changed(t testing.TB, v *view.View, set, before *record.Set, parts, known []view.Part) (list []view.Part) {
	t.Helper()
	is := make([]bool, len(parts))
	if err := set.Differing(context.Background(), before.Roll(), func(micros int64, dated bool) {
		for i, end := v.Holding(parts, micros, dated); i < end; i++ {
			is[i] = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		if is[i] || !slices.Contains(known, p) {
			list = append(list, p)
		}
	}
	return list
}

// take imports rows into a set.
func (c cupboard) take(t testing.TB, set *record.Set, when time.Time, rows ...record.Row) *record.Set {
	t.Helper()
	im := set.Import(context.Background(), c)
	for _, row := range rows {
		if err := im.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	change, err := im.Finish(record.Meta{When: when.Unix(), Format: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return change.Set.Over(c)
}

func newSet(t testing.TB, s *record.Schema) (cupboard, *record.Set) {
	t.Helper()
	c := cupboard{}
	set, err := record.Create(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return c, set.Over(c)
}

// TestOnSets: a view of a set of records, with its log and segments, is what it
// is of the rows that the log says count, as it stood when the current bucket
// began: after imports, deletions, an undoing and a compaction.
func TestOnSets(t *testing.T) {
	seed := disktest.Seed(t)
	schemas := allSchemas(t)
	filled := 0
	for i := range disktest.Runs(t, 60, 3000) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		s := schemas[r.IntN(len(schemas))]
		c, set := newSet(t, s)
		var h history
		now := firstRow
		known := map[string]int{} // rows by what they say, and where in the history
		for range 1 + r.IntN(4) {
			now = now.Add(time.Duration(r.Int64N(int64(90*24*time.Hour)))).Truncate(time.Second).AddDate(0, 0, 1)
			op := operation{when: now}
			for range r.IntN(25) {
				row := rowOf(r, s, somewhen(r))
				key := text(s, []record.Row{row})
				if _, ok := known[key]; ok || slices.ContainsFunc(s.Keys[0], func(k string) bool { i, _ := s.Index(k); return row[i].IsNull() }) && r.IntN(4) > 0 {
					continue
				}
				known[key] = 0
				op.rows = append(op.rows, row)
			}
			op.rows = withoutCorrections(s, h, op.rows)
			set = c.take(t, set, now, op.rows...)
			h = append(h, op)
		}
		if r.IntN(3) == 0 {
			now = now.Add(time.Duration(r.Int64N(int64(48 * time.Hour)))).Truncate(time.Second)
			set = c.undo(t, set, now, &h, r)
		}
		if r.IntN(2) == 0 {
			change, err := set.Compact(context.Background(), c, now)
			if err != nil {
				t.Fatal(err)
			}
			set = change.Set.Over(c)
		}
		for range 4 {
			spec := specOf(r, s)
			v, err := view.Parse(s, spec)
			if err != nil {
				t.Fatal(err)
			}
			asked := now.Add(time.Duration(r.Int64N(int64(72 * time.Hour)))).Truncate(time.Second)
			want, wantErr := v.Rows(context.Background(), h.asOf(s, v.AsOf(asked).Add(rawNow(spec))), asked)
			got, err := v.Rows(context.Background(), of(v, set, asked), asked)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("run %d: %s: %v, want %v", i, describeSpec(spec), err, wantErr)
			}
			if err == nil && len(got) > 0 {
				filled++
			}
			if diff := cmp.Diff(text(v.Schema(), want), text(v.Schema(), got)); diff != "" {
				t.Fatalf("run %d: %s at %s: %s", i, describeSpec(spec), asked, diff)
			}
		}
	}
	if filled < 30 {
		t.Errorf("%d answers with rows: the test sees little", filled)
	}
}

// rawNow is how much later than now a raw view may look: at all there is.
func rawNow(spec view.Spec) time.Duration {
	if spec.Period == view.Raw {
		return 1
	}
	return 0
}

// withoutCorrections leaves out rows that would take the place of others: what
// the log makes of those is for the tests of sets.
func withoutCorrections(s *record.Schema, h history, rows []record.Row) (out []record.Row) {
	key := func(row record.Row) string {
		k := ""
		for _, name := range s.Keys[0] {
			i, _ := s.Index(name)
			if row[i].IsNull() {
				return text(s, []record.Row{row})
			}
			k += row[i].String() + "|"
		}
		return k
	}
	seen := map[string]bool{}
	for _, row := range flat(h) {
		seen[key(row)] = true
	}
	for _, row := range rows {
		if k := key(row); !seen[k] {
			seen[k] = true
			out = append(out, row)
		}
	}
	return out
}

// undo takes one of the imports back, in the set and in the history.
func (c cupboard) undo(t testing.TB, set *record.Set, when time.Time, h *history, r *rand.Rand) *record.Set {
	t.Helper()
	ops := set.Operations()
	if len(ops) == 0 {
		return set
	}
	n := r.IntN(len(ops))
	change, err := set.Undo(c, ops[n].Number, when.Unix())
	if err != nil {
		t.Fatal(err)
	}
	var gone []int
	number := 0
	for _, op := range *h {
		for range op.rows {
			if op.when.Unix() == ops[n].When {
				gone = append(gone, number)
			}
			number++
		}
	}
	*h = append(*h, operation{when: when, gone: gone})
	return change.Set.Over(c)
}

// TestOneMonthIsCutAgain: of a row that comes, changes or goes the part of its
// month is cut again, and no other, wherever its segment reaches; so the whole
// is kept up to date.
func TestOneMonthIsCutAgain(t *testing.T) {
	s, ok := catalogue.Kind("electricity-load-curve")
	if !ok {
		t.Fatal("no such kind")
	}
	now := time.Date(2026, time.November, 23, 12, 0, 0, 0, s.Location())
	reading := func(t time.Time, n int64) record.Row {
		row := make(record.Row, len(s.Fields))
		for name, v := range map[string]record.Value{"start": record.At(t), "end": record.At(t.Add(30 * time.Minute)), "energy": record.Dec(n, 3)} {
			i, _ := s.Index(name)
			row[i] = v
		}
		return row
	}
	c, set := newSet(t, s)
	var rows []record.Row
	for day := range 300 {
		for hour := range 24 {
			rows = append(rows, reading(time.Date(2026, time.January, 1+day, hour, 0, 0, 0, s.Location()), int64(day+hour)))
		}
		if day%100 == 99 { // in segments of their own
			set, rows = c.take(t, set, now.AddDate(0, 0, -9), rows...), nil
		}
	}
	v, err := view.Parse(s, view.Spec{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day})
	if err != nil {
		t.Fatal(err)
	}
	parts, cutParts := cutAll(t, v, set, now)
	if len(parts) < 10 {
		t.Fatalf("%d parts of ten months", len(parts))
	}
	march := time.Date(2026, time.March, 9, 5, 30, 0, 0, s.Location())
	for _, step := range []struct {
		name   string
		change func(*record.Set) *record.Set
	}{
		{"a row comes", func(set *record.Set) *record.Set { return c.take(t, set, now.AddDate(0, 0, -3), reading(march, 1e6)) }},
		{"it is corrected", func(set *record.Set) *record.Set { return c.take(t, set, now.AddDate(0, 0, -2), reading(march, 2e6)) }},
		{"that is taken back", func(set *record.Set) *record.Set {
			ops := set.Operations()
			change, err := set.Undo(c, ops[len(ops)-1].Number, now.AddDate(0, 0, -1).Unix())
			if err != nil {
				t.Fatal(err)
			}
			return change.Set.Over(c)
		}},
	} {
		before := set
		set = step.change(set)
		src := of(v, set, now)
		again := changed(t, v, src.Set, of(v, before, now).Set, v.Parts(src, now), parts)
		if len(again) != 1 || again[0].Name != "2026-03" {
			t.Errorf("%s: cut again: %v", step.name, again)
		}
		differ := 0
		if _, err := v.Cut(context.Background(), src, again, func(p view.Part, rows []record.Row) error {
			if cutParts[p.Name] != text(v.Schema(), rows) {
				differ++
			}
			cutParts[p.Name] = text(v.Schema(), rows)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if differ != 1 {
			t.Errorf("%s: %d parts have other rows", step.name, differ)
		}
		var whole map[string]string
		if parts, whole = cutAll(t, v, set, now); !maps.Equal(whole, cutParts) {
			t.Errorf("%s: kept up to date and cut whole: %s", step.name, cmp.Diff(whole, cutParts))
		}
	}
}

func cutAll(t testing.TB, v *view.View, set *record.Set, now time.Time) ([]view.Part, map[string]string) {
	t.Helper()
	src := of(v, set, now)
	parts, cut := v.Parts(src, now), map[string]string{}
	if _, err := v.Cut(context.Background(), src, parts, func(p view.Part, rows []record.Row) error {
		cut[p.Name] = text(v.Schema(), rows)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return parts, cut
}

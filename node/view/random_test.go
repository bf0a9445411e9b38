// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
)

// forms are the columns that readings has by section 2 of the page, in order.
func forms(s *record.Schema, p view.Period, g view.Grid) []string {
	place := "place"
	if g != view.Exact {
		place = "place/" + []string{"", "100m", "1km", "10km"}[g]
	}
	if p == view.Raw {
		return []string{"meter", "start", "end", "type", "energy", "steps", "amount", "currency", "off", "seen", "due", place, "caller"}
	}
	list := []string{"meter/count", "start", "end", "type/category",
		"energy/sum", "energy/mean", "energy/min", "energy/max", "energy/count",
		"steps/sum", "steps/mean", "steps/min", "steps/max", "steps/count",
		"amount/sum", "amount/count", "currency/category", "off/category", "off/count"}
	if g != view.Exact {
		list = append(list, place)
	}
	return append(list, "place/count", "caller/category")
}

// specOf is a random view of readings that the page allows.
func specOf(r *rand.Rand, s *record.Schema) view.Spec {
	spec := view.Spec{From: view.Earliest, To: view.Latest, Grid: view.Grid(r.IntN(4)), Rows: []string{"*"}}
	f, timed := s.Field(s.Time)
	for ok := false; !ok && timed; {
		spec.Period = view.Period(r.IntN(6))
		ok = f.Type != record.Day || spec.Period == view.Raw || spec.Period >= view.Day
	}
	all := forms(s, spec.Period, spec.Grid)
	for len(spec.Columns) == 0 {
		few := 1 + r.IntN(6)
		spec.Columns = slices.DeleteFunc(slices.Clone(all), func(string) bool { return r.IntN(6) >= few })
	}
	if slices.Contains(spec.Columns, "amount/sum") && !slices.Contains(spec.Columns, "currency/category") {
		spec.Columns = slices.DeleteFunc(spec.Columns, func(c string) bool { return c == "amount/sum" })
		spec.Columns = slices.Insert(spec.Columns, 0, "currency/category")
		slices.SortFunc(spec.Columns, func(a, b string) int { return slices.Index(all, a) - slices.Index(all, b) })
	}
	if timed && r.IntN(3) > 0 {
		a, b := somewhen(r), somewhen(r)
		if spec.Period != view.Raw {
			a, _ = bucketOf(s.Location(), spec.Period, a)
			b, _ = bucketOf(s.Location(), spec.Period, b)
		}
		spec.From, spec.To = min(a.Unix(), b.Unix()), max(a.Unix(), b.Unix())
		if r.IntN(4) == 0 {
			spec.From = view.Earliest
		}
	}
	if r.IntN(2) == 0 {
		conditions := []string{"type=card", "type!=é", "energy<0", "energy>=0.5", "energy=-1.25", "steps<=50", "steps>9", "amount!=0", "currency=EUR", "off=true", "off!=true", "caller=Ann", "meter=m1"}
		if spec.Period == view.Raw {
			conditions = append(conditions, "seen<2011-05-05T05:05:05.5Z", "due>=2011-06-01", "due!=2011-01-01")
		}
		r.Shuffle(len(conditions), func(i, j int) { conditions[i], conditions[j] = conditions[j], conditions[i] })
		spec.Rows = conditions[:1+r.IntN(3)]
		slices.Sort(spec.Rows)
	}
	return spec
}

// pairOf is a random data set with a moment to look at it.
func pairOf(r *rand.Rand, schemas []*record.Schema) (*record.Schema, []record.Row, time.Time) {
	s := schemas[r.IntN(len(schemas))]
	rows := make([]record.Row, r.IntN(60))
	for i := range rows {
		begins := somewhen(r)
		if i > 0 && r.IntN(2) == 0 { // in the same bucket, perhaps
			if before, ok := instant(s, rows[i-1], s.Time); ok {
				begins = before.Add(time.Duration(r.Int64N(int64(time.Hour)))).Truncate(time.Minute)
			}
		}
		rows[i] = rowOf(r, s, begins)
	}
	return s, rows, somewhen(r).AddDate(0, r.IntN(8), 0)
}

// allSchemas are readings in each zone with each type of time.
func allSchemas(t testing.TB) (list []*record.Schema) {
	for _, zone := range zones {
		for _, timeType := range []record.Type{record.Instant, record.Instant, record.Day, ""} {
			list = append(list, readings(t, zone, timeType))
		}
	}
	return list
}

// TestAgainstReference: random views of random data sets are the same bytes as
// a slow reading of the page gives, cut in whatever batches and parts.
func TestAgainstReference(t *testing.T) {
	seed := disktest.Seed(t)
	runs := disktest.Runs(t, 500, 100_000)
	schemas := allSchemas(t)
	filled, refused, lines := 0, 0, 0
	for i := range runs {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		s, rows, now := pairOf(r, schemas)
		spec := specOf(r, s)
		asked := spec
		asked.Columns = slices.Clone(spec.Columns)
		r.Shuffle(len(asked.Columns), func(i, j int) {
			asked.Columns[i], asked.Columns[j] = asked.Columns[j], asked.Columns[i]
		})
		v, err := view.Parse(s, asked)
		if err != nil {
			t.Fatalf("run %d: %s: %v", i, describeSpec(asked), err)
		}
		if got := v.Spec(); describeSpec(got) != describeSpec(spec) {
			t.Fatalf("run %d: spelled\n%s, want\n%s", i, describeSpec(got), describeSpec(spec))
		}
		want, wantErr := answer(s, spec, v.Schema(), rows, now)
		got, err := v.Rows(context.Background(), shelve(s, rows, 1+r.IntN(20)), now)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("run %d: %s: %v, want %v", i, describeSpec(spec), err, wantErr)
		}
		if err != nil {
			var e *view.Error
			if !errors.As(err, &e) || e.Code != "sum-too-large" {
				t.Fatalf("run %d: %v", i, err)
			}
			refused++
			continue
		}
		for _, row := range got {
			if err := v.Schema().Check(row); err != nil {
				t.Fatalf("run %d: a row does not fit the view's own schema: %v", i, err)
			}
		}
		if got := text(v.Schema(), got); got != want {
			t.Fatalf("run %d: %s, zone %s, now %s:\n%s\nwant\n%s", i, describeSpec(spec), s.Zone, now, got, want)
		}
		if want != "" {
			filled++
		}
		lines += len(got)
	}
	t.Logf("%d pairs, %d answers with rows (%d rows), %d sums refused for their size", runs, filled, lines, refused)
	if filled < runs/2 {
		t.Errorf("only %d of %d answers have rows: the test sees little", filled, runs)
	}
}

// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
)

// operation is one thing that happens to a data set: readings come, some in
// place of others.
type operation struct {
	when time.Time
	rows []record.Row
	gone []int // rows of earlier operations, by their number
}

// history is what happened, in order.
type history []operation

// asOf is the data set as it stood when something began.
func (h history) asOf(s *record.Schema, when time.Time) *shelf {
	var rows []record.Row
	gone := map[int]bool{}
	for _, op := range h {
		if !op.when.Before(when) {
			break
		}
		rows = append(rows, op.rows...)
		for _, n := range op.gone {
			gone[n] = true
		}
	}
	var kept []record.Row
	for i, row := range rows {
		if !gone[i] {
			kept = append(kept, row)
		}
	}
	return shelve(s, kept, 50)
}

// home draws the readings of a home, and what is asked about them.
type home struct {
	*rand.Rand
	schema *record.Schema
	finest view.Period // what the grant allows: this or coarser
	begins time.Time
	days   int
}

func (w home) reading(t time.Time, energy int64, kind string) record.Row {
	row := make(record.Row, len(w.schema.Fields))
	for name, v := range map[string]record.Value{"start": record.At(t), "end": record.At(t.Add(30 * time.Minute)), "energy": record.Dec(energy, 3), "type": record.Str(kind)} {
		i, _ := w.schema.Index(name)
		row[i] = v
	}
	return row
}

// truth is a history of half-hourly readings: those of a day come a day or two
// later, some with those of a later day, and some take the place of earlier
// ones.
func (w home) truth() (h history) {
	var late []record.Row
	for day := range w.days {
		midnight := w.begins.AddDate(0, 0, day)
		op := operation{when: midnight.Add(time.Duration(24+w.IntN(30)) * time.Hour), rows: late}
		late = nil
		for t := midnight; t.Before(w.begins.AddDate(0, 0, day+1)); t = t.Add(30 * time.Minute) {
			row := w.reading(t, w.Int64N(900), pick(w.Rand, "day", "night"))
			if w.IntN(20) == 0 {
				late = append(late, row)
			} else {
				op.rows = append(op.rows, row)
			}
		}
		h = append(h, op)
	}
	slices.SortStableFunc(h, func(a, b operation) int { return a.when.Compare(b.when) })
	return h.correct(w)
}

// correct adds corrections to a history in order.
func (h history) correct(w home) history {
	number, gone := 0, map[int]bool{}
	for i := range h {
		for range w.IntN(3) {
			if old := w.IntN(max(number, 1)); number > 0 && !gone[old] {
				gone[old] = true
				h[i].gone = append(h[i].gone, old)
				begins, _ := w.schema.Index("start")
				h[i].rows = append(h[i].rows, w.reading(flat(h[:i])[old][begins].Time(), w.Int64N(900), "day"))
			}
		}
		number += len(h[i].rows)
	}
	return h
}

func flat(h history) (rows []record.Row) {
	for _, op := range h {
		rows = append(rows, op.rows...)
	}
	return rows
}

// twin is another history that must look the same to whoever may see buckets
// of the finest period and no finer ones: within each operation, energy is
// moved between readings of one bucket; operations happen at other moments of
// the same bucket; and what happens in the bucket of now, and later, is another
// thing altogether.
func (w home) twin(h history, now time.Time) history {
	begins, _ := w.schema.Index("start")
	energy, _ := w.schema.Index("energy")
	kind, _ := w.schema.Index("type")
	current, _ := w.finest.Bucket(now.In(w.schema.Location()))
	corrected := map[int]bool{} // readings that are taken back must not have changed
	for _, op := range h {
		for _, n := range op.gone {
			corrected[n] = true
		}
	}
	var out history
	number := 0
	for _, op := range h {
		if !op.when.Before(current) {
			continue
		}
		begin, end := w.finest.Bucket(op.when.In(w.schema.Location()))
		other := operation{when: begin.Add(time.Duration(w.Int64N(int64(end.Sub(begin))))), gone: slices.Clone(op.gone)}
		last := map[string]int{}
		for i, row := range op.rows {
			row = slices.Clone(row)
			other.rows = append(other.rows, row)
			bucket, _ := w.finest.Bucket(row[begins].Time().In(w.schema.Location()))
			key := bucket.String() + row[kind].String()
			if corrected[number+i] {
				continue
			}
			if before, ok := last[key]; ok {
				moved := w.Int64N(400)
				a, b := other.rows[before][energy], row[energy]
				other.rows[before][energy], row[energy] = plus(a, moved), plus(b, -moved)
			}
			last[key] = i
		}
		number += len(op.rows)
		out = append(out, other)
	}
	slices.SortStableFunc(out, func(a, b operation) int { return cmp.Compare(a.bucket(w), b.bucket(w)) })
	for i := 1; i < len(out); i++ { // moments of one bucket, in the order of the operations
		if out[i].when.Before(out[i-1].when) {
			out[i].when = out[i-1].when
		}
	}
	for range w.IntN(3) {
		when := now.Add(-time.Duration(w.Int64N(int64(now.Sub(current)) + 1)))
		out = append(out, operation{when: when, gone: []int{w.IntN(number + 1)}, rows: []record.Row{
			w.reading(now.Add(-time.Duration(w.IntN(2000))*time.Hour), w.Int64N(900), "day")}})
	}
	return out
}

func (o operation) bucket(w home) int64 {
	begin, _ := w.finest.Bucket(o.when.In(w.schema.Location()))
	return begin.Unix()
}

func plus(v record.Value, n int64) record.Value {
	d, scale := v.Unscaled()
	for ; scale < 3; scale++ {
		d *= 10
	}
	return record.Dec(d+n, 3)
}

// request is a random request that the grant allows: these columns, whatever
// span, the period or a coarser one.
func (w home) request(least view.Period) view.Spec {
	spec := view.Spec{Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: least}
	if w.IntN(3) == 0 {
		spec.Period += view.Period(w.IntN(int(view.Year-least) + 1))
	}
	for len(spec.Columns) == 0 {
		for _, c := range []string{"start", "end", "type/category", "energy/sum", "energy/mean", "energy/count"} {
			if w.IntN(2) == 0 {
				spec.Columns = append(spec.Columns, c)
			}
		}
	}
	if w.IntN(3) == 0 {
		spec.Rows = []string{pick(w.Rand, "type=day", "type!=day")}
	}
	if w.IntN(2) > 0 {
		a, _ := spec.Period.Bucket(w.begins.AddDate(0, 0, w.IntN(w.days+3)-2).Add(time.Duration(w.IntN(24)) * time.Hour))
		b, _ := spec.Period.Bucket(a.AddDate(0, 0, 1+w.IntN(40)))
		spec.From, spec.To = a.Unix(), b.Unix()
	}
	return spec
}

// ask is what a request is answered at a moment of a history: the rows of each
// part.
func (w home) ask(t *testing.T, h history, spec view.Spec, now time.Time) string {
	t.Helper()
	v, err := view.Parse(w.schema, spec)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	src := h.asOf(w.schema, v.AsOf(now))
	_, err = v.Cut(context.Background(), src, v.Parts(src, now), func(p view.Part, rows []record.Row) error {
		if len(rows) > 0 {
			fmt.Fprintf(&b, "%s\n%s", p.Name, text(v.Schema(), rows))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHistoriesLookAlike: whoever may see days (or months) of half-hourly
// readings gets the same answers, whatever they ask, in whatever order, however
// often, while readings and late ones and corrections come, from two histories
// that differ only in what is hidden: within days, and within the day on which
// something came.
func TestHistoriesLookAlike(t *testing.T) {
	seed := disktest.Seed(t)
	s := readings(t, "Europe/Paris", record.Instant)
	requests, told, finer := 0, 0, 0
	for i := range disktest.Runs(t, 10, 500) {
		w := home{Rand: rand.New(rand.NewPCG(seed, uint64(i))), schema: s, finest: pick(rand.New(rand.NewPCG(seed, uint64(i))), view.Day, view.Month)}
		w.begins = time.Date(2026, time.March, 20+w.IntN(20), 0, 0, 0, 0, s.Location())
		if w.IntN(2) == 0 {
			w.begins = time.Date(2026, time.October, 15+w.IntN(14), 0, 0, 0, 0, s.Location())
		}
		w.days = 3 + w.IntN(14)
		if w.finest == view.Month {
			w.days += 40
		}
		h := w.truth()
		now := w.begins.AddDate(0, 0, w.days/2)
		for range 8 {
			now = now.Add(time.Duration(w.Int64N(int64(w.days) * int64(5*time.Hour))))
			twin := w.twin(h, now)
			for range 1 + w.IntN(4) {
				spec := w.request(w.finest)
				requests++
				a, b := w.ask(t, h, spec, now), w.ask(t, twin, spec, now)
				if a != b {
					t.Fatalf("run %d: at %s, %s:\n%s\nand of the twin\n%s", i, now, describeSpec(spec), a, b)
				}
				if a != "" {
					told++
				}
				// Within one bucket nothing changes, whatever comes.
				begin, end := spec.Period.Bucket(now.In(s.Location()))
				if again := w.ask(t, h, spec, begin.Add(time.Duration(w.Int64N(int64(end.Sub(begin)))))); again != a {
					t.Fatalf("run %d: asked again in the same %s, %s:\n%s\nand\n%s", i, spec.Period, describeSpec(spec), a, again)
				}
			}
			// The control: whoever may see half-hours tells the two apart.
			spec := view.Spec{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.HalfHour}
			if w.ask(t, h, spec, now) != w.ask(t, twin, spec, now) {
				finer++
			}
		}
	}
	t.Logf("%d requests answered alike, %d of them with rows; half-hours told the histories apart %d times", requests, told, finer)
	if told < requests/3 || finer < requests/8 {
		t.Error("the test sees too little")
	}
}

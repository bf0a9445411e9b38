// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
)

// zones are those in which clocks do what they should not: at midnight, by
// half an hour, at a minute past, with a day left out, or nothing at all.
var zones = []string{"Europe/Paris", "Australia/Lord_Howe", "America/St_Johns", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "UTC"}

// readings is a schema with a field of each kind. Its time is an instant or a
// day, or there is none.
func readings(t testing.TB, zone string, timeType record.Type) *record.Schema {
	t.Helper()
	format, notes := "date-time", `"time": "start", "end": "end",`
	switch timeType {
	case record.Day:
		format = "date"
	case "":
		notes = ""
	}
	all := `["sum", "mean", "min", "max", "count"]`
	s, err := record.ParseSchema([]byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:readings",
		"title": "Readings", "type": "object",
		"traboule": {` + notes + ` "zone": "` + zone + `", "holder": "H", "keys": [["start", "place"]]},
		"properties": {
			"meter": {"type": "string", "traboule": {"folds": ["count"]}},
			"start": {"type": "string", "format": "` + format + `"},
			"end": {"type": "string", "format": "` + format + `"},
			"type": {"type": "string", "traboule": {"category": true, "fr": {"title": "Sorte"}}},
			"energy": {"type": "number", "title": "Energy", "traboule": {"fr": {"title": "Énergie"}, "unit": "KWH", "folds": ` + all + `}},
			"steps": {"type": "integer", "traboule": {"folds": ` + all + `}},
			"amount": {"type": "number", "traboule": {"currency": "currency", "folds": ["sum", "count"]}},
			"currency": {"type": "string"},
			"off": {"type": "boolean", "traboule": {"folds": ["count"]}},
			"seen": {"type": "string", "format": "date-time"},
			"due": {"type": "string", "format": "date"},
			"place": {"type": "object", "traboule": {"folds": ["count"]}},
			"caller": {"type": "string", "traboule": {"others": true, "category": true}}
		}}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The rows lie in this span; its second half has a change of each zone's
// clocks, or its neighbourhood does.
var firstRow, lastRow = time.Date(2010, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(2012, 2, 1, 0, 0, 0, 0, time.UTC)

// somewhen is an instant among the rows; many lie close together.
func somewhen(r *rand.Rand) time.Time {
	if r.IntN(3) == 0 {
		around := []time.Time{
			time.Date(2010, 10, 31, 0, 0, 0, 0, time.UTC), time.Date(2011, 3, 27, 0, 0, 0, 0, time.UTC), time.Date(2011, 10, 1, 15, 0, 0, 0, time.UTC),
			time.Date(2010, 11, 7, 2, 30, 0, 0, time.UTC), time.Date(2011, 2, 20, 2, 0, 0, 0, time.UTC), time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC),
		}[r.IntN(6)]
		return around.Add(time.Duration(r.Int64N(int64(4 * time.Hour)))).Truncate(time.Minute)
	}
	t := firstRow.Add(time.Duration(r.Int64N(int64(lastRow.Sub(firstRow)))))
	return t.Truncate([]time.Duration{time.Microsecond, time.Minute, 30 * time.Minute, time.Hour}[r.IntN(4)])
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func number(r *rand.Rand) record.Value {
	switch r.IntN(300) {
	case 0:
		return record.Dec(r.Int64N(2e18-1)-1e18+1, r.IntN(19))
	case 1:
		return record.Dec(999_999_999_999_999_999, 0)
	}
	return record.Dec(r.Int64N(2001)-1000, r.IntN(4))
}

// rowOf is a random row of readings.
func rowOf(r *rand.Rand, s *record.Schema, begins time.Time) record.Row {
	row := make(record.Row, len(s.Fields))
	set := func(name string, v record.Value) {
		if i, _ := s.Index(name); r.IntN(8) > 0 {
			row[i] = v
		}
	}
	end := begins.Add(pick(r, 10*time.Minute, 30*time.Minute, time.Hour, 23*time.Hour, 24*time.Hour, 40*24*time.Hour, -time.Hour))
	moment := func(t time.Time) record.Value {
		if f, _ := s.Field("start"); f.Type == record.Day {
			return record.On(t.In(s.Location()).Date())
		}
		return record.At(t)
	}
	set("start", moment(begins))
	set("end", moment(end))
	set("meter", record.Str("m"+strconv.Itoa(r.IntN(3))))
	set("type", record.Str(pick(r, "card", "transfer", "é")))
	set("energy", number(r))
	set("steps", record.Int(max(r.Int64N(100), int64(r.IntN(50)/49)<<62)))
	set("amount", number(r))
	set("currency", record.Str(pick(r, "EUR", "CHF")))
	set("off", record.Bool(r.IntN(2) == 0))
	set("seen", record.At(somewhen(r)))
	set("due", record.On(2011, time.Month(1+r.IntN(12)), 1))
	place, err := record.E7(pick(r, 457578137, 457578199, 457600000, -33_8000000, 90e7, -90e7, r.Int64N(180e7)-90e7),
		pick(r, 48320114, 48320200, 48400000, -180e7, 180e7, 1799999999, r.Int64N(360e7)-180e7))
	if err != nil {
		panic(err)
	}
	set("place", place)
	set("caller", record.Str(pick(r, "Ann", "Bob")))
	return row
}

// shelf is a source of rows in batches.
type shelf struct {
	schema  *record.Schema
	batches []*record.Batch
	rows    []record.Row
}

// shelve puts rows into batches of so many.
func shelve(s *record.Schema, rows []record.Row, size int) *shelf {
	sh := &shelf{schema: s, rows: rows}
	for b := record.NewBuilder(s); len(rows) > 0; b.Reset() {
		for _, row := range rows[:min(size, len(rows))] {
			b.Add(row)
		}
		sh.batches, rows = append(sh.batches, b.Batch()), rows[min(size, len(rows)):]
	}
	return sh
}

func (s *shelf) Scan(ctx context.Context, fields []int, from, to int64, fn func(*record.Batch) error) error {
	for _, b := range s.batches {
		out := &record.Batch{Len: b.Len}
		for _, i := range fields {
			out.Columns = append(out.Columns, b.Columns[i])
		}
		if err := fn(out); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Any(from, to int64) bool {
	return slices.ContainsFunc(s.rows, func(row record.Row) bool {
		t, ok := s.schema.When(row)
		return !ok || from <= t && t < to
	})
}

func (s *shelf) Span() (first, last int64, ok bool) {
	for _, row := range s.rows {
		if t, dated := s.schema.When(row); dated {
			if !ok {
				first, last, ok = t, t, true
			}
			first, last = min(first, t), max(last, t)
		}
	}
	return first, last, ok
}

// text is rows as JSON lines.
func text(s *record.Schema, rows []record.Row) string {
	var b []byte
	for _, row := range rows {
		b = append(s.AppendJSON(b, row), '\n')
	}
	return string(b)
}

func at(t testing.TB, zone *time.Location, s string) time.Time {
	t.Helper()
	when, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func describeSpec(s view.Spec) string {
	return fmt.Sprintf("columns %q rows %q from %d to %d period %s grid %s", s.Columns, s.Rows, s.From, s.To, s.Period, s.Grid)
}

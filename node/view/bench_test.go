// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"context"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// tenYears is a set of half-hourly readings of ten years: 175,000 rows.
func tenYears(b *testing.B) (*record.Schema, *record.Set) {
	s, ok := catalogue.Kind("electricity-load-curve")
	if !ok {
		b.Fatal("no such kind")
	}
	c, set := newSet(b, s)
	im := set.Import(context.Background(), c)
	row := make(record.Row, len(s.Fields))
	begin := time.Date(2016, time.January, 1, 0, 0, 0, 0, s.Location())
	put := func(name string, v record.Value) {
		i, _ := s.Index(name)
		row[i] = v
	}
	for i := range 175_000 {
		at := begin.Add(time.Duration(i) * 30 * time.Minute)
		put("start", record.At(at))
		put("end", record.At(at.Add(30*time.Minute)))
		put("energy", record.Dec(int64(i*7919%1500), 3))
		if err := im.Add(row); err != nil {
			b.Fatal(err)
		}
	}
	change, err := im.Finish(record.Meta{When: begin.Unix(), Format: "test"})
	if err != nil {
		b.Fatal(err)
	}
	return s, change.Set.Over(c)
}

func dailySums(b *testing.B, s *record.Schema) *view.View {
	v, err := view.Parse(s, view.Spec{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// held is a set whose columns are in memory already.
type held struct {
	drawer
	batches []*record.Batch
}

func (h held) Scan(_ context.Context, _ []int, _, _ int64, fn func(*record.Batch) error) error {
	for _, b := range h.batches {
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkDailySums cuts ten years of half-hours into days: out of segments,
// as for a node that was closed, and out of columns that are in memory.
func BenchmarkDailySums(b *testing.B) {
	s, set := tenYears(b)
	v, now := dailySums(b, s), time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)
	warm := held{drawer: drawer{set}}
	if err := set.Scan(context.Background(), record.Query{Columns: []string{"start", "end", "energy"}}, func(batch *record.Batch) error {
		warm.batches = append(warm.batches, batch)
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for name, src := range map[string]view.Source{"cold": drawer{set}, "warm": warm} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if rows, err := v.Rows(context.Background(), src, now); err != nil || len(rows) < 3600 {
					b.Fatal(len(rows), err)
				}
			}
		})
	}
}

// BenchmarkOneMonth brings a live view up to date after one row came: the parts
// are listed, and the one that changed is cut.
func BenchmarkOneMonth(b *testing.B) {
	s, set := tenYears(b)
	v, now := dailySums(b, s), time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		src := of(v, set, now)
		parts := v.Parts(src, now)
		if _, err := v.Cut(context.Background(), src, parts[len(parts)-1:], func(view.Part, []record.Row) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

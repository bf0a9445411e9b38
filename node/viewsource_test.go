// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
)

// objectsInMemory are the objects of one version.
type objectsInMemory map[string][]byte

func (o objectsInMemory) Get(_ context.Context, path string) ([]byte, error) {
	b, ok := o[path]
	if !ok {
		return nil, fmt.Errorf("no object %s", path)
	}
	return b, nil
}

func (o objectsInMemory) Write(path string, content []byte) error {
	o[path] = content
	return nil
}

// readings is a schema of numbers that may have no time.
const readings = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:traboule:kind:readings",
  "title": "Readings", "type": "object",
  "traboule": {"fr": {"title": "Relevés"}, "zone": "Europe/Paris", "time": "at", "keys": [["name"]]},
  "properties": {
    "at": {"type": "string", "format": "date-time", "title": "At", "traboule": {"fr": {"title": "Le"}}},
    "name": {"type": "string", "title": "Name", "traboule": {"fr": {"title": "Nom"}}},
    "value": {"type": "number", "title": "Value", "traboule": {"fr": {"title": "Valeur"}, "folds": ["sum"]}}
  },
  "additionalProperties": false
}`

// TestViewSource: what a view is cut from is the rows that count, at the moment
// that matters, those without a time among them.
func TestViewSource(t *testing.T) {
	schema, err := record.ParseSchema([]byte(readings))
	if err != nil {
		t.Fatal(err)
	}
	objects := objectsInMemory{}
	set, err := record.Create(schema, objects)
	if err != nil {
		t.Fatal(err)
	}
	set = set.Over(objects)
	day := func(d, hour int) time.Time { return time.Date(2026, 11, d, hour, 0, 0, 0, schema.Location()) }
	put := func(when time.Time, rows ...record.Row) {
		t.Helper()
		im := set.Import(t.Context(), objects)
		for _, r := range rows {
			if err := im.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		c, err := im.Finish(record.Meta{When: when.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		set = c.Set
	}
	row := func(at time.Time, name string, n int64) record.Row {
		return record.Row{record.At(at), record.Str(name), record.Dec(n, 0)}
	}
	put(day(3, 12), row(day(1, 1), "a", 1), row(day(2, 1), "b", 2), record.Row{record.Null, record.Str("c"), record.Dec(4, 0)})
	put(day(4, 12), row(day(1, 2), "d", 8), row(day(2, 1), "b", 16)) // b is corrected

	numbers := func(src view.Source, from, to time.Time) map[string]int64 {
		t.Helper()
		got := map[string]int64{}
		err := src.Scan(t.Context(), []int{2, 1}, from.UnixMicro(), to.UnixMicro(), func(b *record.Batch) error {
			for i := range b.Len {
				n, _ := b.Columns[0].Decimal(i)
				got[b.Columns[1].Text(i)] += n
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	v, err := view.Parse(schema, view.Spec{Columns: []string{"at", "value/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day})
	if err != nil {
		t.Fatal(err)
	}
	epoch := time.UnixMicro(0)
	asOf := func(now time.Time) view.Source { return allOf(set.At(set.Before(v.AsOf(now).Unix()))) }
	for _, c := range []struct {
		name     string
		src      view.Source
		from, to time.Time
		want     map[string]int64
	}{
		{"now", allOf(set), day(1, 0), day(2, 0), map[string]int64{"a": 1, "c": 4, "d": 8}},
		{"corrected", allOf(set), day(2, 0), day(3, 0), map[string]int64{"b": 16, "c": 4}},
		{"without a time", allOf(set), epoch, epoch, map[string]int64{"c": 4}},
		{"as of today", asOf(day(4, 23)), day(1, 0), day(3, 0), map[string]int64{"a": 1, "b": 2, "c": 4}},
		{"as of tomorrow", asOf(day(5, 0)), day(1, 0), day(3, 0), map[string]int64{"a": 1, "b": 16, "c": 4, "d": 8}},
		{"before anything", asOf(day(3, 23)), day(1, 0), day(3, 0), map[string]int64{}},
	} {
		got := numbers(c.src, c.from, c.to)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		if any := c.src.Any(c.from.UnixMicro(), c.to.UnixMicro()); any != (len(c.want) > 0) {
			t.Errorf("%s: %t of %d rows", c.name, any, len(c.want))
		}
	}
	if first, last, ok := allOf(set).Span(); !ok || first > day(1, 1).UnixMicro() || last < day(2, 1).UnixMicro() {
		t.Errorf("from %d to %d, %t", first, last, ok)
	}
	if _, _, ok := asOf(day(1, 0)).Span(); ok {
		t.Error("a set without rows spans something")
	}
}

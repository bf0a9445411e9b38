// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"slices"
	"testing"

	"github.com/traboule/traboule/storage/record"
)

// fuzzed reads bytes twice: whatever they are, the reading ends without a fault
// of ours and says the same again, and the rows that it gives can be stored and
// read back.
func fuzzed(t *testing.T, b []byte, o Options) {
	first, rows := takeRows(t, b, o)
	second, again := takeRows(t, b, o)
	if (first.Refused == nil) != (second.Refused == nil) || first.RejectedRows != second.RejectedRows || len(rows) != len(again) {
		t.Fatalf("read twice: %v, then %v", first, second)
	}
	for kind, list := range rows {
		if !slices.EqualFunc(list, again[kind], slices.Equal[record.Row]) {
			t.Fatalf("%s read twice: %v, then %v", kind.Kind, list, again[kind])
		}
		stored(t, kind, list)
	}
}

// fuzzFormat is fuzzed for one format, whether it fits or not.
func fuzzFormat(t *testing.T, format string, b []byte) { fuzzed(t, b, Options{As: format}) }

// fuzzBank is a fuzz target of one format of banks.
func fuzzBank(f *testing.F, format string, o Options) {
	o.As = format
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, b, o) })
}

// takeRows are the rows of a file by their kinds, the first thousand of each.
func takeRows(t *testing.T, b []byte, o Options) (*Report, map[*record.Schema][]record.Row) {
	rows := map[*record.Schema][]record.Row{}
	r, err := Read(context.Background(), Content("x", b, o), &Sink{Take: func(kind *record.Schema, row record.Row) error {
		if len(rows[kind]) < 1000 {
			rows[kind] = append(rows[kind], slices.Clone(row))
		}
		return nil
	}})
	if err != nil || r.Refused != nil && (r.Refused.Code == "importer-failed" || r.Refused.Code == "no-such-format") {
		t.Fatalf("%v, %v", err, r.Refused)
	}
	return r, rows
}

// stored writes rows as a segment and reads it.
func stored(t *testing.T, kind *record.Schema, rows []record.Row) {
	b := record.NewBuilder(kind)
	for _, row := range rows {
		b.Add(row)
	}
	file, err := record.EncodeSegment(kind, b.Batch())
	if err != nil {
		t.Fatal(err)
	}
	segment, err := record.OpenSegment(kind, file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range kind.Fields {
		column, err := segment.Column(i)
		if err != nil {
			t.Fatal(err)
		}
		for j, row := range rows {
			if column.Value(j) != row[i] {
				t.Fatalf("%s.%s: %v is stored as %v", kind.Kind, kind.Fields[i].Name, row[i], column.Value(j))
			}
		}
	}
}

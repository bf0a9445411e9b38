// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"slices"
	"testing"

	"github.com/traboule/traboule/storage/record"
)

// taken is a row that a sink got.
type taken struct {
	kind *record.Schema
	row  record.Row
}

// String is the row as JSON, behind its kind.
func (x taken) String() string { return x.kind.Kind + " " + string(x.kind.AppendJSON(nil, x.row)) }

// take reads a file and keeps its rows. Its rows fit their kinds, and it is not
// refused by a fault of ours.
func take(t testing.TB, in string, o Options) (*Report, []taken) {
	t.Helper()
	var rows []taken
	r, err := Read(context.Background(), Content("x", []byte(in), o), &Sink{Take: func(kind *record.Schema, row record.Row) error {
		rows = append(rows, taken{kind, slices.Clone(row)})
		return kind.Check(row)
	}})
	if err != nil || r.Refused != nil && (r.Refused.Code == "importer-failed" || r.Refused.Code == "no-such-format") {
		t.Fatalf("%v, %v", err, r.Refused)
	}
	return r, rows
}

// fuzzed reads bytes twice: whatever they are, the reading ends without a fault
// of ours and says the same again, and the rows that it gives can be stored and
// read back.
func fuzzed(t *testing.T, b []byte, o Options) {
	first, rows := take(t, string(b), o)
	second, again := take(t, string(b), o)
	same := func(a, b taken) bool { return a.kind == b.kind && slices.Equal(a.row, b.row) }
	if (first.Refused == nil) != (second.Refused == nil) || first.RejectedRows != second.RejectedRows || !slices.EqualFunc(rows, again, same) {
		t.Fatalf("read twice: %v %v, then %v %v", first, rows, second, again)
	}
	kinds := map[*record.Schema][]record.Row{}
	for _, x := range rows {
		kinds[x.kind] = append(kinds[x.kind], x.row)
	}
	for kind, list := range kinds {
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

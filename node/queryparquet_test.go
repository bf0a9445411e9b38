// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/traboule/traboule/storage/record"
)

// TestQueryParquet: a Parquet file has all rows that are asked for, in as many
// row groups as it takes, however many that are, and no more than the limit.
func TestQueryParquet(t *testing.T) {
	t.Parallel()
	m := newMeter(newPerson(t, "alice", novemberClock()))
	const many = record.MaxRows + 1000
	m.reads(m.at(1, 1, 0).AddDate(-9, 0, 0), slices.Repeat([]int{1, 2}, many/2)...)
	for _, c := range []struct{ limit, want int }{{0, many}, {many - 1, many - 1}, {many, many}, {3, 3}} {
		var file []byte
		r, err := Query.Do(t.Context(), m.Node, QueryRequest{Name: m.name, Columns: []string{"start", "energy"}, Format: "parquet", Limit: c.limit}, func(p Progress) {
			file = append(file, p.Part...)
		})
		if err != nil || r.Rows != c.want || r.More != (c.want < many) {
			t.Fatalf("with a limit of %d: %d rows of %d, more: %t, %v", c.limit, r.Rows, many, r.More, err)
		}
		f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil || f.NumRows() != int64(c.want) {
			t.Fatalf("with a limit of %d: %v", c.limit, err)
		}
		if rows, sum := energies(t, f); rows != c.want || sum != c.want/2*3+c.want%2 {
			t.Errorf("with a limit of %d: %d rows, %d watt-hours", c.limit, rows, sum)
		}
	}
}

// energies reads a file with another's library: how many rows have an energy,
// and how much.
func energies(t *testing.T, f *parquet.File) (rows, sum int) {
	t.Helper()
	column, ok := f.Schema().Lookup("energy")
	if !ok {
		t.Fatal("no energy")
	}
	for _, g := range f.RowGroups() {
		pages := g.ColumnChunks()[column.ColumnIndex].Pages()
		for {
			p, err := pages.ReadPage()
			if err != nil {
				break
			}
			values := make([]parquet.Value, p.NumValues())
			n, _ := p.Values().ReadValues(values)
			for _, v := range values[:n] {
				rows, sum = rows+1, sum+int(v.Int64())
			}
		}
		if err := pages.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows, sum
}

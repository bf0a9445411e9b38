// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"math/big"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

// Another reader finds in an export what was exported, row group by row group.
func TestExportIsParquet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := schemaOf(t, nil, rapid.SliceOfN(rapid.SampledFrom(allTypes), 1, 6).Draw(rt, "types")...)
		var batches [][]Row
		for range rapid.IntRange(0, 3).Draw(rt, "batches") {
			batches = append(batches, drawRows(rt, s, 100))
		}
		var out bytes.Buffer
		err := WriteParquet(&out, s, func(fn func(*Batch) error) error {
			for _, rows := range batches {
				b := NewBuilder(s)
				for _, r := range rows {
					b.Add(r)
				}
				if err := fn(b.Batch()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
		f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			rt.Fatal(err)
		}
		if len(f.RowGroups()) != len(batches) || f.NumRows() != int64(len(slices.Concat(batches...))) {
			rt.Fatalf("%d row groups and %d rows of %d batches", len(f.RowGroups()), f.NumRows(), len(batches))
		}
		for _, leaf := range f.Schema().Columns() {
			column, _ := f.Schema().Lookup(leaf...)
			for i, g := range f.RowGroups() {
				checkForeign(rt, s, batches[i], leaf[0], column, g.ColumnChunks()[column.ColumnIndex].Pages())
				checkNullCount(rt, s, batches[i], out.Bytes(), f.Metadata().RowGroups[i].Columns[column.ColumnIndex].MetaData)
			}
		}
	})
}

// Totals are exact, however large.
func TestTotals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := schemaOf(t, map[string]any{"time": "a0"}, Instant, Decimal, Integer)
		rows := drawRows(rt, s, 50)
		want := [3]big.Rat{}
		b := NewBuilder(s)
		var one Totals
		for _, r := range rows {
			b.Add(r)
			one.AddRow(s, r)
			for i := 1; i < 3; i++ {
				if !r[i].IsNull() {
					n, _ := new(big.Rat).SetString(r[i].String())
					want[i].Add(&want[i], n)
				}
			}
		}
		var all Totals
		all.Add(s, b.Batch())
		for i, name := range []string{"b1", "c2"} {
			for _, got := range []string{all.Sum(name), one.Sum(name)} {
				if n, ok := new(big.Rat).SetString(got); !ok || n.Cmp(&want[i+1]) != 0 {
					rt.Fatalf("%s: %s, should be %s", name, got, want[i+1].FloatString(18))
				}
			}
		}
		if all.Rows != len(rows) || one.Rows != len(rows) || all.First != one.First || all.Last != one.Last || all.Dated != one.Dated {
			rt.Fatalf("%+v, and row by row %+v", all, one)
		}
	})
}

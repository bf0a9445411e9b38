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

// A total is exact, however large.
func TestTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var total Total
		want := new(big.Rat)
		for _, kind := range rapid.SliceOf(rapid.SampledFrom([]Type{Decimal, Integer})).Draw(t, "kinds") {
			v := drawValue(t, kind, false)
			total.Add(v)
			if !v.IsNull() {
				n, _ := new(big.Rat).SetString(v.String())
				want.Add(want, n)
			}
		}
		if got, ok := new(big.Rat).SetString(total.String()); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%s, should be %s", &total, want.FloatString(18))
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"
)

// Rows come back from a segment as they were, whatever the schema.
func TestSegmentsKeepRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := schemaOf(t, nil, rapid.SliceOfN(rapid.SampledFrom(allTypes), 1, 9).Draw(rt, "types")...)
		rows := drawRows(rt, s, 400)
		file := encode(t, s, rows)
		seg, err := OpenSegment(s, file)
		if err != nil {
			rt.Fatal(err)
		}
		if seg.Rows != len(rows) {
			rt.Fatalf("%d rows of %d", seg.Rows, len(rows))
		}
		for j := range s.Fields {
			c, err := seg.Column(j)
			if err != nil {
				rt.Fatal(err)
			}
			for i, r := range rows {
				if c.Value(i) != r[j] {
					rt.Fatalf("row %d: field %s %s is %#v, was %#v", i, s.Fields[j].Name, s.Fields[j].Type, c.Value(i), r[j])
				}
			}
		}
	})
}

func encode(t testing.TB, s *Schema, rows []Row) []byte {
	t.Helper()
	b := NewBuilder(s)
	for _, r := range rows {
		b.Add(r)
	}
	file, err := EncodeSegment(s, b.Batch())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Another reader finds the same rows: the pages are written here, not by the
// library.
func TestSegmentsAreParquet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := schemaOf(t, nil, rapid.SliceOfN(rapid.SampledFrom(allTypes), 1, 6).Draw(rt, "types")...)
		rows := drawRows(rt, s, 300)
		file := encode(t, s, rows)
		f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			rt.Fatal(err)
		}
		if f.NumRows() != int64(len(rows)) || len(f.RowGroups()) != 1 {
			rt.Fatalf("%d rows in %d row groups", f.NumRows(), len(f.RowGroups()))
		}
		for _, leaf := range f.Schema().Columns() {
			column, _ := f.Schema().Lookup(leaf...)
			checkForeign(rt, s, rows, leaf[0], column, f.RowGroups()[0].ColumnChunks()[column.ColumnIndex].Pages())
			checkNullCount(rt, s, rows, file, f.Metadata().RowGroups[0].Columns[column.ColumnIndex].MetaData)
		}
	})
}

func checkForeign(t *rapid.T, s *Schema, rows []Row, name string, leaf parquet.LeafColumn, pages parquet.Pages) {
	field, part, _ := bytes.Cut([]byte(name), []byte("_"))
	j, ok := s.Index(string(field))
	if !ok {
		t.Fatalf("a column %q", name)
	}
	page, err := pages.ReadPage()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]parquet.Value, len(rows)+1)
	n, err := page.Values().ReadValues(values)
	if n != len(rows) || err != io.EOF {
		t.Fatalf("%s: %d values of %d, %v", name, n, len(rows), err)
	}
	for i, r := range rows {
		if got, want := foreign(s.Fields[j], string(part), leaf, values[i]), r[j]; got != spell(want, string(part)) {
			t.Fatalf("row %d: %s is %q, not %q", i, name, got, spell(want, string(part)))
		}
	}
}

// checkNullCount: readers count by what the file says of a column, without
// reading it, and leave whole conditions out.
func checkNullCount(t *rapid.T, s *Schema, rows []Row, file []byte, meta format.ColumnMetaData) {
	name, _, _ := strings.Cut(meta.PathInSchema[0], "_")
	j, _ := s.Index(name)
	nulls := 0
	for _, r := range rows {
		if r[j].IsNull() {
			nulls++
		}
	}
	var page format.PageHeader
	if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(bytes.NewReader(file[meta.DataPageOffset:]))).Decode(&page); err != nil {
		t.Fatal(err)
	}
	for _, said := range []int64{meta.Statistics.NullCount, page.DataPageHeader.V.Statistics.NullCount} {
		if said != int64(nulls) {
			t.Fatalf("%s: said to have %d nulls, has %d", name, said, nulls)
		}
	}
}

func spell(v Value, part string) string {
	if v.Type() != Place {
		return v.String()
	}
	lat, lon := v.E7()
	if part == "lat" {
		return Int(int64(lat)).String()
	}
	return Int(int64(lon)).String()
}

// foreign spells what the library read, by the logical type that it read.
func foreign(f Field, part string, leaf parquet.LeafColumn, v parquet.Value) string {
	logical := leaf.Node.Type().LogicalType()
	switch {
	case v.IsNull():
		return ""
	case part != "":
		return Int(int64(v.Int32())).String()
	case f.Type == Boolean:
		return Bool(v.Boolean()).String()
	case f.Type == Integer:
		return Int(v.Int64()).String()
	case logical == nil:
		return "no logical type"
	}
	switch logical.String() {
	case "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)":
		return Micros(v.Int64()).String()
	case "DATE":
		return Days(int64(v.Int32())).String()
	case "STRING":
		return string(v.ByteArray())
	}
	return decimalOf(v, logical.String())
}

func decimalOf(v parquet.Value, logical string) string {
	var precision, scale int
	if _, err := fmt.Sscanf(logical, "DECIMAL(%d,%d)", &precision, &scale); err != nil {
		return logical
	}
	n := big.NewInt(0)
	if v.Kind() == parquet.Int64 {
		n.SetInt64(v.Int64())
	} else if n.SetBytes(v.ByteArray()); v.ByteArray()[0] >= 128 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	s := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(scale)
	d, err := ParseDec(s)
	if err != nil {
		return err.Error()
	}
	return d.String()
}

// Whatever the bytes are, a segment is read or refused, within bounds.
func FuzzOpenSegment(f *testing.F) {
	s := schemaOf(f, nil, allTypes...)
	lyon, _ := Degrees(45.75, 4.83)
	full := Row{Micros(1), Days(2), Dec(12345, 2), Int(-7), Bool(true), Str("x"), lyon}
	f.Add(encode(f, s, []Row{full, make(Row, 7), full}))
	f.Add(encode(f, s, []Row{full}))
	wide := Row{Null, Null, Dec(1, 18), Null, Null, Str("y"), Null}
	f.Add(encode(f, s, []Row{wide, {Null, Null, Dec(1e17, 0), Null, Null, Str("y"), Null}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		seg, err := OpenSegment(s, b)
		if err != nil {
			return
		}
		batch := &Batch{Len: seg.Rows}
		for i := range s.Fields {
			c, err := seg.Column(i)
			if err != nil {
				return
			}
			batch.Columns = append(batch.Columns, c)
		}
		again, err := EncodeSegment(s, batch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSegment(s, again); err != nil {
			t.Fatalf("read, written and not read again: %v", err)
		}
	})
}

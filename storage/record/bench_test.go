// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// positionsSchema is of the shape of five years of a phone's positions.
func positionsSchema(t testing.TB) *Schema {
	return schemaOf(t, map[string]any{"time": "a0", "keys": [][]string{{"a0", "b1"}}},
		Instant, Place, Decimal, Decimal, Decimal, Decimal, Text, Text, Text, Text)
}

// eachPosition hands over n positions, as a phone says where it is every 80
// seconds.
func eachPosition(n int, fn func(Row)) {
	r := rand.New(rand.NewPCG(1, 2))
	when, lat, lon := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), 457500000.0, 48300000.0
	sources, activities := []Value{Str("WIFI"), Str("GPS"), Str("CELL"), Null}, []Value{Str("STILL"), Str("WALKING"), Str("IN_VEHICLE"), Null, Null}
	row := make(Row, 10)
	for range n {
		when += 60e6 + r.Int64N(40e3)*1000
		lat, lon = lat+r.NormFloat64()*3000, lon+r.NormFloat64()*4000
		place, _ := E7(int64(lat), int64(lon))
		row[0], row[1], row[2] = Micros(when), place, Dec(3+r.Int64N(60), 0)
		row[3], row[4], row[5] = Null, Null, Null
		if r.IntN(4) == 0 {
			row[3], row[4], row[5] = Dec(160+r.Int64N(80), 0), Dec(r.Int64N(30), 0), Dec(r.Int64N(360), 0)
		}
		row[6], row[7], row[8] = sources[r.IntN(4)], activities[r.IntN(5)], Str("-1042357901")
		fn(row)
	}
}

// eachReading hands over ten years of half-hourly readings.
func eachReading(n int, fn func(Row)) {
	r := rand.New(rand.NewPCG(3, 4))
	when := time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	row := make(Row, 6)
	for i := range n {
		power := 90 + r.Int64N(60) + int64(float64(2500)*r.Float64()*float64(i/2%24)/24)
		row[0], row[1] = Str("meter"), Str("consumption")
		row[2], row[3] = Micros(when), Micros(when+1800e6)
		row[4], row[5] = Dec(power, 0), Dec(power*5, 4)
		when += 1800e6
		fn(row)
	}
}

func readingsSchema(t testing.TB) *Schema {
	return schemaOf(t, map[string]any{"time": "c2", "end": "d3", "keys": [][]string{{"a0", "b1", "c2", "d3"}}},
		Text, Text, Instant, Instant, Decimal, Decimal)
}

func filled(t testing.TB, s *Schema, n int, each func(int, func(Row))) *data {
	d := newData(t, s)
	w := store{}
	im := d.set.Import(context.Background(), w)
	each(n, func(r Row) {
		if err := im.Add(r); err != nil {
			t.Fatal(err)
		}
	})
	c, err := im.Finish(Meta{When: 2})
	d.apply(w, c, err)
	return d
}

func (s store) size() (n int) {
	for _, b := range s {
		n += len(b)
	}
	return n
}

// rowsPerSecond reports how fast rows went.
func rowsPerSecond(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

const positions, readings = 2_000_000, 175_000

func BenchmarkImportPositions(b *testing.B) {
	s := positionsSchema(b)
	var d *data
	for b.Loop() {
		d = filled(b, s, positions, eachPosition)
	}
	rowsPerSecond(b, positions)
	b.ReportMetric(float64(d.objs.size())/positions, "bytes/row")
}

func BenchmarkImportPositionsAgain(b *testing.B) {
	d := filled(b, positionsSchema(b), positions, eachPosition)
	for b.Loop() {
		im := d.set.Import(context.Background(), store{})
		eachPosition(positions, func(r Row) { im.Add(r) })
		if c, err := im.Finish(Meta{}); err != nil || c.Written {
			b.Fatal(c, err)
		}
	}
	rowsPerSecond(b, positions)
}

func BenchmarkAppendOne(b *testing.B) {
	d := filled(b, positionsSchema(b), positions, eachPosition)
	last := Row{Micros(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).UnixMicro()), Null, Null, Null, Null, Null, Null, Null, Null, Null}
	for b.Loop() {
		last[0] = Micros(last[0].n + 60e6)
		d.load([]Row{last})
	}
	b.ReportMetric(float64(len(d.objs[LogPath])), "log-bytes")
}

// One row within the time of a full segment, the set opened before.
func BenchmarkOpenAndInsertOne(b *testing.B) {
	d := filled(b, positionsSchema(b), positions, eachPosition)
	when := d.set.log.segments[7].least
	for b.Loop() {
		set, err := Open(context.Background(), d.objs)
		if err != nil {
			b.Fatal(err)
		}
		d.set = set
		when++
		d.load([]Row{{Micros(when), Null, Null, Null, Null, Null, Null, Null, Null, Null}})
	}
}

func BenchmarkScanReadings(b *testing.B) {
	s := readingsSchema(b)
	d := filled(b, s, readings, eachReading)
	for b.Loop() {
		sum := int64(0)
		err := d.set.Scan(context.Background(), Query{Columns: []string{"c2", "f5"}}, func(b *Batch) error {
			for i, n := range b.Columns[1].Ints {
				sum += n + b.Columns[0].Ints[i]&1
			}
			return nil
		})
		if err != nil || sum == 0 {
			b.Fatal(err)
		}
	}
	rowsPerSecond(b, readings)
}

func BenchmarkRowsInOrder(b *testing.B) {
	s := readingsSchema(b)
	d := filled(b, s, readings, eachReading)
	for b.Loop() {
		if err := d.set.Rows(context.Background(), Query{}, func(Number, Row) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	rowsPerSecond(b, readings)
}

// How large segments are beside one Parquet file that the library writes.
func BenchmarkSize(b *testing.B) {
	for name, of := range map[string]struct {
		schema *Schema
		rows   int
		each   func(int, func(Row))
	}{"positions": {positionsSchema(b), positions / 4, eachPosition}, "readings": {readingsSchema(b), readings, eachReading}} {
		b.Run(name, func(b *testing.B) {
			ours := filled(b, of.schema, of.rows, of.each).objs.size()
			theirs := 0
			for b.Loop() {
				theirs = libraryFile(b, of.schema, of.rows, of.each)
			}
			b.ReportMetric(float64(ours)/float64(of.rows), "bytes/row")
			b.ReportMetric(float64(theirs)/float64(of.rows), "library-bytes/row")
			b.ReportMetric(float64(ours)/float64(theirs), "ratio")
		})
	}
}

// libraryFile is the size of all rows in one file, with the library's choices.
func libraryFile(t testing.TB, s *Schema, rows int, each func(int, func(Row))) int {
	group := parquet.Group{}
	for _, f := range s.Fields {
		n := map[Type]parquet.Node{
			Instant: parquet.Timestamp(parquet.Microsecond), Decimal: parquet.Decimal(4, 18, parquet.Int64Type), Text: parquet.Encoded(parquet.String(), &parquet.RLEDictionary),
		}[f.Type]
		if f.Type == Place {
			group[f.Name+latitude], group[f.Name+longitude] = parquet.Int(32), parquet.Int(32)
			continue
		}
		group[f.Name] = parquet.Optional(n)
	}
	var out bytes.Buffer
	w := parquet.NewWriter(&out, parquet.NewSchema("row", group), parquet.Compression(&zstd.Codec{}))
	each(rows, func(r Row) {
		line := map[string]any{}
		for i, f := range s.Fields {
			switch v := r[i]; {
			case v.IsNull():
			case f.Type == Place:
				lat, lon := v.E7()
				line[f.Name+latitude], line[f.Name+longitude] = lat, lon
			case f.Type == Text:
				line[f.Name] = v.s
			case f.Type == Decimal:
				line[f.Name] = v.n * pow10(4-v.scale)
			default:
				line[f.Name] = v.n
			}
		}
		if err := w.Write(line); err != nil {
			t.Fatal(err)
		}
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// A set to which somebody's meter added a row every hour for ten years.
func manyOperations(t testing.TB) *data {
	d := newData(t, schemaOf(t, map[string]any{"time": "a0"}, Instant, Decimal))
	b := NewBuilder(d.set.schema)
	var numbers ranges
	o := newOutput(d.set, d.objs)
	for i := range 87_600 {
		b.Add(Row{Micros(int64(i) * 3600e6), Dec(int64(i), 2)})
		numbers = numbers.add(Number(i))
		d.set.log.append(Operation{Kind: Imported, When: int64(i) * 3600, Files: []string{"hour.json"}, Format: "enedis-json", New: 1, covers: ranges{{Number(i), 1}}})
		if len(d.set.log.all)%500 == 0 {
			if err := d.set.write(d.objs); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := o.write(b.Batch(), numbers); err != nil {
		t.Fatal(err)
	}
	d.set.log.next, d.set.log.segments = 87_600, o.segments
	d.set = newSet(d.set.schema, d.objs, d.set.log)
	if err := d.set.write(d.objs); err != nil {
		t.Fatal(err)
	}
	return d
}

func BenchmarkOpenManyOperations(b *testing.B) {
	d := manyOperations(b)
	for b.Loop() {
		if s, err := Open(context.Background(), d.objs); err != nil || s.Len() != 87_600 {
			b.Fatal(s, err)
		}
	}
}

func BenchmarkAppendToManyOperations(b *testing.B) {
	d := manyOperations(b)
	when := int64(87_600 * 3600e6)
	for b.Loop() {
		when += 3600e6
		d.load([]Row{{Micros(when), Dec(1, 0)}})
	}
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const parquetMagic = "PAR1"

var zip = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

// parquetWriter writes row groups, each column as one data page after perhaps
// one dictionary page, all compressed with Zstandard.
type parquetWriter struct {
	file    []byte // what is not yet written elsewhere
	before  int64  // bytes that are
	leaves  []format.SchemaElement
	columns []format.ColumnChunk // of this row group
	groups  []format.RowGroup
	rows    int64 // of the groups
	same    bool  // all groups have the same columns: none is left out, each may have nulls
	scratch []byte
	err     error
}

func newParquetWriter() *parquetWriter { return &parquetWriter{file: []byte(parquetMagic)} }

func (w *parquetWriter) offset() int64 { return w.before + int64(len(w.file)) }

// cells are how many values a column has, those that are null among them.
type cells struct{ rows, nulls int }

// known is what a page or column says of them: readers believe it.
func (c cells) known() format.Statistics { return format.Statistics{NullCount: int64(c.nulls)} }

// column writes what a field holds. A column of nothing is left out, unless it
// is the first: there are readers that panic at a file without columns.
func (w *parquetWriter) column(f Field, c *Column, rows int) {
	nulls := 0
	for _, null := range c.Nulls {
		if null {
			nulls++
		}
	}
	if nulls == rows && len(w.leaves) > 0 && !w.same {
		return
	}
	known := func(i int) bool { return nulls == 0 || !c.Nulls[i] }
	var levels []byte
	if nulls > 0 || w.same {
		levels = appendLevels(known, rows)
	}
	values := make([]int64, 0, rows-nulls)
	gather := func(from func(i int) int64) []int64 {
		values = values[:0]
		for i := range rows {
			if known(i) {
				values = append(values, from(i))
			}
		}
		return values
	}
	leaf, all := newLeaf(f, c, levels != nil), cells{rows, nulls}
	switch {
	case f.Type == Place:
		lat, lon := leaf, leaf
		lat.Name, lon.Name = f.Name+latitude, f.Name+longitude
		w.numbers(lat, levels, all, gather(func(i int) int64 { return c.Ints[i] >> 32 }))
		w.numbers(lon, levels, all, gather(func(i int) int64 { return int64(int32(c.Ints[i])) }))
	case f.Type == Text:
		w.texts(leaf, levels, all, c, gather(func(i int) int64 { return int64(c.Index[i]) }))
	case c.Scales != nil:
		w.page(leaf, format.Plain, all, appendWides(levels, c, known), nil, 0)
	case c.Type == Boolean:
		w.page(leaf, format.Plain, all, appendBits(levels, gather(func(i int) int64 { return c.Ints[i] })), nil, 0)
	case nulls == 0:
		w.numbers(leaf, levels, all, c.Ints)
	default:
		w.numbers(leaf, levels, all, gather(func(i int) int64 { return c.Ints[i] }))
	}
}

// newLeaf says what a column is in Parquet's words.
func newLeaf(f Field, c *Column, optional bool) format.SchemaElement {
	e := format.SchemaElement{Name: f.Name, Type: thrift.New(physicalOf(f.Type)), RepetitionType: thrift.New(format.Required)}
	if optional {
		e.RepetitionType = thrift.New(format.Optional)
	}
	logical := func(l format.LogicalTypeValue, converted deprecated.ConvertedType) {
		e.LogicalType, e.ConvertedType = format.LogicalType{Value: l}, thrift.New(converted)
	}
	switch f.Type {
	case Instant:
		logical(&format.TimestampType{IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}}}, deprecated.TimestampMicros)
	case Day:
		logical(&format.DateType{}, deprecated.Date)
	case Text:
		logical(&format.StringType{}, deprecated.UTF8)
	case Place:
		e.Type = thrift.New(format.Int32)
	case Decimal:
		scale, precision := int32(c.Scale), int32(MaxDigits)
		if c.Scales != nil {
			scale, precision = MaxDigits, 2*MaxDigits
			e.Type, e.TypeLength = thrift.New(format.FixedLenByteArray), thrift.New(int32(wideBytes))
		}
		logical(&format.DecimalType{Scale: scale, Precision: precision}, deprecated.Decimal)
		e.Scale, e.Precision = thrift.New(scale), thrift.New(precision)
	}
	return e
}

// appendLevels is the beginning of a page of a column that may have nulls.
func appendLevels(known func(int) bool, rows int) []byte {
	bit := make([]uint64, rows, rows+7)
	for i := range bit {
		if known(i) {
			bit[i] = 1
		}
	}
	b := appendRun(make([]byte, 4, rows/8+16), bit, 1)
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// numbers writes the values of a column, in which every one is known.
func (w *parquetWriter) numbers(leaf format.SchemaElement, levels []byte, all cells, values []int64) {
	body := append(w.scratch[:0], levels...)
	size := 64
	if leaf.Type.V == format.Int32 {
		size = 32
	}
	w.scratch = appendDelta(body, values, size)
	w.page(leaf, format.DeltaBinaryPacked, all, w.scratch, nil, 0)
}

func appendBits(dst []byte, values []int64) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, (len(values)+7)/8)...)
	for i, v := range values {
		dst[at+i/8] |= byte(v) << (i % 8)
	}
	return dst
}

func appendWides(dst []byte, c *Column, known func(int) bool) []byte {
	for i, n := range c.Ints {
		if !known(i) {
			continue
		}
		size := uint64(n)
		if n < 0 {
			size = -size
		}
		high, low := bits.Mul64(size, uint64(pow10(MaxDigits-c.Scales[i])))
		if n < 0 {
			var borrow uint64
			low, borrow = bits.Sub64(0, low, 0)
			high, _ = bits.Sub64(0, high, borrow)
		}
		dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, high), low)
	}
	return dst
}

// texts writes a dictionary of the texts that occur and which of them each row
// has; texts that all differ are written one after the other.
func (w *parquetWriter) texts(leaf format.SchemaElement, levels []byte, all cells, c *Column, index []int64) {
	place := make([]int32, len(c.Dict)) // in the dictionary written, from 1
	var dict []byte
	entries := 0
	at := make([]uint64, len(index), len(index)+7)
	for i, n := range index {
		if place[n] == 0 {
			entries++
			place[n] = int32(entries)
			dict = binary.LittleEndian.AppendUint32(dict, uint32(len(c.Dict[n])))
			dict = append(dict, c.Dict[n]...)
		}
		at[i] = uint64(place[n] - 1)
	}
	if entries == len(index) {
		w.page(leaf, format.Plain, all, append(levels, dict...), nil, 0)
		return
	}
	width := max(1, bits.Len(uint(entries-1)))
	body := appendRun(append(levels, byte(width)), at, width)
	w.page(leaf, format.RLEDictionary, all, body, dict, entries)
}

// page writes a column: its dictionary, if it has one, and its data.
func (w *parquetWriter) page(leaf format.SchemaElement, enc format.Encoding, all cells, body, dict []byte, entries int) {
	start := w.offset()
	meta := format.ColumnMetaData{
		Type: leaf.Type.V, Encoding: thrift.Slice[format.Encoding]{enc, format.RLE}, PathInSchema: thrift.Slice[string]{leaf.Name},
		Codec: format.Zstd, NumValues: int64(all.rows), Statistics: all.known(),
	}
	if dict != nil {
		meta.Encoding = append(meta.Encoding, format.Plain)
		meta.DictionaryPageOffset = start
		meta.TotalUncompressedSize += w.write(format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{
			NumValues: int32(entries), Encoding: format.Plain,
		})}, dict)
	}
	meta.DataPageOffset = w.offset()
	meta.TotalUncompressedSize += w.write(format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{
		NumValues: int32(all.rows), Statistics: all.known(), Encoding: enc, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
	})}, body)
	meta.TotalCompressedSize = w.offset() - start
	if len(w.groups) == 0 {
		w.leaves = append(w.leaves, leaf)
	}
	w.columns = append(w.columns, format.ColumnChunk{FileOffset: start, MetaData: meta})
}

// write writes a page and says how large it is when decompressed.
func (w *parquetWriter) write(head format.PageHeader, body []byte) int64 {
	packed := zip().EncodeAll(body, nil)
	head.UncompressedPageSize, head.CompressedPageSize = int32(len(body)), int32(len(packed))
	h, err := thrift.Marshal(&thrift.CompactProtocol{}, &head)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.file = append(append(w.file, h...), packed...)
	return int64(len(h) + len(body))
}

// group ends a row group.
func (w *parquetWriter) group(rows int) {
	group := format.RowGroup{Columns: w.columns, NumRows: int64(rows), FileOffset: w.columns[0].FileOffset, Ordinal: int16(len(w.groups))}
	for _, c := range w.columns {
		group.TotalByteSize += c.MetaData.TotalUncompressedSize
		group.TotalCompressedSize += c.MetaData.TotalCompressedSize
	}
	w.groups, w.columns, w.rows = append(w.groups, group), nil, w.rows+int64(rows)
}

// finish writes the description of the file.
func (w *parquetWriter) finish() ([]byte, error) {
	root := format.SchemaElement{Name: "row", NumChildren: thrift.New(int32(len(w.leaves)))}
	meta := format.FileMetaData{
		Version: 2, NumRows: w.rows, CreatedBy: "traboule",
		Schema: append(thrift.Slice[format.SchemaElement]{root}, w.leaves...), RowGroups: w.groups,
	}
	b, err := thrift.Marshal(&thrift.CompactProtocol{}, &meta)
	if w.err != nil {
		err = w.err
	}
	if err != nil {
		return nil, fmt.Errorf("write a segment: %w", err)
	}
	w.file = append(w.file, b...)
	w.file = binary.LittleEndian.AppendUint32(w.file, uint32(len(b)))
	w.file = append(w.file, parquetMagic...)
	return w.file, nil
}

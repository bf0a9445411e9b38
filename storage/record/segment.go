// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go/format"
)

// Limits of a segment.
const (
	MaxRows    = 131072   // rows
	MaxSegment = 64 << 20 // bytes, decoded: all columns together
	maxCells   = 2 << 20  // rows times fields, of those written
	maxRead    = 3 << 20  // rows times fields, of those read
	maxTexts   = 32 << 20 // bytes of the texts of one segment
)

// ErrBadSegment is in every error of a segment that cannot be read.
var ErrBadSegment = errors.New("not a segment of records")

// Segment is up to [MaxRows] rows as they are stored: a Parquet file with one
// row group, whose columns are decoded when they are asked for. It may be used
// from several goroutines.
type Segment struct {
	Rows int

	schema *Schema
	file   []byte
	chunks map[string]chunk // by the name of the Parquet column
}

// chunk is where a Parquet column lies, and what it is.
type chunk struct {
	physical   format.Type
	width      int // of fixed-length byte arrays
	scale      int
	optional   bool
	dictionary int64 // offset of the page; 0 for none
	data       int64 // offset of the page
	size       int   // decoded
}

// most is how many bytes so many rows of the column can take, decoded.
func (c chunk) most(rows int64) int64 {
	if c.physical == format.ByteArray {
		return rows*(MaxText+16) + 4096
	}
	return rows*20 + 4096
}

// EncodeSegment writes rows of a schema as a segment. They are at most
// [MaxRows] and their columns all those of the schema.
func EncodeSegment(s *Schema, b *Batch) ([]byte, error) {
	if b.Len == 0 || b.Len > MaxRows || len(b.Columns) != len(s.Fields) {
		return nil, fmt.Errorf("write a segment of %d rows and %d columns: 1 to %d and %d are possible", b.Len, len(b.Columns), MaxRows, len(s.Fields))
	}
	w := newParquetWriter()
	for i, f := range s.Fields {
		w.column(f, b.Columns[i], b.Len)
	}
	w.group(b.Len)
	return w.finish()
}

// OpenSegment reads the description of a segment. The bytes may come from
// anybody: each step is within [MaxRows] and [MaxSegment]. They must not change
// as long as the segment is used.
func OpenSegment(s *Schema, b []byte) (*Segment, error) {
	n := len(b)
	if n < 12 || n > MaxSegment || string(b[:4]) != parquetMagic || string(b[n-4:]) != parquetMagic {
		return nil, fmt.Errorf("%w: not a Parquet file of at most %d bytes", ErrBadSegment, MaxSegment)
	}
	length := binary.LittleEndian.Uint32(b[n-8:])
	if uint64(length) > uint64(n-12) {
		return nil, fmt.Errorf("%w: its description is cut off", ErrBadSegment)
	}
	end := n - 8 - int(length)
	meta, _, err := readThrift(b[end:n-8], 1<<16)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSegment, err)
	}
	seg := &Segment{schema: s, file: b[:end], chunks: map[string]chunk{}}
	if err := seg.describe(meta); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSegment, err)
	}
	return seg, nil
}

// describe takes what is needed from the file's metadata; the numbers are those
// of the fields of Thrift's FileMetaData and the structures in it.
func (seg *Segment) describe(meta node) error {
	leaves, groups, rows := meta.at(2).list, meta.at(4).list, meta.at(3).n
	if len(groups) != 1 || len(leaves) == 0 || rows < 1 || rows > MaxRows || groups[0].at(3).n != rows {
		return fmt.Errorf("%d row groups, %d rows; one of 1 to %d is possible", len(groups), rows, MaxRows)
	}
	if cells := rows * int64(len(seg.schema.Fields)); cells > maxRead {
		return fmt.Errorf("%d rows of %d fields; %d values are possible", rows, len(seg.schema.Fields), maxRead)
	}
	seg.Rows = int(rows)
	leaves, columns := leaves[1:], groups[0].at(1).list
	if len(columns) != len(leaves) || len(leaves) > 2*MaxFields {
		return fmt.Errorf("%d columns of %d", len(columns), len(leaves))
	}
	left := int64(MaxSegment)
	for i, leaf := range leaves {
		name, m := string(leaf.at(4).bytes), columns[i].at(3)
		c := chunk{
			physical: format.Type(leaf.at(1).n), width: int(leaf.at(2).n), scale: int(leaf.at(7).n),
			optional: leaf.at(3).n == int64(format.Optional), dictionary: m.at(11).n, data: m.at(9).n, size: int(m.at(6).n),
		}
		if left -= int64(c.size); c.size < 0 || left < 0 || int64(c.size) > c.most(rows) || c.scale < 0 || c.scale > MaxDigits || m.at(5).n != rows {
			return fmt.Errorf("column %q: larger than a segment may be, or not of %d rows", clip(name), rows)
		}
		if _, twice := seg.chunks[name]; twice {
			return fmt.Errorf("column %q comes twice", clip(name))
		}
		seg.chunks[name] = c
	}
	return nil
}

// Column decodes what a field holds, by its place in the schema. A field that
// the segment does not know holds nothing in any row.
func (seg *Segment) Column(field int) (*Column, error) {
	f := seg.schema.Fields[field]
	c, err := seg.column(f)
	if err != nil {
		return nil, fmt.Errorf("%w: column %q: %w", ErrBadSegment, f.Name, err)
	}
	return c, nil
}

func (seg *Segment) column(f Field) (*Column, error) {
	out := &Column{Type: f.Type}
	if f.Type == Place {
		return out, seg.places(f.Name, out)
	}
	c, ok := seg.chunks[f.Name]
	if !ok {
		return out, seg.nothing(out)
	}
	p, err := seg.page(c, physicalOf(f.Type))
	if err != nil {
		return nil, err
	}
	out.Nulls = p.nulls
	switch {
	case f.Type == Text:
		out.Dict, out.Index, err = p.texts()
		return out, err
	case f.Type == Decimal && c.physical == format.FixedLenByteArray:
		out.Ints, out.Scales, err = p.wides(c.scale)
		return out, err
	}
	out.Scale = c.scale
	out.Ints, err = p.ints()
	if err == nil && f.Type == Decimal {
		err = within(out.Ints, -pow10(MaxDigits)+1, pow10(MaxDigits)-1)
	}
	return out, err
}

var errRange = errors.New("a value beyond what the type can hold")

func within(values []int64, least, most int64) error {
	for _, v := range values {
		if v < least || v > most {
			return errRange
		}
	}
	return nil
}

func (seg *Segment) nothing(out *Column) error {
	out.Nulls = make([]bool, seg.Rows)
	for i := range out.Nulls {
		out.Nulls[i] = true
	}
	if out.Type == Text {
		out.Index = make([]uint32, seg.Rows)
	} else {
		out.Ints = make([]int64, seg.Rows)
	}
	return nil
}

// places joins the columns of latitude and longitude.
func (seg *Segment) places(name string, out *Column) error {
	north, ok := seg.chunks[name+latitude]
	east, also := seg.chunks[name+longitude]
	if !ok && !also {
		return seg.nothing(out)
	}
	lat, err := seg.page(north, format.Int32)
	if err != nil {
		return err
	}
	lon, err := seg.page(east, format.Int32)
	if err != nil {
		return err
	}
	y, err := lat.ints()
	if err != nil {
		return err
	}
	x, err := lon.ints()
	if err != nil {
		return err
	}
	for i := range y {
		if (lat.nulls != nil && lat.nulls[i]) != (lon.nulls != nil && lon.nulls[i]) {
			return errors.New("half a place")
		}
	}
	if err := errors.Join(within(y, -90e7, 90e7), within(x, -180e7, 180e7)); err != nil {
		return err
	}
	for i := range y {
		y[i] = y[i]<<32 | x[i]&math.MaxUint32
	}
	out.Nulls, out.Ints = lat.nulls, y
	return nil
}

// Names of the two columns of a place begin with the field's.
const latitude, longitude = "_lat", "_lon"

// physicalOf is how Parquet stores the values of a type, places and decimals
// without a common scale apart.
func physicalOf(t Type) format.Type {
	switch t {
	case Day:
		return format.Int32
	case Boolean:
		return format.Boolean
	case Text:
		return format.ByteArray
	}
	return format.Int64
}

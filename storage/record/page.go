// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

var (
	errPage = errors.New("a page is damaged")
	errKind = errors.New("stored as another type than the description says")
)

// unzip decodes pages, and never writes more than there is room for.
var unzip = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(MaxSegment))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// page is the one data page of a column, decompressed.
type page struct {
	physical format.Type
	encoding format.Encoding
	rows     int
	nulls    []bool // nil for none
	values   int    // rows that are not null
	body     []byte
	dict     []byte // the dictionary page's, nil for none
	entries  int    // in the dictionary
}

func (seg *Segment) page(c chunk, want format.Type) (*page, error) {
	wide := want == format.Int64 && c.physical == format.FixedLenByteArray && c.width == wideBytes
	if c.physical != want && !wide {
		return nil, errKind
	}
	p := &page{physical: c.physical, rows: seg.Rows}
	room := c.size
	if c.dictionary != 0 {
		head, body, err := seg.unzip(c.dictionary, &room)
		if err != nil {
			return nil, err
		}
		h := head.at(7)
		if p.dict, p.entries = body, int(h.at(1).n); head.at(1).n != int64(format.DictionaryPage) || p.entries < 0 || p.entries > MaxRows {
			return nil, errPage
		}
	}
	head, body, err := seg.unzip(c.data, &room)
	if err != nil {
		return nil, err
	}
	h := head.at(5)
	if head.at(1).n != int64(format.DataPage) || h.at(1).n != int64(seg.Rows) {
		return nil, errPage
	}
	p.body, p.values, p.encoding = body, p.rows, format.Encoding(h.at(2).n)
	if c.optional {
		return p, p.levels()
	}
	return p, nil
}

// unzip reads the page at an offset: its header and what is in it, of at most
// room bytes.
func (seg *Segment) unzip(offset int64, room *int) (node, []byte, error) {
	if offset < 4 || offset >= int64(len(seg.file)) {
		return node{}, nil, errPage
	}
	src := seg.file[offset:]
	head, n, err := readThrift(src[:min(len(src), 4096)], 256)
	if err != nil {
		return node{}, nil, err
	}
	size, packed := head.at(2).n, head.at(3).n
	if size < 0 || size > int64(*room) || packed < 0 || packed > int64(len(src)-n) {
		return node{}, nil, errPage
	}
	*room -= int(size)
	body, err := unzip().DecodeAll(src[n:n+int(packed)], make([]byte, 0, size))
	if err != nil || int64(len(body)) != size {
		return node{}, nil, fmt.Errorf("%w: %w", errPage, err)
	}
	return head, body, nil
}

// levels reads which rows are null.
func (p *page) levels() error {
	if len(p.body) < 4 {
		return errPage
	}
	n := binary.LittleEndian.Uint32(p.body)
	if uint64(n) > uint64(len(p.body)-4) {
		return errPage
	}
	levels := make([]uint64, p.rows)
	if !readRun(levels, p.body[4:4+n], 1) {
		return errPage
	}
	p.nulls, p.body = make([]bool, p.rows), p.body[4+n:]
	for i, l := range levels {
		if l == 0 {
			p.nulls[i] = true
			p.values--
		}
	}
	return nil
}

// spread puts the values of rows that are not null in their places.
func spread[T any](p *page, values []T) []T {
	if p.values == p.rows {
		return values
	}
	values = append(values, make([]T, p.rows-p.values)...)
	from := p.values
	var zero T
	for i := p.rows - 1; i >= 0; i-- {
		if p.nulls[i] {
			values[i] = zero
			continue
		}
		from--
		values[i] = values[from]
	}
	return values
}

// ints reads numbers of any type, and what is true or false.
func (p *page) ints() ([]int64, error) {
	v := make([]int64, p.values, p.rows)
	size := 8
	switch {
	case p.encoding == format.DeltaBinaryPacked && (p.physical == format.Int64 || p.physical == format.Int32):
		if !readDelta(v, p.body) {
			return nil, errPage
		}
		if p.physical == format.Int32 {
			for i := range v {
				v[i] = int64(int32(v[i]))
			}
		}
		return spread(p, v), nil
	case p.encoding != format.Plain:
		return nil, errPage
	case p.physical == format.Boolean:
		if len(p.body) != (p.values+7)/8 {
			return nil, errPage
		}
		for i := range v {
			v[i] = int64(p.body[i/8] >> (i % 8) & 1)
		}
		return spread(p, v), nil
	case p.physical == format.Int32:
		size = 4
	}
	if len(p.body) != p.values*size {
		return nil, errPage
	}
	for i := range v {
		if size == 8 {
			v[i] = int64(binary.LittleEndian.Uint64(p.body[i*8:]))
		} else {
			v[i] = int64(int32(binary.LittleEndian.Uint32(p.body[i*4:])))
		}
	}
	return spread(p, v), nil
}

// wideBytes is the length of decimals that have no common scale within 18
// digits: DECIMAL(36, s), big endian.
const wideBytes = 16

// wides reads such decimals.
func (p *page) wides(scale int) ([]int64, []uint8, error) {
	if p.encoding != format.Plain || len(p.body) != p.values*wideBytes {
		return nil, nil, errPage
	}
	v, s := make([]int64, p.values, p.rows), make([]uint8, p.values, p.rows)
	for i := range v {
		var ok bool
		if v[i], s[i], ok = narrow(p.body[i*wideBytes:], scale); !ok {
			return nil, nil, errRange
		}
	}
	return spread(p, v), spread(p, s), nil
}

func narrow(b []byte, scale int) (int64, uint8, bool) {
	high, low := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	negative := high>>63 == 1
	if negative {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	for scale > 0 {
		upper, rest := high/10, high%10
		lower, digit := bits.Div64(rest, low, 10)
		if digit != 0 {
			break
		}
		high, low, scale = upper, lower, scale-1
	}
	if high != 0 || low >= 1e18 {
		return 0, 0, false
	}
	n := int64(low)
	if negative {
		n = -n
	}
	return n, uint8(scale), true
}

// texts reads texts, whether a dictionary holds them or not.
func (p *page) texts() ([]string, []uint32, error) {
	if p.encoding == format.Plain && p.dict == nil {
		dict, err := plainTexts(p.body, p.values)
		index := make([]uint32, p.values, p.rows)
		for i := range index {
			index[i] = uint32(i)
		}
		return dict, spread(p, index), err
	}
	if p.encoding != format.RLEDictionary || p.dict == nil {
		return nil, nil, errPage
	}
	dict, err := plainTexts(p.dict, p.entries)
	if err != nil {
		return nil, nil, err
	}
	at := make([]uint64, p.values)
	if len(p.body) == 0 || !readRun(at, p.body[1:], int(p.body[0])) {
		return nil, nil, errPage
	}
	index := make([]uint32, p.values, p.rows)
	for i, n := range at {
		if n >= uint64(len(dict)) {
			return nil, nil, errPage
		}
		index[i] = uint32(n)
	}
	return dict, spread(p, index), nil
}

func plainTexts(b []byte, count int) ([]string, error) {
	all := string(b) // one copy for all
	texts := make([]string, 0, count)
	for at := 0; at < len(b); {
		if len(b)-at < 4 || len(texts) == count {
			return nil, errPage
		}
		n := binary.LittleEndian.Uint32(b[at:])
		at += 4
		if n > MaxText || int(n) > len(b)-at {
			return nil, errPage
		}
		s := all[at : at+int(n)]
		if Str(s) != (Value{kind: text, s: s}) {
			return nil, errRange
		}
		texts, at = append(texts, s), at+int(n)
	}
	if len(texts) != count {
		return nil, errPage
	}
	return texts, nil
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The encodings of Parquet pages that segments use, as
// https://parquet.apache.org/docs/file-format/data-pages/encodings/ defines
// them. The readers take a count of values and never more than that: what the
// bytes say themselves is believed in nothing.

const (
	deltaBlock = 128 // values in a block
	deltaMini  = 32  // values in each of its four miniblocks
)

// appendDelta appends the DELTA_BINARY_PACKED form of values of 64 bits, or of
// 32, whose differences are such of 32 bits too.
func appendDelta(dst []byte, values []int64, size int) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaBlock/deltaMini)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0])
	last, rest := values[0], values[1:]
	for len(rest) > 0 {
		n := min(deltaBlock, len(rest))
		dst = appendDeltaBlock(dst, last, rest[:n], 64-size)
		last, rest = rest[n-1], rest[n:]
	}
	return dst
}

func appendDeltaBlock(dst []byte, last int64, values []int64, spare int) []byte {
	var deltas [deltaBlock]uint64
	least := int64(math.MaxInt64)
	for i, v := range values {
		delta := (v - last) << spare >> spare
		deltas[i] = uint64(delta)
		least = min(least, delta)
		last = v
	}
	dst = binary.AppendVarint(dst, least)
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for m := 0; m*deltaMini < len(values); m++ {
		mini := deltas[m*deltaMini : min(len(values), (m+1)*deltaMini)]
		all := uint64(0)
		for i := range mini {
			mini[i] -= uint64(least)
			all |= mini[i]
		}
		width := bits.Len64(all)
		dst[at+m] = byte(width)
		dst = appendPacked(dst, deltas[m*deltaMini:(m+1)*deltaMini], width)
	}
	return dst
}

// appendPacked appends values of width bits each, lowest bits first. There is a
// multiple of eight of them.
func appendPacked(dst []byte, values []uint64, width int) []byte {
	var low uint64 // bits not yet written
	have := 0
	for _, v := range values {
		low |= v << have
		if have+width < 64 {
			have += width
			continue
		}
		dst = binary.LittleEndian.AppendUint64(dst, low)
		low = 0
		if have > 0 {
			low = v >> (64 - have)
		}
		have += width - 64
	}
	for ; have > 0; have -= 8 {
		dst, low = append(dst, byte(low)), low>>8
	}
	return dst
}

// unpack reads len(to) values of width bits from src, which is long enough.
func unpack(to []uint64, src []byte, width int) {
	if width == 0 {
		clear(to)
		return
	}
	mask := ^uint64(0) >> (64 - width)
	for i := range to {
		at := i * width
		to[i] = load(src, at/8) >> (at % 8) & mask
		if over := at%8 + width - 64; over > 0 {
			to[i] |= uint64(src[at/8+8]) << (width - over) & mask
		}
	}
}

// load reads eight bytes at a place, as if zeros followed the last.
func load(src []byte, at int) uint64 {
	if at+8 <= len(src) {
		return binary.LittleEndian.Uint64(src[at:])
	}
	var b [8]byte
	copy(b[:], src[at:])
	return binary.LittleEndian.Uint64(b[:])
}

// readDelta reads as many values as to has room for, which are all there are.
func readDelta(to []int64, src []byte) bool {
	r := byteReader{src: src}
	block, minis, count, first := r.uvarint(), r.uvarint(), r.uvarint(), r.varint()
	if r.bad || block != deltaBlock || minis != deltaBlock/deltaMini || count != uint64(len(to)) {
		return false
	}
	if len(to) == 0 {
		return len(r.src) == 0
	}
	to[0] = first
	for last, rest := first, to[1:]; len(rest) > 0; {
		n := min(deltaBlock, len(rest))
		if !r.deltaBlock(last, rest[:n]) {
			return false
		}
		last, rest = rest[n-1], rest[n:]
	}
	return len(r.src) == 0
}

func (r *byteReader) deltaBlock(last int64, to []int64) bool {
	least, widths := r.varint(), r.bytes(deltaBlock/deltaMini)
	if r.bad {
		return false
	}
	var mini [deltaMini]uint64
	for m := 0; m*deltaMini < len(to); m++ {
		width := int(widths[m])
		if width > 64 {
			return false
		}
		packed := r.bytes(width * deltaMini / 8)
		if r.bad {
			return false
		}
		part := to[m*deltaMini : min(len(to), (m+1)*deltaMini)]
		unpack(mini[:len(part)], packed, width)
		for i := range part {
			last += least + int64(mini[i])
			part[i] = last
		}
	}
	return true
}

// appendRun appends values of width bits as one bit-packed run of the RLE and
// bit-packing hybrid.
func appendRun(dst []byte, values []uint64, width int) []byte {
	for len(values)%8 != 0 {
		values = append(values, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(values)/8)<<1|1)
	return appendPacked(dst, values, width)
}

// readRun reads what appendRun wrote, or one run of equal values.
func readRun(to []uint64, src []byte, width int) bool {
	r := byteReader{src: src}
	head := r.uvarint()
	if r.bad || width > 32 || len(to) == 0 {
		return false
	}
	if head&1 == 0 {
		value := r.bytes((width + 7) / 8)
		if r.bad || head>>1 != uint64(len(to)) || len(r.src) != 0 {
			return false
		}
		v := load(value, 0)
		for i := range to {
			to[i] = v
		}
		return true
	}
	groups := (len(to) + 7) / 8
	if head>>1 != uint64(groups) || len(r.src) != groups*width {
		return false
	}
	unpack(to, r.src, width)
	return true
}

// byteReader reads from bytes until it is bad.
type byteReader struct {
	src []byte
	bad bool
}

func (r *byteReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *byteReader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *byteReader) bytes(n int) []byte {
	if n < 0 || n > len(r.src) {
		r.bad = true
		return nil
	}
	b := r.src[:n]
	r.src = r.src[n:]
	return b
}

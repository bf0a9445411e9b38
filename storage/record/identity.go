// SPDX-License-Identifier: Apache-2.0

package record

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// What tells rows apart is compared by hashes of 64 bits, keyed anew in each
// process: no file can be made whose rows collide, and among the rows of one
// identity two different ones that do are not to be expected in 2^64.

// hasher hashes rows column by column. It is for one goroutine.
type hasher struct {
	schema *Schema
	keys   [][]string
	seed   maphash.Seed
	salt   [3]uint64
	values []uint64 // of the column in hand
}

func newHasher(s *Schema) *hasher {
	return &hasher{schema: s, keys: s.Keys, seed: maphash.MakeSeed(), salt: [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}}
}

// byTime says that rows of one identity are rows of one instant, so that only
// segments that touch it can hold the same.
func (h *hasher) byTime() bool {
	ok := h.schema.Time != ""
	for _, key := range h.keys {
		ok = ok && slices.Contains(key, h.schema.Time)
	}
	return ok
}

// mix is a multiplication folded: of wyhash's kind.
func (h *hasher) mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^h.salt[0], b^h.salt[1])
	return high ^ low
}

// prints are what is remembered of rows: a hash of what tells each apart, and
// one of all its values.
type prints struct {
	key, row []uint64
}

// pick are the prints at some places; nil for all.
func (p prints) pick(at []int) prints {
	if at == nil {
		return p
	}
	return prints{pick(p.key, at), pick(p.row, at)}
}

// of hashes rows, whose columns it asks for one after the other, so that no two
// need be in memory.
func (h *hasher) of(rows int, column func(field int) (*Column, error)) (prints, error) {
	p := prints{row: make([]uint64, rows)}
	keys := make([][]uint64, len(h.keys)) // by row; nullPrint where a field has nothing
	for k := range keys {
		keys[k] = slices.Repeat([]uint64{h.mix(uint64(k)+1, h.salt[2])}, rows)
	}
	for i, f := range h.schema.Fields {
		c, err := column(i)
		if err != nil {
			return p, err
		}
		values := h.column(c, rows)
		for j, v := range values {
			p.row[j] = h.mix(p.row[j]+uint64(i), v)
		}
		for k, key := range h.keys {
			if slices.Contains(key, f.Name) {
				h.extend(keys[k], values)
			}
		}
	}
	p.key = firstOf(keys, p.row)
	return p, nil
}

// extend adds a column's values to a key.
func (h *hasher) extend(key, values []uint64) {
	for j, v := range values {
		if v == nullPrint {
			key[j] = nullPrint
		} else if key[j] != nullPrint {
			key[j] = h.mix(key[j], v) | 1
		}
	}
}

// firstOf is for each row the first key of which nothing is null, or else all
// its values.
func firstOf(keys [][]uint64, whole []uint64) []uint64 {
	if len(keys) == 0 {
		return whole
	}
	out := keys[0]
	for j := range out {
		for k := 1; k < len(keys) && out[j] == nullPrint; k++ {
			out[j] = keys[k][j]
		}
		if out[j] == nullPrint {
			out[j] = whole[j]
		}
	}
	return out
}

// nullPrint is the hash of nothing.
const nullPrint = 0

// column hashes the values of a column: equal ones alike, in whatever batch and
// with whatever scale. They are there until the next call.
func (h *hasher) column(c *Column, rows int) []uint64 {
	h.values = slices.Grow(h.values[:0], rows)[:rows]
	clear(h.values)
	out := h.values
	switch c.Type {
	case Text:
		dict := make([]uint64, len(c.Dict))
		for i, s := range c.Dict {
			dict[i] = maphash.String(h.seed, s) | 1
		}
		for i, at := range c.Index {
			if !c.Null(i) {
				out[i] = dict[at]
			}
		}
	case Decimal:
		for i := range c.Ints {
			if !c.Null(i) {
				n, scale := c.Decimal(i)
				out[i] = h.decimal(n, scale)
			}
		}
	default:
		for i, n := range c.Ints {
			if !c.Null(i) {
				out[i] = h.mix(uint64(n), h.salt[2]) | 1
			}
		}
	}
	return out
}

// decimal hashes n × 10^-scale by all 128 bits of it × 10^18.
func (h *hasher) decimal(n int64, scale int) uint64 {
	size := uint64(n)
	if n < 0 {
		size = -size
	}
	high, low := bits.Mul64(size, uint64(pow10(uint8(MaxDigits-scale))))
	if n < 0 {
		high = ^high
	}
	return h.mix(h.mix(low, h.salt[2]), high) | 1
}

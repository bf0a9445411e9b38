// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/ipfs/go-cid"
)

// MaxDepth is how many lists and maps may lie inside one another, the
// envelope's own included.
const MaxDepth = 24

// CBOR's major types, and the few bytes of its last one that DAG-CBOR allows.
const (
	majorUint   = 0
	majorNegint = 1
	majorBytes  = 2
	majorText   = 3
	majorList   = 4
	majorMap    = 5
	majorTag    = 6

	byteFalse = 0xf4
	byteTrue  = 0xf5
	byteNull  = 0xf6
	byteFloat = 0xfb

	tagLink = 42
)

// DecodeValue reads one value from its one DAG-CBOR encoding, at most
// [MaxInvocationSize] bytes. It refuses every other encoding of the same value:
// long heads, indefinite lengths, unordered or repeated keys, short floats,
// trailing bytes.
func DecodeValue(b []byte) (Value, error) {
	if len(b) > MaxInvocationSize {
		return Value{}, refuse(TooLarge, "read a value: %d bytes, at most %d", len(b), MaxInvocationSize)
	}
	d := decoder{src: string(b)}
	v, err := d.value()
	if err == nil && d.pos != len(d.src) {
		err = d.bad("%d trailing bytes", len(d.src)-d.pos)
	}
	if err != nil {
		return Value{}, &Error{Malformed, NoProof, err}
	}
	return v, nil
}

// decoder reads canonical DAG-CBOR. Strings are cut out of src, not copied.
type decoder struct {
	src   string
	pos   int
	depth int
}

func (d *decoder) bad(format string, args ...any) error {
	return fmt.Errorf("read DAG-CBOR at byte %d: %s", d.pos, fmt.Sprintf(format, args...))
}

// take cuts off the next n bytes.
func (d *decoder) take(n uint64) (string, error) {
	if n > uint64(len(d.src)-d.pos) {
		return "", d.bad("it ends early")
	}
	s := d.src[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return s, nil
}

// head reads a major type and its argument in its shortest form.
func (d *decoder) head() (major byte, arg uint64, err error) {
	first, err := d.take(1)
	if err != nil {
		return 0, 0, err
	}
	major, info := first[0]>>5, first[0]&31
	if info < 24 {
		return major, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, d.bad("indefinite or reserved length")
	}
	tail, err := d.take(1 << (info - 24))
	if err != nil {
		return 0, 0, err
	}
	for i := range len(tail) {
		arg = arg<<8 | uint64(tail[i])
	}
	shortest := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}
	if arg < shortest[info-24] {
		return 0, 0, d.bad("a length or number not in its shortest form")
	}
	return major, arg, nil
}

func (d *decoder) value() (Value, error) {
	if d.pos < len(d.src) && d.src[d.pos] >= 7<<5 {
		return d.simple()
	}
	major, arg, err := d.head()
	if err != nil {
		return Value{}, err
	}
	switch major {
	case majorUint, majorNegint:
		return d.integer(major, arg)
	case majorBytes:
		s, err := d.take(arg)
		return Value{kind: KindBytes, str: s}, err
	case majorText:
		s, err := d.text(arg)
		return Value{kind: KindString, str: s}, err
	case majorList:
		return d.list(arg)
	case majorMap:
		return d.dict(arg)
	}
	return d.link(arg)
}

func (d *decoder) integer(major byte, arg uint64) (Value, error) {
	if major == majorNegint {
		if arg > MaxInt-1 {
			return Value{}, d.bad("an integer below -(2^53-1)")
		}
		return Int(-1 - int64(arg)), nil
	}
	if arg > MaxInt {
		return Value{}, d.bad("an integer beyond 2^53-1")
	}
	return Int(int64(arg)), nil
}

func (d *decoder) text(n uint64) (string, error) {
	s, err := d.take(n)
	if err == nil && !utf8.ValidString(s) {
		err = d.bad("a text that is not UTF-8")
	}
	return s, err
}

func (d *decoder) simple() (Value, error) {
	first, _ := d.take(1)
	switch first[0] {
	case byteFalse, byteTrue:
		return Bool(first[0] == byteTrue), nil
	case byteNull:
		return Null(), nil
	case byteFloat:
		raw, err := d.take(8)
		if err != nil {
			return Value{}, err
		}
		f := math.Float64frombits(binary.BigEndian.Uint64([]byte(raw)))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}, d.bad("a float that is no number")
		}
		return Float(f), nil
	}
	return Value{}, d.bad("simple value or float %#x", first[0])
}

// enter goes one level deeper; n items of at least size bytes must follow.
func (d *decoder) enter(n uint64, size int) error {
	if d.depth++; d.depth > MaxDepth {
		return d.bad("deeper than %d", MaxDepth)
	}
	if n > uint64((len(d.src)-d.pos)/size) {
		return d.bad("it ends early")
	}
	return nil
}

func (d *decoder) list(n uint64) (Value, error) {
	if err := d.enter(n, 1); err != nil {
		return Value{}, err
	}
	defer func() { d.depth-- }()
	items := make([]Value, 0, n)
	for range n {
		item, err := d.value()
		if err != nil {
			return Value{}, err
		}
		items = append(items, item)
	}
	return Value{kind: KindList, list: items}, nil
}

func (d *decoder) dict(n uint64) (Value, error) {
	if err := d.enter(n, 2); err != nil {
		return Value{}, err
	}
	defer func() { d.depth-- }()
	entries := make(Map, 0, n)
	for i := range int(n) {
		key, err := d.key()
		if err != nil {
			return Value{}, err
		}
		if i > 0 && compareKeys(entries[i-1].Key, key) >= 0 {
			return Value{}, d.bad("map keys repeated or out of order")
		}
		value, err := d.value()
		if err != nil {
			return Value{}, err
		}
		entries = append(entries, Entry{key, value})
	}
	return Value{kind: KindMap, dict: entries}, nil
}

func (d *decoder) key() (string, error) {
	major, n, err := d.head()
	if err != nil {
		return "", err
	}
	if major != majorText {
		return "", d.bad("a map key that is no text")
	}
	return d.text(n)
}

// link reads what follows tag 42: a byte string of a zero and a binary CID.
func (d *decoder) link(tag uint64) (Value, error) {
	if tag != tagLink {
		return Value{}, d.bad("tag %d", tag)
	}
	major, n, err := d.head()
	if err != nil {
		return Value{}, err
	}
	if major != majorBytes {
		return Value{}, d.bad("a link that is no byte string")
	}
	raw, err := d.take(n)
	if err != nil {
		return Value{}, err
	}
	if len(raw) == 0 || raw[0] != 0 {
		return Value{}, d.bad("a link without its zero byte")
	}
	c, err := cid.Cast([]byte(raw[1:]))
	if err != nil || c.KeyString() != raw[1:] {
		return Value{}, d.bad("a link that is no CID")
	}
	return Value{kind: KindLink, str: raw[1:]}, nil
}

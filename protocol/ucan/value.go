// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/ipfs/go-cid"
)

// ValueKind is the kind of a [Value], one of the IPLD data model's nine.
type ValueKind uint8

// The kinds of value.
const (
	KindNull ValueKind = iota
	KindBool
	KindInt
	KindFloat
	KindString
	KindBytes
	KindList
	KindMap
	KindLink
)

// MaxInt is the largest integer, and -MaxInt the smallest, that a token may
// carry: 2^53-1, beyond which implementations disagree.
const MaxInt = 1<<53 - 1

// Value is one value of the IPLD data model. It cannot be changed once made,
// and its zero value is null.
type Value struct {
	kind ValueKind
	num  uint64  // bool, int (two's complement) or float (IEEE 754 bits)
	str  string  // string, bytes, or the binary CID of a link
	list []Value // of a list
	dict Map     // of a map, in canonical order
}

// Null is the null value.
func Null() Value { return Value{} }

// Bool is a truth value.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Int is an integer. One beyond ±[MaxInt] can be made but not encoded.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// Float is a number with a point. NaN and infinities can be made but not
// encoded.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// String is a text. One that is not UTF-8 can be made but not encoded.
func String(s string) Value { return Value{kind: KindString, str: s} }

// Bytes is a byte string, copied.
func Bytes(b []byte) Value { return Value{kind: KindBytes, str: string(b)} }

// List is a list of the items, copied.
func List(items ...Value) Value { return Value{kind: KindList, list: slices.Clone(items)} }

// Link is a link to c.
func Link(c cid.Cid) Value { return Value{kind: KindLink, str: c.KeyString()} }

// Kind is the value's kind.
func (v Value) Kind() ValueKind { return v.kind }

// IsNull says whether the value is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// AsBool is the truth value, if it is one.
func (v Value) AsBool() (b, ok bool) { return v.num == 1, v.kind == KindBool }

// AsInt is the integer, if it is one.
func (v Value) AsInt() (int64, bool) { return int64(v.num), v.kind == KindInt }

// AsFloat is the number with a point, if it is one; an integer is none.
func (v Value) AsFloat() (float64, bool) {
	return math.Float64frombits(v.num), v.kind == KindFloat
}

// AsString is the text, if it is one.
func (v Value) AsString() (string, bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.str, true
}

// AsBytes is a copy of the byte string, if it is one.
func (v Value) AsBytes() ([]byte, bool) {
	if v.kind != KindBytes {
		return nil, false
	}
	return []byte(v.str), true
}

// AsList is a copy of the list's items, if it is one.
func (v Value) AsList() ([]Value, bool) { return slices.Clone(v.list), v.kind == KindList }

// AsMap is a copy of the map's entries in canonical order, if it is one.
func (v Value) AsMap() (Map, bool) { return slices.Clone(v.dict), v.kind == KindMap }

// AsLink is the CID linked to, if the value is a link.
func (v Value) AsLink() (cid.Cid, bool) {
	if v.kind != KindLink {
		return cid.Undef, false
	}
	c, err := cid.Cast([]byte(v.str))
	return c, err == nil
}

// Len is the number of items of a list, entries of a map, or bytes of a text
// or byte string; 0 for anything else.
func (v Value) Len() int {
	switch v.kind {
	case KindList:
		return len(v.list)
	case KindMap:
		return len(v.dict)
	case KindString, KindBytes:
		return len(v.str)
	}
	return 0
}

// Items yields the items of a list, or the values of a map in canonical order
// of its keys; nothing for anything else.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for i := range max(len(v.list), len(v.dict)) {
			if !yield(v.item(i)) {
				return
			}
		}
	}
}

func (v Value) item(i int) Value {
	if v.kind == KindMap {
		return v.dict[i].Value
	}
	return v.list[i]
}

// Equal says whether two values are the same through all their depth. Numbers
// are compared by what they count, so 1 equals 1.0; NaN equals nothing.
func (v Value) Equal(w Value) bool {
	equal, _ := sameValue(v, w, math.MaxInt)
	return equal
}

// sameValue is Equal within a budget of steps; it returns what is left of it.
func sameValue(v, w Value, budget int) (bool, int) {
	if budget--; budget <= 0 {
		return false, 0
	}
	if order, ok := compareNumbers(v, w); ok {
		return order == 0, budget
	}
	if v.kind != w.kind || len(v.list) != len(w.list) || len(v.dict) != len(w.dict) {
		return false, budget
	}
	switch v.kind {
	case KindFloat, KindInt:
		return false, budget
	case KindList, KindMap:
		return sameItems(v, w, budget)
	}
	return v.num == w.num && v.str == w.str, budget
}

func sameItems(v, w Value, budget int) (bool, int) {
	for i := range v.Len() {
		if v.kind == KindMap && v.dict[i].Key != w.dict[i].Key {
			return false, budget
		}
		var equal bool
		if equal, budget = sameValue(v.item(i), w.item(i), budget); !equal {
			return false, budget
		}
	}
	return true, budget
}

// compareNumbers orders two numbers whatever their kinds; ok is false if one
// is no number, is NaN, or is an integer too large to set against a float.
func compareNumbers(v, w Value) (order int, ok bool) {
	i, vInt := v.AsInt()
	j, wInt := w.AsInt()
	if vInt && wInt {
		return cmp.Compare(i, j), true
	}
	f, vOK := v.real()
	g, wOK := w.real()
	if !vOK || !wOK {
		return 0, false
	}
	return cmp.Compare(f, g), true
}

func (v Value) real() (float64, bool) {
	if i, ok := v.AsInt(); ok {
		return float64(i), -MaxInt <= i && i <= MaxInt
	}
	f, ok := v.AsFloat()
	return f, ok && !math.IsNaN(f)
}

// Entry is one key of a [Map] with its value.
type Entry struct {
	Key   string
	Value Value
}

// Map is a map's entries in canonical order (shorter keys first, then by
// bytes), each key once, as [NewMap] and [MakeMap] make it. A nil Map is
// absent where that is allowed, and empty elsewhere. Whoever is handed a Map
// leaves it as it is.
type Map []Entry

// NewMap puts entries into canonical order; it fails on a repeated key.
func NewMap(entries ...Entry) (Map, error) {
	m := Map(slices.Clone(entries))
	sortMap(m)
	for i := 1; i < len(m); i++ {
		if m[i-1].Key == m[i].Key {
			return nil, fmt.Errorf("make a map: key %q twice", m[i].Key)
		}
	}
	return m, nil
}

// MakeMap puts fields into canonical order.
func MakeMap(fields map[string]Value) Map {
	m := make(Map, 0, len(fields))
	for key, value := range fields {
		m = append(m, Entry{key, value})
	}
	sortMap(m)
	return m
}

// Value is the map as a value; its entries are put into canonical order if they
// are not.
func (m Map) Value() Value {
	m = slices.Clone(m)
	sortMap(m)
	return Value{kind: KindMap, dict: m}
}

func sortMap(m Map) {
	byKey := func(a, b Entry) int { return compareKeys(a.Key, b.Key) }
	if !slices.IsSortedFunc(m, byKey) {
		slices.SortFunc(m, byKey)
	}
}

// Get is the value under key, and whether there is one.
func (m Map) Get(key string) (Value, bool) {
	i, ok := slices.BinarySearchFunc(m, key, func(e Entry, key string) int { return compareKeys(e.Key, key) })
	if !ok {
		return Value{}, false
	}
	return m[i].Value, true
}

// compareKeys is DAG-CBOR's order of map keys.
func compareKeys(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

var valueKinds = [...]string{"null", "bool", "int", "float", "string", "bytes", "list", "map", "link"}

// String shows the value's kind and size only: what it holds may be private.
func (v Value) String() string { return fmt.Sprintf("%s(%d)", valueKinds[v.kind], v.Len()) }

// GoString is String, for %#v.
func (v Value) GoString() string { return "ucan." + v.String() }

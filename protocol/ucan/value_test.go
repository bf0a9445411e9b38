// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"pgregory.net/rapid"

	"github.com/traboule/traboule/protocol/ucan"
)

// anyValue draws a value that a token may carry.
func anyValue(depth int) *rapid.Generator[ucan.Value] {
	leaf := []*rapid.Generator[ucan.Value]{
		rapid.Just(ucan.Null()),
		rapid.Map(rapid.Bool(), ucan.Bool),
		rapid.Map(rapid.Int64Range(-ucan.MaxInt, ucan.MaxInt), ucan.Int),
		rapid.Map(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), ucan.Float),
		rapid.Map(rapid.String(), ucan.String),
		rapid.Map(rapid.SliceOf(rapid.Byte()), ucan.Bytes),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 32, 32), someLink),
	}
	if depth == 0 {
		return rapid.OneOf(leaf...)
	}
	inner := anyValue(depth - 1)
	return rapid.OneOf(append(leaf,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(items []ucan.Value) ucan.Value { return ucan.List(items...) }),
		rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 4), func(m map[string]ucan.Value) ucan.Value { return ucan.MakeMap(m).Value() }),
	)...)
}

// someLink is a link to CIDs of both versions.
func someLink(digest []byte) ucan.Value {
	hash := append(multihash.Multihash{0x12, 0x20}, digest...)
	if digest[0]%2 == 0 {
		return ucan.Link(cid.NewCidV0(hash))
	}
	return ucan.Link(cid.NewCidV1(cid.Raw, hash))
}

// TestCodecAgainstIPLD: what we write go-ipld-prime reads as the same value and
// writes as the same bytes; and we read it back.
func TestCodecAgainstIPLD(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		v := anyValue(3).Draw(r, "value")
		b, err := ucan.EncodeValue(v)
		if err != nil {
			r.Fatal(err)
		}
		theirs := dagCBOR(t, b)
		ours, err := ucan.DecodeValue(b)
		if err != nil {
			r.Fatal(err)
		}
		if !ours.Equal(v) || !theirs.Equal(v) {
			r.Fatalf("%x read otherwise than written", b)
		}
		again, err := ucan.EncodeValue(ours)
		if err != nil || !bytes.Equal(again, b) {
			r.Fatalf("%x written again as %x: %v", b, again, err)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	deep := ucan.Null()
	for range ucan.MaxDepth + 1 {
		deep = ucan.List(deep)
	}
	for name, v := range map[string]ucan.Value{
		"2^53": ucan.Int(ucan.MaxInt + 1), "-2^53": ucan.Int(-ucan.MaxInt - 1), "NaN": ucan.Float(math.NaN()),
		"infinity": ucan.Float(math.Inf(1)), "not UTF-8": ucan.String("\xff"), "deep": deep,
		"a link to nothing":   ucan.Link(cid.Undef),
		"a key twice":         ucan.Map{{Key: "a"}, {Key: "a"}}.Value(),
		"a key not UTF-8":     ucan.Map{{Key: "\xff"}}.Value(),
		"wrong within a list": ucan.List(ucan.Int(math.MaxInt64)),
	} {
		if b, err := ucan.EncodeValue(v); err == nil {
			t.Errorf("%s: written as %x", name, b)
		}
	}
	if _, err := ucan.NewMap(ucan.Entry{Key: "a"}, ucan.Entry{Key: "b"}, ucan.Entry{Key: "a"}); err == nil {
		t.Error("a map with a key twice was made")
	}
}

func TestEqualNumbers(t *testing.T) {
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{1, 1.0, true}, {1, 1.5, false}, {-1, -1.0, true}, {0, ucan.Float(math.Copysign(0, -1)), true},
		{ucan.MaxInt, float64(ucan.MaxInt), true}, {1, true, false}, {0, nil, false}, {0, "", false}, {"", []byte{}, false},
		{ucan.Float(math.NaN()), ucan.Float(math.NaN()), false},
		{ucan.Int(math.MaxInt64), ucan.Float(math.MaxInt64), false}, // too large to tell
		{ucan.Int(math.MaxInt64), ucan.Int(math.MaxInt64), true},
	} {
		if got := val(c.a).Equal(val(c.b)); got != c.want {
			t.Errorf("%v equals %v: %v", c.a, c.b, got)
		}
	}
}

func TestMapLiteralsArePutInOrder(t *testing.T) {
	m := ucan.Map{{Key: "bb", Value: val(2)}, {Key: "a", Value: val(1)}}.Value()
	if !m.Equal(val(map[string]any{"a": 1, "bb": 2})) {
		t.Error("another map")
	}
	if _, err := ucan.EncodeValue(m); err != nil {
		t.Error(err)
	}
}

func TestAccessors(t *testing.T) {
	kinds := map[ucan.ValueKind]ucan.Value{
		ucan.KindNull: ucan.Null(), ucan.KindBool: ucan.Bool(true), ucan.KindInt: ucan.Int(-7), ucan.KindFloat: ucan.Float(2.5),
		ucan.KindString: ucan.String("five5"), ucan.KindBytes: ucan.Bytes([]byte{1, 2}), ucan.KindList: stmt(1, 2, 3),
		ucan.KindMap: val(map[string]any{"k": "v"}), ucan.KindLink: someLink(make([]byte, 32)),
	}
	for kind, v := range kinds {
		_, isBool := v.AsBool()
		_, isInt := v.AsInt()
		_, isFloat := v.AsFloat()
		_, isString := v.AsString()
		_, isBytes := v.AsBytes()
		_, isList := v.AsList()
		_, isMap := v.AsMap()
		_, isLink := v.AsLink()
		is := []bool{v.IsNull(), isBool, isInt, isFloat, isString, isBytes, isList, isMap, isLink}
		for k, yes := range is {
			if yes != (ucan.ValueKind(k) == kind) {
				t.Errorf("%v is of kind %d: %v", v, k, yes)
			}
		}
		if v.Kind() != kind || !v.Equal(v) {
			t.Errorf("%v is of kind %d", v, v.Kind())
		}
	}
	sum := int64(0)
	for item := range kinds[ucan.KindList].Items() {
		i, _ := item.AsInt()
		if sum += i; i == 2 {
			break
		}
	}
	if sum != 3 || kinds[ucan.KindList].Len() != 3 || kinds[ucan.KindMap].Len() != 1 {
		t.Error("items or lengths are wrong")
	}
}

// TestPrintingTellsNothing: a token or value that slips into a log shows its
// kind, size or name, and none of what it says.
func TestPrintingTellsNothing(t *testing.T) {
	chain := goodChain(t)
	c := ask(t, chain)
	c.Args = ucan.MakeMap(map[string]ucan.Value{"to": val(1), "purpose": val("hunter2")})
	inv := invoke(t, "bob", c)
	for _, x := range []any{inv, chain[2], val("hunter2"), c.Args, stmt("hunter2"), c.Args.Value()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, x); strings.Contains(text, "hunter2") || strings.Contains(text, "service") {
				t.Errorf("%s of %T tells: %s", verb, x, text)
			}
		}
	}
}

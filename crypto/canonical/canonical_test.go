// SPDX-License-Identifier: Apache-2.0

package canonical

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type sample struct {
	Number int64    `cbor:"n"`
	Text   string   `cbor:"text"`
	Bytes  []byte   `cbor:"b"`
	List   []uint64 `cbor:"list"`
	Fixed  [2]byte  `cbor:"fixed"`
	Maybe  string   `cbor:"maybe,omitempty"`
}

type pair struct {
	_ struct{} `cbor:",toarray"`
	A uint64
	B string
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	goodSample = "a5 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304"
	goodPair   = "82 01 6178"
)

func TestKnownEncodings(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{sample{Number: 1, Text: "x", Bytes: []byte{7}, List: []uint64{2}, Fixed: [2]byte{3, 4}}, goodSample},
		{pair{A: 1, B: "x"}, goodPair},
		{map[string]int{"bb": 1, "a": 2, "ab": 3}, "a3 6161 02 626162 03 626262 01"},
		{uint64(math.MaxUint64), "1b ffffffffffffffff"},
		{int64(math.MinInt64), "3b 7fffffffffffffff"},
		{[]any{int64(23), int64(24), int64(-1), true, nil}, "85 17 1818 20 f5 f6"},
	} {
		got, err := Marshal(c.v)
		if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("%+v: %x, %v; want %s", c.v, got, err, c.want)
		}
	}
}

func TestThereAndBack(t *testing.T) {
	want := sample{Number: -5, Text: "é", Bytes: []byte{}, List: []uint64{}, Maybe: "yes"}
	var got sample
	if err := Unmarshal(MustMarshal(want), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Each row is one meaning written otherwise than in its one way, or nothing.
func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                 "",
		"trailing byte":         goodSample + "00",
		"two values":            goodSample + goodSample,
		"cut short":             goodSample[:len(goodSample)-2],
		"repeated key":          "a6 6162 4107 616e 01 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"repeated key, other":   "a6 6162 4107 616e 01 616e 02 646c697374 8102 6474657874 6178 656669786564 420304",
		"unknown field":         "a6 6162 4107 616e 01 617a 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"case of a field":       "a5 6162 4107 614e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"missing field":         "a4 6162 4107 616e 01 646c697374 8102 6474657874 6178",
		"empty optional field":  "a6 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304 656d61796265 60",
		"keys out of order":     "a5 616e 01 6162 4107 646c697374 8102 6474657874 6178 656669786564 420304",
		"bytewise key order":    "a5 6162 4107 656669786564 420304 646c697374 8102 616e 01 6474657874 6178",
		"indefinite map":        "bf 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304 ff",
		"indefinite list":       "a5 6162 4107 616e 01 646c697374 9f02ff 6474657874 6178 656669786564 420304",
		"indefinite bytes":      "a5 6162 5f4107ff 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"indefinite text":       "a5 6162 4107 616e 01 646c697374 8102 6474657874 7f6178ff 656669786564 420304",
		"long header, number":   "a5 6162 4107 616e 1801 646c697374 8102 6474657874 6178 656669786564 420304",
		"8-byte number":         "a5 6162 4107 616e 1b0000000000000001 646c697374 8102 6474657874 6178 656669786564 420304",
		"long header, map":      "b805 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"long header, list":     "a5 6162 4107 616e 01 646c697374 980102 6474657874 6178 656669786564 420304",
		"long header, text":     "a5 6162 4107 616e 01 646c697374 8102 6474657874 780178 656669786564 420304",
		"long header, bytes":    "a5 6162 580107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"long header, key":      "a5 6162 4107 78016e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"float for a number":    "a5 6162 4107 616e f93c00 646c697374 8102 6474657874 6178 656669786564 420304",
		"NaN for a number":      "a5 6162 4107 616e f97e00 646c697374 8102 6474657874 6178 656669786564 420304",
		"big number tag":        "a5 6162 4107 616e c24101 646c697374 8102 6474657874 6178 656669786564 420304",
		"tag":                   "c0" + goodSample,
		"self-described":        "d9d9f7" + goodSample,
		"beyond 64 bits signed": "a5 6162 4107 616e 1bffffffffffffffff 646c697374 8102 6474657874 6178 656669786564 420304",
		"bytes for text":        "a5 6162 4107 616e 01 646c697374 8102 6474657874 4178 656669786564 420304",
		"text for bytes":        "a5 6162 6107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"list for bytes":        "a5 6162 8107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"fixed too short":       "a5 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 4103",
		"fixed too long":        "a5 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 43030405",
		"null for text":         "a5 6162 4107 616e 01 646c697374 8102 6474657874 f6 656669786564 420304",
		"undefined for text":    "a5 6162 4107 616e 01 646c697374 8102 6474657874 f7 656669786564 420304",
		"null for a number":     "a5 6162 4107 616e f6 646c697374 8102 6474657874 6178 656669786564 420304",
		"undefined for bytes":   "a5 6162 f7 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"invalid UTF-8":         "a5 6162 4107 616e 01 646c697374 8102 6474657874 61ff 656669786564 420304",
		"number as key":         "a6 01 01 6162 4107 616e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"bytes as key":          "a5 6162 4107 416e 01 646c697374 8102 6474657874 6178 656669786564 420304",
		"a list":                goodPair,
		"lying length":          "a5 6162 5bffffffffffffffff 616e 01",
		"lying list length":     "a5 6162 4107 616e 01 646c697374 9bffffffffffffffff",
		"reserved header":       "1c",
		"break alone":           "ff",
	} {
		var got sample
		if err := Unmarshal(unhex(t, text), &got); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
	var good sample
	if err := Unmarshal(unhex(t, goodSample), &good); err != nil {
		t.Errorf("the sample itself: %v", err)
	}
}

func TestRefusedPairs(t *testing.T) {
	for name, text := range map[string]string{
		"too few": "81 01", "too many": "83 01 6178 00", "a map": "a2 6141 01 6142 6178", "long header": "9802 01 6178", "indefinite": "9f 01 6178 ff", "swapped": "82 6178 01", "negative": "82 20 6178",
	} {
		if err := Unmarshal(unhex(t, text), new(pair)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	nest := func(n int) []byte { return append(bytes.Repeat([]byte{0x81}, n), 0x01) }
	if err := Unmarshal(nest(MaxDepth), new(any)); err != nil {
		t.Errorf("%d levels: %v", MaxDepth, err)
	}
	for _, n := range []int{MaxDepth + 1, 1000, 500_000} {
		if err := Unmarshal(nest(n), new(any)); err == nil {
			t.Errorf("%d levels: accepted", n)
		}
	}
}

func TestUnencodableFloats(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if _, err := Marshal(f); err == nil {
			t.Errorf("%v: encoded", f)
		}
	}
	for name, text := range map[string]string{"NaN": "f97e00", "infinity": "f97c00", "NaN with a payload": "fb7ff8000000000001", "half": "f93c00", "single": "fa3f800000"} {
		if err := Unmarshal(unhex(t, text), new(float64)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNotCanonicalIsSaid(t *testing.T) {
	if err := Unmarshal([]byte{0x18, 0x01}, new(uint64)); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("a long header: %v", err)
	}
}

func TestMustMarshalPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MustMarshal(func() {})
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(unhex(f, goodSample))
	f.Add(unhex(f, goodPair))
	f.Add([]byte{0xa1, 0x61, 0x61, 0xf6})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(sample), new(pair), new(any), new(map[string]any)} {
			if Unmarshal(data, v) == nil && !bytes.Equal(MustMarshal(v), data) {
				t.Errorf("%T has two encodings", v)
			}
		}
	})
}

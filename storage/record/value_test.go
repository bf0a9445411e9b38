// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

func TestParseDec(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "00012.500": "12.5", "-1.7": "-1.7", "+3": "3", ".5": "0.5", "5.": "5",
		"1e3": "1000", "1.25E-2": "0.0125", "120e-1": "12", "4774.8611135902484": "4774.8611135902484",
		"999999999999999999": "999999999999999999", "0.000000000000000001": "0.000000000000000001",
	} {
		v, err := ParseDec(in)
		if err != nil || v.String() != want {
			t.Errorf("%q: %v, %v, want %s", in, v, err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "+-1", "--1", "1,5", "1 000", "NaN", "Inf", "0x10", "1e", "1e99",
		"1000000000000000000", "0.0000000000000000001", "1.2.3", "１"} {
		if v, err := ParseDec(in); err == nil {
			t.Errorf("%q is taken for %v", in, v)
		}
	}
}

// Decimals compare as the numbers they are, and equal ones are the same value.
func TestDecimalsAgainstRationals(t *testing.T) {
	draw := func(t *rapid.T, label string) (Value, *big.Rat) {
		n, scale := rapid.Int64Range(-999999999999999999, 999999999999999999).Draw(t, label), rapid.IntRange(0, MaxDigits).Draw(t, label+" scale")
		r := new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		return Dec(n, scale), r
	}
	rapid.Check(t, func(t *rapid.T) {
		v, r := draw(t, "v")
		w, q := draw(t, "w")
		if got, want := v.Compare(w), r.Cmp(q); got != want {
			t.Fatalf("%v against %v: %d, want %d", v, w, got, want)
		}
		if (v == w) != (r.Cmp(q) == 0) {
			t.Fatalf("%v == %v is %v", v, w, v == w)
		}
		again, err := ParseDec(v.String())
		if err != nil || again != v {
			t.Fatalf("%v spells %q, which reads %v, %v", v, v.String(), again, err)
		}
	})
}

func TestValuesSpell(t *testing.T) {
	lyon, err := Degrees(45.7578137, -4.8320114)
	if err != nil {
		t.Fatal(err)
	}
	lat, lon := lyon.E7()
	if lat != 457578137 || lon != -48320114 {
		t.Errorf("lyon is at %d, %d", lat, lon)
	}
	for want, v := range map[string]Value{
		"":                        Null,
		"2026-11-23":              On(2026, time.November, 23),
		"1969-12-31":              Days(-1),
		"2026-11-23T10:00:00.25Z": At(time.Date(2026, 11, 23, 11, 0, 0, 250e6, time.FixedZone("", 3600))),
		"45.7578137,-4.8320114":   lyon,
		"true":                    Bool(true),
		"-7":                      Int(-7),
		"=1+1":                    Str(" =1+1\x00 "),
		"caf\uFFFD":               Str("caf\xe9"),
		"-0.05":                   Dec(-50, 3),
	} {
		if v.String() != want {
			t.Errorf("%#v spells %q, want %q", v, v.String(), want)
		}
	}
	if _, err := Degrees(90.1, 0); err == nil {
		t.Error("a place beyond the pole")
	}
	if Str(" \t") != Null {
		t.Error("spaces alone are a text")
	}
}

// A text has one form, whatever bytes it was made of.
func TestStr(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte(" \x00\xc3\xa9")))).Draw(t, "bytes")
		if v := Str(string(b)); Str(v.String()) != v {
			t.Fatalf("%q is %q, and again %q", b, v, Str(v.String()))
		}
	})
}

// A row with a text that is too long is refused: a segment that held it could
// not be read, none of its rows.
func TestLongTexts(t *testing.T) {
	schema, err := ParseSchema(oneText)
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{strings.Repeat("a", MaxText): true, strings.Repeat("a", MaxText-1) + " b": false} {
		row := Row{Str(text)}
		if err := schema.Check(row); ok != (err == nil) || !ok && !errors.Is(err, ErrTooLong) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
		if !ok {
			continue
		}
		b := NewBuilder(schema)
		b.Add(row)
		file, err := EncodeSegment(schema, b.Batch())
		if err != nil {
			t.Fatal(err)
		}
		seg, err := OpenSegment(schema, file)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := seg.Column(0); err != nil || c.Value(0) != row[0] {
			t.Errorf("%d bytes are not read back: %v", len(text), err)
		}
	}
}

// A batch keeps its texts, not the lines of a file that they were cut from.
func TestBatchesKeepNoLines(t *testing.T) {
	schema, err := ParseSchema(oneText)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1<<20)
	b := NewBuilder(schema)
	b.Add(Row{Str(line[:8])})
	if kept := b.Batch().Columns[0].Text(0); kept != line[:8] || unsafe.StringData(kept) == unsafe.StringData(line) {
		t.Errorf("%q keeps a line of %d bytes", kept, len(line))
	}
}

// oneText is a kind whose rows are one text.
var oneText = []byte(`{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:notes", "title": "Notes", "type": "object", "properties": {"note": {"type": "string"}}}`)

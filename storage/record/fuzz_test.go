// SPDX-License-Identifier: Apache-2.0

package record

import "testing"

func FuzzParseSchema(f *testing.F) {
	f.Add([]byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:traboule:kind:x","title":"X","type":"object","properties":{"a":{"type":"number","examples":[1.5]},"t":{"type":"string","format":"date"}},"traboule":{"time":"t","keys":[["a"]]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSchema(b)
		if err != nil {
			return
		}
		again, err := ParseSchema(s.Document())
		if err != nil || len(again.Fields) != len(s.Fields) {
			t.Fatalf("read, and not read again: %v", err)
		}
	})
}

func FuzzParseDec(f *testing.F) {
	f.Add("-12.50e3")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseDec(s)
		if err != nil {
			return
		}
		if again, err := ParseDec(v.String()); err != nil || again != v {
			t.Fatalf("%q is %v, and %v again: %v", s, v, again, err)
		}
	})
}

func FuzzParsePeriod(f *testing.F) {
	f.Add("P1Y2M3DT4H5M6S")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePeriod(s); err == nil && s == "" && !p.IsZero() {
			t.Fatalf("%q is %v", s, p)
		}
	})
}

// A value's text and JSON read back as the same value, for each type.
func FuzzValue(f *testing.F) {
	f.Add(uint8(0), "2026-11-23T10:00:00Z")
	f.Add(uint8(6), "45.75,4.83")
	types := []Type{Instant, Day, Decimal, Integer, Boolean, Text, Place}
	f.Fuzz(func(t *testing.T, kind uint8, s string) {
		field := Field{Name: "x", Type: types[int(kind)%len(types)]}
		v, err := field.ParseText(s)
		if err != nil {
			return
		}
		if again, err := field.ParseText(v.String()); err != nil || again != v {
			t.Fatalf("%s %q is %#v, and as text %#v: %v", field.Type, s, v, again, err)
		}
		if again, err := field.ParseJSON(v.AppendJSON(nil)); err != nil || again != v {
			t.Fatalf("%s %q is %#v, and as JSON %#v: %v", field.Type, s, v, again, err)
		}
	})
}

func FuzzParseNumber(f *testing.F) {
	f.Add("r1042")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseNumber(s); err == nil && (n.String() != s || n > MaxNumber) {
			t.Fatalf("%q is %v", s, n)
		}
	})
}

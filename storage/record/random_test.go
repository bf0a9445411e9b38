// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

var allTypes = []Type{Instant, Day, Decimal, Integer, Boolean, Text, Place}

// schemaOf makes a schema of fields a, b, c … of the types.
func schemaOf(t testing.TB, notes map[string]any, types ...Type) *Schema {
	t.Helper()
	json := schemaJSON(notes, types)
	s, err := ParseSchema(json)
	if err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	return s
}

func schemaJSON(notes map[string]any, types []Type) []byte {
	properties := ""
	for i, typ := range types {
		one := map[Type]string{
			Instant: `{"type":"string","format":"date-time"}`, Day: `{"type":"string","format":"date"}`, Text: `{"type":"string"}`,
			Decimal: `{"type":"number"}`, Integer: `{"type":"integer"}`, Boolean: `{"type":"boolean"}`, Place: `{"type":"object"}`,
		}[typ]
		if i > 0 {
			properties += ","
		}
		properties += fmt.Sprintf("%q:%s", name(i), one)
	}
	n, _ := json.Marshal(notes)
	return fmt.Appendf(nil, `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:traboule:kind:test","title":"T","type":"object","properties":{%s},"traboule":%s}`, properties, n)
}

func name(i int) string { return string(rune('a'+i%26)) + fmt.Sprint(i) }

// drawValue draws a value of a type, null now and then; few draws from few
// values, so that some are equal.
func drawValue(t *rapid.T, typ Type, few bool) Value {
	if rapid.IntRange(0, 7).Draw(t, "null") == 0 {
		return Null
	}
	n := rapid.Int64()
	if few {
		n = rapid.Int64Range(-2, 2)
	}
	switch typ {
	case Instant:
		return Micros(n.Draw(t, "instant"))
	case Day:
		return Days(int64(int32(n.Draw(t, "day"))))
	case Decimal:
		if few {
			return Dec(n.Draw(t, "decimal"), rapid.IntRange(0, 2).Draw(t, "scale"))
		}
		return Dec(n.Draw(t, "decimal")%1e18, rapid.IntRange(0, MaxDigits).Draw(t, "scale"))
	case Integer:
		return Int(n.Draw(t, "integer"))
	case Boolean:
		return Bool(rapid.Bool().Draw(t, "boolean"))
	case Text:
		if few {
			return Str(rapid.SampledFrom([]string{"x", "y", "zz"}).Draw(t, "text"))
		}
		return Str(rapid.String().Draw(t, "text"))
	}
	v, err := E7(n.Draw(t, "lat")%90e7, n.Draw(t, "lon")%180e7)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func drawRows(t *rapid.T, s *Schema, most int) []Row {
	few := rapid.Bool().Draw(t, "few")
	rows := make([]Row, rapid.IntRange(1, most).Draw(t, "rows"))
	for i := range rows {
		rows[i] = make(Row, len(s.Fields))
		for j, f := range s.Fields {
			rows[i][j] = drawValue(t, f.Type, few)
		}
	}
	return rows
}

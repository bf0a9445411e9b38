// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A description that cannot be used is refused, and the error names what is
// wrong with it.
func TestParseSchemaRefuses(t *testing.T) {
	const good = `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:walks", "title": "Walks", "type": "object",
		"traboule": {"zone": "Europe/Paris", "time": "at", "end": "until", "keys": [["at", "note"]], "updateFrequency": "P1M"},
		"properties": {"at": {"type": "string", "format": "date-time"}, "until": {"type": "string", "format": "date"}, "place": {"type": "object"},
			"price": {"type": "number", "examples": [1.5], "traboule": {"currency": "EUR", "folds": ["sum"]}}, "money": {"type": "string"}, "note": {"type": "string", "traboule": {"category": true}}},
		"required": ["at"]}`
	if s, err := ParseSchema([]byte(good)); err != nil || s.Kind != "walks" || len(s.Fields) != 6 || !s.Fields[0].Required {
		t.Fatalf("%+v, %v", s, err)
	}
	var many []string
	for i := range MaxFields + 1 {
		many = append(many, fmt.Sprintf(`"a%d": {"type": "string"}`, i))
	}
	for _, tt := range []struct{ from, to, says string }{
		{"2020-12", "2019-09", "2020-12"},
		{"urn:traboule:kind:walks", "walks", "$id"},
		{"kind:walks", "kind:Walks", "$id"},
		{`"title": "Walks"`, `"title": ""`, "title"},
		{`"type": "object",`, `"type": "array",`, "row"},
		{"Europe/Paris", "Europe/Lyon", "Europe/Lyon"},
		{"Europe/Paris", "Local", "Local"},
		{`"P1M"`, `"monthly"`, "monthly"},
		{`"time": "at"`, `"time": "when"`, `time names "when"`},
		{`"time": "at"`, `"time": "note"`, `time names "note"`},
		{`"end": "until"`, `"end": "price"`, `end names "price"`},
		{`["at", "note"]`, `["at", "nota"]`, `keys names "nota"`},
		{`["at", "note"]`, `[]`, "key"},
		{`"required": ["at"]`, `"required": ["on"]`, `required names "on"`},
		{`"note": {"type": "string"`, `"at": {"type": "string"`, `"at" comes twice`},
		{`"note": {`, `"Note": {`, `"Note"`},
		{`"note": {`, `"` + strings.Repeat("n", 65) + `": {`, "at most 64"},
		{`"place": {"type": "object"}`, `"place": {"type": "array"}`, `"place"`},
		{`"place": {"type": "object"}`, `"place": {"type": "object", "traboule": {"category": true}}`, `"place"`},
		{`"place": {"type": "object"}`, `"place": {"type": "object", "traboule": {"folds": ["mean"]}}`, `"place"`},
		{`["sum"]`, `["median"]`, `"price"`},
		{`[1.5]`, `["much"]`, `"price"`},
		{`"EUR"`, `"note2"`, "currency of price"},
		{`"EUR"`, `"until"`, "currency of price"},
		{`"EUR"`, `"1AB"`, "currency of price"},
		{`"properties": {`, `"properties": {` + strings.Join(many, ", ") + ", ", "properties"},
		{`"properties": {`, `"properties": [`, "not a usable description"},
		{good, "", "not a usable description"},
		{good, good + "x", "not a usable description"},
		{good, good + strings.Repeat(" ", MaxSchema), "at most"},
	} {
		in := strings.Replace(good, tt.from, tt.to, 1)
		if _, err := ParseSchema([]byte(in)); !errors.Is(err, ErrBadSchema) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%.60s for %.60s: %v, which does not say %q", tt.to, tt.from, err, tt.says)
		}
	}
}

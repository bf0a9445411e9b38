// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/storage/record"
)

var update = flag.Bool("update", false, "write docs/kinds.md anew")

// good is a row of a kind whose values are the examples.
func good(t *testing.T, s *record.Schema) record.Row {
	t.Helper()
	row := make(record.Row, len(s.Fields))
	for i, f := range s.Fields {
		v, err := f.ParseText(f.Example)
		if err != nil {
			t.Fatalf("%s.%s: %v", s.Kind, f.Name, err)
		}
		row[i] = v
	}
	return row
}

// planted is a value that does not fit a field of the type.
var planted = map[record.Type]string{
	record.Instant: `"yesterday"`, record.Day: `"2016-09-31"`, record.Decimal: `"1"`, record.Integer: `1.5`, record.Boolean: `"yes"`, record.Text: `7`, record.Place: `{"lat": 91, "lon": 0}`,
}

// TestKindsAreJSONSchema: another library takes each kind for JSON Schema
// 2020-12, and rows of examples for good; a wrong value, one that is missing and
// one too many are refused with the name of the field.
func TestKindsAreJSONSchema(t *testing.T) {
	for _, s := range Kinds() {
		rules, err := Compile(s)
		if err != nil {
			t.Errorf("%s: %v", s.Kind, err)
			continue
		}
		row := good(t, s)
		if err := rules.Check(s.AppendJSON(nil, row)); err != nil {
			t.Errorf("%s: %v", s.Kind, err)
		}
		for i, f := range s.Fields {
			without := slices.Clone(row)
			without[i] = record.Null
			rest := strings.TrimPrefix(string(s.AppendJSON(nil, without)), "{")
			bad := strings.TrimSuffix(fmt.Sprintf(`{%q: %s, %s`, f.Name, planted[f.Type], rest), ", }")
			if !strings.HasSuffix(bad, "}") {
				bad += "}"
			}
			names(t, s.Kind, f.Name, rules.Check([]byte(bad)))
			if f.Required {
				names(t, s.Kind, f.Name, rules.Check(s.AppendJSON(nil, without)))
			}
		}
		names(t, s.Kind, "somethingElse", rules.Check([]byte(`{"somethingElse": 1, `+string(s.AppendJSON(nil, row)[1:]))))
	}
}

func names(t *testing.T, kind, field string, err error) {
	t.Helper()
	var w *Wrong
	if !errors.As(err, &w) || w.Field != field || !strings.HasPrefix(w.Pointer, "/"+field) {
		t.Errorf("%s.%s: the fault is %#v", kind, field, err)
	}
}

// own is a description of the user's own, with a property in it.
func own(property string) string {
	return `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:bees", "title": "Bees", "type": "object", "traboule": {"time": "day", "keys": [["day"]]},
	"properties": {"day": {"type": "string", "format": "date"}, "hive": ` + property + `}, "required": ["day"]}`
}

func TestLoad(t *testing.T) {
	s, err := Load([]byte(own(`{"type": "number", "minimum": 0, "traboule": {"unit": "KGM", "folds": ["sum"]}}`)))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := rules.Check([]byte(`{"day": "2026-05-01", "hive": 41.5}`)); err != nil {
		t.Error(err)
	}
	names(t, "bees", "hive", rules.Check([]byte(`{"day": "2026-05-01", "hive": -1}`)))
	names(t, "bees", "day", rules.Check([]byte(`{"hive": 1}`)))
}

// TestLoadRefuses: each slip is refused with the field, the place and the sort
// of fault, always the same one.
func TestLoadRefuses(t *testing.T) {
	notes := func(s string) string { return strings.Replace(own(`{"type": "number"}`), `"time": "day"`, s, 1) }
	for name, tt := range map[string]struct {
		document string
		want     Wrong
	}{
		"a type that JSON Schema has not": {own(`{"type": "weight"}`), Wrong{"hive", "/properties/hive/type", BrokenRule, `enum: ["string","number","integer","boolean","object"]`, `weight`, ""}},
		"a type that rows have not":       {own(`{"type": "array"}`), Wrong{"hive", "/properties/hive/type", BrokenRule, `enum: ["string","number","integer","boolean","object"]`, `array`, ""}},
		"no type":                         {own(`{"minimum": 0}`), Wrong{"hive", "/properties/hive/type", Missing, "", "", ""}},
		"a bound that is no number":       {own(`{"type": "number", "minimum": "0"}`), Wrong{"hive", "/properties/hive/minimum", BrokenRule, `type: "number"`, `0`, ""}},
		"a pattern that is none":          {own(`{"type": "string", "pattern": "("}`), Wrong{"hive", "/properties/hive/pattern", BrokenRule, `format: "regex"`, `(`, ""}},
		"a misspelt rule":                 {own(`{"type": "number", "minimun": 0}`), Wrong{"hive", "/properties/hive/minimun", Unknown, "", `0`, ""}},
		"a misspelt note":                 {own(`{"type": "number", "traboule": {"units": "KGM"}}`), Wrong{"hive", "/properties/hive/traboule/units", Unknown, "", `KGM`, ""}},
		"a misspelt note of the whole":    {notes(`"tiem": "day"`), Wrong{"", "/traboule/tiem", Unknown, "", `day`, ""}},
		"a format that there is not":      {own(`{"type": "string", "format": "datetime"}`), Wrong{"hive", "/properties/hive/format", BrokenRule, `enum: ["date","date-time","time","duration","email","uri","uuid"]`, `datetime`, ""}},
		"a number with a format":          {own(`{"type": "number", "format": "date"}`), Wrong{"hive", "/properties/hive/format", Unknown, "", `date`, ""}},
		"a reference to a file":           {own(`{"type": "string", "$ref": "file:///etc/passwd"}`), Wrong{"hive", "/properties/hive/$ref", Unknown, "", `file:///etc/passwd`, ""}},
		"a reference within":              {own(`{"type": "string", "allOf": [{"$ref": "https://example.org/x"}]}`), Wrong{"", "", Unusable, "", "", ""}},
		"a fold that does not fit":        {own(`{"type": "string", "traboule": {"folds": ["sum"]}}`), Wrong{"hive", "/properties/hive/traboule/folds/0", BrokenRule, `const: "count"`, `sum`, ""}},
		"a category of numbers":           {own(`{"type": "number", "traboule": {"category": true}}`), Wrong{"hive", "/properties/hive/type", BrokenRule, `const: "string"`, `number`, ""}},
		"an example that does not fit":    {own(`{"type": "string", "format": "date", "examples": ["2026-02-30"]}`), Wrong{"hive", "/properties/hive/examples/0", BrokenRule, `format: "date"`, `2026-02-30`, ""}},
		"an example that breaks its rule": {own(`{"type": "number", "minimum": 0, "examples": [1, -1]}`), Wrong{"hive", "/properties/hive/examples/1", BrokenRule, `minimum: 0`, `-1`, ""}},
		"a name that no field has":        {strings.Replace(own(`{"type": "number"}`), `"hive"`, `"The hive"`, 1), Wrong{"The hive", "/properties/The hive", BrokenRule, `pattern: "^[a-z][a-zA-Z0-9]{0,63}$"`, `The hive`, ""}},
		"a time that is no field":         {notes(`"time": "when"`), Wrong{"", "/traboule/time", NoSuchField, "", `when`, ""}},
		"a time that is a number":         {notes(`"time": "hive"`), Wrong{"", "/traboule/time", NoSuchField, "", `hive`, ""}},
		"an end that is a number":         {notes(`"end": "hive"`), Wrong{"", "/traboule/end", NoSuchField, "", `hive`, ""}},
		"a key that is no field":          {strings.Replace(own(`{"type": "number"}`), `[["day"]]`, `[["day", "where"]]`, 1), Wrong{"", "/traboule/keys/0/1", NoSuchField, "", `where`, ""}},
		"something required that is not":  {strings.Replace(own(`{"type": "number"}`), `"required": ["day"]`, `"required": ["day", "x"]`, 1), Wrong{"", "/required/1", NoSuchField, "", `x`, ""}},
		"a currency that is no field":     {own(`{"type": "number", "traboule": {"currency": "money"}}`), Wrong{"hive", "/properties/hive/traboule/currency", NoSuchField, "", `money`, ""}},
		"a zone that there is not":        {notes(`"zone": "Europe/Lyon"`), Wrong{"", "/traboule/zone", NoSuchZone, "", `Europe/Lyon`, ""}},
		"a promise that is no span":       {notes(`"updateFrequency": "monthly"`), Wrong{"", "/traboule/updateFrequency", BrokenRule, `format: "duration"`, `monthly`, ""}},
		"a category that there is not":    {notes(`"categories": ["https://w3id.org/dpv/pd#Bees"]`), Wrong{"", "/traboule/categories/0", NoSuchTerm, CategoryIRI, `https://w3id.org/dpv/pd#Bees`, ""}},
		"a purpose that there is not":     {notes(`"purposes": ["Honey"]`), Wrong{"", "/traboule/purposes/0", NoSuchTerm, PurposeIRI, `Honey`, ""}},
		"another draft":                   {strings.Replace(own(`{"type": "number"}`), "2020-12", "2019-09", 1), Wrong{"", "/$schema", BrokenRule, `const: "https://json-schema.org/draft/2020-12/schema"`, `https://json-schema.org/draft/2019-09/schema`, ""}},
		"a kind in capitals":              {strings.Replace(own(`{"type": "number"}`), "kind:bees", "kind:Bees", 1), Wrong{"", "/$id", BrokenRule, `pattern: "^urn:traboule:kind:[a-z][a-z0-9]*(-[a-z0-9]+)*$"`, `urn:traboule:kind:Bees`, ""}},
		"a kind of ours":                  {strings.Replace(own(`{"type": "number"}`), "bees", "bills", 1), Wrong{"", "/$id", TakenKind, "", `bills`, ""}},
		"two of one name":                 {strings.Replace(own(`{"type": "string", "format": "date"}`), `"hive"`, `"day"`, 1), Wrong{"", "", Unusable, "", "", ""}},
		"no JSON in the second line":      {"{\n\"title\": x}", Wrong{"", "", NoJSON, "", "2", ""}},
		"nothing":                         {"", Wrong{"", "", NoJSON, "", "1", ""}},
		"too long":                        {own(`{"type": "string"}`) + strings.Repeat(" ", record.MaxSchema), Wrong{"", "", TooLong, "262144", "", ""}},
	} {
		for range 5 { // maps have no order
			_, err := Load([]byte(tt.document))
			var w *Wrong
			if !errors.Is(err, record.ErrBadSchema) || !errors.As(err, &w) || w.What == "" {
				t.Errorf("%s: %v", name, err)
				break
			}
			got := *w
			got.What = ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
				break
			}
		}
	}
}

// TestKindsCanBeCopied: each kind of the catalogue, called otherwise, is a good
// description of the user's own.
func TestKindsCanBeCopied(t *testing.T) {
	for _, s := range Kinds() {
		copied := strings.Replace(string(s.Document()), record.KindURN+s.Kind, record.KindURN+"my-"+s.Kind, 1)
		mine, err := Load([]byte(copied))
		if err != nil || mine.Kind != "my-"+s.Kind {
			t.Errorf("%s: %v", s.Kind, err)
			continue
		}
		if rules, err := RulesOf(mine); rules == nil || err != nil {
			t.Errorf("%s: %v, %v", mine.Kind, rules, err)
		}
		if rules, err := RulesOf(s); rules != nil || err != nil {
			t.Errorf("%s: %v, %v", s.Kind, rules, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(own(`{"type": "number", "minimum": 0}`)))
	f.Add([]byte(own(`{"$ref": "#/properties/day"}`)))
	f.Add([]byte(own(`{"type": "string", "$ref": "https://example.org/x"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Load(b)
		if err != nil {
			return
		}
		rules, err := Compile(s)
		if err != nil {
			t.Fatalf("loads, and does not compile: %v", err)
		}
		_ = rules.Check([]byte(`{"day": "2026-05-01", "hive": 1}`))
	})
}

// TestKindsPage: what the page of kinds says of the catalogue is what the
// descriptions say.
func TestKindsPage(t *testing.T) {
	const begins = "-run KindsPage -update`).\n"
	page := filepath.Join("..", "..", "docs", "kinds.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	front, got, found := strings.Cut(string(text), begins)
	if !found {
		t.Fatalf("docs/kinds.md has no line that ends with %q", begins)
	}
	var b strings.Builder
	for _, s := range Kinds() {
		fmt.Fprintf(&b, "\n### %s\n\n%s (%s). %s", s.Kind, s.Words["en"].Title, s.Words["fr"].Title, s.Words["en"].Description)
		if !s.UpdateEvery.IsZero() {
			fmt.Fprintf(&b, " Promised: something new every %s, at most %s later.", spell(s.UpdateEvery), spell(s.UpdateDelay))
		}
		b.WriteString("\n\n| field | type | unit | folds | |\n|---|---|---|---|---|\n")
		for _, f := range s.Fields {
			var folds, notes []string
			for _, fold := range f.Folds {
				folds = append(folds, string(fold))
			}
			for note, is := range map[string]bool{"others": f.Others, "required": f.Required, "category": f.Category} {
				if is {
					notes = append(notes, note)
				}
			}
			slices.Sort(notes)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Name, f.Type, f.Unit+f.Currency, strings.Join(folds, ", "), strings.Join(notes, ", "))
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(front+begins+b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(b.String(), got); d != "" {
		t.Errorf("docs/kinds.md (run with -update if that is meant): %s", d)
	}
}

// spell is a period in words.
func spell(p record.Period) string {
	var words []string
	for _, part := range []struct {
		n    int
		unit string
	}{{p.Years, "year"}, {p.Months, "month"}, {p.Days, "day"}, {int(p.Clock.Minutes()), "minute"}} {
		if part.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", part.n, part.unit))
		}
		if part.n > 1 {
			words[len(words)-1] += "s"
		}
	}
	return strings.Join(words, " ")
}

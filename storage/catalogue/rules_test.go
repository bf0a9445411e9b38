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
	"testing/fstest"

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
	if err != nil || s.Kind != "bees" {
		t.Fatal(s, err)
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

	for name, tt := range map[string]struct{ document, says string }{
		"a type that JSON Schema has not": {own(`{"type": "weight"}`), "hive"},
		"a bound that is no number":       {own(`{"type": "number", "minimum": "0"}`), "hive"},
		"a pattern that is none":          {own(`{"type": "string", "pattern": "("}`), "hive"},
		"a reference to a file":           {own(`{"type": "string", "$ref": "file:///etc/passwd"}`), "stands alone"},
		"a reference to elsewhere":        {own(`{"type": "string", "$ref": "https://example.org/x"}`), "stands alone"},
		"a type that rows have not":       {own(`{"type": "array"}`), `"hive"`},
		"a fold that does not fit":        {own(`{"type": "string", "traboule": {"folds": ["sum"]}}`), `"hive"`},
		"an example that does not fit":    {own(`{"type": "string", "format": "date", "examples": ["2026-02-30"]}`), `"hive"`},
		"a kind of ours":                  {strings.Replace(own(`{"type": "number"}`), "bees", "bills", 1), "bills"},
		"no JSON":                         {`{`, "EOF"},
		"too long":                        {own(`{"type": "string"}`) + strings.Repeat(" ", record.MaxSchema), "at most"},
	} {
		if _, err := Load([]byte(tt.document)); !errors.Is(err, record.ErrBadSchema) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, which does not say %q", name, err, tt.says)
		}
	}
}

func TestLoadAll(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	list, err := LoadAll(fstest.MapFS{
		"a.json": file(own(`{"type": "number"}`)), "b.json": file(own(`{"type": "number"}`)), "c.json": file(own(`{"type": "heavy"}`)), "notes.txt": file("x"),
		"d.json": file(strings.Replace(own(`{"type": "number"}`), "bees", "wasps", 1)),
	})
	if len(list) != 2 || list[0].Kind != "bees" || list[1].Kind != "wasps" {
		t.Errorf("%d descriptions", len(list))
	}
	for _, want := range []string{"b.json", "a.json already", "c.json", "hive"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
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

// TestKindsPage: the page of kinds says what the descriptions say.
func TestKindsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Kinds of records\n\nWhat the catalogue describes: one JSON Schema for each kind in `storage/catalogue/kinds`, which has what people read about each field in French and English. " +
		"Units are codes of UN/CEFACT Recommendation 20. *Others* marks what is about other people: views leave it out unless it is asked for. A test writes this page (`go test ./storage/catalogue -run KindsPage -update`).\n")
	for _, s := range Kinds() {
		fmt.Fprintf(&b, "\n## %s\n\n%s (%s). %s", s.Kind, s.Words["en"].Title, s.Words["fr"].Title, s.Words["en"].Description)
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
	page := filepath.Join("..", "..", "docs", "kinds.md")
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b.String(), string(got)); d != "" {
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

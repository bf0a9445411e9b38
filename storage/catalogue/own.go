// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/traboule/traboule/storage/record"
)

// Load reads a description of the user's own. It is used as ours are; its kind
// must be none of ours, its examples must hold its rules, and what it does not
// know it refuses. The error holds a [*Wrong] that names the field.
func Load(document []byte) (*record.Schema, error) {
	s, err := load(document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", record.ErrBadSchema, err)
	}
	return s, nil
}

func load(document []byte) (*record.Schema, error) {
	if len(document) > record.MaxSchema {
		return nil, &Wrong{Fault: TooLong, What: fmt.Sprintf("%d bytes, at most %d", len(document), record.MaxSchema), Rule: strconv.Itoa(record.MaxSchema)}
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, noJSON(document, err)
	}
	if err := descriptions().wrong(v, descriptions().schema.Validate(v), fieldAt); err != nil {
		return nil, err
	}
	if _, err := compile(document); err != nil {
		return nil, err
	}
	if err := consistent(document, v); err != nil {
		return nil, err
	}
	s, err := record.ParseSchema(document)
	if err != nil {
		return nil, &Wrong{Fault: Unusable, What: err.Error()}
	}
	if _, ours := Kind(s.Kind); ours {
		return nil, &Wrong{Pointer: "/$id", Fault: TakenKind, Got: s.Kind, What: fmt.Sprintf("%q is a kind of the catalogue: call it otherwise", s.Kind)}
	}
	return s, nil
}

// fieldAt is the field that a place in a description is about.
func fieldAt(at []string) string {
	if len(at) > 1 && at[0] == "properties" {
		return at[1]
	}
	return ""
}

// noJSON says in which line it ends to be JSON.
func noJSON(document []byte, err error) *Wrong {
	end := len(document)
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(document, new(any)), &syntax) {
		end = min(end, int(syntax.Offset))
	}
	return &Wrong{Fault: NoJSON, Got: strconv.Itoa(1 + bytes.Count(document[:end], []byte("\n"))), What: err.Error()}
}

// wrongSchema tells a fault of a schema by the property that it is about.
func wrongSchema(document any, err error) error {
	var fault *jsonschema.SchemaValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault):
		return (&Rules{}).wrong(document, fault.Err, fieldAt)
	}
	return &Wrong{Fault: Unusable, What: err.Error()}
}

// described is a description as far as its parts speak of each other.
type described struct {
	Notes struct {
		Zone       string     `json:"zone"`
		Time       string     `json:"time"`
		End        string     `json:"end"`
		Keys       [][]string `json:"keys"`
		Categories []string   `json:"categories"`
		Purposes   []string   `json:"purposes"`
	} `json:"traboule"`
	Properties map[string]struct {
		Type     string            `json:"type"`
		Format   string            `json:"format"`
		Examples []json.RawMessage `json:"examples"`
		Notes    struct {
			Currency string `json:"currency"`
		} `json:"traboule"`
	} `json:"properties"`
	Required []string `json:"required"`
}

// consistent finds what refers to something that is not there, and examples that
// do not hold the rules.
func consistent(document []byte, v any) error {
	var d described
	if err := json.Unmarshal(document, &d); err != nil {
		return &Wrong{Fault: Unusable, What: err.Error()}
	}
	for _, check := range []func() *Wrong{d.zone, d.moments, d.names, d.currencies, d.terms} {
		if w := check(); w != nil {
			return w
		}
	}
	return d.examples(v)
}

func (d described) zone() *Wrong {
	if _, err := time.LoadLocation(d.Notes.Zone); err != nil || d.Notes.Zone == "Local" {
		return &Wrong{Pointer: "/traboule/zone", Fault: NoSuchZone, Got: clip(d.Notes.Zone, 100), What: "no such time zone"}
	}
	return nil
}

func noField(name string, at ...string) *Wrong {
	return &Wrong{Field: fieldAt(at), Pointer: pointer(at), Fault: NoSuchField, Got: clip(name, 100), What: fmt.Sprintf("%.70q is no such property", name)}
}

// moments are the fields that say when: a day or an instant.
func (d described) moments() *Wrong {
	for _, m := range []struct{ at, name string }{{"end", d.Notes.End}, {"time", d.Notes.Time}} {
		if p := d.Properties[m.name]; m.name != "" && p.Format != "date" && p.Format != "date-time" {
			return noField(m.name, "traboule", m.at)
		}
	}
	return nil
}

// goodName is what a field may be called.
var goodName = regexp.MustCompile(`^[a-z][a-zA-Z0-9]{0,63}$`)

// names are those of fields, and what refers to them.
func (d described) names() *Wrong {
	for _, name := range slices.Sorted(maps.Keys(d.Properties)) {
		if !goodName.MatchString(name) {
			return &Wrong{
				Field: name, Pointer: pointer([]string{"properties", name}), Fault: BrokenRule, Rule: "pattern: " + spellJSON(goodName.String(), 60), Got: clip(name, 100),
				What: "a field's name is letters and digits, the first a small letter",
			}
		}
	}
	for i, name := range d.Required {
		if _, ok := d.Properties[name]; !ok {
			return noField(name, "required", strconv.Itoa(i))
		}
	}
	for i, key := range d.Notes.Keys {
		for j, name := range key {
			if _, ok := d.Properties[name]; !ok {
				return noField(name, "traboule", "keys", strconv.Itoa(i), strconv.Itoa(j))
			}
		}
	}
	return nil
}

// currencies are codes, or texts of the same row.
func (d described) currencies() *Wrong {
	for _, field := range slices.Sorted(maps.Keys(d.Properties)) {
		name := d.Properties[field].Notes.Currency
		code := len(name) == 3 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
		if p := d.Properties[name]; name != "" && !code && (p.Type != "string" || p.Format == "date" || p.Format == "date-time") {
			return noField(name, "properties", field, "traboule", "currency")
		}
	}
	return nil
}

func (d described) terms() *Wrong {
	for i, iri := range d.Notes.Categories {
		if _, ok := Category(iri); !ok {
			return &Wrong{Pointer: "/traboule/categories/" + strconv.Itoa(i), Fault: NoSuchTerm, Got: clip(iri, 100), Rule: CategoryIRI, What: "no such category"}
		}
	}
	for i, iri := range d.Notes.Purposes {
		if _, ok := Purpose(iri); !ok {
			return &Wrong{Pointer: "/traboule/purposes/" + strconv.Itoa(i), Fault: NoSuchTerm, Got: clip(iri, 100), Rule: PurposeIRI, What: "no such purpose"}
		}
	}
	return nil
}

// examples are held against the rules of their field.
func (d described) examples(v any) error {
	c, err := compiler(v)
	if err != nil {
		return wrongSchema(v, err)
	}
	for _, field := range slices.Sorted(maps.Keys(d.Properties)) {
		if len(d.Properties[field].Examples) == 0 {
			continue
		}
		schema, err := c.Compile(here + "#/properties/" + field)
		if err != nil {
			return wrongSchema(v, err)
		}
		for i := range d.Properties[field].Examples {
			at := []string{"properties", field, "examples", strconv.Itoa(i)}
			example, _ := find(v, at)
			err := (&Rules{schema: schema, document: v}).wrong(example, schema.Validate(example), func([]string) string { return field })
			var w *Wrong
			if errors.As(err, &w) {
				w.Field, w.Pointer = field, pointer(at)+w.Pointer
				if w.Got == "" && w.Fault == BrokenRule {
					w.Got = spellValue(example)
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

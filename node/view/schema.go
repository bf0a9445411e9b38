// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// foldWords are what is added to the title of a field that was folded.
var foldWords = map[record.Fold][2]string{ // English, French
	record.Sum: {"sum", "somme"}, record.Mean: {"mean", "moyenne"},
	record.Min: {"smallest", "minimum"}, record.Max: {"largest", "maximum"},
	record.Count: {"number of values", "nombre de valeurs"},
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members that are not empty.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for _, m := range o {
		if m.value == nil || m.value == "" || m.value == false {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		if err := errors.Join(e.Encode(m.name)); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// describe makes the description of the view's rows: a schema of the same kind,
// with the columns for properties, which [record.ParseSchema] reads.
func (v *View) describe() error {
	s, end := v.schema, ""
	properties, time := object{}, ""
	for _, c := range v.columns {
		f := s.Fields[c.field]
		properties = append(properties, member{c.name, v.property(c)})
		if c.role == folds {
			continue
		}
		switch f.Name {
		case s.Time:
			time = f.Name
		case s.End:
			end = f.Name
		}
	}
	document, err := json.Marshal(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", record.KindURN + s.Kind},
		{"title", s.Words["en"].Title}, {"description", s.Words["en"].Description},
		{"type", "object"},
		{"traboule", object{
			{"fr", s.Words["fr"]}, {"holder", s.Holder}, {"typology", s.Typology},
			{"categories", list(s.Categories)}, {"purposes", list(s.Purposes)}, {"zone", s.Zone},
			{"time", time}, {"end", end}, {"keys", v.keys()},
			{"view", object{{"columns", v.spec.Columns}, {"period", v.spec.Period.String()}, {"grid", v.spec.Grid.String()}}},
		}},
		{"properties", properties},
		{"additionalProperties", json.RawMessage("false")},
	})
	if err == nil {
		v.output, err = record.ParseSchema(document)
	}
	return err
}

// Fits says whether a description that somebody else has written is that of the
// columns of a view, and of no others.
func (s Spec) Fits(rows *record.Schema) bool {
	return slices.EqualFunc(s.Columns, rows.Fields, func(spelling string, f record.Field) bool {
		name, how, _ := strings.Cut(spelling, "/")
		if _, folded := foldWords[record.Fold(how)]; folded {
			name += strings.ToUpper(how[:1]) + how[1:]
		}
		return f.Name == name
	})
}

// keys are what tells the rows of a view with a period apart: its bucket and
// its groups, if the bucket is told.
func (v *View) keys() any {
	var names []string
	told := false
	for _, c := range v.columns {
		if c.role == begins || c.role == groups {
			names = append(names, c.name)
		}
		told = told || c.role == begins
	}
	if !told {
		return nil
	}
	return [][]string{names}
}

// list is a list of texts, or nil for none.
func list(texts []string) any {
	if len(texts) == 0 {
		return nil
	}
	return texts
}

// property describes a column.
func (v *View) property(c column) object {
	f := v.schema.Fields[c.field]
	english, french := f.Words["en"], f.Words["fr"]
	if w, ok := foldWords[c.fold]; ok {
		english.Title = strings.TrimPrefix(english.Title+", "+w[0], ", ")
		french.Title = strings.TrimPrefix(french.Title+", "+w[1], ", ")
	}
	t := c.typeOf(f.Type)
	notes := object{{"fr", french}, {"others", f.Others}}
	if c.role == keeps || c.role == groups {
		notes = append(notes, member{"category", f.Category})
	}
	if c.fold != record.Count {
		notes = append(notes, member{"unit", f.Unit}, member{"currency", v.currency(f)})
	}
	if c.role == keeps {
		notes = append(notes, member{"folds", foldList(f.Folds)})
	}
	jsonType, format := jsonForm(t)
	return object{{"type", jsonType}, {"format", format}, {"title", english.Title}, {"description", english.Description}, {"traboule", notes}}
}

func foldList(f []record.Fold) any {
	if len(f) == 0 {
		return nil
	}
	return f
}

// currency is the currency of a field, unless the view leaves out the field
// that names it.
func (v *View) currency(f record.Field) string {
	if i, ok := v.schema.Index(f.Currency); ok {
		for _, c := range v.columns {
			if c.field == i && c.role != folds {
				return f.Currency
			}
		}
		return ""
	}
	return f.Currency
}

// typeOf is the type of a column of a field of type t.
func (c column) typeOf(t record.Type) record.Type {
	switch c.fold {
	case record.Count:
		return record.Integer
	case record.Mean:
		return record.Decimal
	}
	return t
}

// jsonForm is how JSON Schema says a type.
func jsonForm(t record.Type) (jsonType, format string) {
	switch t {
	case record.Instant:
		return "string", "date-time"
	case record.Day:
		return "string", "date"
	case record.Decimal:
		return "number", ""
	case record.Integer:
		return "integer", ""
	case record.Boolean:
		return "boolean", ""
	case record.Place:
		return "object", ""
	}
	return "string", ""
}

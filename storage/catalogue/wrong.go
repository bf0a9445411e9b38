// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Fault is what sort of thing is wrong.
type Fault string

// The faults. They are only ever added to.
const (
	BrokenRule  Fault = "rule"       // a value breaks a rule of JSON Schema
	Missing     Fault = "missing"    // what must be there is not
	Unknown     Fault = "unknown"    // a description cannot say such a thing: it is misspelt, perhaps
	NoJSON      Fault = "no-json"    // it is no JSON
	TooLong     Fault = "too-long"   // it is longer than [record.MaxSchema]
	NoSuchField Fault = "no-field"   // it names a field that is not described, or is of another type
	NoSuchZone  Fault = "no-zone"    // it names a time zone that there is not
	NoSuchTerm  Fault = "no-term"    // it names what the Data Privacy Vocabulary does not have
	TakenKind   Fault = "taken-kind" // the catalogue has a kind of this name
	Unusable    Fault = "unusable"   // anything else, which What says in English
)

// Wrong is what is wrong with a row, or with a description of rows.
type Wrong struct {
	Field   string // the field that it is about; "" for the whole
	Pointer string // where it stands, as a JSON pointer (RFC 6901)
	Fault   Fault
	Rule    string // the rule that is broken, as the schema has it: `minimum: 0`
	Got     string // what stands there: a text itself, all else as JSON, shortened; "" for nothing
	What    string // all of it in English, for logs
}

// Error names the field.
func (w *Wrong) Error() string {
	at := w.Pointer
	if at == "" {
		at = "/"
	}
	if w.Field == "" {
		return fmt.Sprintf("%s (at %s)", w.What, at)
	}
	return fmt.Sprintf("%s: %s (at %s)", w.Field, w.What, at)
}

// wrong is what a judgement finds wrong with a document: of several faults the
// one that stands first by its pointer. field says which field a place is about.
func (r *Rules) wrong(document any, err error, field func(at []string) string) error {
	var top *jsonschema.ValidationError
	if !errors.As(err, &top) {
		return err
	}
	var all []*Wrong
	for _, fault := range leaves(top) {
		all = append(all, r.about(document, fault, field))
	}
	return slices.MinFunc(all, func(a, b *Wrong) int {
		return cmp.Or(cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Fault, b.Fault), cmp.Compare(a.Rule, b.Rule))
	})
}

// leaves are the faults that no other explains. Why each of several ways that
// one may choose from is closed, is not told.
func leaves(fault *jsonschema.ValidationError) (list []*jsonschema.ValidationError) {
	switch fault.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return []*jsonschema.ValidationError{fault}
	}
	if len(fault.Causes) == 0 {
		return []*jsonschema.ValidationError{fault}
	}
	for _, cause := range fault.Causes {
		list = append(list, leaves(cause)...)
	}
	return list
}

// about tells one fault.
func (r *Rules) about(document any, fault *jsonschema.ValidationError, field func(at []string) string) *Wrong {
	at, w := slices.Clone(fault.InstanceLocation), &Wrong{Fault: BrokenRule}
	switch k := fault.ErrorKind.(type) { // of these the object is at fault, for want of a field or with one too many
	case *kind.Required:
		at, w.Fault = append(at, k.Missing[0]), Missing
	case *kind.DependentRequired:
		at, w.Fault = append(at, k.Missing[0]), Missing
	case *kind.AdditionalProperties:
		at, w.Fault = append(at, slices.Min(k.Properties)), Unknown
	case *kind.FalseSchema:
		w.Fault = Unknown
	default:
		w.Rule = r.rule(fault.SchemaURL, fault.ErrorKind.KeywordPath())
	}
	w.Pointer, w.What = pointer(at), fault.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if len(at) > 0 {
		w.Field = field(at)
	}
	if got, ok := find(document, at); ok {
		w.Got = spellValue(got)
	}
	return w
}

// rule spells a rule as the schema has it, which stands under a keyword of a
// part of it.
func (r *Rules) rule(part string, keyword []string) string {
	_, fragment, _ := strings.Cut(part, "#/")
	var at []string
	if fragment != "" {
		at = strings.Split(fragment, "/")
	}
	for i, name := range at {
		at[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	if len(keyword) == 0 {
		return "not"
	}
	value, ok := find(r.document, append(at, keyword...))
	if !ok {
		return strings.Join(keyword, "/")
	}
	return strings.Join(keyword, "/") + ": " + spellJSON(value, 200)
}

// find goes down a document.
func find(document any, at []string) (any, bool) {
	for _, name := range at {
		switch v := document.(type) {
		case map[string]any:
			if document = v[name]; document == nil {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			document = v[i]
		default:
			return nil, false
		}
	}
	return document, true
}

// spellValue writes a text as it is, all else as JSON.
func spellValue(v any) string {
	const most = 60
	text, ok := v.(string)
	if !ok {
		return spellJSON(v, most)
	}
	return clip(text, most)
}

func clip(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

// spellJSON writes a value, at most so many characters of it.
func spellJSON(v any, most int) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return ""
	}
	return clip(strings.TrimSpace(b.String()), most)
}

// pointer writes a place as RFC 6901 does.
func pointer(at []string) string {
	var b strings.Builder
	for _, name := range at {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}

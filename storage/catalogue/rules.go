// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	_ "embed"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/traboule/traboule/storage/record"
)

// Rules judge rows by all that the JSON Schema of their kind says, bounds and
// patterns of the user's own among it, of which [record.Schema.Check] knows
// nothing. nil has no rules. Many goroutines may use one.
type Rules struct {
	schema   *jsonschema.Schema
	document any // that it was made of
}

// RulesOf are the rules of a kind of the user's own; nil for one of the
// catalogue, which says nothing that its importers and types do not hold.
func RulesOf(s *record.Schema) (*Rules, error) {
	if ours, ok := Kind(s.Kind); ok && ours == s {
		return nil, nil
	}
	return Compile(s)
}

// Compile makes the rules of a kind. The schema is held against the meta-schema
// of JSON Schema 2020-12, whose faults are a [*Wrong] that names the field.
// Nothing is fetched for it, from the disk or anywhere: a reference to outside
// is a fault.
func Compile(s *record.Schema) (*Rules, error) {
	r, err := compile(s.Document())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", record.ErrBadSchema, err)
	}
	return r, nil
}

// here is what a schema is called while it is compiled.
const here = "urn:traboule:kind"

func compile(document []byte) (*Rules, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, &Wrong{Fault: NoJSON, What: err.Error()}
	}
	c, err := compiler(v)
	if err != nil {
		return nil, wrongSchema(v, err)
	}
	r := &Rules{document: v}
	r.schema, err = c.Compile(here)
	return r, wrongSchema(v, err)
}

// compiler makes rules of a schema, which is called here, and of its parts.
func compiler(v any) (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat() // a day that does not exist is no date
	c.UseLoader(nothing{})
	return c, c.AddResource(here, v)
}

// nothing loads nothing.
type nothing struct{}

// Load refuses.
func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("a description of records stands alone, and refers to %.100q", url)
}

// Check judges a row, written as [record.Schema.AppendJSON] does. Its error is a
// [*Wrong].
func (r *Rules) Check(row []byte) error {
	if r == nil {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(row))
	if err != nil {
		return &Wrong{Fault: NoJSON, What: err.Error()}
	}
	return r.wrong(v, r.schema.Validate(v), func(at []string) string { return at[0] })
}

//go:embed description.json
var descriptionSchema []byte

// descriptions are what a description is held against.
var descriptions = sync.OnceValue(func() *Rules {
	r, err := compile(descriptionSchema)
	if err != nil {
		panic(fmt.Sprintf("catalogue: description.json: %v", err)) // a test reads it
	}
	return r
})

// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/traboule/traboule/storage/record"
)

// Wrong is what is wrong with a row, or with a description of rows.
type Wrong struct {
	Field   string // the field that it is about; "" for the whole
	Pointer string // where it stands, as a JSON pointer (RFC 6901)
	What    string
}

// Error names the field.
func (w *Wrong) Error() string {
	if w.Field == "" {
		return w.What
	}
	return fmt.Sprintf("%s: %s (at %s)", w.Field, w.What, w.Pointer)
}

// Rules judge rows by all that the JSON Schema of their kind says, bounds and
// patterns of the user's own among it, of which [record.Schema.Check] knows
// nothing.
type Rules struct{ schema *jsonschema.Schema }

// Compile makes the rules of a kind. The schema is held against the meta-schema
// of JSON Schema 2020-12, whose faults are a [*Wrong] that names the field.
// Nothing is fetched for it, from the disk or anywhere: a reference to outside
// is a fault.
func Compile(s *record.Schema) (*Rules, error) { return compile(s.Document()) }

func compile(document []byte) (*Rules, error) {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", record.ErrBadSchema, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat() // a day that does not exist is no date
	c.UseLoader(nothing{})
	const here = "urn:traboule:kind"
	err = c.AddResource(here, v)
	var schema *jsonschema.Schema
	if err == nil {
		schema, err = c.Compile(here)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", record.ErrBadSchema, wrongSchema(err))
	}
	return &Rules{schema}, nil
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
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(row))
	if err != nil {
		return &Wrong{What: err.Error()}
	}
	return wrong(r.schema.Validate(v), func(at []string) string { return at[0] })
}

// wrongSchema names the property that a fault of a schema is about.
func wrongSchema(err error) error {
	var fault *jsonschema.SchemaValidationError
	if !errors.As(err, &fault) {
		return err
	}
	return wrong(fault.Err, func(at []string) string {
		if len(at) > 1 && at[0] == "properties" {
			return at[1]
		}
		return at[0]
	})
}

// wrong is the first fault of a judgement, at its deepest.
func wrong(err error, field func(at []string) string) error {
	var fault *jsonschema.ValidationError
	if !errors.As(err, &fault) {
		return err
	}
	for len(fault.Causes) > 0 {
		fault = fault.Causes[0]
	}
	at := fault.InstanceLocation
	switch k := fault.ErrorKind.(type) { // of these the object is at fault, for want of a field or with one too many
	case *kind.Required:
		at = append(at[:len(at):len(at)], k.Missing[0])
	case *kind.AdditionalProperties:
		at = append(at[:len(at):len(at)], k.Properties[0])
	}
	w := &Wrong{What: fault.ErrorKind.LocalizedString(message.NewPrinter(language.English))}
	if len(at) > 0 {
		w.Field = field(at)
	}
	for _, name := range at {
		w.Pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return w
}

// Load reads a description of the user's own. It is used as ours are; its kind
// must be none of ours. The error names the field.
func Load(document []byte) (*record.Schema, error) {
	if len(document) > record.MaxSchema {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", record.ErrBadSchema, len(document), record.MaxSchema)
	}
	if _, err := compile(document); err != nil {
		return nil, err
	}
	s, err := record.ParseSchema(document)
	if err != nil {
		return nil, err
	}
	if _, ours := Kind(s.Kind); ours {
		return nil, fmt.Errorf("%w: $id: %q is a kind of the catalogue: call it otherwise", record.ErrBadSchema, s.Kind)
	}
	return s, nil
}

// maxOwn is how many descriptions [LoadAll] reads.
const maxOwn = 1000

// LoadAll reads the files *.json of a folder, each by [Load]. What can be used
// comes back beside the error, which names each file that cannot.
func LoadAll(folder fs.FS) (list []*record.Schema, err error) {
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	if len(names) > maxOwn {
		return nil, fmt.Errorf("%d descriptions of records, at most %d", len(names), maxOwn)
	}
	var errs []error
	file := map[string]string{}
	for _, name := range names {
		s, err := loadFile(folder, name)
		if err == nil && file[s.Kind] != "" {
			err = fmt.Errorf("%w: $id: %q is described in %s already", record.ErrBadSchema, s.Kind, file[s.Kind])
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		file[s.Kind] = name
		list = append(list, s)
	}
	return list, errors.Join(errs...)
}

func loadFile(folder fs.FS, name string) (*record.Schema, error) {
	at, err := fs.Stat(folder, name)
	if err != nil {
		return nil, err
	}
	if !at.Mode().IsRegular() || at.Size() > record.MaxSchema {
		return nil, fmt.Errorf("%w: no file of at most %d bytes", record.ErrBadSchema, record.MaxSchema)
	}
	b, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, err
	}
	return Load(b)
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
	_ "time/tzdata" // a Raspberry Pi may have none
)

// ErrBadSchema is in every error of a schema that cannot be used.
var ErrBadSchema = errors.New("not a usable description of records")

// Limits of a schema.
const (
	MaxSchema = 256 << 10 // bytes of the document
	MaxFields = 128
)

// Schema says what the rows of a data set are like. It is written as a JSON
// Schema (2020-12) for one row; what JSON Schema has no word for stands in
// annotations under the keyword "traboule". See protocol/spec/records.md.
type Schema struct {
	Kind        string // "electricity-load-curve"; from "$id": "urn:traboule:kind:…"
	Words       map[string]Words
	Holder      string   // who holds such data about people
	Typology    string   // the pilot's: Profil, Finance, Domicile, Communication, Déplacement, Loisir
	Categories  []string // IRIs of the Data Privacy Vocabulary
	Purposes    []string // what such data are of use for; IRIs
	UpdateEvery Period   // how often the holder promises something new; zero for never
	UpdateDelay Period   // how much later it may come
	Zone        string   // IANA; days and buckets are cut in it
	Time        string   // the field that says when a row is, or begins: an instant or a day; "" for none
	End         string   // the field that says when it ends, or ""

	// Keys say what tells rows apart: the values of the first of these lists of
	// fields of which none is null, and how often they came before in the same
	// import. Without keys, or when all have nulls, all fields tell them apart.
	Keys [][]string

	Fields []Field

	document []byte
	zone     *time.Location
	byName   map[string]int
}

// Words are what people read, in one language.
type Words struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// Field is one field of a row.
type Field struct {
	Name     string
	Type     Type
	Words    map[string]Words // "fr", "en"
	Example  string           // as [Value.String] spells it, or ""
	Unit     string           // UN/CEFACT Recommendation 20: KWH, WTT, MTQ, LTR, CEL; or ""
	Currency string           // of money: the name of the field that names the currency, or ISO 4217 in capitals
	Folds    []Fold           // how values of one bucket may become one, the most natural first; none: never
	Category bool             // a text of few values, which may stand for the rows that have it
	Others   bool             // about somebody else than the owner: left out of views unless asked for
	Required bool             // a row without it is refused
}

// Fold is a way to make one value of many.
type Fold string

// The folds.
const (
	Sum   Fold = "sum"
	Mean  Fold = "mean"
	Min   Fold = "min"
	Max   Fold = "max"
	Count Fold = "count"
)

var folds = []Fold{Sum, Mean, Min, Max, Count}

var (
	goodKind  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	goodField = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)

	isCurrency = regexp.MustCompile(`^[A-Z]{3}$`) // or the name of a field, which begins small
)

// KindURN begins the "$id" of a schema; its kind follows.
const KindURN = "urn:traboule:kind:"

// document is the JSON form of a Schema.
type document struct {
	Schema      string        `json:"$schema"`
	ID          string        `json:"$id"`
	Title       string        `json:"title"`
	Description string        `json:"description"`
	Type        string        `json:"type"`
	Notes       notes         `json:"traboule"`
	Properties  orderedFields `json:"properties"`
	Required    []string      `json:"required"`
}

type notes struct {
	French     Words      `json:"fr"`
	Holder     string     `json:"holder"`
	Typology   string     `json:"typology"`
	Categories []string   `json:"categories"`
	Purposes   []string   `json:"purposes"`
	Every      Period     `json:"updateFrequency"`
	Delay      Period     `json:"updateLatency"`
	Zone       string     `json:"zone"`
	Time       string     `json:"time"`
	End        string     `json:"end"`
	Keys       [][]string `json:"keys"`
}

type property struct {
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Examples    []json.RawMessage `json:"examples"`
	Notes       struct {
		French   Words  `json:"fr"`
		Unit     string `json:"unit"`
		Currency string `json:"currency"`
		Folds    []Fold `json:"folds"`
		Category bool   `json:"category"`
		Others   bool   `json:"others"`
	} `json:"traboule"`
}

// orderedFields are the properties of an object in the order of the document.
type orderedFields []namedProperty

type namedProperty struct {
	name string
	property
}

// UnmarshalJSON reads an object and refuses a name that comes twice.
func (f *orderedFields) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("properties: not an object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		p := namedProperty{name: t.(string)}
		if err := d.Decode(&p.property); err != nil {
			return fmt.Errorf("property %q: %w", p.name, err)
		}
		if slices.ContainsFunc(*f, func(q namedProperty) bool { return q.name == p.name }) {
			return fmt.Errorf("property %q comes twice", p.name)
		}
		*f = append(*f, p)
	}
	return nil
}

// ParseSchema reads a description of records. Every error names the field.
func ParseSchema(b []byte) (*Schema, error) {
	if len(b) > MaxSchema {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrBadSchema, len(b), MaxSchema)
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSchema, err)
	}
	s, err := d.schema()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSchema, err)
	}
	s.document = bytes.Clone(b)
	return s, nil
}

func (d document) schema() (*Schema, error) {
	kind, ok := bytes.CutPrefix([]byte(d.ID), []byte(KindURN))
	s := &Schema{
		Kind: string(kind), Words: words(d.Title, d.Description, d.Notes.French),
		Holder: d.Notes.Holder, Typology: d.Notes.Typology, Categories: d.Notes.Categories, Purposes: d.Notes.Purposes,
		UpdateEvery: d.Notes.Every, UpdateDelay: d.Notes.Delay,
		Zone: d.Notes.Zone, Time: d.Notes.Time, End: d.Notes.End, Keys: d.Notes.Keys,
		byName: map[string]int{},
	}
	switch {
	case d.Schema != "https://json-schema.org/draft/2020-12/schema":
		return nil, fmt.Errorf("$schema is %q, not JSON Schema 2020-12", clip(d.Schema))
	case !ok || !goodKind.MatchString(s.Kind):
		return nil, fmt.Errorf("$id is %q, not %s and a kind in small letters", clip(d.ID), KindURN)
	case d.Title == "":
		return nil, errors.New("no title")
	case d.Type != "object":
		return nil, fmt.Errorf("type is %q: a row is an object", clip(d.Type))
	case len(d.Properties) == 0 || len(d.Properties) > MaxFields:
		return nil, fmt.Errorf("%d properties, 1 to %d are possible", len(d.Properties), MaxFields)
	}
	if s.Zone == "" {
		s.Zone = "Europe/Paris"
	}
	var err error
	if s.zone, err = time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
		return nil, fmt.Errorf("zone %q is not known", clip(s.Zone))
	}
	for _, p := range d.Properties {
		f, err := p.field()
		if err != nil {
			return nil, fmt.Errorf("property %q: %w", p.name, err)
		}
		f.Required = slices.Contains(d.Required, f.Name)
		s.byName[f.Name] = len(s.Fields)
		s.Fields = append(s.Fields, f)
	}
	return s, s.consistent(d.Required)
}

func words(title, description string, french Words) map[string]Words {
	m := map[string]Words{"en": {title, description}, "fr": french}
	if french.Title == "" {
		m["fr"] = m["en"]
	}
	return m
}

func (p namedProperty) field() (Field, error) {
	f := Field{
		Name: p.name, Words: words(p.Title, p.Description, p.Notes.French),
		Unit: p.Notes.Unit, Currency: p.Notes.Currency, Folds: p.Notes.Folds,
		Category: p.Notes.Category, Others: p.Notes.Others,
	}
	switch {
	case p.Type == "string" && p.Format == "date-time":
		f.Type = Instant
	case p.Type == "string" && p.Format == "date":
		f.Type = Day
	case p.Type == "string":
		f.Type = Text
	case p.Type == "number":
		f.Type = Decimal
	case p.Type == "integer":
		f.Type = Integer
	case p.Type == "boolean":
		f.Type = Boolean
	case p.Type == "object":
		f.Type = Place
	default:
		return f, fmt.Errorf("type %q is none of string, number, integer, boolean, object (a place)", clip(p.Type))
	}
	if !goodField.MatchString(f.Name) || len(f.Name) > 64 {
		return f, errors.New("a name is letters and digits, the first a small letter, at most 64")
	}
	for _, fold := range f.Folds {
		number := f.Type == Decimal || f.Type == Integer
		if !slices.Contains(folds, fold) || !number && fold != Count {
			return f, fmt.Errorf("fold %q does not fit a %s", clip(string(fold)), f.Type)
		}
	}
	if f.Category && f.Type != Text {
		return f, fmt.Errorf("a category is a text, not a %s", f.Type)
	}
	if len(p.Examples) > 0 {
		v, err := f.ParseJSON(p.Examples[0])
		if err != nil {
			return f, fmt.Errorf("its example: %w", err)
		}
		f.Example = v.String()
	}
	return f, nil
}

// consistent checks what refers to fields by name.
func (s *Schema) consistent(required []string) error {
	refer := func(what, name string, types ...Type) error {
		i, ok := s.byName[name]
		if !ok {
			return fmt.Errorf("%s names %q, which is no property", what, clip(name))
		}
		if len(types) > 0 && !slices.Contains(types, s.Fields[i].Type) {
			return fmt.Errorf("%s names %q, which is of type %s", what, name, s.Fields[i].Type)
		}
		return nil
	}
	var errs []error
	for _, name := range required {
		errs = append(errs, refer("required", name))
	}
	for _, key := range s.Keys {
		if len(key) == 0 {
			errs = append(errs, errors.New("a key without fields"))
		}
		for _, name := range key {
			errs = append(errs, refer("keys", name))
		}
	}
	if s.Time != "" {
		errs = append(errs, refer("time", s.Time, Instant, Day))
	}
	if s.End != "" {
		errs = append(errs, refer("end", s.End, Instant, Day))
	}
	for _, f := range s.Fields {
		if f.Currency != "" && !isCurrency.MatchString(f.Currency) {
			errs = append(errs, refer("currency of "+f.Name, f.Currency, Text))
		}
	}
	return errors.Join(errs...)
}

// Document is the JSON that the schema was read from.
func (s *Schema) Document() []byte { return bytes.Clone(s.document) }

// Location is the zone in which days and buckets are cut.
func (s *Schema) Location() *time.Location { return s.zone }

// Index is the place of a field in each row.
func (s *Schema) Index(name string) (int, bool) {
	i, ok := s.byName[name]
	return i, ok
}

// Field finds a field by its name.
func (s *Schema) Field(name string) (Field, bool) {
	i, ok := s.byName[name]
	if !ok {
		return Field{}, false
	}
	return s.Fields[i], true
}

// SameFields says whether rows of another schema are rows of this one: whether
// the fields are called the same, in the same order, and hold the same.
func (s *Schema) SameFields(as *Schema) bool {
	return slices.EqualFunc(s.Fields, as.Fields, func(a, b Field) bool { return a.Name == b.Name && a.Type == b.Type })
}

// Check says what is wrong with a row, naming the field: a value of another
// type than its field's, one that must be there and is not, a text that is too
// long ([ErrTooLong]), a row of another length.
func (s *Schema) Check(r Row) error {
	if len(r) != len(s.Fields) {
		return fmt.Errorf("%d values for %d fields", len(r), len(s.Fields))
	}
	for i, f := range s.Fields {
		switch v := r[i]; {
		case v.IsNull() && f.Required:
			return fmt.Errorf("%s is missing", f.Name)
		case !v.IsNull() && v.Type() != f.Type:
			return fmt.Errorf("%s is of type %s, not %s", f.Name, v.Type(), f.Type)
		case len(v.s) > MaxText:
			return fmt.Errorf("%s is a text of %d bytes: %w (%d)", f.Name, len(v.s), ErrTooLong, MaxText)
		}
	}
	return nil
}

// When is the instant at which a row is, or begins, in microseconds since 1970:
// of a day its beginning in the schema's zone. ok is false for a row without.
func (s *Schema) When(r Row) (micros int64, ok bool) {
	i, ok := s.byName[s.Time]
	if !ok || r[i].IsNull() {
		return 0, false
	}
	return s.micros(r[i]), true
}

func (s *Schema) micros(v Value) int64 {
	if v.kind == instant {
		return v.n
	}
	t := v.Time()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, s.zone).UnixMicro()
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// Mapping says which column of a table of separated values is what. It is a
// small JSON document that people can change:
//
//	{
//	  "kind": "bank-operations",
//	  "separator": ";",
//	  "columns": [
//	    {"column": "Date", "field": "date"},
//	    {"column": "Libellé", "field": "label"},
//	    {"column": "Débit", "field": "amount", "part": "debit"},
//	    {"column": "Crédit", "field": "amount", "part": "credit"},
//	    {"column": "Solde", "field": ""}
//	  ],
//	  "dates": "dmy",
//	  "decimals": ",",
//	  "always": {"currency": "EUR"}
//	}
type Mapping struct {
	Kind      string `json:"kind"`      // what the rows are
	Separator string `json:"separator"` // one character; "\t" for a tabulator

	// First is the line of the first row, from 1. It may be left out where
	// columns have headings: rows begin behind them.
	First int `json:"first,omitempty"`

	Columns  []Column          `json:"columns"`
	Dates    string            `json:"dates,omitempty"`    // "dmy", "mdy" or "ymd"; "" lets the dates tell
	Decimals string            `json:"decimals,omitempty"` // "," or "."; "" lets the numbers of each column tell
	Negate   bool              `json:"negate,omitempty"`   // amounts are written the other way round: what is paid has no minus
	Always   map[string]string `json:"always,omitempty"`   // values that all rows have, by field

	// Schema describes the rows of a kind that is not in the catalogue.
	Schema *record.Schema `json:"-"`
}

// Column is one column of a table: that under a heading, or the one of a
// number.
type Column struct {
	Column   string `json:"column,omitempty"`   // its heading
	Number   int    `json:"number,omitempty"`   // from 1
	Field    string `json:"field"`              // what it is; "" for nothing that is kept
	Part     Part   `json:"part,omitempty"`     // which part of it; "" for all
	Decimals string `json:"decimals,omitempty"` // of this column alone
}

// Part is what a column tells of a field when it does not tell all.
type Part string

// The parts.
const (
	Debit     Part = "debit"  // of an amount: what went out, with a minus or without
	Credit    Part = "credit" // of an amount: what came in
	Direction Part = "sign"   // of an amount: D or C, debit or credit, and then nothing else tells
	Fee       Part = "fee"    // of an amount: what was taken off besides
	DatePart  Part = "date"   // of an instant, whose time is in another column
	TimePart  Part = "time"
	Latitude  Part = "lat" // of a place, in degrees
	Longitude Part = "lon"
	State     Part = "state" // of no field: whether the row counts at all; of a bank: booked or not
)

// partsOf says which parts a field of a type can have.
var partsOf = map[record.Type][]Part{
	record.Decimal: {Debit, Credit, Direction, Fee}, record.Instant: {DatePart, TimePart}, record.Place: {Latitude, Longitude},
}

// Limits of a mapping.
const (
	MaxMapping        = 64 << 10 // bytes of the document
	maxMappingColumns = 1024
)

// ParseMapping reads a mapping. It is strict: what it does not know, it refuses.
func ParseMapping(b []byte) (*Mapping, error) {
	if len(b) > MaxMapping {
		return nil, Why("mapping", "what", fmt.Sprintf("more than %d bytes", MaxMapping))
	}
	m := &Mapping{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, Why("mapping", "what", err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, Why("mapping", "what", "something follows its end")
	}
	if err := m.check(); err != nil {
		return nil, Why("mapping", "what", err.Error())
	}
	return m, nil
}

// Document is the mapping as people get it to change.
func (m *Mapping) Document() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(m) // strings and numbers always encode
	return b.Bytes()
}

func (m *Mapping) check() error {
	if r, size := utf8.DecodeRuneInString(m.Separator); size != len(m.Separator) || size == 0 || r == '"' || r == '\n' || r == '\r' || r == utf8.RuneError {
		return fmt.Errorf("separator %q is not one character that can separate", clip(m.Separator))
	}
	if m.First < 0 || len(m.Columns) == 0 || len(m.Columns) > maxMappingColumns {
		return fmt.Errorf("%d columns, first row in line %d", len(m.Columns), m.First)
	}
	if !slices.Contains([]string{"", "dmy", "mdy", "ymd"}, m.Dates) {
		return fmt.Errorf("dates %q is none of dmy, mdy, ymd", clip(m.Dates))
	}
	marks := []string{"", ",", "."}
	if !slices.Contains(marks, m.Decimals) {
		return fmt.Errorf("decimals %q is neither a comma nor a point", clip(m.Decimals))
	}
	for i, c := range m.Columns {
		switch {
		case (c.Column == "") == (c.Number == 0), c.Number < 0, c.Number > maxMappingColumns:
			return fmt.Errorf("column %d needs a heading or a number", i+1)
		case !slices.Contains(marks, c.Decimals):
			return fmt.Errorf("column %d: decimals %q is neither a comma nor a point", i+1, clip(c.Decimals))
		}
	}
	return nil
}

// schema finds the description of the rows, and checks the fields against it.
func (m *Mapping) schema() (*record.Schema, error) {
	s := m.Schema
	if s == nil {
		var ok bool
		if s, ok = catalogue.Kind(m.Kind); !ok {
			return nil, Why("no-such-kind", "kind", clip(m.Kind))
		}
	}
	for _, c := range m.Columns {
		if c.Field == "" {
			if c.Part != "" && c.Part != State {
				return nil, Why("mapping-field", "field", clip(string(c.Part)), "kind", s.Kind)
			}
			continue
		}
		f, ok := s.Field(c.Field)
		if !ok || c.Part != "" && !slices.Contains(partsOf[f.Type], c.Part) {
			return nil, Why("mapping-field", "field", clip(c.Field+" "+string(c.Part)), "kind", s.Kind)
		}
	}
	for name, value := range m.Always {
		f, ok := s.Field(name)
		if !ok {
			return nil, Why("mapping-field", "field", clip(name), "kind", s.Kind)
		}
		if _, err := f.ParseText(value); err != nil {
			return nil, Why("mapping-field", "field", clip(name), "kind", s.Kind).Because(err)
		}
	}
	return s, nil
}

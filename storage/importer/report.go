// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// Report says what was found in one file. It is what a dry run shows.
type Report struct {
	File         string // as [Source.Name]
	Format       string // its name; "" when none was found
	Refused      *Reason
	Kinds        []KindReport // by name
	Rejected     []Rejected   // the first MaxRejected
	RejectedRows int
	Warnings     []Warning
}

// KindReport is what of one kind was found.
type KindReport struct {
	Kind   string
	Schema *record.Schema
	Rows   int

	// First and Last are when the earliest row is, or begins, and when the
	// latest one is, or ends: values of the fields that tell when. Null where
	// there are none.
	First, Last record.Value

	Sums   []Total        // of each field whose values add up, in the schema's order, by currency
	Filled map[string]int // how many rows have a value, by field
}

// Total is the sum of one field.
type Total struct {
	Field, Unit string
	Currency    string // as the rows have it; "" where they name none
	Sum         string // exact
	Rows        int
}

// Warning is something to know about a file whose rows are all good.
type Warning struct {
	Reason *Reason
	Times  int
}

// tally counts the rows of one kind.
type tally struct {
	schema      *record.Schema
	rows        int
	first, last record.Value
	begin, end  int // places in the row; -1 for none
	adds        []adding
	filled      []int
}

// adding is a field whose values add up.
type adding struct {
	place, currency int // currency -1: none, or the same for all
	sums            map[string]*sum
}

type sum struct {
	total record.Total
	rows  int
}

func newTally(s *record.Schema) *tally {
	t := &tally{schema: s, begin: place(s, s.Time), end: place(s, s.End), filled: make([]int, len(s.Fields))}
	for i, f := range s.Fields {
		if slices.Contains(f.Folds, record.Sum) {
			t.adds = append(t.adds, adding{place: i, currency: place(s, f.Currency), sums: map[string]*sum{}})
		}
	}
	return t
}

func place(s *record.Schema, name string) int {
	if i, ok := s.Index(name); ok {
		return i
	}
	return -1
}

func (t *tally) add(r record.Row) {
	t.rows++
	for i, v := range r {
		if !v.IsNull() {
			t.filled[i]++
		}
	}
	if t.begin >= 0 {
		t.stretch(r[t.begin])
	}
	if t.end >= 0 {
		t.stretch(r[t.end])
	}
	for _, a := range t.adds {
		if !r[a.place].IsNull() {
			a.add(r)
		}
	}
}

func (t *tally) stretch(v record.Value) {
	if v.IsNull() {
		return
	}
	if t.first.IsNull() || v.Compare(t.first) < 0 {
		t.first = v
	}
	if t.last.IsNull() || v.Compare(t.last) > 0 {
		t.last = v
	}
}

func (a adding) add(r record.Row) {
	currency := ""
	if a.currency >= 0 {
		currency = r[a.currency].String()
	}
	s := a.sums[currency]
	if s == nil {
		if len(a.sums) >= 1000 { // texts that are no currencies
			return
		}
		s = &sum{}
		a.sums[strings.Clone(currency)] = s
	}
	s.rows++
	s.total.Add(r[a.place])
}

func (t *tally) report() KindReport {
	k := KindReport{Kind: t.schema.Kind, Schema: t.schema, Rows: t.rows, First: t.first, Last: t.last, Filled: map[string]int{}}
	for i, f := range t.schema.Fields {
		if t.filled[i] > 0 {
			k.Filled[f.Name] = t.filled[i]
		}
	}
	for _, a := range t.adds {
		f := t.schema.Fields[a.place]
		for currency, s := range a.sums {
			if currency == "" && a.currency < 0 {
				currency = f.Currency
			}
			k.Sums = append(k.Sums, Total{Field: f.Name, Unit: f.Unit, Currency: currency, Sum: s.total.String(), Rows: s.rows})
		}
	}
	slices.SortStableFunc(k.Sums, func(a, b Total) int {
		if a.Field == b.Field {
			return strings.Compare(a.Currency, b.Currency)
		}
		return place(t.schema, a.Field) - place(t.schema, b.Field)
	})
	return k
}

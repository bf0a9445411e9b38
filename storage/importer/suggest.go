// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// Suggest makes a first guess at how a table is read into a kind (nil for bank
// operations): what its headings say, or, without headings, what its values
// look like. Columns that say nothing are there with no field, to be filled in.
func Suggest(ctx context.Context, src *Source, kind *record.Schema) (*Mapping, error) {
	src.ctx = ctx
	if src.Head.Bytes == nil {
		if err := src.look(); err != nil {
			return nil, err
		}
	}
	if kind == nil {
		if l := layoutOf(src.Head.Text); l != nil {
			return l.mapping(src.Options), nil
		}
		kind, _ = catalogue.Kind("bank-operations")
	}
	separator := Separator(src.Head.Text)
	records := firstRecords(src.Head.Text, separator, 60)
	if len(records) == 0 {
		return nil, Why("no-table")
	}
	m := &Mapping{Kind: kind.Kind, Separator: string(separator), Schema: kind}
	m.Schema = m.unlessOurs()
	if at := headingsOf(kind, records); at >= 0 {
		m.byHeadings(kind, records[at].cells)
	} else {
		m.byValues(kind, records)
	}
	if len(m.Columns) == 0 {
		return nil, Why("no-table")
	}
	return m, nil
}

// headingsOf finds the record that has most names of fields, or failing these
// the first of the width that most have, if it has no numbers; -1 for none.
func headingsOf(kind *record.Schema, records []firstRecord) int {
	best, most, widths := -1, 0, map[int]int{}
	for i, r := range records {
		n := 0
		for _, s := range r.cells {
			if fieldNamed(kind, s) != "" {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
		widths[len(r.cells)]++
	}
	if best >= 0 {
		return best
	}
	for i, r := range records {
		if widths[len(r.cells)]*2 <= len(records) {
			continue
		}
		for _, s := range r.cells {
			if strings.ContainsAny(s, "0123456789") || s == "" {
				return -1
			}
		}
		return i
	}
	return -1
}

// fieldNamed finds the field that a heading names: by its name, or by its title
// in French or English.
func fieldNamed(kind *record.Schema, heading string) string {
	heading = headingOf(heading)
	for _, f := range kind.Fields {
		if heading != "" && (headingOf(f.Name) == heading || headingOf(f.Words["fr"].Title) == heading || headingOf(f.Words["en"].Title) == heading) {
			return f.Name
		}
	}
	return ""
}

func (m *Mapping) byHeadings(kind *record.Schema, cells []string) {
	taken, seen := map[string]bool{"": true}, map[string]bool{"": true}
	for i, s := range cells {
		c := Column{Column: s, Field: fieldNamed(kind, s)}
		if taken[c.Field] {
			c.Field = ""
		}
		if taken[c.Field] = true; seen[Fold(s)] {
			c.Column, c.Number = "", i+1
		}
		seen[Fold(s)] = true
		m.Columns = append(m.Columns, c)
	}
}

// byValues guesses from what the values look like: the first column of days is
// the time of the kind, the first of numbers its first number, the one with the
// longest texts its first text that is no category.
func (m *Mapping) byValues(kind *record.Schema, records []firstRecord) {
	widths := map[int]int{}
	for _, r := range records {
		widths[len(r.cells)]++
	}
	width := len(records[len(records)-1].cells)
	for w, n := range widths {
		if n > widths[width] {
			width = w
		}
	}
	looks := make([]record.Type, width)
	longest, at := 0, -1
	for i := range width {
		total := 0
		looks[i], total = looksLike(records, width, i)
		if looks[i] == record.Text && total > longest {
			longest, at = total, i
		}
	}
	left := map[record.Type]string{}
	for _, f := range slices.Backward(kind.Fields) {
		if !f.Category {
			left[f.Type] = f.Name
		}
	}
	if f, ok := kind.Field(kind.Time); ok {
		left[record.Day] = f.Name
	}
	for i, look := range looks {
		c := Column{Number: i + 1, Field: left[look]}
		if look == record.Text && i != at {
			c.Field = ""
		}
		if c.Field != "" {
			left[look] = ""
		}
		m.Columns = append(m.Columns, c)
	}
	for _, r := range records {
		if len(r.cells) == width {
			m.First = r.line
			break
		}
	}
}

// looksLike is what most values of a column are, and how long they are in all.
func looksLike(records []firstRecord, width, column int) (record.Type, int) {
	days, numbers, texts, length := 0, 0, 0, 0
	for _, r := range records {
		if len(r.cells) != width || r.cells[column] == "" {
			continue
		}
		s := r.cells[column]
		number, _ := cutCurrency(s)
		_, notNumber := Number(number, 0)
		switch _, notDay := Date(s, ""); {
		case notDay == nil:
			days++
		case notNumber == nil:
			numbers++
		default:
			texts++
			length += len(s)
		}
	}
	switch {
	case days > numbers+texts:
		return record.Day, 0
	case numbers > days+texts:
		return record.Decimal, 0
	case texts > 0:
		return record.Text, length
	}
	return "", 0
}

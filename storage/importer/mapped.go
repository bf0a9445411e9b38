// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// csvMapped reads any table of separated values as a [Mapping] says, into any
// kind. It is asked for, never recognised.
var csvMapped = Format{Name: mapped, Fits: func(Head) Fit { return No }, Read: readMapped}

func readMapped(ctx context.Context, src *Source, to *Sink) error {
	switch {
	case src.Map != nil:
		return readTable(src, src.Map, to)
	case src.Kind == nil:
		return Why("no-mapping")
	}
	m, err := byNames(src, to)
	if err != nil {
		return err
	}
	return readTable(src, m, to)
}

// byNames is the mapping of a table whose headings name the fields of a kind, as
// the program calls them or as people do.
func byNames(src *Source, to *Sink) (*Mapping, error) {
	if src.Head.Text == "" {
		return nil, Why("no-table")
	}
	separator := Separator(src.Head.Text)
	if src.exported() {
		separator = ','
	}
	m := &Mapping{Kind: src.Kind.Kind, Schema: src.Kind, Separator: string(separator)}
	m.Schema = m.unlessOurs()
	records := firstRecords(src.Head.Text, separator, 60)
	if at := headingsOf(src.Kind, records); at >= 0 {
		m.byHeadings(src.Kind, records[at].cells)
	}
	named, left := map[string]bool{}, []string{}
	for i, c := range m.Columns {
		if named[c.Field] = true; c.Field == "" {
			left = append(left, cmp.Or(c.Column, itoa(i+1)))
		}
	}
	for _, f := range src.Kind.Fields {
		if f.Required && !named[f.Name] {
			return nil, Why("no-heading-for", "field", f.Name, "kind", m.Kind)
		}
	}
	if len(left) == len(m.Columns) {
		return nil, Why("no-heading-for", "field", src.Kind.Fields[0].Name, "kind", m.Kind)
	}
	if len(left) > 0 {
		to.Warn(Why("columns-left", "columns", clip(strings.Join(left, ", ")), "kind", m.Kind))
	}
	return m, nil
}

// exported says whether a table begins as the program itself writes one of the
// kind: with the names of all its fields, in their order.
func (s *Source) exported() bool {
	if s.Map != nil || s.Kind == nil {
		return false
	}
	names := make([]string, len(s.Kind.Fields))
	for i, f := range s.Kind.Fields {
		names[i] = f.Name
	}
	line, _, _ := strings.Cut(s.Head.Text, "\n")
	return strings.TrimSuffix(line, "\r") == strings.Join(names, ",")
}

// unlessOurs is the description that the mapping carries: none of a kind that
// the catalogue has.
func (m *Mapping) unlessOurs() *record.Schema {
	if ours, ok := catalogue.Kind(m.Kind); ok && ours == m.Schema {
		return nil
	}
	return m.Schema
}

// readTable reads a table twice: the first time for what its dates and numbers
// tell about themselves, the second for its rows.
func readTable(src *Source, m *Mapping, to *Sink) error {
	kind, err := m.schema()
	if err != nil {
		return err
	}
	t := &table{src: src, m: m, kind: kind, dates: m.Dates, clocks: map[int]*Clock{}}
	if err := t.always(); err != nil {
		return err
	}
	if t.dates == "" {
		t.dates = src.Dates
	}
	if t.zone, err = src.Location(); err != nil {
		return err
	}
	if err := t.each(t.see); err != nil {
		return err
	}
	if err := t.settle(); err != nil {
		return err
	}
	if kind.Kind == "bank-operations" && m.Schema == nil {
		t.bank = newBank(src.Options, to)
	} else {
		names := make([]string, len(kind.Fields))
		for i, f := range kind.Fields {
			names[i] = f.Name
		}
		t.rows = to.RowsOf(kind, names...)
	}
	return t.each(func(line int, cells []string) error { return t.take(to, line, cells) })
}

// table is one table being read.
type table struct {
	src    *Source
	m      *Mapping
	kind   *record.Schema
	zone   *time.Location
	clocks map[int]*Clock // by the field of instants
	row    record.Row     // what all rows have
	cells  []cell
	width  int // how many columns the headings have; 0 without headings

	votes dateVotes
	dates string // the order of day and month

	bank  *bank // of rows of that kind, or nil
	rows  *Rows
	known map[record.Value]bool // accounts told already
}

// cell is a column that is kept.
type cell struct {
	Column
	at    int // in the record
	field int // in the row; -1 for none
	typ   record.Type
	votes markVotes
	mark  byte
}

func (t *table) always() error {
	t.row = make(record.Row, len(t.kind.Fields))
	for name, value := range t.m.Always {
		i, _ := t.kind.Index(name)
		t.row[i], _ = t.kind.Fields[i].ParseText(value) // the mapping was checked
	}
	return nil
}

// each gives the records of the table: those behind the headings, or from the
// first line on.
func (t *table) each(visit func(line int, cells []string) error) error {
	named := slices.ContainsFunc(t.m.Columns, func(c Column) bool { return c.Column != "" })
	started := !named && t.locate(nil)
	err := t.src.Records([]rune(t.m.Separator)[0], func(line int, record []string) error {
		switch {
		case !started:
			if started = t.locate(record); !started && line > maxTablePreamble {
				return t.noHeadings()
			}
		case line >= t.m.First && !blank(record):
			return visit(line, record)
		}
		return nil
	})
	if err == nil && !started {
		return t.noHeadings()
	}
	return err
}

// maxTablePreamble is the last line in which headings are looked for.
const maxTablePreamble = 500

func (t *table) noHeadings() error {
	var names []string
	for _, c := range t.m.Columns {
		if c.Column != "" {
			names = append(names, c.Column)
		}
	}
	return Why("no-headings", "headings", clip(strings.Join(names, ", ")))
}

// locate finds the columns in the headings; false if one that is kept is not
// there.
func (t *table) locate(headings []string) bool {
	places := map[string]int{}
	for i := len(headings) - 1; i >= 0; i-- {
		places[Fold(headings[i])] = i // of two of one name the first
	}
	var cells []cell
	for _, c := range t.m.Columns {
		at, found := c.Number-1, c.Number > 0
		if c.Column != "" {
			at, found = places[Fold(c.Column)]
		}
		switch {
		case !found && c.Field == "" && c.Part == "":
			continue
		case !found:
			return false
		}
		field, ok := t.kind.Index(c.Field)
		if !ok {
			field = -1
		}
		k := cell{Column: c, at: at, field: field}
		if ok {
			k.typ = t.kind.Fields[field].Type
		}
		if d := c.Decimals + t.m.Decimals; d != "" {
			k.mark = d[0]
		}
		cells = append(cells, k)
	}
	if t.cells == nil { // the second time they keep what the first has found
		t.cells, t.width = cells, len(headings)
	}
	return true
}

func blank(record []string) bool {
	for _, s := range record {
		if s != "" {
			return false
		}
	}
	return true
}

func (c *cell) of(record []string) string {
	if c.at < len(record) {
		return record[c.at]
	}
	return ""
}

func (t *table) see(_ int, record []string) error {
	for i := range t.cells {
		c := &t.cells[i]
		switch s := c.of(record); {
		case s == "":
		case c.typ == "day", c.typ == "instant" && c.Part != TimePart:
			t.votes.see(s)
		case c.typ == "decimal" && c.Part != Direction:
			c.votes.see(s)
		}
	}
	return nil
}

// settle decides what the first reading has found: the order of the dates, and
// of each column its decimal mark. Where the numbers of one column leave that
// open, those of the others tell it.
func (t *table) settle() (err error) {
	if t.dates, err = t.votes.order(t.dates); err != nil {
		return err
	}
	var all markVotes
	for _, c := range t.cells {
		all.comma += c.votes.comma
		all.point += c.votes.point
	}
	for i := range t.cells {
		c := &t.cells[i]
		if c.votes.comma+c.votes.point == 0 {
			c.votes.comma, c.votes.point = all.comma, all.point
		}
		if open, _ := openMark(c.votes.open); t.src.exported() && c.votes.comma == 0 && open == '.' {
			c.mark = '.' // 209.653 alone tells nothing, but this is how it was written
		}
		if c.mark, err = c.votes.mark(c.mark); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) take(to *Sink, line int, record []string) error {
	if t.width > 0 && len(record) > t.width && !blank(record[t.width:]) {
		to.Reject(line, Why("columns", "got", itoa(len(record)), "want", itoa(t.width)))
		return nil
	}
	if t.bank != nil && t.remark(record) {
		return nil
	}
	row, err := t.values(record)
	switch {
	case err != nil:
		to.Reject(line, err)
		return nil
	case t.bank != nil:
		return t.bankRow(line, row)
	}
	return t.rows.Add(line, row...)
}

// values makes a row of a record.
func (t *table) values(cells []string) (record.Row, error) {
	row := append(record.Row(nil), t.row...)
	numbers := map[int]*amountParts{}
	halves := map[int]*[2]string{} // of instants and places in two columns
	for i := range t.cells {
		c := &t.cells[i]
		if err := t.cell(c, c.of(cells), row, numbers, halves); err != nil {
			return nil, err
		}
	}
	for field := range row {
		if a := numbers[field]; a != nil {
			a.into(row, field, t)
		}
		if h := halves[field]; h != nil {
			var err error
			if row[field], err = t.joined(field, *h); err != nil {
				return nil, err
			}
		}
	}
	return row, nil
}

func (t *table) cell(c *cell, s string, row record.Row, numbers map[int]*amountParts, halves map[int]*[2]string) (err error) {
	switch {
	case s == "" || c.field < 0 && c.Part == "":
	case c.Part == State && !booked(s):
		return Why("not-booked")
	case c.Part == State:
	case c.typ == record.Decimal:
		if numbers[c.field] == nil {
			numbers[c.field] = &amountParts{}
		}
		return numbers[c.field].add(c, s)
	case c.Part != "":
		if halves[c.field] == nil {
			halves[c.field] = &[2]string{}
		}
		half := 0
		if c.Part == TimePart || c.Part == Longitude {
			half = 1
		}
		halves[c.field][half] = s
	case c.typ == record.Text && !row[c.field].IsNull() && t.row[c.field].IsNull():
		row[c.field] = record.Str(row[c.field].String() + " " + s)
	default:
		row[c.field], err = t.value(c, s)
	}
	return err
}

func (t *table) joined(field int, parts [2]string) (record.Value, error) {
	switch f := t.kind.Fields[field]; {
	case parts[0] == "":
		return record.Null, nil
	case f.Type == record.Place:
		lat, err := Number(parts[0], 0)
		if err != nil {
			return record.Null, err
		}
		lon, err := Number(parts[1], 0)
		if err != nil {
			return record.Null, err
		}
		return asValue(f, lat.String()+","+lon.String())
	}
	return t.instant(field, parts[0]+" "+parts[1])
}

// value reads one cell as its field's type.
func (t *table) value(c *cell, s string) (record.Value, error) {
	f := t.kind.Fields[c.field]
	switch f.Type {
	case record.Day:
		return Date(s, t.dates)
	case record.Instant:
		return t.instant(c.field, s)
	case record.Integer:
		v, err := Number(s, c.mark)
		if n, scale := v.Unscaled(); err == nil && scale == 0 && !v.IsNull() {
			return record.Int(n), nil
		}
		return record.Null, Why("number", "value", clip(s))
	case record.Boolean:
		switch Fold(s) {
		case "1", "true", "yes", "y", "vrai", "oui", "o", "x":
			return record.Bool(true), nil
		case "0", "false", "no", "n", "faux", "non":
			return record.Bool(false), nil
		}
		return record.Null, Why("value", "field", f.Name, "value", clip(s))
	}
	return asValue(f, s)
}

func asValue(f record.Field, s string) (record.Value, error) {
	v, err := f.ParseText(s)
	if err != nil {
		return record.Null, Why("value", "field", f.Name, "value", clip(s)).Because(err)
	}
	return v, nil
}

// instant reads a moment of a field: with its offset, or what a clock in the zone
// of the file showed after it had shown the rows before.
func (t *table) instant(field int, s string) (record.Value, error) {
	if at, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "T", 1)); err == nil {
		return record.At(at), nil
	}
	wall, err := Wall(s, t.dates)
	if err != nil {
		return record.Null, err
	}
	if t.clocks[field] == nil {
		t.clocks[field] = &Clock{Zone: t.zone}
	}
	at, ok := t.clocks[field].End(wall, 0, time.Time{})
	if !ok {
		return record.Null, Why("no-such-time", "value", clip(s))
	}
	return record.At(at), nil
}

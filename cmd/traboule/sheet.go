// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/node"
)

// sheet is rows as people read them: under headings of their language, with the
// times of the data set's zone.
type sheet struct {
	columns  []node.Column
	zone     string     // IANA
	begins   string     // the column that says when a row, or its bucket, begins
	by       string     // the period of the buckets; "" for rows as they are
	rows     [][]string // of each the values as CSV has them, behind its number if numbered
	numbered bool
	gap      int // before this row some are left out; 0 for nowhere
}

func sheetOf(r node.QueryResult, rows [][]string) sheet {
	return sheet{columns: r.Columns, zone: r.Zone, begins: r.Begins, by: r.By, rows: rows}
}

// tableRows reads the rows of a query for a table.
func tableRows(from io.Reader) (rows [][]string, err error) {
	for d := json.NewDecoder(from); ; {
		var row []string
		err := d.Decode(&row)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// printSheet prints rows without the columns that are empty in all of them.
func (a *app) printSheet(s sheet) {
	lines := make([][]string, len(s.rows)+1)
	t := table{right: map[int]bool{}}
	first := 0
	if s.numbered {
		first = 1
		lines[0] = append(lines[0], a.text("column.row"))
		for i, row := range s.rows {
			lines[i+1] = append(lines[i+1], row[0])
		}
	}
	for i, c := range s.columns {
		at := first + i
		if !slices.ContainsFunc(s.rows, func(row []string) bool { return row[at] != "" }) {
			continue
		}
		t.right[len(lines[0])] = isNumber(c)
		lines[0] = append(lines[0], a.heading(c))
		for j, row := range s.rows {
			lines[j+1] = append(lines[j+1], a.cell(s, c, row[at]))
		}
	}
	for i, line := range lines {
		if s.gap > 0 && i == s.gap+1 {
			t.row("…")
		}
		t.row(line...)
	}
	t.print(a.out)
}

func isNumber(c node.Column) bool { return c.Type == "decimal" || c.Type == "integer" }

// heading is what people call a column, with its unit: "Energy, sum (kWh)".
func (a *app) heading(c node.Column) string {
	title := a.title(c.Title)
	if title == "" {
		title = clean(c.Name)
	}
	unit := a.unit(c.Unit)
	if unit == "" && c.Currency == strings.ToUpper(c.Currency) { // else it names the field that says so
		unit = c.Currency
	}
	if unit == "" {
		return title
	}
	return title + " (" + clean(unit) + ")"
}

// cell is a value as people read it.
func (a *app) cell(s sheet, c node.Column, text string) string {
	switch {
	case text == "":
	case c.Type == "instant" || c.Type == "day":
		if c.Type == "instant" {
			text = wall(text, s.zone)
		}
		if c.Name == s.begins {
			text = shortTime(text, s.by)
		}
	case c.Type == "decimal":
		text = a.lang.Decimal(text)
	case c.Type == "boolean" && text == "true":
		text = a.text("word.yes")
	case c.Type == "boolean":
		text = a.text("word.no")
	}
	return clean(text)
}

// wall is an instant as the clock on the wall shows it in a zone, with the
// offset from UTC where the clock shows the same twice, in the autumn.
func wall(text, zone string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	if in, err := time.LoadLocation(zone); err == nil {
		t = t.In(in)
	}
	shown := strings.TrimSuffix(t.Format("2006-01-02 15:04:05"), ":00")
	if shownTwice(t) {
		shown += t.Format(" -07:00")
	}
	return shown
}

// shownTwice says whether the clock shows this time a second time, or did so
// before: it has gone back, or will, by more than what lies between.
func shownTwice(t time.Time) bool {
	offset := func(t time.Time) time.Duration {
		_, seconds := t.Zone()
		return time.Duration(seconds) * time.Second
	}
	start, end := t.ZoneBounds()
	return !start.IsZero() && t.Sub(start) < offset(start.Add(-1))-offset(t) ||
		!end.IsZero() && end.Sub(t) <= offset(t)-offset(end)
}

// shortTime is as much of a time as a bucket needs.
func shortTime(text, by string) string {
	n := map[string]int{"year": 4, "month": 7, "day": 10}[by]
	if n == 0 || len(text) < n {
		return text
	}
	return text[:n]
}

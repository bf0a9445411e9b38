// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// positionCSV is a table with a column for latitude, one for longitude and one
// for the time, as loggers and converters write it. A row that says that it is
// a visit, with when it ended, is one.
var positionCSV = Format{
	Name: "position-csv",
	Fits: func(h Head) Fit {
		if _, ok := positionHeadings(h.Text, Separator(h.Text)); ok {
			return Likely
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		zone, err := src.Location()
		if err != nil {
			return err
		}
		t := positionTable{out: newJournal(to), zone: zone, order: src.Dates}
		if err := t.read(src, t.row); err != nil || t.open == "" {
			return err
		}
		return t.read(src, t.row)
	},
}

// maxPreamble is how many lines may stand before the headings.
const maxPreamble = 20

// positionHeadings finds the line of headings of a table of positions: what each column
// is, "" for those that are of no use.
func positionHeadings(text string, sep rune) (columns []string, ok bool) {
	for i, line := range strings.SplitN(text, "\n", maxPreamble+1) {
		if i == maxPreamble {
			break
		}
		if columns, ok := columnsOf(strings.Split(line, string(sep))); ok {
			return columns, true
		}
	}
	return nil, false
}

// columnsOf says what each heading means. ok is false for a line that does not
// have place and time among its headings. A timetable has stops, not positions.
func columnsOf(line []string) (columns []string, ok bool) {
	has := map[string]bool{}
	for _, name := range line {
		what := whatItIs[bare(name)]
		if has[what] && what != "time" { // the first of several is it
			what = ""
		}
		has[what] = true
		columns = append(columns, what)
	}
	return columns, has["lat"] && has["lon"] && (has["time"] || has["date"])
}

// positionTable reads a table of positions.
type positionTable struct {
	out     *journal
	zone    *time.Location
	order   string // of day and month; "" for not said
	open    string
	columns []string
}

// read gives each row behind the headings.
func (t *positionTable) read(src *Source, row func(line int, fields []string) error) error {
	c, err := src.CSV(0)
	if err != nil {
		return err
	}
	defer c.Close()
	t.columns = nil
	for {
		fields, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case t.columns == nil:
			t.columns, _ = columnsOf(fields)
			if t.columns == nil && c.Line() > maxPreamble {
				return Why("no-place-headings")
			}
			continue
		}
		if err := row(c.Line(), fields); err != nil {
			return err
		}
	}
}

// row takes a row.
func (t *positionTable) row(line int, fields []string) error {
	var p position
	said := map[string]string{}
	for i, what := range t.columns {
		if i >= len(fields) || what == "" || fields[i] == "" {
			continue
		}
		if said[what] == "" {
			said[what] = fields[i]
		}
		t.out.named(&p, what, decimalPoint(fields[i]), t.zone)
	}
	p.place = degrees(said["lat"], said["lon"])
	when, err := t.when(said["date"], said["time"])
	if err != nil {
		return err
	}
	if p.time = either(when, p.time); p.time.IsNull() && said["date"]+said["time"] != "" {
		t.out.to.Reject(line, Why("time", "value", clip(said["date"]+" "+said["time"])))
		return nil
	}
	end, err := t.when("", said["end"])
	if err != nil {
		return err
	}
	if strings.EqualFold(said["type"], "visit") && !end.IsNull() {
		return t.out.visit(line, &visit{
			start: p.time, end: end, place: p.place, name: p.name,
			address: record.Str(said["address"]), placeID: record.Str(said["placeId"]), device: p.device,
		})
	}
	return t.out.timed(line, &p)
}

// when is a moment, of a date and a time in one column or in two.
func (t *positionTable) when(date, clock string) (record.Value, error) {
	whole := strings.TrimSpace(date + " " + clock)
	for _, s := range []string{clock, date, whole} {
		if v, ok := Moment(s, t.zone); ok {
			return v, nil
		}
	}
	if whole == "" {
		return record.Null, nil
	}
	order := t.order
	if order == "" {
		dmy, err1 := Date(whole, "dmy")
		mdy, err2 := Date(whole, "mdy")
		switch {
		case err1 == nil && err2 == nil && dmy != mdy:
			return record.Null, Why("dates-open", "example", clip(whole), "dmy", dmy.String(), "mdy", mdy.String())
		case err1 != nil:
			order = "mdy"
		}
	}
	wall, err := Wall(whole, order)
	if err != nil || !strings.Contains(whole, ":") {
		return record.Null, nil
	}
	y, m, d := wall.Date()
	return record.At(time.Date(y, m, d, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), t.zone)), nil
}

// decimalPoint puts a point for the one comma of a number.
func decimalPoint(s string) string {
	if strings.Count(s, ",") == 1 && strings.Trim(s, "+-0123456789,") == "" {
		return strings.Replace(s, ",", ".", 1)
	}
	return s
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
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
		if hasPositions(h.Text) {
			return Likely
		}
		return No
	},
	Read: func(_ context.Context, src *Source, to *Sink) error {
		zone, err := src.Location()
		if err != nil {
			return err
		}
		t := positionTable{out: newJournal(to), clock: Clock{Zone: zone}}
		if err := t.findOrder(src); err != nil {
			return err
		}
		t.clock, t.wall = Clock{Zone: zone}, time.Time{}
		return t.read(src, t.row)
	},
}

// maxPreamble is how many lines may stand before the headings.
const maxPreamble = 20

// hasPositions says whether one of the first lines names the columns of a table
// of positions.
func hasPositions(text string) bool {
	sep := string(Separator(text))
	for i, line := range strings.SplitN(text, "\n", maxPreamble+1) {
		if _, ok := columnsOf(strings.Split(line, sep)); ok && i < maxPreamble {
			return true
		}
	}
	return false
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
	clock   Clock
	wall    time.Time    // what it showed in the row before,
	at      record.Value // and when that was
	order   string       // of day and month
	columns []string
}

// findOrder finds out the order of day and month, for which all dates are
// needed; those that begin with the year say it at once.
func (t *positionTable) findOrder(src *Source) error {
	var votes dateVotes
	err := t.read(src, func(_ int, fields []string) error {
		date, clock := t.said(fields, "date"), t.said(fields, "time")
		if date+clock == "" {
			return nil
		}
		if !t.when(date, clock).IsNull() && votes.read == 0 {
			return ErrStop
		}
		votes.see(strings.TrimSpace(date + " " + clock))
		return nil
	})
	if errors.Is(err, ErrStop) {
		return nil
	}
	if err == nil {
		t.order, err = votes.order(src.Dates)
	}
	return err
}

// said is the value of a row in the first column that is what.
func (t *positionTable) said(fields []string, what string) string {
	for i, column := range t.columns {
		if column == what && i < len(fields) && fields[i] != "" {
			return fields[i]
		}
	}
	return ""
}

// read gives each row behind the headings.
func (t *positionTable) read(src *Source, row func(line int, fields []string) error) error {
	t.columns = nil
	return src.Records(0, func(line int, fields []string) error {
		if t.columns != nil {
			return row(line, fields)
		}
		if columns, ok := columnsOf(fields); ok {
			t.columns = columns
		} else if line > maxPreamble {
			return Why("no-place-headings")
		}
		return nil
	})
}

// row takes a row.
func (t *positionTable) row(line int, fields []string) error {
	var p position
	for i, what := range t.columns {
		if i < len(fields) && what != "time" {
			t.out.named(&p, what, decimalPoint(fields[i]), t.clock.Zone)
		}
	}
	p.place = degrees(t.said(fields, "lat"), t.said(fields, "lon"))
	date, clock := t.said(fields, "date"), t.said(fields, "time")
	p.time = t.when(date, clock)
	if p.time.IsNull() && date+clock != "" {
		t.out.to.Reject(line, Why("time", "value", clip(strings.TrimSpace(date+" "+clock))))
		return nil
	}
	end := t.when("", t.said(fields, "end"))
	if !strings.EqualFold(t.said(fields, "type"), "visit") || end.IsNull() {
		return t.out.timed(line, &p)
	}
	return t.out.visit(line, &visit{
		start: p.time, end: end, place: p.place, name: p.name,
		address: record.Str(t.said(fields, "address")), placeID: record.Str(t.said(fields, "placeId")), device: p.device,
	})
}

// when is a moment, of a date and a time in one column or in two. Without a
// time it is none.
func (t *positionTable) when(date, clock string) record.Value {
	whole := strings.TrimSpace(date + " " + clock)
	for _, s := range []string{clock, date, whole} {
		v, local, ok := shown(s)
		switch {
		case ok && local:
			return t.shown(v.Time())
		case ok:
			return v
		}
	}
	wall, err := Wall(whole, t.order)
	if err != nil || t.order == "" || !strings.Contains(whole, ":") {
		return record.Null
	}
	return t.shown(wall)
}

// shown is when a clock showed a time, after it had shown those of the rows
// before; null for one that it passed over.
func (t *positionTable) shown(wall time.Time) record.Value {
	if !wall.Equal(t.wall) { // of one time there may be many positions
		t.wall, t.at = wall, record.Null
		if at, ok := t.clock.End(wall, 0, time.Time{}); ok {
			t.at = record.At(at)
		}
	}
	return t.at
}

// decimalPoint puts a point for the one comma of a number.
func decimalPoint(s string) string {
	if strings.Count(s, ",") == 1 && strings.Trim(s, "+-0123456789,") == "" {
		return strings.Replace(s, ",", ".", 1)
	}
	return s
}

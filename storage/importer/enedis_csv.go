// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// enedisCSV reads the files of the customer's account at Enedis: one line of
// what the file is, then the table, and behind an index a second table with the
// supplier's calendar, which is no data. Several such files may be glued
// together. Times have an offset and end an interval; an empty value is none.
var enedisCSV = Format{Name: "enedis-csv", Read: readEnedisCSV, Fits: func(h Head) Fit {
	if strings.HasPrefix(Fold(strings.ReplaceAll(firstLines(h, 1), `"`, "")), "identifiant prm;type de donnees;") {
		return Sure
	}
	return No
}}

// enedisTable is where the reading of such a file is.
type enedisTable struct {
	to     *Sink
	about  map[string]string // by the folded name of the column
	names  []string          // of the columns of what the table is about
	header []string          // folded
	take   func(line int, r []string) error
	end    func() error // takes what waits for its next
	tables int
}

func readEnedisCSV(_ context.Context, s *Source, to *Sink) error {
	t := &enedisTable{to: to, end: func() error { return nil }}
	if err := s.Records(';', t.record); err != nil {
		return err
	}
	return t.done()
}

func (t *enedisTable) done() error {
	if err := t.end(); err != nil {
		return err
	}
	if t.tables == 0 {
		return Why("cut")
	}
	return nil
}

// record takes one record: a header, the line of what the table is, or a row.
func (t *enedisTable) record(line int, r []string) error {
	switch first := Fold(r[0]); {
	case first == "identifiant prm":
		err := t.end()
		t.names, t.about, t.take = foldAll(r), nil, nil
		t.end = func() error { return nil }
		return err
	case t.names != nil && t.about == nil:
		t.about = map[string]string{}
		for i, name := range t.names[:min(len(t.names), len(r))] {
			t.about[name] = r[i]
		}
		return nil
	case first == "horodate":
		t.header = foldAll(r)
		t.tables++
		return t.open()
	case first == "periode":
		err := t.end()
		t.take = func(int, []string) error { return nil }
		t.end = func() error { return nil }
		return err
	case t.take == nil:
		return Why("unknown-table", "seen", clip(strings.Join(r, ";")))
	}
	return t.take(line, r)
}

// open finds out what the table holds.
func (t *enedisTable) open() error {
	meter, way := shorten(t.about["identifiant prm"]), record.Str("consumption")
	if strings.HasPrefix(Fold(t.about["grandeur metier"]), "prod") {
		way = record.Str("production")
	}
	unit := t.about["unite"]
	switch kind := Fold(t.about["type de donnees"]); {
	case strings.HasPrefix(kind, "courbe de charge"):
		return t.curve(newLoadCurve(t.to, meter, way), unit)
	case strings.HasPrefix(kind, "index"):
		return t.index(meter, way, unit)
	case strings.Contains(kind, "puissance") && strings.Contains(kind, "max"):
		return t.peaks(meter, unit)
	case strings.Contains(kind, "quotidien"), strings.Contains(kind, "journali"):
		return t.days(meter, way, unit)
	default:
		return Why("unknown-table", "seen", clip(t.about["type de donnees"]))
	}
}

// at is the place of a column, or an error when the table has none.
func (t *enedisTable) at(name string) (int, error) {
	for i, h := range t.header {
		if h == name {
			return i, nil
		}
	}
	return 0, Why("no-column", "column", name)
}

// curve takes points when the next is known: where the file does not say how
// long their intervals are, the neighbours do.
func (t *enedisTable) curve(curve *loadCurve, unit string) error {
	value, err := t.at("valeur")
	if err != nil {
		return err
	}
	step := time.Duration(num(t.about["pas en minutes"])) * time.Minute
	var before, at, next time.Time
	var waiting []string
	var waitingLine int
	put := func() error {
		length := step
		if length == 0 {
			length = stepOf(before, at, next)
		}
		return curve.add(waitingLine, at, length, valueAt(waiting, value), unit)
	}
	t.take = func(line int, r []string) (err error) {
		if next, err = withOffset(r[0]); err != nil {
			t.to.Reject(line, err)
			return nil
		}
		if waiting != nil {
			err = put()
		}
		before, at, waiting, waitingLine = at, next, r, line
		return err
	}
	t.end = func() error {
		if next = (time.Time{}); waiting == nil {
			return nil
		}
		return put()
	}
	return nil
}

// withOffset reads a time that says how far it is from UTC.
func withOffset(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, Why("time", "value", clip(s))
	}
	return at, nil
}

var register = regexp.MustCompile(`^(eas|eai) (f|d|t)(\d{0,2})$`)

// index takes what a meter showed: EAS is drawn from the grid, EAI given to it;
// F counts by the supplier's tariff, D by the grid's, T all.
func (t *enedisTable) index(meter, way record.Value, unit string) error {
	fields := []string{"meter", "direction", "at", "reading"}
	var places []int
	for i, h := range t.header {
		m := register.FindStringSubmatch(h)
		if m == nil {
			continue
		}
		name := map[string]string{"f": "supplier", "d": "grid", "t": "total"}[m[2]] + m[3]
		if !hasField("electricity-index", name) {
			return Why("no-column", "column", h)
		}
		fields, places = append(fields, name), append(places, i)
		if m[1] == "eai" {
			way = record.Str("production")
		}
	}
	if len(places) == 0 {
		return Why("no-column", "column", "EAS T")
	}
	reading, err := t.at("type de releve")
	if err != nil {
		reading = -1
	}
	rows := t.to.Rows("electricity-index", fields...)
	t.take = func(line int, r []string) error {
		at, err := withOffset(r[0])
		values := []record.Value{meter, way, record.At(at), record.Str(valueAt(r, reading))}
		found := false
		for _, i := range places {
			v, wrong := counted(valueAt(r, i), unit)
			if err == nil {
				err = wrong
			}
			found = found || !v.IsNull()
			values = append(values, v)
		}
		if err == nil && !found {
			err = Why("no-value")
		}
		if err != nil {
			t.to.Reject(line, err)
			return nil
		}
		return rows.Add(line, values...)
	}
	return nil
}

// counted is what a register shows, in kilowatt-hours; null when it is empty.
func counted(s, unit string) (record.Value, error) {
	if s == "" {
		return record.Null, nil
	}
	v, field, err := quantity(s, unit)
	if err == nil && field != "energy" {
		return record.Null, Why("unit", "unit", clip(unit))
	}
	return v, err
}

func (t *enedisTable) peaks(meter record.Value, unit string) error {
	return t.single(unit, t.to.Rows("electricity-max-power", "meter", "day", "at", "power", "apparentPower"), func(at time.Time, v record.Value, field string) []record.Value {
		power, apparent := v, record.Null
		switch field {
		case "energy":
			return nil
		case "apparentPower":
			power, apparent = record.Null, v
		}
		return []record.Value{meter, record.On(at.Date()), record.At(at), power, apparent}
	})
}

func (t *enedisTable) days(meter, way record.Value, unit string) error {
	return t.single(unit, t.to.Rows("electricity-daily", "meter", "direction", "day", "energy"), func(at time.Time, v record.Value, field string) []record.Value {
		if field != "energy" {
			return nil
		}
		return []record.Value{meter, way, record.On(at.Date()), v}
	})
}

// single takes rows of one time and one value; row is nil for a unit that does
// not fit.
func (t *enedisTable) single(unit string, rows *Rows, row func(time.Time, record.Value, string) []record.Value) error {
	value, err := t.at("valeur")
	if err != nil {
		return err
	}
	t.take = func(line int, r []string) error {
		at, err := withOffset(r[0])
		v, field, wrong := quantity(valueAt(r, value), unit)
		if err == nil {
			err = wrong
		}
		if err != nil {
			t.to.Reject(line, err)
			return nil
		}
		values := row(at, v, field)
		if values == nil {
			t.to.Reject(line, Why("unit", "unit", clip(unit)))
			return nil
		}
		return rows.Add(line, values...)
	}
	return nil
}

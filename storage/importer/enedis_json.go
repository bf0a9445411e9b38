// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// enedisJSON reads what Enedis' interface Data Connect answers, whoever keeps
// it: consumption by day, load curve, highest power by day, contract. Numbers
// are texts. Times are a clock's in Paris without an offset and end an interval;
// the load curve is a mean power in watts, whose steps may change inside a file.
var enedisJSON = Format{Name: "enedis-json", Fits: fitsEnedisJSON, Read: readEnedisJSON}

var ecowatt = regexp.MustCompile(`^\s*\{\s*"\d{4}-\d\d-\d\d"\s*:\s*\{[^{}]*"message"`)

func fitsEnedisJSON(h Head) Fit {
	has := func(s string) bool { return strings.Contains(h.Text, `"`+s+`"`) }
	switch {
	case !startsJSON(h):
		return No
	case has("interval_reading") && (has("meter_reading") || has("reading_type") || has("usage_point_id")), has("enedis_return"), has("usage_points") && has("contracts"):
		return Sure
	case isEcowatt(h), has("error") && strings.Contains(h.Text, "ADAM-"):
		return Sure
	case has("customer_id") && (has("identity") || has("contact_data") || has("usage_points")) && has("customer"):
		return Likely
	}
	return No
}

func isEcowatt(h Head) bool {
	return ecowatt.MatchString(h.Text) || strings.Contains(h.Text, `"signals"`) && strings.Contains(h.Text, `"dvalue"`)
}

// enedisReading is what belongs to one list of readings but its rows.
type enedisReading struct {
	meter, unit, aggregate, period string
}

// enedisFile is read twice: what belongs to the rows may stand behind them.
type enedisFile struct {
	j       *JSON
	to      *Sink
	zone    *time.Location
	first   bool            // the first time: only what belongs to the rows
	all     []enedisReading // of the first time
	at      int             // the second time: how many lists came
	told    map[string]string
	entries int // contracts
}

func readEnedisJSON(_ context.Context, s *Source, to *Sink) error {
	if isEcowatt(s.Head) {
		return Why("not-a-reading", "what", "EcoWatt")
	}
	zone, err := s.Location()
	if err != nil {
		return err
	}
	e := &enedisFile{to: to, zone: zone, told: map[string]string{}}
	for _, e.first = range []bool{true, false} {
		if e.j, err = s.JSON(); err != nil {
			return err
		}
		if err = e.value(&enedisReading{}); err == nil {
			err = e.j.Finish()
		}
		e.j.Close()
		if err != nil {
			return err
		}
	}
	return e.nothing()
}

// nothing says why there are no rows: a reply that tells of an error, or that
// is about the customer alone.
func (e *enedisFile) nothing() error {
	switch {
	case len(e.all) > 0 || e.entries > 0:
		return nil
	case len(e.told) > 0:
		var words []string
		for _, name := range []string{"error_code", "error", "description", "error_description", "message"} {
			if s := Plain(e.told[name]); s != "" {
				words = append(words, s)
			}
		}
		return Why("service-error", "service", "Enedis", "message", clip(strings.Join(words, ": ")))
	}
	return Why("not-a-reading", "what", "Enedis")
}

// value reads an object, or each of an array of them.
func (e *enedisFile) value(r *enedisReading) error {
	c, err := e.j.space()
	if err != nil {
		return e.j.cut(err)
	}
	if c == '[' {
		return e.j.Array(func(int) error { return e.value(&enedisReading{}) })
	}
	if c != '{' {
		return e.j.Skip()
	}
	at := -1
	err = e.j.Object(func(name string) error {
		if name == "interval_reading" {
			if at >= 0 {
				return e.j.wrong(name + " comes twice")
			}
			at = len(e.all)
			if e.first {
				e.all = append(e.all, enedisReading{})
			}
		}
		return e.member(name, r)
	})
	if e.first && at >= 0 {
		e.all[at] = *r
	}
	return err
}

func (e *enedisFile) member(name string, r *enedisReading) error {
	switch name {
	case "meter_reading":
		return e.value(r)
	case "usage_point_id":
		return e.scalar(&r.meter)
	case "reading_type":
		return e.j.Object(func(name string) error {
			switch name {
			case "unit":
				return e.scalar(&r.unit)
			case "aggregate":
				return e.scalar(&r.aggregate)
			case "measuring_period", "interval_length":
				return e.scalar(&r.period)
			}
			return nil
		})
	case "interval_reading":
		if e.first {
			return e.j.Skip()
		}
		e.at++
		return e.readings(e.all[e.at-1])
	case "customer":
		return e.customer()
	case "error", "error_code", "description", "error_description", "message":
		s, _, err := e.j.Scalar()
		e.told[name] = s
		return err
	case "enedis_return":
		return e.value(r)
	}
	return nil
}

func (e *enedisFile) scalar(into *string) error {
	s, _, err := e.j.Scalar()
	*into = s
	return err
}

// enedisPoint is one element of interval_reading.
type enedisPoint struct {
	line                int
	value, date, length string
	wall                time.Time // what the clock showed, as if in UTC
	exact               time.Time // when it was, of a date with an offset: others than Enedis write those
	wrong               error     // of the date
}

// readings reads the rows of one list, each when the next is known.
func (e *enedisFile) readings(r enedisReading) error {
	take := e.taker(r)
	var p, next enedisPoint
	err := e.j.Array(func(i int) error {
		var err error
		if next, err = e.point(); err == nil && i > 0 {
			err = take(p, next.wall)
		}
		p = next
		return err
	})
	if err == nil && p.line > 0 {
		err = take(p, time.Time{})
	}
	return err
}

func (e *enedisFile) point() (p enedisPoint, err error) {
	err = e.j.Object(func(name string) error {
		switch name {
		case "value":
			return e.scalar(&p.value)
		case "date":
			return e.scalar(&p.date)
		case "interval_length":
			return e.scalar(&p.length)
		}
		return nil
	})
	p.line = e.j.Line()
	if at, err := time.Parse(time.RFC3339, p.date); err == nil {
		p.exact = at
		at = at.In(e.zone)
		_, offset := at.Zone()
		p.wall = at.Add(time.Duration(offset) * time.Second).UTC()
	} else {
		p.wall, p.wrong = Wall(p.date, "ymd")
	}
	return p, err
}

// end is when the interval of a point ended, and how long it was.
func (e *enedisFile) end(p enedisPoint, r enedisReading, clock *Clock, before, behind time.Time) (end time.Time, length time.Duration, ok bool) {
	length = p.step(r, before, behind)
	if !p.exact.IsZero() {
		return p.exact, length, true
	}
	end, ok = clock.End(p.wall, length, behind)
	return end, length, ok
}

// taker is what takes the points of a list.
func (e *enedisFile) taker(r enedisReading) func(p enedisPoint, next time.Time) error {
	meter, way := shorten(r.meter), record.Str("consumption")
	curve := newLoadCurve(e.to, meter, way)
	days := e.to.Rows("electricity-daily", "meter", "direction", "day", "energy")
	peaks := e.to.Rows("electricity-max-power", "meter", "day", "at", "power", "apparentPower")
	clock := &Clock{Zone: e.zone}
	before := time.Time{}
	return func(p enedisPoint, next time.Time) error {
		prev := before
		before = p.wall
		unit := strings.ToLower(r.unit)
		switch {
		case p.wrong != nil:
			e.to.Reject(p.line, p.wrong)
			return nil
		case r.aggregate == "maximum" || unit == "va" || unit == "kva":
			return e.peak(peaks, meter, p, r)
		case !strings.Contains(p.date, ":") || r.period == "P1D" && p.length == "":
			return e.day(days, meter, way, p, r)
		}
		end, length, ok := e.end(p, r, clock, prev, next)
		if !ok {
			e.to.Reject(p.line, Why("no-such-time", "value", clip(p.date)))
			return nil
		}
		if unit == "" {
			unit = "w"
		}
		return curve.add(p.line, end, length, p.value, unit)
	}
}

// step is how long the interval of a point is: as it says itself, as its list
// says, or as its neighbours tell.
func (p enedisPoint) step(r enedisReading, before, behind time.Time) time.Duration {
	for _, s := range []string{p.length, r.period} {
		if d, err := record.ParsePeriod(s); err == nil && d.Clock > 0 && d.Days+d.Months+d.Years == 0 {
			return d.Clock
		}
	}
	return stepOf(before, p.wall, behind)
}

func (e *enedisFile) day(rows *Rows, meter, way record.Value, p enedisPoint, r enedisReading) error {
	unit := r.unit
	if unit == "" {
		unit = "Wh"
	}
	v, field, err := quantity(p.value, unit)
	if err == nil && field != "energy" {
		err = Why("unit", "unit", clip(unit))
	}
	if err != nil {
		e.to.Reject(p.line, err)
		return nil
	}
	return rows.Add(p.line, meter, way, record.On(p.wall.Date()), v)
}

// peak takes the highest power of a day, whose date has the moment. A moment
// that came twice, in autumn, is taken for the first.
func (e *enedisFile) peak(rows *Rows, meter record.Value, p enedisPoint, r enedisReading) error {
	unit := r.unit
	if unit == "" {
		unit = "VA"
	}
	v, field, err := quantity(p.value, unit)
	if err == nil && field == "energy" {
		err = Why("unit", "unit", clip(unit))
	}
	if err != nil {
		e.to.Reject(p.line, err)
		return nil
	}
	at := record.Null
	if end, _, ok := e.end(p, r, &Clock{Zone: e.zone}, time.Time{}, time.Time{}); ok && strings.Contains(p.date, ":") {
		at = record.At(end)
	}
	power, apparent := v, record.Null
	if field == "apparentPower" {
		power, apparent = record.Null, v
	}
	return rows.Add(p.line, meter, record.On(p.wall.Date()), at, power, apparent)
}

// customer reads the contracts of a customer.
func (e *enedisFile) customer() error {
	line := e.j.Line()
	tree, err := e.j.Tree(MaxLine)
	if err != nil || e.first {
		return err
	}
	rows := e.to.Rows("electricity-contract", "meter", "meterStatus", "meterType", "segment", "subscribedPower", "tariff", "since", "offpeakHours", "contractType", "status", "tariffSince")
	for _, p := range (branch{tree}).at("usage_points").list() {
		point, contract := p.at("usage_point"), p.at("contracts")
		if !contract.there() {
			continue
		}
		e.entries++
		said := func(b branch, name string) record.Value { return record.Str(b.at(name).say()) }
		power, err := Number(strings.TrimSuffix(contract.at("subscribed_power").say(), "kVA"), 0)
		if err != nil {
			e.to.Reject(line, err)
			continue
		}
		err = rows.Add(line, shorten(point.at("usage_point_id").say()), said(point, "usage_point_status"), said(point, "meter_type"),
			said(contract, "segment"), power, said(contract, "distribution_tariff"), dayOf(contract.at("last_activation_date")),
			said(contract, "offpeak_hours"), said(contract, "contract_type"), said(contract, "contract_status"), dayOf(contract.at("last_distribution_tariff_change_date")))
		if err != nil {
			return err
		}
	}
	return nil
}

// dayOf reads "2007-07-06+02:00", a day with an offset and no time.
func dayOf(b branch) record.Value {
	s := b.say()
	day, err := Date(s[:min(10, len(s))], "ymd")
	if err != nil {
		return record.Null
	}
	return day
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// mesinfosJSON reads the documents that the connectors of the MesInfos pilot
// wrote: arrays of objects, one or several forms of them in a file. Contracts,
// claims, profiles, calls, statements and more: see mesinfosForms for which
// member of a document becomes which field. Lists in a document become rows of
// a kind of their own, or one text.
var mesinfosJSON = Format{Name: "mesinfos-json", Fits: fitsMesinfos, Read: readMesinfos}

// maxDocument is how large one document may be, in bytes.
const maxDocument = 1 << 20

// pilotForm is one form of document, and the kind of its rows.
type pilotForm struct {
	kind string
	has  []string // paths that a document of this form has
	not  []string // paths that it has not
	word string   // what its statementReason or statementCategory has in it, small; "" for whatever it is
	weak bool     // others have such members too
	each string   // the path of the list whose elements are the rows; "" for the document itself

	cells []pilotCell
	rows  func(p *pilot, doc branch, line int) error // in the place of cells
}

// pilotCell is where the value of a field comes from.
type pilotCell struct {
	field string
	read  func(p *pilot, b branch) (record.Value, error)
	paths []string // the first that is there, in the row; behind "^" in the document; "." is the row itself
}

func fitsMesinfos(h Head) Fit {
	if !startsJSON(h) {
		return No
	}
	o, fit := h.Outline(), No
	if strings.Contains(o["[].docType"], "mesinfos") {
		return Sure
	}
	for i := range mesinfosForms {
		f := &mesinfosForms[i]
		switch {
		case !f.inOutline(o, "[].") && !f.inOutline(o, ""):
		case f.weak:
			fit = max(fit, Likely)
		default:
			return Sure
		}
	}
	return fit
}

// inOutline says whether the paths of the form are there; lists of one look
// like what is in them.
func (f *pilotForm) inOutline(o Outline, root string) bool {
	for _, path := range f.has {
		found := false
		for at := range o {
			found = found || strings.HasPrefix(at, root) && strings.ReplaceAll(at[len(root):], "[]", "") == path
		}
		if !found {
			return false
		}
	}
	return true
}

// pilot is one reading.
type pilot struct {
	to    *Sink
	src   *Source
	zone  *time.Location
	clock Clock
	rows  map[*pilotForm]*Rows
}

func readMesinfos(_ context.Context, s *Source, to *Sink) error {
	zone, err := s.Location()
	if err != nil {
		return err
	}
	j, err := s.JSON()
	if err != nil {
		return err
	}
	defer j.Close()
	p := &pilot{to: to, src: s, zone: zone, clock: Clock{Zone: zone}, rows: map[*pilotForm]*Rows{}}
	document := func(int) error {
		if _, err := j.space(); err != nil {
			return j.cut(err)
		}
		line := j.Line()
		v, err := j.Tree(maxDocument)
		if err != nil {
			return err
		}
		return p.document(branch{v}, line)
	}
	if c, err := j.space(); err != nil {
		return j.cut(err)
	} else if c == '[' {
		err = j.Array(document)
		if err != nil {
			return err
		}
	} else if err := document(0); err != nil {
		return err
	}
	return j.Finish()
}

// document takes the rows of each form that a document has: terms of payment
// have a schedule in them.
func (p *pilot) document(doc branch, line int) error {
	known := false
	for i := range mesinfosForms {
		f := &mesinfosForms[i]
		if !f.is(doc) {
			continue
		}
		known = true
		if err := p.take(f, doc, line); err != nil {
			return err
		}
	}
	if !known {
		p.to.Reject(line, Why("document-unknown", "members", clip(strings.Join(members(doc), ", "))))
	}
	return nil
}

func members(doc branch) []string {
	var names []string
	for name := range doc.names() {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (f *pilotForm) is(doc branch) bool {
	for _, path := range f.has {
		if b, _ := doc.down(path); !b.there() {
			return false
		}
	}
	for _, path := range f.not {
		if b, _ := doc.down(path); b.there() {
			return false
		}
	}
	what := strings.ToLower(doc.at("statementReason").say() + " " + doc.at("statementCategory").say())
	return f.word == "" || strings.Contains(what, f.word)
}

// down goes down a path as "objects.lieu.address", where a list of one is taken
// for what is in it. ok is false for a list of more.
func (b branch) down(path string) (found branch, ok bool) {
	if path == "." {
		return b, true
	}
	for name := range strings.SplitSeq(path, ".") {
		if b, ok = b.only(); !ok {
			return branch{true}, false
		}
		b = b.at(name)
	}
	return b, true
}

// only is what is in a list of one; nothing for an empty one, and itself for
// what is no list.
func (b branch) only() (branch, bool) {
	list, isList := b.v.([]any)
	switch {
	case !isList:
		return b, true
	case len(list) == 0:
		return branch{}, true
	}
	return branch{list[0]}, len(list) == 1
}

// take takes the rows of one form.
func (p *pilot) take(f *pilotForm, doc branch, line int) error {
	switch {
	case f.rows != nil:
		return f.rows(p, doc, line)
	case f.each == "":
		return p.row(f, doc, doc, line)
	}
	list, _ := doc.down(f.each)
	if _, isList := list.v.([]any); !isList && list.there() {
		return p.row(f, doc, list, line)
	}
	for _, b := range list.list() {
		if err := p.row(f, doc, b, line); err != nil {
			return err
		}
	}
	return nil
}

// row takes one row, or rejects it with the name of the member that is wrong.
func (p *pilot) row(f *pilotForm, doc, element branch, line int) error {
	values := make([]record.Value, len(f.cells))
	for i, c := range f.cells {
		path, b, ok := c.find(doc, element)
		err := error(nil)
		if !ok {
			err = Why("member-list", "member", path)
		} else if b.there() {
			values[i], err = c.read(p, b)
		}
		if err != nil {
			p.to.Reject(line, wrongMember(path, b, err))
			return nil
		}
	}
	return p.rowsOf(f).Add(line, values...)
}

// wrongMember is what is wrong with a value, with the name of its member.
func wrongMember(path string, b branch, err error) *Reason {
	why := asReason(err)
	switch {
	case why.Args["member"] != "":
		return why
	case why.Code == "no-such-day":
		return Why("member-no-such-day", "member", path, "value", clip(b.say())).Because(why)
	}
	return Why("member-value", "member", path, "value", clip(b.say())).Because(why)
}

// find is the first of the paths that is there.
func (c pilotCell) find(doc, element branch) (path string, b branch, ok bool) {
	for _, path := range c.paths {
		in := element
		if rest, ofDocument := strings.CutPrefix(path, "^"); ofDocument {
			in, path = doc, rest
		}
		if b, ok := in.down(path); !ok || b.there() {
			return path, b, ok
		}
	}
	return c.paths[0], branch{}, true
}

func (p *pilot) rowsOf(f *pilotForm) *Rows {
	if p.rows[f] == nil {
		fields := make([]string, len(f.cells))
		for i, c := range f.cells {
			fields[i] = c.field
		}
		p.rows[f] = p.to.Rows(f.kind, fields...)
	}
	return p.rows[f]
}

// enedisMeasure takes a measure of the interface that Enedis had for the pilot:
// readings have no times, only their number from 1, and count from the midnight
// on which the first day begins.
func enedisMeasure(p *pilot, doc branch, line int) error {
	points := doc.at("usage_point").list()
	if len(points) == 0 {
		points = []branch{doc.at("usage_point")}
	}
	for _, point := range points {
		r := point.at("meter_reading")
		m := pilotMeasure{p: p, line: line, meter: shorten(point.at("usage_point_id").say()), kind: r.at("reading_type")}
		if err := m.read(r.at("interval_block").list()); err != nil {
			return err
		}
	}
	return nil
}

// pilotMeasure is the readings of one meter.
type pilotMeasure struct {
	p     *pilot
	line  int
	meter record.Value
	kind  branch // unit, day, step
	curve *loadCurve
}

func (m *pilotMeasure) read(list []branch) error {
	day, err := Date(m.kind.at("start_measurement_period").say(), "ymd")
	if err != nil {
		m.p.to.Reject(m.line, wrongMember("start_measurement_period", m.kind.at("start_measurement_period"), err))
		return nil
	}
	way := record.Str("consumption")
	if m.kind.at("flow_direction").say() == "reverse" {
		way = record.Str("production")
	}
	m.curve = newLoadCurve(m.p.to, m.meter, way)
	for i, b := range list {
		n, err := strconv.Atoi(b.any("reading_number").say())
		if !b.at("reading_number").there() {
			n, err = i+1, nil
		}
		if err != nil || n < 1 || n > 10_000 {
			m.p.to.Reject(m.line, Why("member-value", "member", "reading_number", "value", clip(b.at("reading_number").say())))
			continue
		}
		if err := m.take(b, n, day, way); err != nil {
			return err
		}
	}
	return nil
}

// take takes the n-th reading since a day began, n from 1.
func (m *pilotMeasure) take(b branch, n int, day, way record.Value) error {
	value, unit := b.at("value").say(), m.kind.at("unit").say()
	step := m.kind.at("time_attribute").say()
	y, month, d := day.Time().Date()
	if length, ok := pilotSteps[step]; ok {
		end := time.Date(y, month, d, 0, 0, 0, 0, m.p.zone).Add(time.Duration(n) * length)
		return m.curve.add(m.line, end, length, value, unit)
	}
	v, field, err := quantity(value, unit)
	if err == nil && step != "day" {
		err = Why("member-value", "member", "time_attribute", "value", clip(step))
	}
	if err != nil {
		m.p.to.Reject(m.line, wrongMember("value", b.at("value"), err))
		return nil
	}
	on := record.On(y, month, d+n-1)
	if field == "energy" {
		return m.p.to.Rows("electricity-daily", "meter", "direction", "day", "energy").Add(m.line, m.meter, way, on, v)
	}
	return m.p.to.Rows("electricity-max-power", "meter", "day", field).Add(m.line, m.meter, on, v)
}

// pilotSteps are the steps of load curves, as Enedis wrote them.
var pilotSteps = map[string]time.Duration{"10mn": 10 * time.Minute, "15mn": 15 * time.Minute, "30mn": 30 * time.Minute, "hour": time.Hour, "60mn": time.Hour}

// linkyHalfHour takes an interval of a load curve that the supplier passed on.
// Its unit stands nowhere; watts are the custom for load curves.
func linkyHalfHour(p *pilot, doc branch, line int) error {
	begin, err := Wall(doc.at("start").say(), "ymd")
	if err != nil {
		p.to.Reject(line, wrongMember("start", doc.at("start"), err))
		return nil
	}
	wall, err := Wall(doc.at("end").say(), "ymd")
	if err != nil {
		p.to.Reject(line, wrongMember("end", doc.at("end"), err))
		return nil
	}
	length := wall.Sub(begin)
	if strings.Contains(doc.at("statementReason").say(), "HalfHour") {
		length = 30 * time.Minute
	}
	end, ok := p.clock.End(wall, length, time.Time{})
	if !ok {
		p.to.Reject(line, Why("no-such-time", "value", clip(doc.at("end").say())))
		return nil
	}
	p.to.Warn(Why("unit-not-said", "unit", "W"))
	return newLoadCurve(p.to, shorten(doc.at("contractNumber").say()), record.Str("consumption")).add(line, end, length, doc.at("value").say(), "W")
}

// SPDX-License-Identifier: Apache-2.0

package view

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Limits on what a view may say: those of the arguments that carry it.
const (
	MaxText  = 256 // bytes of a column or condition
	MaxItems = 128 // columns, and conditions
)

// A span without an end, on either side. The numbers are the furthest that the
// arguments of a request can carry.
const (
	Earliest = -(1<<53 - 1)
	Latest   = 1<<53 - 1
)

// The years that a span with an end can name, in Unix seconds: 1 to 9999.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300800
)

// AllRows is the condition that every row meets.
const AllRows = "*"

// Spec is a view as it is asked for or granted.
type Spec struct {
	Columns []string // "start", "energy/sum", "type/category", "place/1km"
	Rows    []string // conditions, of which one must hold: "amount<0"; or AllRows alone
	From    int64    // Unix seconds, an edge of Period; Earliest for no bound
	To      int64    // the first second that is not in it; Latest for no bound
	Period  Period
	Grid    Grid // the cells in which places are told
}

// View is a checked [Spec] of records of one kind.
type View struct {
	spec       Spec // in the one order
	schema     *record.Schema
	columns    []column
	conditions []condition // none: all rows
	fields     []int       // of the schema, that are read
	time, end  int         // among fields; -1 for none
	output     *record.Schema
	digest     [32]byte // of what is asked, but for the span, and of the schema
}

// Parse reads a view of records that are like the schema says. Its errors hold
// [ErrBadView] and an [*Error] for each thing that is wrong.
func Parse(s *record.Schema, spec Spec) (*View, error) {
	v := &View{schema: s, spec: spec, time: -1, end: -1}
	for _, step := range []func() error{v.checkRanks, v.checkSpan, v.parseColumns, v.parseConditions, v.describe} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("%w (%s): %w", ErrBadView, s.Kind, err)
		}
	}
	v.collectFields()
	v.digest = sha256.Sum256(fmt.Appendf(nil, "traboule view 1 %q %q %d %d %s", v.spec.Columns, v.spec.Rows, v.spec.Period, v.spec.Grid, s.Document()))
	return v, nil
}

// Spec is the view in its one spelling: columns in the order of the schema and
// of the folds, conditions in the order of their bytes.
func (v *View) Spec() Spec {
	s := v.spec
	s.Columns, s.Rows = slices.Clone(s.Columns), slices.Clone(s.Rows)
	return s
}

// Schema says what the rows of the view are like.
func (v *View) Schema() *record.Schema { return v.output }

func (v *View) checkRanks() error {
	p, g := v.spec.Period, v.spec.Grid
	timeField, timed := v.schema.Field(v.schema.Time)
	switch {
	case p.String() == "":
		return wrong("period", "possible", strings.Join(periodNames[:], ", "))
	case g.String() == "":
		return wrong("grid", "possible", strings.Join(gridNames[:], ", "))
	case p != Raw && !timed:
		return wrong("period-without-time")
	case p != Raw && p < Day && timeField.Type == record.Day:
		return wrong("period-too-fine", "period", p.String(), "possible", strings.Join([]string{Raw.String(), Day.String(), Month.String(), Year.String()}, ", "))
	}
	return nil
}

func (v *View) checkSpan() error {
	from, to := v.spec.From, v.spec.To
	if v.schema.Time == "" && (from != Earliest || to != Latest) {
		return wrong("span-without-time")
	}
	if from > to {
		return wrong("span", "from", v.moment(from), "to", v.moment(to))
	}
	if err := v.checkEdge(from, Earliest); err != nil {
		return err
	}
	return v.checkEdge(to, Latest)
}

// checkEdge refuses a moment that is neither the one that stands for no bound
// nor on an edge.
func (v *View) checkEdge(second, unbounded int64) error {
	if second == unbounded {
		return nil
	}
	if second < firstSecond || second > lastSecond {
		return wrong("span-far", "moment", strconv.FormatInt(second, 10))
	}
	t := time.Unix(second, 0).In(v.schema.Location())
	if v.spec.Period.IsEdge(t) {
		return nil
	}
	before, next := v.spec.Period.Bucket(t)
	return wrong("span-edge", "moment", v.moment(second), "before", v.moment(before.Unix()), "next", v.moment(next.Unix()))
}

// moment spells a second for people, in the zone of the records.
func (v *View) moment(second int64) string {
	if second < firstSecond || second > lastSecond {
		return strconv.FormatInt(second, 10)
	}
	return time.Unix(second, 0).In(v.schema.Location()).Format("2006-01-02T15:04:05Z07:00")
}

// collectFields lists the fields that a cut reads and tells columns and
// conditions where among them theirs is.
func (v *View) collectFields() {
	place := func(field int) int {
		i := slices.Index(v.fields, field)
		if i < 0 {
			i = len(v.fields)
			v.fields = append(v.fields, field)
		}
		return i
	}
	if i, ok := v.schema.Index(v.schema.Time); ok {
		v.time = place(i)
	}
	if i, ok := v.schema.Index(v.schema.End); ok && v.spec.Period != Raw {
		v.end = place(i)
	}
	for i := range v.columns {
		v.columns[i].read = place(v.columns[i].field)
	}
	for i := range v.conditions {
		v.conditions[i].read = place(v.conditions[i].field)
	}
}

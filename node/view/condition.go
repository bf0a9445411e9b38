// SPDX-License-Identifier: Apache-2.0

package view

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/traboule/traboule/storage/record"
)

// condition is one condition on rows: a field compared with a value.
type condition struct {
	field int // of the schema
	read  int // among the fields that a cut reads
	op    string
	value record.Value
}

// operators in the order in which they are looked for.
var operators = []string{"<=", ">=", "!=", "<", ">", "="}

func (v *View) parseConditions() error {
	asked := slices.Clone(v.spec.Rows)
	if len(asked) > MaxItems {
		return tooMany(len(asked))
	}
	slices.Sort(asked)
	if len(asked) == 1 && asked[0] == AllRows {
		v.spec.Rows = asked
		return nil
	}
	if len(asked) == 0 {
		return wrong("condition", "condition", "", "possible", AllRows+", "+v.allConditions())
	}
	var errs []error
	for i, spelling := range asked {
		c, err := v.parseCondition(spelling)
		if err == nil && i > 0 && asked[i-1] == spelling {
			err = wrong("condition", "condition", clip(spelling), "possible", clip(spelling))
		}
		if err != nil {
			errs = append(errs, err)
		}
		v.conditions = append(v.conditions, c)
	}
	v.spec.Rows = asked
	return errors.Join(errs...)
}

// parseCondition reads "field op value" without spaces between, where the value
// is spelled as [record.Value.String] spells it.
func (v *View) parseCondition(spelling string) (condition, error) {
	if spelling == AllRows {
		return condition{}, wrong("condition-all", "condition", AllRows)
	}
	i := strings.IndexAny(spelling, "<>!=")
	if i < 0 || len(spelling) > MaxText || !norm.NFC.IsNormalString(spelling) || strings.ContainsFunc(spelling, unicode.IsControl) {
		return condition{}, wrong("condition", "condition", clip(spelling), "possible", v.allConditions())
	}
	name, rest := spelling[:i], spelling[i:]
	field, ok := v.schema.Index(name)
	if !ok {
		return condition{}, wrong("condition-unknown", "condition", clip(spelling), "possible", v.allConditions())
	}
	possible := v.operatorsOn(field)
	if len(possible) == 0 {
		return condition{}, wrong("condition-field", "condition", clip(spelling), "possible", v.allConditions())
	}
	for _, op := range operators {
		text, ok := strings.CutPrefix(rest, op)
		if !ok {
			continue
		}
		value, err := v.schema.Fields[field].ParseText(text)
		if err == nil && !value.IsNull() && value.String() == text && slices.Contains(possible, op) {
			return condition{field: field, op: op, value: value}, nil
		}
		break
	}
	return condition{}, wrong("condition", "condition", clip(spelling), "possible", v.example(field))
}

// operatorsOn are the operators with which a condition may ask for a field:
// none for places, for the time and the end of a row, since from and to say
// those, and none for other times where they could cut through a bucket.
func (v *View) operatorsOn(field int) []string {
	f := v.schema.Fields[field]
	switch f.Type {
	case record.Text, record.Boolean:
		return []string{"=", "!="}
	case record.Decimal, record.Integer:
		return operators
	case record.Instant, record.Day:
		if f.Name != v.schema.Time && f.Name != v.schema.End && v.spec.Period == Raw {
			return operators
		}
	}
	return nil
}

// example shows the conditions that a field can have.
func (v *View) example(field int) string {
	f := v.schema.Fields[field]
	value := f.Example
	if value == "" {
		value = map[record.Type]string{record.Boolean: "true", record.Text: "…", record.Instant: "2026-11-23T10:00:00Z", record.Day: "2026-11-23"}[f.Type]
	}
	if value == "" {
		value = "0"
	}
	var list []string
	for _, op := range v.operatorsOn(field) {
		list = append(list, f.Name+op+value)
	}
	return orNone(list)
}

// allConditions shows the fields that can have conditions.
func (v *View) allConditions() string {
	var list []string
	for i, f := range v.schema.Fields {
		if ops := v.operatorsOn(i); len(ops) > 0 {
			list = append(list, f.Name)
		}
	}
	return orNone(list)
}

// Holds says whether a row of the data set, with all its fields, meets one of
// the conditions of the view.
func (v *View) Holds(row record.Row) bool {
	return len(v.conditions) == 0 || slices.ContainsFunc(v.conditions, func(c condition) bool { return c.holds(row[c.field]) })
}

// holds says whether a value meets the condition. Null meets none.
func (c condition) holds(v record.Value) bool {
	if v.IsNull() {
		return false
	}
	switch d := v.Compare(c.value); c.op {
	case "=":
		return d == 0
	case "!=":
		return d != 0
	case "<":
		return d < 0
	case "<=":
		return d <= 0
	case ">":
		return d > 0
	}
	return c.op == ">=" && c.value.Compare(v) <= 0
}

// SPDX-License-Identifier: Apache-2.0

package view

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrBadView is in every error of [Parse].
var ErrBadView = errors.New("not a view of these records")

// Error says what cannot be seen, or cut, and what is possible instead: a code,
// and what belongs to it. What people read is in node/messages under "view."
// and the code.
type Error struct {
	Code string // of [Codes]
	Args map[string]string
}

// Codes are all codes of errors, with the names of what belongs to each.
var Codes = map[string][]string{
	"no-columns":          {},                           // nothing is asked for
	"too-many":            {"count", "most"},            // columns or conditions
	"column-unknown":      {"column", "possible"},       // no such field
	"column-form":         {"column", "possible"},       // the coarsening does not fit the field, the period or the grid
	"column-twice":        {"column"},                   // two columns say the same, or would be called the same
	"currency-missing":    {"column", "possible"},       // amounts are summed across currencies
	"condition":           {"condition", "possible"},    // not a condition, or not spelled in the one way
	"condition-unknown":   {"condition", "possible"},    // on a field that there is not
	"condition-field":     {"condition", "possible"},    // on a field of which there are none
	"condition-all":       {"condition"},                // beside "*"
	"period":              {"possible"},                 // no rank of a period
	"period-without-time": {},                           // a period of records that have no time
	"period-too-fine":     {"period", "possible"},       // finer than a day of records that have days only
	"grid":                {"possible"},                 // no rank of a grid
	"span":                {"from", "to"},               // it ends before it begins
	"span-edge":           {"moment", "before", "next"}, // not on an edge of a bucket
	"span-far":            {"moment"},                   // outside the years 1 to 9999
	"span-without-time":   {},                           // a span of records that have no time
	"sum-too-large":       {"column", "bucket"},         // more digits than a value has
}

func wrong(code string, args ...string) *Error {
	e := &Error{Code: code, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		e.Args[args[i]] = args[i+1]
	}
	return e
}

// Error is for logs and scripts.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	for _, name := range slices.Sorted(maps.Keys(e.Args)) {
		fmt.Fprintf(&b, ", %s %q", name, e.Args[name])
	}
	return b.String()
}

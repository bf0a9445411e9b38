// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"strconv"
)

// Number is what a row is called in its data set: rows are numbered from 0 in
// the order in which they came, and keep their number for ever.
type Number uint64

// MaxNumber is the highest number a row can have.
const MaxNumber Number = 1<<48 - 1

// ErrBadNumber is what [ParseNumber] says of anything else.
var ErrBadNumber = errors.New("not the number of a row, as r1042 is")

// String spells a number as people see it: r1042.
func (n Number) String() string { return "r" + strconv.FormatUint(uint64(n), 10) }

// ParseNumber reads what [Number.String] writes.
func ParseNumber(s string) (Number, error) {
	if len(s) < 2 || s[0] != 'r' {
		return 0, fmt.Errorf("%q: %w", clip(s), ErrBadNumber)
	}
	n, err := strconv.ParseUint(s[1:], 10, 48)
	if err != nil || Number(n).String() != s {
		return 0, fmt.Errorf("%q: %w", clip(s), ErrBadNumber)
	}
	return Number(n), nil
}

// Range is Count rows with following numbers, from First on.
type Range struct {
	First Number
	Count Number
}

// End is the number behind the last.
func (r Range) End() Number { return r.First + r.Count }

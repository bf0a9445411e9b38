// SPDX-License-Identifier: Apache-2.0

package view

import (
	"context"

	"github.com/traboule/traboule/storage/record"
)

// Source is a data set of records as its log stood at one moment, which for a
// view is [View.AsOf]. Many goroutines may call it.
type Source interface {
	// Scan calls fn with the rows that count, in any order, with these fields of
	// the schema for columns. It may leave out rows that do not begin in
	// [from, to), in microseconds since 1970, but none without a time. A batch is
	// good until fn returns; an error of fn ends the scan and is returned.
	Scan(ctx context.Context, fields []int, from, to int64, fn func(*record.Batch) error) error

	// Any says whether Scan with the same span would give a row. It may say so
	// when it would give none.
	Any(from, to int64) bool

	// Span is when the first row begins and when the last one does, or a span
	// around that; ok is false if no row has a time.
	Span() (first, last int64, ok bool)
}

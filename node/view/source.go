// SPDX-License-Identifier: Apache-2.0

package view

import (
	"context"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Source is a data set of records as its log stood at one moment, which for a
// view is [View.AsOf]. A [record.Set] is one.
type Source interface {
	// Scan calls fn with the rows that count, in any order. An error of fn ends
	// it and is returned.
	Scan(ctx context.Context, q record.Query, fn func(*record.Batch) error) error

	// Mark is different whenever a scan of the span (nil: of the rows without an
	// instant) would give other rows, and empty if it would give none.
	Mark(span *record.Span) []byte

	// Reach is a span in which all rows begin that have an instant; ok is false
	// if none has one.
	Reach() (span record.Span, ok bool)
}

// Of is the set as a view sees it at this moment: as its log stood at
// AsOf(now).
func (v *View) Of(set *record.Set, now time.Time) *record.Set {
	if v.spec.Period == Raw {
		return set
	}
	return set.At(set.Before(v.AsOf(now).Unix()))
}

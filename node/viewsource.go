// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
)

// viewSource is a data set of records that views are cut from.
type viewSource struct{ set *record.Set }

// allOf is what the owner sees: everything the log says.
func allOf(set *record.Set) view.Source { return viewSource{set} }

// asOf is what others see of a view: what the log said at the moment that the
// view is cut from. Rows as they are, without a period, leave as they come.
func asOf(set *record.Set, v *view.View, now time.Time) view.Source {
	if v.Spec().Period == view.Raw {
		return allOf(set)
	}
	return allOf(set.At(set.Before(v.AsOf(now).Unix())))
}

// Scan hands over columns by their place in the schema.
func (s viewSource) Scan(ctx context.Context, fields []int, from, to int64, fn func(*record.Batch) error) error {
	q := record.Query{Columns: make([]string, len(fields)), Span: &record.Span{From: from, To: to, Undated: true}}
	for i, f := range fields {
		q.Columns[i] = s.set.Schema().Fields[f].Name
	}
	return s.set.Scan(ctx, q, fn)
}

// Mark is that of the rows that Scan would hand over.
func (s viewSource) Mark(from, to int64) ([]byte, error) {
	return s.set.Mark(record.Query{Span: &record.Span{From: from, To: to, Undated: true}}), nil
}

// Span is when the first and the last row begin.
func (s viewSource) Span() (first, last int64, ok bool) { return s.set.Span() }

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
)

// viewSource is a data set of records that views are cut from.
type viewSource struct{ set *record.Set }

// allOf is what the owner sees: everything the log says.
func allOf(set *record.Set) view.Source { return viewSource{set} }

// Scan hands over columns by their place in the schema.
func (s viewSource) Scan(ctx context.Context, fields []int, from, to int64, fn func(*record.Batch) error) error {
	q := record.Query{Columns: make([]string, len(fields)), Span: &record.Span{From: from, To: to, Undated: true}}
	for i, f := range fields {
		q.Columns[i] = s.set.Schema().Fields[f].Name
	}
	return s.set.Scan(ctx, q, fn)
}

// Any says whether there is a row that Scan would hand over.
func (s viewSource) Any(from, to int64) bool {
	return s.set.Any(record.Query{Span: &record.Span{From: from, To: to, Undated: true}})
}

// Span is when the first and the last row begin.
func (s viewSource) Span() (first, last int64, ok bool) { return s.set.Span() }

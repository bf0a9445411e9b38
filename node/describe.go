// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"time"

	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// Records says what a data set of records holds.
type Records struct {
	Kind       string            `json:"kind"`
	Title      map[string]string `json:"title"` // by language
	Rows       int               `json:"rows"`
	First      time.Time         `json:"first,omitzero"`
	Last       time.Time         `json:"last,omitzero"`
	Zone       string            `json:"zone"`
	Stale      time.Time         `json:"stale,omitzero"`       // since when its holder has not kept the promise of something new
	Fields     []Column          `json:"fields,omitempty"`     // where one data set is shown
	Operations []RecordOperation `json:"operations,omitempty"` // where one data set is shown: imports, corrections
}

// describeRecords says what a data set of records holds; nil for one of files,
// or one that cannot be read now.
func (n *Node) describeRecords(ctx context.Context, d vault.Dataset, all bool) *Records {
	if d.Kind != storage.KindRecords || len(d.Versions) == 0 {
		return nil
	}
	set, err := n.records(ctx, d)
	if err != nil {
		return nil // list and show go on; check tells why
	}
	s := set.Schema()
	r := &Records{Kind: s.Kind, Title: titles(s.Words), Rows: set.Len(), Zone: s.Zone}
	if first, last, ok := set.Span(); ok {
		r.First, r.Last = time.UnixMicro(first), time.UnixMicro(last)
		if since, stale := catalogue.Stale(s, newestEnd(ctx, set, last), n.now()); stale {
			r.Stale = since
		}
	}
	if all {
		r.Fields = columnsOf(s)
	}
	if all && d.From == "" { // what others have cut has no story
		for _, o := range set.Operations() {
			r.Operations = append(r.Operations, recordOperation(o))
		}
	}
	return r
}

// titles are what a thing is called, by language.
func titles(words map[string]record.Words) map[string]string {
	list := map[string]string{}
	for lang, w := range words {
		list[lang] = w.Title
	}
	return list
}

// newestEnd is when the newest row ends, which begins at last, in microseconds
// since 1970.
func newestEnd(ctx context.Context, set *record.Set, last int64) time.Time {
	newest := time.UnixMicro(last)
	// What cannot be read is told by check; a row's beginning will do then.
	_ = set.Rows(ctx, record.Query{Span: &record.Span{From: last, To: last + 1}}, func(_ record.Number, row record.Row) error {
		if end, ok := catalogue.Until(set.Schema(), row); ok && end.After(newest) {
			newest = end
		}
		return nil
	})
	return newest
}

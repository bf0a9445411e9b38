// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"fmt"
	"slices"
)

// Snapshot makes a data set without a history, out of rows that were computed,
// part by part: each part has numbers of its own, so that the objects of one
// stay as they are whatever becomes of the others. The same parts make the same
// objects. It is for one goroutine.
type Snapshot struct {
	schema   *Schema
	segments []extent
}

// NewSnapshot begins one without rows.
func NewSnapshot(s *Schema) *Snapshot { return &Snapshot{schema: s} }

// Put writes rows that [Schema.Check] allows, numbered from first on.
func (s *Snapshot) Put(w Writer, first Number, rows []Row) error {
	o := &output{set: &Set{schema: s.schema}, w: w}
	b := NewBuilder(s.schema)
	for i, r := range rows {
		b.Add(r)
		if !b.Full() && i < len(rows)-1 {
			continue
		}
		if err := o.write(b.Batch(), ranges{{first, Number(b.Len())}}); err != nil {
			return err
		}
		first += Number(b.Len())
		b.Reset()
	}
	s.segments = append(s.segments, o.segments...)
	return nil
}

// Keep takes over the rows with numbers in r from another data set of the same
// schema, and says which objects hold them: those of a snapshot hold no others.
func (s *Snapshot) Keep(from *Set, r Range) (paths []string) {
	for _, e := range from.log.segments {
		if e.first() >= r.First && e.end() <= r.End() {
			s.segments = append(s.segments, e)
			paths = append(paths, e.path())
		}
	}
	return paths
}

// Finish writes the description and the log, and returns the data set. Its
// Objects are those that the writer was given and those that were kept.
func (s *Snapshot) Finish(w Writer) (*Set, error) {
	slices.SortFunc(s.segments, func(a, b extent) int { return cmp.Compare(a.first(), b.first()) })
	h := &history{segments: s.segments}
	var all ranges
	for _, e := range s.segments {
		if e.first() < h.next {
			return nil, fmt.Errorf("put a data set together: two parts have the number %v", e.first())
		}
		all, h.next = append(all, e.numbers...), e.end()
	}
	if h.next > MaxNumber || len(h.segments) > maxSegments {
		return nil, fmt.Errorf("put a data set together: %d segments, rows up to %v; %d and %v are possible", len(h.segments), h.next, maxSegments, MaxNumber)
	}
	h.append(Operation{Kind: Imported, New: int(all.count()), covers: union(all)})
	set := newSet(s.schema, nil, h)
	if err := w.Write(SchemaPath, s.schema.document); err != nil {
		return nil, fmt.Errorf("write %s: %w", SchemaPath, err)
	}
	return set, set.write(w)
}

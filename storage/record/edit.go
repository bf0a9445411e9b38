// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
	"slices"
)

// Edit puts another row in the place of one that counts. To put the same one
// there changes nothing.
func (s *Set) Edit(ctx context.Context, w Writer, n Number, r Row, reason string, when int64) (Change, error) {
	was, err := s.Row(ctx, n)
	switch {
	case err != nil:
		return Change{}, fmt.Errorf("edit %v: %w", n, err)
	case !s.Counts(n):
		return Change{}, fmt.Errorf("edit %v: %w", n, ErrNotCounted)
	case slices.Equal(was, r):
		return Change{Set: s}, nil
	}
	if err := s.schema.Check(r); err != nil {
		return Change{}, fmt.Errorf("edit %v: %w", n, err)
	}
	out := newOutput(s, w)
	born := out.next
	out.next++
	if err := out.put(r, born); err != nil {
		return Change{}, fmt.Errorf("edit %v: %w", n, err)
	}
	if err := out.finish(ctx); err != nil {
		return Change{}, fmt.Errorf("edit %v: %w", n, err)
	}
	o := Operation{Kind: Edited, When: when, Reason: reason, Corrected: 1, covers: ranges{{born, 1}}}
	for _, m := range s.log.links().identity(n) {
		o.replaces = append(o.replaces, pairs{m, born, 1})
	}
	o.replaces = gather(o.replaces)
	return s.change(o, out.next, out.segments, out.drop, w)
}

// Delete takes rows that count out of it. They come back when the operation is
// undone, not when they are imported again.
func (s *Set) Delete(w Writer, rows []Number, reason string, when int64) (Change, error) {
	if len(rows) == 0 {
		return Change{Set: s}, nil
	}
	links := s.log.links()
	var all []Range
	for _, n := range rows {
		if !s.Counts(n) {
			return Change{}, fmt.Errorf("delete %v: %w", n, ErrNotCounted)
		}
		for _, m := range links.identity(n) {
			all = append(all, Range{m, 1})
		}
	}
	o := Operation{Kind: Deleted, When: when, Reason: reason, removes: union(all)}
	return s.change(o, s.log.next, s.log.segments, nil, w)
}

// Undo takes an import, an edit or a deletion back.
func (s *Set) Undo(w Writer, operation int, when int64) (Change, error) {
	if operation < 1 || operation > len(s.log.all) {
		return Change{}, fmt.Errorf("undo %d: %w", operation, ErrNoSuch)
	}
	o := s.Operations()[operation-1]
	switch {
	case o.Kind == Undid:
		return Change{}, fmt.Errorf("undo %d: %w", operation, ErrNotUndone)
	case o.Undone:
		return Change{}, fmt.Errorf("undo %d: %w", operation, ErrUndone)
	}
	return s.change(Operation{Kind: Undid, When: when, Undoes: operation}, s.log.next, s.log.segments, nil, w)
}

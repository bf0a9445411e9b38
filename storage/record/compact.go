// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Compact joins neighbouring small segments and leaves out rows that nothing
// needs any more: all that brought them was taken back, before the year of now
// began in the schema's zone, and none of what came later was said of them.
// What the set says, now and as it stood since that year began, stays the same,
// and each row keeps its number.
func (s *Set) Compact(ctx context.Context, w Writer, now time.Time) (Change, error) {
	out := newOutput(s, w)
	out.segments = nil
	gone := s.gone(now)
	var group []extent
	flush := func() error {
		defer func() { group = nil }()
		if len(group) == 1 && len(gone.and(group[0].numbers)) == 0 {
			out.segments = append(out.segments, group[0])
			return nil
		}
		for _, e := range group {
			if err := out.again(ctx, e, gone.and(e.numbers)); err != nil {
				return err
			}
		}
		return out.flush()
	}
	for _, e := range s.log.segments {
		if left := e.numbers.count() - gone.and(e.numbers).count(); left == e.numbers.count() && left > Number(limits.rows)/2 {
			if err := flush(); err != nil {
				return Change{}, fmt.Errorf("compact: %w", err)
			}
			out.segments = append(out.segments, e)
			continue
		}
		group = append(group, e)
	}
	if err := flush(); err != nil {
		return Change{}, fmt.Errorf("compact: %w", err)
	}
	if slices.EqualFunc(out.segments, s.log.segments, func(a, b extent) bool { return slices.Equal(a.numbers, b.numbers) }) {
		return Change{Set: s}, nil
	}
	h := *s.log
	h.segments = out.segments
	set := newSet(s.schema, s.objects, &h)
	if err := set.write(w); err != nil {
		return Change{}, fmt.Errorf("compact: %w", err)
	}
	return Change{Set: set, Written: true, Drop: out.drop}, nil
}

// loose is how many segments more than its rows need make a set worth compacting.
const loose = 8

// Due says whether a compaction is worth what it writes: there are many small
// segments, or rows that nothing needs any more.
func (s *Set) Due(now time.Time) bool {
	rows, most, gone := 0, min(limits.rows, maxCells/len(s.schema.Fields)), s.gone(now)
	for _, e := range s.log.segments {
		if rows += e.rows(); len(gone.and(e.numbers)) > 0 {
			return true
		}
	}
	return len(s.log.segments)-(rows+most-1)/most >= loose
}

// gone are rows that nothing needs any more.
func (s *Set) gone(now time.Time) ranges {
	year := time.Date(now.In(s.schema.zone).Year(), 1, 1, 0, 0, 0, 0, s.schema.zone)
	then := s.Before(year.Unix())
	needed := append(slices.Clone(s.covered), s.log.state(then, s.log.undone(then)).covered...)
	for i, o := range s.log.all {
		if i >= then {
			needed = append(needed, o.covers...)
		}
		needed = append(needed, o.supersedes()...) // identities begin with them
	}
	return ranges{{0, s.log.next}}.without(union(needed))
}

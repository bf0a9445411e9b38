// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
)

// Roll is which rows Scan hands over of a data set in one of its states. It is
// small: of the log it keeps nothing.
type Roll struct{ rows ranges }

// Roll is that of this state.
func (s *Set) Roll() Roll {
	var stored []Range
	for _, e := range s.log.segments {
		stored = append(stored, s.counts.and(e.numbers)...)
	}
	return Roll{union(stored)}
}

// Differing calls fn for each row that Scan hands over of one of two states of a
// data set and not of the other: with when it begins, in microseconds since 1970, or
// with dated false for a row without an instant. Numbers that never change stand
// for rows that never change, so of segments without such a row nothing is read.
// The error is [ErrNoRow] if one of them is stored no more.
func (s *Set) Differing(ctx context.Context, before Roll, fn func(micros int64, dated bool)) error {
	now := s.Roll().rows
	differ := union(append(now.without(before.rows), before.rows.without(now)...))
	left := differ.count()
	for _, e := range s.log.segments {
		some := differ.and(e.numbers)
		if len(some) == 0 {
			continue
		}
		seg, err := s.open(ctx, e)
		if err != nil {
			return err
		}
		when, err := s.instants(seg)
		if err != nil {
			return fmt.Errorf("read %s: %w", e.path(), err)
		}
		for _, i := range placesOf(some, e) {
			fn(when.Ints[i], !when.Null(i))
		}
		left -= some.count()
	}
	if left > 0 {
		return fmt.Errorf("compare two states: %d rows that differ: %w", left, ErrNoRow)
	}
	return nil
}

// Any says whether Scan would hand over a row. It may say so when all those
// lie elsewhere in segments that the span touches: nothing but the log is read.
func (s *Set) Any(q Query) bool {
	for _, e := range s.extents(q) {
		if len(s.counts.and(e.numbers)) > 0 {
			return true
		}
	}
	return false
}

// Span is when the first and the last of the rows that count begin, or a little
// further apart: of a segment with rows that count, all rows are looked at. ok
// is false if none has an instant.
func (s *Set) Span() (first, last int64, ok bool) {
	for _, e := range s.log.segments {
		if e.dated == 0 || len(s.counts.and(e.numbers)) == 0 {
			continue
		}
		if !ok {
			first, last, ok = e.least, e.most, true
		}
		first, last = min(first, e.least), max(last, e.most)
	}
	return first, last, ok
}

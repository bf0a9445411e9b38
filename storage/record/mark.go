// SPDX-License-Identifier: Apache-2.0

package record

// Mark is empty if Scan hands over no rows. It differs whenever Scan would hand
// over other rows, at least as long as nothing is compacted; it may differ too
// when it would hand over the same. Nothing but the log is read. Numbers that
// never change stand for rows that never change.
func (s *Set) Mark(q Query) []byte {
	var numbers ranges
	for _, e := range s.extents(q) {
		numbers = append(numbers, s.counts.and(e.numbers)...)
	}
	return union(numbers).append(nil)
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

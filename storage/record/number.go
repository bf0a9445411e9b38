// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"sort"
	"strconv"
)

// Number is what a row is called in its data set: rows are numbered from 0 in
// the order in which they came, and keep their number for ever.
type Number uint64

// MaxNumber is the highest number a row can have.
const MaxNumber Number = 1<<48 - 1

// ErrBadNumber is what [ParseNumber] says of anything else.
var ErrBadNumber = errors.New("not the number of a row, as r1042 is")

// String spells a number as people see it: r1042.
func (n Number) String() string { return "r" + strconv.FormatUint(uint64(n), 10) }

// ParseNumber reads what [Number.String] writes.
func ParseNumber(s string) (Number, error) {
	if len(s) < 2 || s[0] != 'r' {
		return 0, fmt.Errorf("%q: %w", clip(s), ErrBadNumber)
	}
	n, err := strconv.ParseUint(s[1:], 10, 48)
	if err != nil || Number(n).String() != s {
		return 0, fmt.Errorf("%q: %w", clip(s), ErrBadNumber)
	}
	return Number(n), nil
}

// Range is Count rows with following numbers, from First on.
type Range struct {
	First Number
	Count Number
}

// End is the number behind the last.
func (r Range) End() Number { return r.First + r.Count }

// ranges are in ascending order and neither overlap nor touch.
type ranges []Range

// add appends a number that is at or behind the end.
func (s ranges) add(n Number) ranges { return s.join(Range{n, 1}) }

// join appends a range whose first is not before that of the last.
func (s ranges) join(r Range) ranges {
	if r.Count == 0 {
		return s
	}
	if last := len(s) - 1; last >= 0 && r.First <= s[last].End() {
		s[last].Count = max(s[last].End(), r.End()) - s[last].First
		return s
	}
	return append(s, r)
}

// union makes ranges of any in any order.
func union(all []Range) ranges {
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	var out ranges
	for _, r := range all {
		out = out.join(r)
	}
	return out
}

// count is how many numbers there are.
func (s ranges) count() (n Number) {
	for _, r := range s {
		n += r.Count
	}
	return n
}

// from is the place of the first range that does not end before n.
func (s ranges) from(n Number) int {
	return sort.Search(len(s), func(i int) bool { return s[i].End() > n })
}

func (s ranges) has(n Number) bool {
	i := s.from(n)
	return i < len(s) && s[i].First <= n
}

// within is what of the ranges lies in r.
func (s ranges) within(r Range) (out ranges) {
	for i := s.from(r.First); i < len(s) && s[i].First < r.End(); i++ {
		first, end := max(s[i].First, r.First), min(s[i].End(), r.End())
		out = append(out, Range{first, end - first})
	}
	return out
}

// and is what both have.
func (s ranges) and(t ranges) (out ranges) {
	for _, r := range t {
		out = append(out, s.within(r)...)
	}
	return out
}

// without is what s has and t has not.
func (s ranges) without(t ranges) (out ranges) {
	at := 0
	for _, r := range s {
		first := r.First
		for at < len(t) && t[at].End() <= first {
			at++
		}
		for i := at; i < len(t) && t[i].First < r.End(); i++ {
			if t[i].First > first {
				out = append(out, Range{first, t[i].First - first})
			}
			first = t[i].End()
		}
		if first < r.End() {
			out = append(out, Range{first, r.End() - first})
		}
	}
	return out
}

// pairs says of Count rows from Old on by which rows, from New on, they are
// superseded.
type pairs struct {
	Old, New, Count Number
}

// gather makes pairs of single ones in any order, and sorts them by the old row.
func gather(single []pairs) (out []pairs) {
	slices.SortFunc(single, func(a, b pairs) int { return cmp.Compare(a.Old, b.Old) })
	for _, p := range single {
		if n := len(out) - 1; n >= 0 && out[n].Old+out[n].Count == p.Old && out[n].New+out[n].Count == p.New {
			out[n].Count += p.Count
			continue
		}
		out = append(out, p)
	}
	return out
}

// numbers is a set of them that takes a bit for each where they lie close. The
// zero one is empty.
type numbers map[Number]*[numbersPart / 64]uint64

const numbersPart = 1 << 15

func (s *numbers) add(n Number) {
	if *s == nil {
		*s = numbers{}
	}
	part := (*s)[n/numbersPart]
	if part == nil {
		part = new([numbersPart / 64]uint64)
		(*s)[n/numbersPart] = part
	}
	part[n%numbersPart/64] |= 1 << (n % 64)
}

func (s numbers) has(n Number) bool {
	part := s[n/numbersPart]
	return part != nil && part[n%numbersPart/64]&(1<<(n%64)) != 0
}

// ranges are the numbers of the set.
func (s numbers) ranges() (out ranges) {
	for _, at := range slices.Sorted(maps.Keys(s)) {
		for i, word := range s[at] {
			for ; word != 0; word &= word - 1 {
				out = out.add(at*numbersPart + Number(64*i+bits.TrailingZeros64(word)))
			}
		}
	}
	return out
}

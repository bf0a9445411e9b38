// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"math"
	"slices"
)

// alike counts what one row may be under two keys. Where holders give rows a
// number of their own, the schema has a key with it and another without; a
// holder that numbers anew makes rows that no key joins to those that are here.
// Which of them are the same nobody can tell for sure: nothing is done about
// them but to say how many there are.
type alike struct {
	hash  *hasher
	fresh map[uint64]int // rows that begin to count by this import, by what they look like
	rows  int
	span  Span // of their instants
}

// mostAlike is how many of them are looked at, so that memory is bounded.
const mostAlike = 1 << 20

// newAlike is nil where there is nothing to look at: the rows have one key, or
// each key only says less than the one before, or no row is here.
func newAlike(s *Set, h *hasher) *alike {
	if len(s.counts) == 0 || len(h.keys) < 2 || !h.byTime() {
		return nil
	}
	last := h.keys[len(h.keys)-1]
	other := func(key []string) bool {
		return slices.ContainsFunc(last, func(f string) bool { return !slices.Contains(key, f) })
	}
	if !slices.ContainsFunc(h.keys, other) {
		return nil
	}
	looks := *h
	looks.keys, looks.values = [][]string{last}, nil
	return &alike{hash: &looks, fresh: map[uint64]int{}, span: Span{From: math.MaxInt64, To: math.MinInt64}}
}

// add takes the rows of a batch that begin to count, in the place of no other.
func (a *alike) add(s *Set, b *Batch, at []int) error {
	if a == nil || len(at) == 0 || a.rows >= mostAlike {
		return nil
	}
	p, err := a.hash.of(b.Len, func(i int) (*Column, error) { return b.Columns[i], nil })
	if err != nil {
		return err
	}
	i, _ := s.schema.Index(s.schema.Time)
	when := s.schema.instants(b.Columns[i])
	for _, i := range at {
		if !when.Null(i) {
			a.fresh[p.key[i]]++
			a.rows++
			a.span.From, a.span.To = min(a.span.From, when.Ints[i]), max(a.span.To, when.Ints[i]+1)
		}
	}
	return nil
}

// count is how many rows that were here before the import, still count and were
// not met look like its new ones, each of which is counted once.
func (a *alike) count(im *Import) (n int, err error) {
	if a == nil || a.rows == 0 {
		return 0, nil
	}
	left := im.set.counts.without(im.met.ranges()).without((&Operation{replaces: im.old}).supersedes())
	for i, e := range im.set.log.segments {
		if !e.touches(a.span.From, a.span.To) || len(left.and(e.numbers)) == 0 {
			continue
		}
		p, err := a.printsOf(im, i)
		if err != nil {
			return n, err
		}
		here := Batch{}
		here.number(e.numbers)
		for k, look := range p.key {
			if a.fresh[look] > 0 && left.has(here.Number(k)) {
				a.fresh[look]--
				n++
			}
		}
	}
	return n, nil
}

func (a *alike) printsOf(im *Import, segment int) (prints, error) {
	e := im.set.log.segments[segment]
	seg, err := im.set.open(im.ctx, e)
	if err != nil {
		return prints{}, err
	}
	p, err := a.hash.of(seg.Rows, seg.Column)
	if err != nil {
		return p, fmt.Errorf("read %s: %w", e.path(), err)
	}
	return p, nil
}

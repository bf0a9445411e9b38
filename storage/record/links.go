// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"slices"
	"sort"
)

// links are the pairs of all operations, those taken back too: they say which
// rows are of one identity.
type links struct {
	byOld, byNew []run
}

// run says of count rows which ones they are linked with.
type run struct {
	at, to, count Number
	reach         Number // the furthest end of this run and those before it
}

func (h *history) links() (l links) {
	for _, o := range h.all {
		for _, p := range o.replaces {
			if p.Old < p.New { // else an old row that counts again: of this identity already
				l.byOld = append(l.byOld, run{at: p.Old, to: p.New, count: p.Count})
				l.byNew = append(l.byNew, run{at: p.New, to: p.Old, count: p.Count})
			}
		}
	}
	for _, runs := range [][]run{l.byOld, l.byNew} {
		slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.at, b.at) })
		reach := Number(0)
		for i := range runs {
			reach = max(reach, runs[i].at+runs[i].count)
			runs[i].reach = reach
		}
	}
	return l
}

// linked are the rows that runs link with a row, in order.
func linked(runs []run, n Number) (out []Number) {
	i := sort.Search(len(runs), func(i int) bool { return runs[i].at > n })
	for i--; i >= 0 && runs[i].reach > n; i-- {
		if r := runs[i]; n < r.at+r.count {
			out = append(out, r.to+n-r.at)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// goesOn says whether an identity was there before the row.
func (l links) goesOn(n Number) bool { return len(linked(l.byNew, n)) > 0 }

// after are the rows that an identity went on with; first is the one it began with.
func (l links) after(first Number) []Number { return linked(l.byOld, first) }

// identity are all rows of the identity of a row, itself too.
func (l links) identity(n Number) []Number {
	if before := linked(l.byNew, n); len(before) > 0 {
		n = before[0]
	}
	return append([]Number{n}, l.after(n)...)
}

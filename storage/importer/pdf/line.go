// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// lines puts pieces of text into lines: those whose feet stand as high, within
// a third of their size. Turned text comes after the other.
func lines(all []shown) []string {
	all = slices.DeleteFunc(all, func(s shown) bool {
		return !(math.Abs(s.x) < 1e6 && math.Abs(s.y) < 1e6 && math.Abs(s.end) < 1e6) // NaN too
	})
	slices.SortStableFunc(all, func(a, b shown) int {
		if a.turned != b.turned {
			return cmp.Compare(truth(a.turned), truth(b.turned))
		}
		return cmp.Compare(b.y, a.y)
	})
	var list []string
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].turned == all[0].turned && all[0].y-all[n].y < 0.35*max(1, min(all[0].size, all[n].size)) {
			n++
		}
		if s := line(all[:n]); s != "" {
			list = append(list, s)
		}
		all = all[n:]
	}
	return list
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// line joins the pieces of one line. Gaps are measured against the size of the
// letters; letters drawn twice in one place, to look bold, count once.
func line(all []shown) string {
	slices.SortStableFunc(all, func(a, b shown) int { return cmp.Compare(a.x, b.x) })
	var b strings.Builder
	var last *shown
	for i := range all {
		s := &all[i]
		if last != nil {
			gap, size := s.x-last.end, max(1, min(s.size, last.size))
			switch {
			case s.text == last.text && math.Abs(s.x-last.x) < 0.1*size:
				continue
			case gap > 1.2*size:
				b.WriteByte('\t')
			case gap > 0.18*size:
				b.WriteByte(' ')
			}
		}
		b.WriteString(s.text)
		last = s
	}
	return tidy(b.String())
}

// tidy makes one space of several, and one tab of spaces and tabs.
func tidy(s string) string {
	columns := strings.Split(s, "\t")
	kept := columns[:0]
	for _, c := range columns {
		if c = strings.Join(strings.Fields(c), " "); c != "" {
			kept = append(kept, c)
		}
	}
	return strings.Join(kept, "\t")
}

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
	all = runs(slices.DeleteFunc(all, func(s shown) bool {
		return !(math.Abs(s.x) < 1e6 && math.Abs(s.y) < 1e6 && math.Abs(s.end) < 1e6) // NaN too
	}))
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

// Gaps between two pieces of a line, in sizes of the letters: more than the
// first is a space, more than the second parts columns.
const (
	aSpace  = 0.18
	aColumn = 1.2
)

// runs joins letters that were drawn one behind the other, so that those of two
// texts that overlap do not mix.
func runs(all []shown) []shown {
	var list []shown
	var text strings.Builder
	end := func() {
		if n := len(list); n > 0 {
			list[n-1].text = text.String()
		}
		text.Reset()
	}
	for _, s := range all {
		if n := len(list); n > 0 {
			last := &list[n-1]
			gap, size := s.x-last.end, max(1, min(s.size, last.size))
			if s.turned == last.turned && math.Abs(s.y-last.y) < 0.05*size && gap > -0.3*size && gap < aColumn*size {
				if gap > aSpace*size {
					text.WriteByte(' ')
				}
				text.WriteString(s.text)
				last.end = s.end
				continue
			}
		}
		end()
		text.WriteString(s.text)
		list = append(list, s)
	}
	end()
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
			case gap > aColumn*size, gap < -0.3*size: // or one text over the other
				b.WriteByte('\t')
			case gap > aSpace*size:
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

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
)

// dateVotes collects what the dates of one file tell about the order of day and
// month in them.
type dateVotes struct {
	only [2]string // a date that fits dmy alone, one that fits mdy alone
	open string    // a date that fits both, and says another day in each
	read int       // texts that can be read
	bad  string    // a text that cannot
	seen map[string]bool
}

func (v *dateVotes) see(s string) {
	if v.seen[s] {
		return
	}
	if v.seen == nil || len(v.seen) > 10_000 {
		v.seen = map[string]bool{}
	}
	v.seen[clip(s)] = true
	day, first := Date(s, "dmy")
	month, second := Date(s, "mdy")
	switch {
	case first != nil && second != nil:
		v.bad = clip(s)
		return
	case second != nil:
		v.only[0] = clip(s)
	case first != nil:
		v.only[1] = clip(s)
	case day != month && v.open == "":
		v.open = clip(s)
	}
	v.read++
}

// order is the order that the dates tell, unless one was said; if they leave it
// open, the reason shows both readings of one.
func (v *dateVotes) order(said string) (string, error) {
	switch {
	case said != "":
		return said, nil
	case v.only[0] != "" && v.only[1] != "":
		return "", Why("dates-mixed", "first", v.only[0], "second", v.only[1])
	case v.only[1] != "":
		return "mdy", nil
	case v.only[0] != "" || v.open == "":
		return "dmy", nil
	}
	day, _ := Date(v.open, "dmy")
	month, _ := Date(v.open, "mdy")
	return "", Why("dates-open", "example", v.open, "dmy", day.String(), "mdy", month.String())
}

// markVotes collects what the numbers of one column tell about their decimal
// mark.
type markVotes struct {
	comma, point int
	open         string // a number that is one with a comma and another with a point
}

func (v *markVotes) see(s string) {
	s, _ = cutCurrency(s)
	switch DecimalMark([]string{s}) {
	case ',':
		v.comma++
	case '.':
		v.point++
	default:
		if _, either := openMark(s); either && v.open == "" {
			v.open = clip(s)
		}
	}
}

// mark is the mark before the fractions of the column; 0 where each number must
// tell by itself, and can.
func (v *markVotes) mark(said byte) (byte, error) {
	switch {
	case said != 0:
		return said, nil
	case v.comma > 0 && v.point == 0:
		return ',', nil
	case v.point > 0 && v.comma == 0:
		return '.', nil
	case v.open != "":
		return 0, Why("decimals-open", "example", v.open)
	}
	return 0, nil
}

// openMark says whether a number such as 1,500 could be either.
func openMark(s string) (mark byte, either bool) {
	s = strings.Trim(s, "+-−–()")
	i := strings.LastIndexAny(s, ".,")
	if i < 0 || strings.Count(s, ".")+strings.Count(s, ",") > 1 || strings.ContainsAny(s, " '’") {
		return 0, false
	}
	before := strings.TrimLeft(s[:i], "-+")
	return s[i], len(s)-i-1 == 3 && len(before) >= 1 && len(before) <= 3 && before[0] != '0'
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

var (
	ymd       = regexp.MustCompile(`^(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})(?:$|[T ,])`)
	compact   = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})(?:$|T)`)
	threeNums = regexp.MustCompile(`^(\d{1,2})[-/. ]{1,2}(\d{1,2})[-/.' ]{1,2}(\d{4}|\d{2})(?:$|[T ,])`)
	withName  = regexp.MustCompile(`^(?:\pL+\.?,? )?(\d{1,2})(?:er|st|nd|rd|th)?[- /]+(\pL{3,12})\.?,?[- /]+(\d{4}|\d{2})(?:$|[T ,])`)
	nameFirst = regexp.MustCompile(`^(\pL{3,12})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?:$|[T ,])`)
)

// Date reads a day, and passes over a time behind it: 2009-11-04, 20091104,
// 04/11/2009, 4.11.09, "04 Nov 2009", "1er décembre 2020", "November 4, 2009".
// Where day and month are both numbers, order says which comes first: "dmy" or
// "mdy"; "ymd" for two-digit years in front. Without order the day comes first,
// as in France. A day that the calendar does not have is refused.
func Date(s, order string) (record.Value, error) {
	s = Plain(s)
	y, m, d, ok := dateParts(s, order)
	if !ok {
		return record.Null, Why("date", "value", clip(s))
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Day() != d || int(t.Month()) != m || y < 1000 {
		return record.Null, Why("no-such-day", "value", clip(s))
	}
	return record.On(y, time.Month(m), d), nil
}

func dateParts(s, order string) (y, m, d int, ok bool) {
	if f := ymd.FindStringSubmatch(s); f != nil {
		return num(f[1]), num(f[2]), num(f[3]), true
	}
	if f := compact.FindStringSubmatch(s); f != nil {
		return num(f[1]), num(f[2]), num(f[3]), true
	}
	if f := threeNums.FindStringSubmatch(s); f != nil {
		switch order {
		case "mdy":
			return year(f[3]), num(f[1]), num(f[2]), true
		case "ymd":
			return year(f[1]), num(f[2]), num(f[3]), true
		}
		return year(f[3]), num(f[2]), num(f[1]), true
	}
	if f := withName.FindStringSubmatch(s); f != nil {
		m, ok = Month(f[2])
		return year(f[3]), m, num(f[1]), ok
	}
	if f := nameFirst.FindStringSubmatch(s); f != nil {
		m, ok = Month(f[1])
		return year(f[3]), m, num(f[2]), ok
	}
	return 0, 0, 0, false
}

func num(s string) int { n, _ := strconv.Atoi(s); return n }

// year reads a year of four digits, or of two between 1970 and 2069.
func year(s string) int {
	n := num(s)
	switch {
	case len(s) > 2:
		return n
	case n < 70:
		return 2000 + n
	}
	return 1900 + n
}

// months are the beginnings of the names of months in French and English, small
// and without accents.
var months = []struct {
	start string
	month int
}{
	{"jan", 1}, {"fev", 2}, {"feb", 2}, {"mar", 3}, {"avr", 4}, {"apr", 4}, {"mai", 5}, {"may", 5}, {"juin", 6}, {"jun", 6}, {"juil", 7}, {"jul", 7},
	{"aou", 8}, {"aug", 8}, {"sep", 9}, {"oct", 10}, {"nov", 11}, {"dec", 12},
}

var unaccented = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ë", "e", "à", "a", "â", "a", "ä", "a", "î", "i", "ï", "i", "ô", "o", "ö", "o", "û", "u", "ù", "u", "ü", "u", "ç", "c", "œ", "oe", "’", "'")

// Fold is a text as headings are compared: small, without accents, one space
// where several are.
func Fold(s string) string {
	return strings.Join(strings.Fields(unaccented.Replace(strings.ToLower(Plain(s)))), " ")
}

// Month reads the name of a month in French or English, in full or shortened.
func Month(name string) (int, bool) {
	name = Fold(name)
	for _, m := range months {
		if strings.HasPrefix(name, m.start) {
			return m.month, true
		}
	}
	return 0, false
}

var clockTime = regexp.MustCompile(`[T ,]+(\d{1,2})[:hH](\d{2})(?::(\d{2})(\.\d{1,9})?)?$`)

// Wall reads a day and a time without a zone, as "2022-03-23 00:30:00" or
// "13/05/2026 12:00": what a clock on the wall showed. Without a time it is
// midnight. See [Clock] for when that was. 24:00 is the next midnight.
func Wall(s, order string) (time.Time, error) {
	s = Plain(s)
	day, err := Date(s, order)
	if err != nil {
		return time.Time{}, err
	}
	t := day.Time()
	f := clockTime.FindStringSubmatch(s)
	if f == nil {
		if strings.ContainsAny(s, ":Zh") {
			return time.Time{}, Why("time", "value", clip(s))
		}
		return t, nil
	}
	h, m, sec := num(f[1]), num(f[2]), num(f[3])
	if h > 24 || m > 59 || sec > 60 || h == 24 && m+sec > 0 {
		return time.Time{}, Why("time", "value", clip(s))
	}
	return t.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second), nil
}

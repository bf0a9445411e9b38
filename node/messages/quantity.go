// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"strconv"
	"strings"
	"time"
)

// noBreak keeps a number and its unit on one line.
const noBreak = "\u00a0"

// Size writes a number of bytes in decimal units (1 MB is 1,000,000 bytes), to
// three digits: "12.4 MB" in English, "12,4 Mo" in French.
func (l Lang) Size(bytes uint64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	if l == French {
		units = []string{"o", "ko", "Mo", "Go", "To", "Po", "Eo"}
	}
	unit, value := 0, float64(bytes)
	for value >= 999.5 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	decimals := 0
	switch {
	case unit > 0 && value < 9.995:
		decimals = 2
	case unit > 0 && value < 99.95:
		decimals = 1
	}
	digits := strconv.FormatFloat(value, 'f', decimals, 64)
	return strings.Replace(digits, ".", l.point(), 1) + noBreak + units[unit]
}

// Decimal writes an exact number, "-12.5", with the decimal sign of the
// language: "-12,5" in French.
func (l Lang) Decimal(number string) string { return strings.Replace(number, ".", l.point(), 1) }

// point is the decimal sign.
func (l Lang) point() string {
	if l == French {
		return ","
	}
	return "."
}

// Number writes a count with its thousands apart: "1,234,567" in English,
// "1 234 567" with narrow no-break spaces in French.
func (l Lang) Number(n uint64) string {
	gap := ","
	if l == French {
		gap = "\u202f"
	}
	digits := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(gap)
		}
		b.WriteRune(d)
	}
	return b.String()
}

// months are the words that differ; the forms are those of the CLDR.
var months = map[Lang][12]string{
	English: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	French:  {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
}

// Date writes a day in the zone of t: "1 March 2026", "1er mars 2026".
func (l Lang) Date(t time.Time) string {
	day := strconv.Itoa(t.Day())
	if l == French && t.Day() == 1 {
		day = "1er"
	}
	return day + noBreak + months[l.orEnglish()][t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// Time writes a moment to the minute in the zone of t: "1 March 2026, 14:05",
// "1er mars 2026 à 14:05".
func (l Lang) Time(t time.Time) string {
	if l == French {
		return l.Date(t) + " à " + t.Format("15:04")
	}
	return l.Date(t) + ", " + t.Format("15:04")
}

// Span writes how long something lasts or lasted, in its largest whole unit,
// and to a tenth below ten seconds: "30 days", "30 jours", "12 s", "0.4 s".
func (l Lang) Span(d time.Duration) string {
	type unit struct {
		length            time.Duration
		english, french   string
		englishs, frenchs string
	}
	for _, u := range []unit{
		{24 * time.Hour, "day", "jour", "days", "jours"},
		{time.Hour, "hour", "heure", "hours", "heures"},
		{time.Minute, "minute", "minute", "minutes", "minutes"},
	} {
		n := int64(d / u.length)
		if n == 0 {
			continue
		}
		words := [2]string{u.english, u.englishs}
		if l == French {
			words = [2]string{u.french, u.frenchs}
		}
		if n == 1 {
			return "1" + noBreak + words[0]
		}
		return strconv.FormatInt(n, 10) + noBreak + words[1]
	}
	if d < 10*time.Second {
		return strings.Replace(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".", l.point(), 1) + noBreak + "s"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + noBreak + "s"
}

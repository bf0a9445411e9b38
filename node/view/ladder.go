// SPDX-License-Identifier: Apache-2.0

package view

import (
	"sort"
	"time"
)

// Period is a rank on the ladder of time. Each rung nests in the next: an edge
// of a coarser one is an edge of every finer one.
type Period int

// The periods.
const (
	Raw Period = iota // rows as they are
	HalfHour
	Hour
	Day
	Month
	Year
)

var periodNames = [...]string{Raw: "raw", HalfHour: "half-hour", Hour: "hour", Day: "day", Month: "month", Year: "year"}

// String is the period's name, and "" for none.
func (p Period) String() string {
	if p < Raw || p > Year {
		return ""
	}
	return periodNames[p]
}

// PeriodNamed finds a period by its name.
func PeriodNamed(name string) (Period, bool) {
	for p, n := range periodNames {
		if n == name {
			return Period(p), true
		}
	}
	return 0, false
}

// settled is how many seconds after a change of offset the clock on the wall has
// surely gone past every reading it had shown before the change.
const settled = 48 * 3600

// Bucket is the bucket of period p that t lies in, in the zone of t: from its
// first instant to the first of the next. It panics for Raw, which has none.
//
// A day, month or year begins at the first instant at which the calendar on
// the wall has reached it. An hour or half-hour begins when the clock on the
// wall shows a whole one, and also when the clock is changed: so the buckets
// of a day on which it goes back are those of 25 hours.
func (p Period) Bucket(t time.Time) (begin, end time.Time) {
	switch p {
	case HalfHour, Hour:
		return p.step(t)
	case Day, Month, Year:
		return p.calendar(t)
	}
	panic("view: a bucket of no period")
}

// IsEdge says whether a bucket of period p begins at t. Every t is one of Raw.
func (p Period) IsEdge(t time.Time) bool {
	if p == Raw {
		return true
	}
	begin, _ := p.Bucket(t)
	return begin.Equal(t)
}

func (p Period) step(t time.Time) (begin, end time.Time) {
	length := int64(1800)
	if p == Hour {
		length = 3600
	}
	wall := t.Unix() + offsetAt(t.Unix(), t.Location())
	first := t.Unix() - modulo(wall, length)
	return lastChange(first, t.Unix(), t.Location()), firstChange(t.Unix(), first+length, t.Location())
}

func (p Period) calendar(t time.Time) (begin, end time.Time) {
	year, month, day := t.Date()
	date := func(n int) time.Time { // of the n-th bucket from that on the wall
		switch p {
		case Month:
			return firstInstant(year, month+time.Month(n), 1, t.Location())
		case Year:
			return firstInstant(year+n, time.January, 1, t.Location())
		}
		return firstInstant(year, month, day+n, t.Location())
	}
	// The wall may show again what it had shown before: then a later bucket has
	// begun. Or a bucket has no instant at all: then the next begins with it.
	n := 1
	for begin = date(0); ; n++ {
		if end = date(n); end.After(t) {
			return begin, end
		}
		begin = end
	}
}

// firstInstant is the first instant at which the calendar of a zone shows the
// day or a later one.
func firstInstant(year int, month time.Month, day int, zone *time.Location) time.Time {
	wall := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	if guess := time.Date(year, month, day, 0, 0, 0, 0, zone); isSettled(guess) {
		return guess
	}
	const furthest = 16 * 3600 // from Greenwich that a clock was ever set, and more
	for t := wall - furthest; ; {
		until := firstChange(t, t+3600, zone).Unix()
		if first := max(t, wall-offsetAt(t, zone)); first < until {
			return time.Unix(first, 0).In(zone)
		}
		t = until
	}
}

// isSettled says whether the clock was not changed around t.
func isSettled(t time.Time) bool {
	offset := offsetAt(t.Unix(), t.Location())
	return offset == offsetAt(t.Unix()-settled, t.Location()) && offset == offsetAt(t.Unix()+settled, t.Location())
}

func offsetAt(second int64, zone *time.Location) int64 {
	_, offset := time.Unix(second, 0).In(zone).Zone()
	return int64(offset)
}

// firstChange is when the clock is changed first after a second and before
// another, or that other one; lastChange when it was changed last after a
// second and until another, or the first. The seconds are an hour apart at
// most. (Time.ZoneBounds would say so, but in leap years after 2037 it does
// not.)
func firstChange(after, before int64, zone *time.Location) time.Time {
	offset := offsetAt(after, zone)
	if offset == offsetAt(before-1, zone) {
		return time.Unix(before, 0).In(zone)
	}
	n := sort.Search(int(before-after), func(i int) bool { return offsetAt(after+int64(i), zone) != offset })
	return time.Unix(after+int64(n), 0).In(zone)
}

func lastChange(after, until int64, zone *time.Location) time.Time {
	offset := offsetAt(until, zone)
	if offset == offsetAt(after, zone) {
		return time.Unix(after, 0).In(zone)
	}
	n := sort.Search(int(until-after), func(i int) bool { return offsetAt(after+int64(i), zone) == offset })
	return time.Unix(after+int64(n), 0).In(zone)
}

func modulo(a, n int64) int64 { return ((a % n) + n) % n }

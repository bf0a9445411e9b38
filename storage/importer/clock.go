// SPDX-License-Identifier: Apache-2.0

package importer

import "time"

// Clock says when a clock on the wall showed a time, for a row of times that
// each end an interval and come one after the other. Twice a year that takes
// thought: in spring an hour is never shown; in autumn one is shown twice, and
// only the order of the rows tells the first from the second.
type Clock struct {
	Zone *time.Location
	last time.Time // the end of the interval before
}

// End is when the interval ended that is length long and whose end was shown as
// wall (a time as if it were UTC); next is what the row behind it shows, or the
// zero time. ok is false for a time that no clock showed.
func (c *Clock) End(wall time.Time, length time.Duration, next time.Time) (end time.Time, ok bool) {
	first, second, n := c.moments(wall)
	switch {
	case n == 0:
		return time.Time{}, false
	case n == 1:
		end = first
	case c.shownFirst(wall, length, next, first, second):
		end = first
	default:
		end = second
	}
	c.last = end
	return end, true
}

// shownFirst says which of two moments it was that both look alike.
func (c *Clock) shownFirst(wall time.Time, length time.Duration, next, first, second time.Time) bool {
	expected := c.last.Add(length)
	switch {
	case !c.last.Before(first) && c.last.Before(first.AddDate(0, 0, 1)):
		return false // the first is past
	case expected.Equal(second):
		return false
	case c.onlyAsEnd(first):
		// The end of the hour's first showing, whose strict name is an hour less:
		// some exports name it so. Then the hour comes again.
		return expected.Equal(first) && !next.IsZero() && !next.After(wall)
	}
	return true
}

// onlyAsEnd says whether the clock, at that very moment, was put back.
func (c *Clock) onlyAsEnd(t time.Time) bool {
	_, at := t.In(c.Zone).Zone()
	_, before := t.Add(-time.Second).In(c.Zone).Zone()
	return before > at
}

// moments are the one or two moments at which the clock showed the time, or
// would have when they end an interval.
func (c *Clock) moments(wall time.Time) (first, second time.Time, n int) {
	for _, from := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(from).In(c.Zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		_, at := t.In(c.Zone).Zone()
		_, before := t.Add(-time.Second).In(c.Zone).Zone()
		switch {
		case at != offset && before != offset:
		case n == 0:
			first, n = t, 1
		case !t.Equal(first):
			second, n = t, 2
		}
	}
	return first, second, n
}

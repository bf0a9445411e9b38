// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Stale says since when a source has missed its promise, whose newest row is, or
// ends, at newest: the next was promised one UpdateEvery later, and may take
// UpdateDelay more. Both are counted by the calendar of the schema's zone, a
// month from the 31st ending with the next month. ok is false while it is fresh,
// and for a kind that promises nothing.
func Stale(s *record.Schema, newest, now time.Time) (since time.Time, ok bool) {
	if s.UpdateEvery.IsZero() {
		return time.Time{}, false
	}
	due := later(s.UpdateEvery, newest.In(s.Location()))
	since = later(s.UpdateDelay, due)
	return since, now.After(since)
}

// later is the moment so much later; a day of the month that the month there
// does not have is its last. [record.Period.After] would go on into the next.
func later(p record.Period, t time.Time) time.Time {
	y, m, d := t.Date()
	last := time.Date(y+p.Years, m+time.Month(p.Months)+1, 0, 0, 0, 0, 0, t.Location()).Day()
	t = time.Date(y+p.Years, m+time.Month(p.Months), min(d, last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	return record.Period{Days: p.Days, Clock: p.Clock}.After(t)
}

// Until is when a row ends, or is: a day ends at the midnight behind it. ok is
// false for a row that does not say when.
func Until(s *record.Schema, r record.Row) (end time.Time, ok bool) {
	for _, name := range []string{s.End, s.Time} {
		i, found := s.Index(name)
		if !found || r[i].IsNull() {
			continue
		}
		if r[i].Type() == record.Day {
			y, m, d := r[i].Time().Date()
			return time.Date(y, m, d+1, 0, 0, 0, 0, s.Location()), true
		}
		return r[i].Time(), true
	}
	return time.Time{}, false
}

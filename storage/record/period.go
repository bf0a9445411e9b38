// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Period is a span of calendar time as ISO 8601 writes durations: P1D, P1M,
// PT30M. The zero Period is none.
type Period struct {
	Years, Months, Days int
	Clock               time.Duration // hours, minutes and seconds
}

var period = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$`)

// ParsePeriod reads an ISO 8601 duration without fractions; "" is none.
func ParsePeriod(s string) (Period, error) {
	m := period.FindStringSubmatch(s)
	if s == "" {
		return Period{}, nil
	}
	if m == nil || s == "P" || s[len(s)-1] == 'T' {
		return Period{}, fmt.Errorf("%q: not a duration, as P1D or PT30M is", clip(s))
	}
	n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v }
	clock := time.Duration(n(5))*time.Hour + time.Duration(n(6))*time.Minute + time.Duration(n(7))*time.Second
	return Period{Years: n(1), Months: n(2), Days: n(3)*7 + n(4), Clock: clock}, nil
}

// UnmarshalText reads what [ParsePeriod] does.
func (p *Period) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePeriod(string(b))
	return err
}

// IsZero says whether there is none.
func (p Period) IsZero() bool { return p == Period{} }

// After is the moment so much later than t, by the calendar of t's zone.
func (p Period) After(t time.Time) time.Time {
	return t.AddDate(p.Years, p.Months, p.Days).Add(p.Clock)
}

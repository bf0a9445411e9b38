// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Spans in which a number is a moment: between 1973 and 2200, counted since 1970
// in seconds, milliseconds, microseconds or nanoseconds. They do not overlap.
const (
	firstSecond = 100_000_000
	lastSecond  = 7_258_118_400
)

// Moment reads when something was from what devices and services write: a
// number since 1970 whose size tells its unit (names are often wrong about it),
// or a date and a time as ISO 8601 has them, more or less: a space for the T, no
// seconds, an offset with or without its colon or behind a space. What has no
// offset is read by a clock in zone.
func Moment[T string | []byte](s T, zone *time.Location) (record.Value, bool) {
	v, local, ok := shown(s)
	if t := v.Time(); local {
		v = record.At(time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone))
	}
	return v, ok
}

// shown is Moment but for times without an offset: these are local, and what the
// clock showed is told as if it were UTC.
func shown[T string | []byte](s T) (v record.Value, local, ok bool) {
	if len(s) > 64 {
		return record.Null, false, false
	}
	if v, ok := sinceEpoch(s); ok {
		return v, false, true
	}
	r := stamp[T]{s: s}
	micros, local, ok := r.read()
	if !ok {
		return record.Null, false, false
	}
	return record.Micros(micros), local, true
}

// sinceEpoch reads a number since 1970.
func sinceEpoch[T string | []byte](s T) (record.Value, bool) {
	n, fraction, scale, digits := int64(0), int64(0), int64(1), 0
	i := 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9' && digits < 19; i++ {
		n, digits = n*10+int64(s[i]-'0'), digits+1
	}
	if digits == 0 || n < 0 {
		return record.Null, false
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			if scale < 1_000_000 {
				fraction, scale = fraction*10+int64(s[i]-'0'), scale*10
			}
		}
	}
	if i < len(s) {
		return record.Null, false
	}
	for unit := int64(1_000_000); unit >= 1; unit /= 1000 { // microseconds in it
		if per := 1_000_000 / unit; n >= firstSecond*per && n < lastSecond*per {
			return record.Micros(n*unit + fraction*unit/scale), true
		}
	}
	if n >= firstSecond*1e9 && n < lastSecond*1e9 {
		return record.Micros(n / 1000), true
	}
	return record.Null, false
}

// stamp reads a date and a time.
type stamp[T string | []byte] struct {
	s T
	i int
}

// read gives microseconds since 1970 as if the clock showed UTC, when local.
func (r *stamp[T]) read() (micros int64, local, ok bool) {
	year, ok1 := r.number(4)
	ok2 := r.one("-/.")
	month, ok3 := r.number(2)
	ok4 := r.one("-/.")
	day, ok5 := r.number(2)
	ok6 := r.one("Tt ,")
	hour, ok7 := r.number(2)
	ok8 := r.one(":")
	minute, ok9 := r.number(2)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7 && ok8 && ok9) {
		return 0, false, false
	}
	second, fraction := 0, int64(0)
	if r.one(":") {
		if second, ok = r.number(2); !ok {
			return 0, false, false
		}
		fraction = r.fraction()
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 {
		return 0, false, false
	}
	seconds := daysSince(year, month, day)*86400 + int64(hour*3600+minute*60+second)
	offset, local, ok := r.offset()
	return (seconds-int64(offset))*1_000_000 + fraction, local, ok && r.i == len(r.s)
}

// number reads n digits.
func (r *stamp[T]) number(n int) (int, bool) {
	v := 0
	for range n {
		if r.i == len(r.s) || r.s[r.i] < '0' || r.s[r.i] > '9' {
			return 0, false
		}
		v, r.i = v*10+int(r.s[r.i]-'0'), r.i+1
	}
	return v, true
}

// one reads one of some characters.
func (r *stamp[T]) one(of string) bool {
	for i := range len(of) {
		if r.i < len(r.s) && r.s[r.i] == of[i] {
			r.i++
			return true
		}
	}
	return false
}

// fraction reads a point and digits, as microseconds; what is finer is cut off.
func (r *stamp[T]) fraction() (micros int64) {
	if !r.one(".,") {
		return 0
	}
	for unit := int64(100_000); r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9'; r.i++ {
		micros, unit = micros+int64(r.s[r.i]-'0')*unit, unit/10
	}
	return micros
}

// offset reads Z, UTC, +01:00, -0700 or +02, in seconds; nothing is local.
func (r *stamp[T]) offset() (seconds int, local, ok bool) {
	r.one(" ")
	switch {
	case r.i == len(r.s):
		return 0, true, true
	case r.one("Zz"):
		return 0, false, true
	case string(r.s[r.i:]) == "UTC" || string(r.s[r.i:]) == "GMT":
		r.i += 3
		return 0, false, true
	}
	sign := 1
	if r.one("-") {
		sign = -1
	} else if !r.one("+") {
		return 0, false, false
	}
	hours, ok := r.number(2)
	minutes := 0
	if ok && (r.one(":") || r.i < len(r.s)) {
		minutes, ok = r.number(2)
	}
	return sign * (hours*3600 + minutes*60), false, ok && hours <= 18 && minutes < 60
}

func daysIn(year, month int) int {
	switch {
	case month == 2 && (year%4 == 0 && year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysSince counts days since 1 January 1970, by the Gregorian calendar.
func daysSince(year, month, day int) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	y := int64(year) + 400 // so that what is before the year 1 divides alike
	return 365*y + y/4 - y/100 + y/400 + int64(153*(month-3)+2)/5 + int64(day) - 719469 - 146097
}

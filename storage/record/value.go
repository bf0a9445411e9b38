// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Type says what a field holds. Types are only added to.
type Type string

// The types of fields, with their form in Parquet, JSON and CSV.
const (
	Instant Type = "instant" // a moment: microseconds since 1970, UTC; TIMESTAMP(MICROS, UTC); RFC 3339
	Day     Type = "day"     // a calendar day without a zone; DATE; 2026-11-23
	Decimal Type = "decimal" // an exact number of at most 18 digits; DECIMAL(18, s); a number as text
	Integer Type = "integer" // INT64
	Boolean Type = "boolean" // BOOLEAN
	Text    Type = "text"    // UTF-8; STRING
	Place   Type = "place"   // degrees north and east in units of 1e-7; two INT32; {"lat": …, "lon": …}
)

// MaxText is the longest text that a row may have, in bytes.
const MaxText = 16 << 10

// MaxDigits is how many digits a decimal may have; its scale is at most that.
const MaxDigits = 18

// Errors of values.
var (
	ErrNumber   = errors.New("not a number")
	ErrTooLong  = errors.New("longer than a value may be")
	ErrNotPlace = errors.New("not a place on earth")
)

// Value is one value of a row, or nothing: the zero Value is what a field holds
// of which nothing is known. Values are canonical: two that say the same are
// equal with ==.
type Value struct {
	kind  kind
	scale uint8  // of a decimal: digits behind the point; never trailing zeros
	n     int64  // all but text
	s     string // text
}

type kind uint8

const (
	null kind = iota
	instant
	day
	decimal
	integer
	boolean
	text
	place
)

var typeOf = [...]Type{instant: Instant, day: Day, decimal: Decimal, integer: Integer, boolean: Boolean, text: Text, place: Place}

// Null is the value of which nothing is known.
var Null Value

// IsNull says whether nothing is known.
func (v Value) IsNull() bool { return v.kind == null }

// Type is the type of a value that is not null, and "" otherwise.
func (v Value) Type() Type { return typeOf[v.kind] }

// At is an instant, cut to a microsecond.
func At(t time.Time) Value { return Micros(t.UnixMicro()) }

// Micros is the instant so many microseconds after 1970 began, UTC.
func Micros(n int64) Value { return Value{kind: instant, n: n} }

// On is a day.
func On(year int, month time.Month, dayOfMonth int) Value {
	return Days(time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// Days is the day so many days after 1 January 1970.
func Days(n int64) Value { return Value{kind: day, n: n} }

// Int is an integer.
func Int(n int64) Value { return Value{kind: integer, n: n} }

// Bool is true or false.
func Bool(b bool) Value {
	v := Value{kind: boolean}
	if b {
		v.n = 1
	}
	return v
}

// Str is a text: without invalid UTF-8 (which becomes U+FFFD), NUL and spaces
// around it. A text without characters is [Null]; a row with one beyond [MaxText]
// is refused by [Schema.Check].
func Str(s string) Value {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.TrimSpace(strings.ReplaceAll(s, "\x00", ""))
	}
	if s == "" {
		return Null
	}
	return Value{kind: text, s: s}
}

// Dec is the decimal n × 10^-scale, for a scale of 0 to [MaxDigits].
func Dec(n int64, scale int) Value {
	for scale > 0 && n%10 == 0 {
		n, scale = n/10, scale-1
	}
	return Value{kind: decimal, n: n, scale: uint8(scale)}
}

// ParseDec reads a decimal number: an optional sign, digits, and perhaps a
// point with digits behind it, or an exponent. It is exact: what has more than
// [MaxDigits] digits is refused. Commas, spaces and currencies are the
// importers' business.
func ParseDec(s string) (Value, error) {
	whole, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		n, err := strconv.Atoi(s[i+1:])
		if err != nil || n < -64 || n > 64 {
			return Null, fmt.Errorf("%q: %w", clip(s), ErrNumber)
		}
		whole, exponent = s[:i], n
	}
	negative := strings.HasPrefix(whole, "-")
	if negative || strings.HasPrefix(whole, "+") {
		whole = whole[1:]
	}
	before, after, _ := strings.Cut(whole, ".")
	digits := strings.TrimRight(after, "0")
	if before+after == "" || !onlyDigits(before) || !onlyDigits(after) {
		return Null, fmt.Errorf("%q: %w", clip(s), ErrNumber)
	}
	scale := len(digits) - exponent
	digits = strings.TrimLeft(before+digits, "0")
	for scale < 0 && digits != "" {
		digits, scale = digits+"0", scale+1
	}
	for scale > 0 && strings.HasSuffix(digits, "0") {
		digits, scale = digits[:len(digits)-1], scale-1
	}
	if digits == "" {
		return Dec(0, 0), nil
	}
	if len(digits) > MaxDigits || scale > MaxDigits {
		return Null, fmt.Errorf("%q: %w (%d digits)", clip(s), ErrTooLong, MaxDigits)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return Null, fmt.Errorf("%q: %w", clip(s), ErrNumber)
	}
	if negative {
		n = -n
	}
	return Dec(n, scale), nil
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

// E7 is the place at so many units of 1e-7 degrees north and east.
func E7(lat, lon int64) (Value, error) {
	if lat < -90e7 || lat > 90e7 || lon < -180e7 || lon > 180e7 {
		return Null, ErrNotPlace
	}
	return Value{kind: place, n: lat<<32 | lon&math.MaxUint32}, nil
}

// Degrees is the place at so many degrees north and east, to 1e-7 degrees
// (about a centimetre).
func Degrees(lat, lon float64) (Value, error) {
	if !(math.Abs(lat) <= 90 && math.Abs(lon) <= 180) { // NaN too
		return Null, ErrNotPlace
	}
	return E7(int64(math.Round(lat*1e7)), int64(math.Round(lon*1e7)))
}

// Micros is an instant in microseconds since 1970.
func (v Value) Micros() int64 { return v.n }

// Time is an instant, in UTC; of a day, its beginning as if it were UTC's.
func (v Value) Time() time.Time {
	if v.kind == day {
		return time.Unix(v.n*86400, 0).UTC()
	}
	return time.UnixMicro(v.n).UTC()
}

// Days is a day as days since 1 January 1970.
func (v Value) Days() int64 { return v.n }

// Int is an integer.
func (v Value) Int() int64 { return v.n }

// Bool is true or false.
func (v Value) Bool() bool { return v.n != 0 }

// Unscaled is a decimal as n × 10^-scale.
func (v Value) Unscaled() (n int64, scale int) { return v.n, int(v.scale) }

// E7 is a place in units of 1e-7 degrees north and east.
func (v Value) E7() (lat, lon int32) { return int32(v.n >> 32), int32(v.n) }

// String spells a value as CSV and JSON do, a place as "lat,lon"; "" for null.
func (v Value) String() string {
	switch v.kind {
	case instant:
		return v.Time().Format(time.RFC3339Nano)
	case day:
		return v.Time().Format(time.DateOnly)
	case decimal:
		return decimalString(v.n, int(v.scale))
	case integer:
		return strconv.FormatInt(v.n, 10)
	case boolean:
		return strconv.FormatBool(v.n != 0)
	case place:
		lat, lon := v.E7()
		return decimalString(int64(lat), 7) + "," + decimalString(int64(lon), 7)
	}
	return v.s
}

func decimalString(n int64, scale int) string {
	if scale == 0 {
		return strconv.FormatInt(n, 10)
	}
	sign, abs := "", uint64(n)
	if n < 0 {
		sign, abs = "-", uint64(-n)
	}
	digits := strconv.FormatUint(abs, 10)
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	fraction := strings.TrimRight(digits[len(digits)-scale:], "0")
	if fraction == "" {
		return sign + digits[:len(digits)-scale]
	}
	return sign + digits[:len(digits)-scale] + "." + fraction
}

// Compare orders values of one type: null first, then by size, texts by bytes,
// places by latitude.
func (v Value) Compare(w Value) int {
	switch {
	case v.kind != w.kind:
		return int(v.kind) - int(w.kind)
	case v.kind == text:
		return strings.Compare(v.s, w.s)
	case v.kind == decimal:
		return compareDecimals(v, w)
	case v.n < w.n:
		return -1
	case v.n > w.n:
		return 1
	}
	return 0
}

// compareDecimals compares the whole parts, then the fractions, neither of
// which overflows.
func compareDecimals(v, w Value) int {
	a, b := v.n/pow10(v.scale), w.n/pow10(w.scale)
	if a == b {
		a = v.n % pow10(v.scale) * (1e18 / pow10(v.scale))
		b = w.n % pow10(w.scale) * (1e18 / pow10(w.scale))
	}
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func pow10(scale uint8) int64 {
	n := int64(1)
	for range scale {
		n *= 10
	}
	return n
}

// Row is one value for each field of a schema, in its order.
type Row []Value

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"math"
	"strconv"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// position is a row of the kind "positions" on its way.
type position struct {
	time, place, accuracy, altitude, speed, heading, source, activity, device, name record.Value
}

// visit is a row of the kind "visits" on its way.
type visit struct {
	start, end, place, name, address, role, placeID, probability, level, device record.Value
}

// trip is a row of the kind "trips" on its way.
type trip struct {
	start, end, from, to, distance, mode, probability record.Value
}

// journal is where positions, visits and trips of one file go.
type journal struct {
	to                       *Sink
	positions, visits, trips *Rows
	words                    map[string]record.Value
}

func newJournal(to *Sink) *journal {
	return &journal{
		to:        to,
		positions: to.Rows("positions", "time", "place", "accuracy", "altitude", "speed", "heading", "source", "activity", "device", "name"),
		visits:    to.Rows("visits", "start", "end", "place", "name", "address", "role", "placeId", "probability", "level", "device"),
		trips:     to.Rows("trips", "start", "end", "from", "to", "distance", "mode", "probability"),
		words:     map[string]record.Value{},
	}
}

// position takes a position; one without a place is rejected.
func (d *journal) position(line int, p *position) error {
	if p.place.IsNull() {
		d.to.Reject(line, Why("no-coordinates"))
		return nil
	}
	return d.positions.Add(line, p.time, p.place, positive(p.accuracy), p.altitude, positive(p.speed), positive(p.heading), p.source, p.activity, p.device, p.name)
}

// timed takes a position that must say when it was.
func (d *journal) timed(line int, p *position) error {
	if !p.place.IsNull() && p.time.IsNull() {
		d.to.Reject(line, Why("no-time"))
		return nil
	}
	return d.position(line, p)
}

// visit takes a visit; one without place or beginning is rejected.
func (d *journal) visit(line int, v *visit) error {
	switch {
	case v.place.IsNull():
		d.to.Reject(line, Why("no-coordinates"))
		return nil
	case v.start.IsNull():
		d.to.Reject(line, Why("no-time"))
		return nil
	}
	return d.visits.Add(line, v.start, v.end, v.place, v.name, v.address, v.role, v.placeID, v.probability, v.level, v.device)
}

// trip takes a trip whose file says how or how far; start and end alone are
// told by positions.
func (d *journal) trip(line int, t *trip) error {
	if t.start.IsNull() || t.mode.IsNull() && t.distance.IsNull() {
		return nil
	}
	return d.trips.Add(line, t.start, t.end, t.from, t.to, positive(t.distance), t.mode, t.probability)
}

// positive is null for what is less than nothing: phones say -1 for "not known".
func positive(v record.Value) record.Value {
	if n, _ := v.Unscaled(); v.Type() == record.Decimal && n < 0 {
		return record.Null
	}
	return v
}

// word is a word of few, as files write them in capitals: IN_PASSENGER_VEHICLE
// is "in passenger vehicle". What means not known is null.
func (d *journal) word(s []byte) record.Value {
	if v, ok := d.words[string(s)]; ok {
		return v
	}
	text := strings.ToLower(strings.ReplaceAll(string(s), "_", " "))
	v := record.Str(text)
	if text == "unknown" || strings.HasPrefix(text, "unknown ") || text == "unspecified" {
		v = record.Null
	}
	d.keep(s, v)
	return v
}

// label is a text of few, as it is.
func (d *journal) label(s []byte) record.Value {
	if v, ok := d.words[string(s)]; ok {
		return v
	}
	v := record.Str(string(s))
	d.keep(s, v)
	return v
}

func (d *journal) keep(s []byte, v record.Value) {
	if len(d.words) < 1000 && len(s) < 200 {
		d.words[string(s)] = v
	}
}

// measure reads what was measured, to three places behind the point, which is
// finer than any of these devices measures. What is no number is null.
func measure[T string | []byte](s T) record.Value {
	if n, ok := integer(s); ok {
		return record.Dec(n, 0)
	}
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil {
		return record.Null
	}
	return rounded(f)
}

// rounded is a decimal with three places behind the point.
func rounded(f float64) record.Value {
	if !(math.Abs(f) < 1e9) { // NaN too
		return record.Null
	}
	return record.Dec(int64(math.Round(f*1000)), 3)
}

// scaled is a measure times a factor: km/h as m/s.
func scaled(v record.Value, factor float64) record.Value {
	n, scale := v.Unscaled()
	if v.IsNull() {
		return v
	}
	return rounded(float64(n) / math.Pow10(scale) * factor)
}

// integer reads a whole number of at most 15 digits.
func integer[T string | []byte](s T) (int64, bool) {
	i := 0
	if len(s) > 0 && s[0] == '-' {
		i = 1
	}
	if len(s) == i || len(s) > 15+i {
		return 0, false
	}
	n := int64(0)
	for j := i; j < len(s); j++ {
		if s[j] < '0' || s[j] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[j]-'0')
	}
	if i == 1 {
		n = -n
	}
	return n, true
}

// degrees reads a place as two decimal numbers of degrees; null for what is
// none. A degree sign or a letter for the direction may stand behind each:
// "52.520000N", "13.4050° W".
func degrees(lat, lon string) record.Value {
	y, ok1 := degree(lat, 'N', 'S')
	x, ok2 := degree(lon, 'E', 'W')
	v, err := record.Degrees(y, x)
	if !ok1 || !ok2 || err != nil {
		return record.Null
	}
	return v
}

func degree(s string, plus, minus byte) (float64, bool) {
	s = Plain(s)
	sign := 1.0
	if s != "" {
		switch s[len(s)-1] &^ 0x20 {
		case minus:
			sign = -1
			fallthrough
		case plus:
			s = strings.TrimSpace(s[:len(s)-1])
		}
	}
	for _, mark := range []string{"°", "º", "\u00c2"} { // the last is half of a degree sign read wrongly
		s = strings.TrimSpace(strings.TrimSuffix(s, mark))
	}
	if strings.Count(s, ",") == 1 && !strings.Contains(s, ".") {
		s = strings.Replace(s, ",", ".", 1)
	}
	for i := range len(s) { // ParseFloat knows words and hexadecimal too
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || sign < 0 && f < 0 {
		return 0, false
	}
	return sign * f, true
}

// latLon reads a place in one text: "48.833657°, 2.256223°" or
// "geo:27.720022,-97.347951", perhaps with a height or parameters behind it.
func latLon(s string) record.Value {
	s, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), "geo:"), ";")
	lat, rest, _ := strings.Cut(s, ",")
	lon, _, _ := strings.Cut(rest, ",")
	return degrees(lat, lon)
}

// e7 is the place at so many units of 1e-7 degrees. Some exports have what lies
// south or west 2^32 too far; null for what is no place.
func e7(lat, lon int64) record.Value {
	if lat > 90e7 {
		lat -= 1 << 32
	}
	if lon > 180e7 {
		lon -= 1 << 32
	}
	v, err := record.E7(lat, lon)
	if err != nil {
		return record.Null
	}
	return v
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"math/big"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// MaxStep is the longest interval of a load curve, and MinStep the shortest.
const (
	MaxStep = 24 * time.Hour
	MinStep = time.Minute
)

// energyDigits are the digits behind the point of an energy that was computed,
// in kilowatt-hours: microwatt-hours. Ten minutes of a whole number of watts are
// no finite decimal.
const energyDigits = 9

// kilowattHours is the energy of a mean power in watts over a time, rounded to
// energyDigits, half to even: watts are not watt-hours. ok is false for what is
// beyond the digits of a decimal.
func kilowattHours(watts record.Value, over time.Duration) (energy record.Value, ok bool) {
	n, scale := watts.Unscaled()
	num := new(big.Int).Mul(big.NewInt(n), big.NewInt(int64(over/time.Second)))
	num.Mul(num, power10(energyDigits))
	den := new(big.Int).Mul(big.NewInt(3_600_000), power10(scale))
	half := new(big.Int).Mod(num, den) // Euclidean: never negative
	whole := new(big.Int).Sub(num, half)
	whole.Quo(whole, den)
	half.Lsh(half, 1)
	if c := half.Cmp(den); c > 0 || c == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return decimal(whole, energyDigits)
}

// times10 is a decimal times 10^shift, exactly.
func times10(v record.Value, shift int) (record.Value, bool) {
	n, scale := v.Unscaled()
	if scale -= shift; scale < 0 {
		return decimal(new(big.Int).Mul(big.NewInt(n), power10(-scale)), 0)
	}
	return record.Dec(n, scale), scale <= record.MaxDigits
}

func power10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func decimal(n *big.Int, scale int) (record.Value, bool) {
	if !n.IsInt64() || n.CmpAbs(power10(record.MaxDigits)) >= 0 {
		return record.Null, false
	}
	return record.Dec(n.Int64(), scale), true
}

// energyUnits say what a quantity is in: which field it belongs to, and how many
// digits the point moves from the file's unit to the field's.
var energyUnits = map[string]struct {
	field string
	shift int
}{
	"w": {"power", 0}, "kw": {"power", 3}, "wh": {"energy", -3}, "kwh": {"energy", 0}, "va": {"apparentPower", 0}, "kva": {"apparentPower", 3},
}

// quantity reads a number in a unit, and says which field it is for.
func quantity(s, unit string) (v record.Value, field string, err error) {
	u, ok := energyUnits[strings.ToLower(strings.TrimSpace(unit))]
	if !ok {
		return record.Null, "", Why("unit", "unit", clip(unit))
	}
	switch v, err = Number(s, 0); {
	case err != nil:
		return record.Null, "", err
	case v.IsNull():
		return record.Null, "", Why("no-value")
	}
	if v, ok = times10(v, u.shift); !ok {
		return record.Null, "", Why("number", "value", clip(s))
	}
	return v, u.field, nil
}

// shorten leaves of the number of a meter what tells two of a home apart, and
// nothing that names the home.
func shorten(id string) record.Value {
	id = strings.TrimSpace(id)
	if r := []rune(id); len(r) > 6 {
		id = "…" + string(r[len(r)-4:])
	}
	return record.Str(id)
}

// loadCurve takes the points of a load curve in the order of their times, each
// the mean power of an interval that ends there.
type loadCurve struct {
	to         *Sink
	rows       *Rows
	meter, way record.Value
	last       time.Time // the end before
}

func newLoadCurve(to *Sink, meter, way record.Value) *loadCurve {
	return &loadCurve{to: to, meter: meter, way: way, rows: to.Rows("electricity-load-curve", "meter", "direction", "start", "end", "power", "energy")}
}

// add takes a point whose interval has ended and was so long. unit is that of
// the text.
func (c *loadCurve) add(line int, end time.Time, length time.Duration, value, unit string) error {
	v, field, err := quantity(value, unit)
	power, energy, ok := record.Null, record.Null, true
	switch {
	case err != nil:
	case length < MinStep || length > MaxStep:
		err = Why("no-length")
	case end.Equal(c.last):
		err = Why("twice")
	case field == "power":
		power = v
		energy, ok = kilowattHours(v, length)
	case field == "energy":
		energy = v
	default:
		err = Why("unit", "unit", clip(unit))
	}
	if !ok {
		err = Why("number", "value", clip(value))
	}
	if err != nil {
		c.to.Reject(line, err)
		return nil
	}
	c.last = end
	return c.rows.Add(line, c.meter, c.way, record.At(end.Add(-length)), record.At(end), power, energy)
}

// stepOf is how long an interval was that ended between two others, of which
// the zero time is none: the shorter way to its neighbours, as one that is
// missing makes the way longer. 0 when neither tells.
func stepOf(before, at, behind time.Time) time.Duration {
	step := time.Duration(0)
	for _, other := range []time.Time{before, behind} {
		if gap := at.Sub(other).Abs(); !other.IsZero() && gap >= MinStep && gap <= time.Hour && (step == 0 || gap < step) {
			step = gap
		}
	}
	return step
}

// hasField says whether a kind has a field, whose name a file gives.
func hasField(kind, field string) bool {
	s, ok := catalogue.Kind(kind)
	if ok {
		_, ok = s.Index(field)
	}
	return ok
}

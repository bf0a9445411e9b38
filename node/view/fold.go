// SPDX-License-Identifier: Apache-2.0

package view

import (
	"math/big"

	"github.com/traboule/traboule/storage/record"
)

// meanDigits is how many digits a mean has behind the point, unless it has so
// many before it that they would be more than [record.MaxDigits] in all.
const meanDigits = 6

// folding is what is known of the values of one column in one bucket and group
// so far.
type folding struct {
	count int64
	sum   int64    // unscaled; of Min and Max the one that is kept
	large *big.Int // the sum, where an int64 does not hold it
	scale int      // of the sum
}

// add counts a number n × 10^-scale in.
func (f *folding) add(n int64, scale int) {
	f.count++
	if f.large == nil && f.scale == scale {
		if sum := f.sum + n; (sum > f.sum) == (n > 0) {
			f.sum = sum
			return
		}
	}
	f.addLarge(n, scale)
}

func (f *folding) addLarge(n int64, scale int) {
	if f.count == 1 {
		f.sum, f.scale = n, scale
		return
	}
	if f.large == nil {
		f.large = big.NewInt(f.sum)
	}
	add := big.NewInt(n)
	if scale > f.scale {
		f.large.Mul(f.large, tens(scale-f.scale))
		f.scale = scale
	}
	f.large.Add(f.large, add.Mul(add, tens(f.scale-scale)))
}

// choose keeps the number n × 10^-scale if it is the first, or on the side of
// the one that is kept that sign says: below it for -1, above it for 1.
func (f *folding) choose(n int64, scale, sign int) {
	f.count++
	switch {
	case f.count == 1:
	case scale == f.scale && (n < f.sum) == (sign < 0):
	case scale != f.scale && record.Dec(n, scale).Compare(record.Dec(f.sum, f.scale)) == sign:
	default:
		return
	}
	f.sum, f.scale = n, scale
}

// result is what the values were folded to; ok is false if a value cannot hold
// it. Of no value there is no sum, mean, least and greatest.
func (f *folding) result(fold record.Fold, t record.Type) (v record.Value, ok bool) {
	switch {
	case fold == record.Count:
		return record.Int(f.count), true
	case f.count == 0:
		return record.Null, true
	case fold == record.Mean || f.large != nil:
	case t == record.Integer:
		return record.Int(f.sum), true
	case f.sum > -1e18 && f.sum < 1e18: // as fit would find, at less cost
		return record.Dec(f.sum, f.scale), true
	}
	sum := f.large
	if sum == nil {
		sum = big.NewInt(f.sum)
	}
	switch {
	case fold == record.Mean:
		return fit(sum, new(big.Int).Mul(big.NewInt(f.count), tens(f.scale)), meanDigits)
	case t == record.Integer:
		return record.Int(sum.Int64()), sum.IsInt64()
	}
	return fit(sum, tens(f.scale), f.scale)
}

// fit is the quotient, rounded half to even to so many digits behind the point,
// or to fewer if they are more than [record.MaxDigits] in all.
func fit(numerator, denominator *big.Int, digits int) (record.Value, bool) {
	for ; digits >= 0; digits-- {
		n := roundHalfEven(new(big.Int).Mul(numerator, tens(digits)), denominator)
		if n.CmpAbs(tens(record.MaxDigits)) < 0 {
			return record.Dec(n.Int64(), digits), true
		}
	}
	return record.Null, false
}

// roundHalfEven is the whole number nearest to a quotient, and of two such the
// even one. The denominator is above 0.
func roundHalfEven(numerator, denominator *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(numerator, denominator, new(big.Int))
	twice := r.Abs(r).Lsh(r, 1)
	if c := twice.Cmp(denominator); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(int64(numerator.Sign())))
	}
	return q
}

var powers = func() (p [40]*big.Int) {
	for i := range p {
		p[i] = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(i)), nil)
	}
	return p
}()

func tens(n int) *big.Int { return powers[n] }

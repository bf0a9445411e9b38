// SPDX-License-Identifier: Apache-2.0

package record

import (
	"math/big"
	"strings"
)

// Total is the exact sum of decimals and integers. The zero Total is 0.
type Total struct {
	sum   big.Int // × 10^-18
	small [MaxDigits + 1]int64
}

// Add adds a decimal or an integer; null is nothing.
func (t *Total) Add(v Value) {
	n, scale := v.Unscaled()
	sum := t.small[scale] + n
	if (sum > t.small[scale]) != (n > 0) && n != 0 { // it wrapped around
		t.spill(scale)
		sum = n
	}
	t.small[scale] = sum
}

func (t *Total) spill(scale int) {
	n := new(big.Int).Mul(big.NewInt(t.small[scale]), big.NewInt(pow10(uint8(MaxDigits-scale))))
	t.sum.Add(&t.sum, n)
	t.small[scale] = 0
}

// String spells a total as decimals are spelled, with as many digits as it has.
func (t *Total) String() string {
	for scale := range t.small {
		t.spill(scale)
	}
	s := new(big.Rat).SetFrac(&t.sum, big.NewInt(1e18)).FloatString(MaxDigits)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

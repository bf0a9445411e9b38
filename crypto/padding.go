// SPDX-License-Identifier: Apache-2.0

package crypto

import "math/bits"

// A plaintext is padded with one marker byte and zeros, up to a length that
// tells little about its own: Padmé (Nikitin et al., PETS 2019, §4), at most
// 12 % more, and never more than a full block.
const (
	padMarker = 0x80
	maxPadded = BlockData + 1
)

// padme rounds n up so that only the upper half of its significant bits is
// free to vary.
func padme(n int) int {
	if n < 2 {
		return n
	}
	exponent := bits.Len(uint(n)) - 1
	mask := 1<<(exponent-bits.Len(uint(exponent))) - 1
	return (n + mask) &^ mask
}

// paddedSize is the padded length of n bytes of plaintext, n ≤ BlockData.
func paddedSize(n int) int { return min(padme(n+1), maxPadded) }

// unpad returns padded without its padding. There is one padding for every
// length; any other is refused.
func unpad(padded []byte) ([]byte, error) {
	n := len(padded)
	for n > 0 && padded[n-1] == 0 {
		n--
	}
	if n == 0 || padded[n-1] != padMarker || paddedSize(n-1) != len(padded) {
		return nil, ErrBlockPadding
	}
	return padded[:n-1], nil
}

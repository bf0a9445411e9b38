// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/traboule/traboule/crypto"
)

// fingerprintRounds makes each try of somebody who looks for two owners with
// one fingerprint 16,384 times as dear: with about 2^50 tries for the 30
// digits, 2^64 hashes. It takes us a few milliseconds.
const fingerprintRounds = 1 << 14

// Fingerprint is what two owners read to each other before the first grant,
// over a telephone or across a table: six groups of five digits, the same on
// both sides whichever of the two is named first.
func Fingerprint(a, b crypto.DID) string {
	if b < a {
		a, b = b, a
	}
	sum := sha256.Sum256([]byte("traboule fingerprint 1\x00" + string(a) + "\x00" + string(b)))
	for range fingerprintRounds {
		sum = sha256.Sum256(sum[:])
	}
	groups := make([]string, 6)
	for i := range groups {
		five := binary.BigEndian.Uint64(append([]byte{0, 0, 0}, sum[5*i:5*i+5]...))
		groups[i] = fmt.Sprintf("%05d", five%100000)
	}
	return strings.Join(groups, " ")
}

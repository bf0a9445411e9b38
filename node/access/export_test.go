// SPDX-License-Identifier: Apache-2.0

package access

import "crypto/sha256"

// Verified is how many proofs the gate remembers as verified.
func (g *Gate) Verified() int {
	g.verified.mu.Lock()
	defer g.verified.mu.Unlock()
	if len(g.verified.at) != g.verified.recent.Len() {
		return -1
	}
	return g.verified.recent.Len()
}

// Remembers says whether all these proofs are remembered.
func (g *Gate) Remembers(tokens [][]byte) bool {
	for _, token := range tokens {
		if g.verified.find(sha256.Sum256(token)) == nil {
			return false
		}
	}
	return true
}

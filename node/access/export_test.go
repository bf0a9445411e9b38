// SPDX-License-Identifier: Apache-2.0

package access

// Verified is how many proofs the gate remembers as verified.
func (g *Gate) Verified() int {
	g.verified.mu.Lock()
	defer g.verified.mu.Unlock()
	if len(g.verified.at) != g.verified.recent.Len() {
		return -1
	}
	return g.verified.recent.Len()
}

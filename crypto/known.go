// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"hash/maphash"
	"sync/atomic"
)

// known remembers names that [ParseDID] found good, so that those of the
// parties one deals with every day are not shown to lie on the curve again
// (a tenth of a signature's verification, several times in a chain). A name is
// good or not for ever, and all of these are public. Each has one place, which
// the next that belongs there takes: a stranger who sends many names costs
// others no more than what their first sight cost. Many goroutines may use it.
type known struct {
	seed  maphash.Seed
	names [1024]atomic.Pointer[DID]
}

var knownDIDs = known{seed: maphash.MakeSeed()}

func (k *known) place(s string) *atomic.Pointer[DID] {
	return &k.names[maphash.String(k.seed, s)%uint64(len(k.names))]
}

func (k *known) find(s string) (DID, bool) {
	if d := k.place(s).Load(); d != nil && string(*d) == s {
		return *d, true
	}
	return "", false
}

// keep remembers d, in memory of its own: s may be part of something large.
func (k *known) keep(s string) DID {
	d := DID([]byte(s))
	k.place(s).Store(&d)
	return d
}

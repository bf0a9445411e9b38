// SPDX-License-Identifier: Apache-2.0

package node

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
)

// A node that could not be reached is left alone for a moment, then for twice
// as long each time, up to a day: who is away for a week costs a few tries. A
// word from it makes it present.
const (
	firstAbsence   = retryEvery / 2 // due again at the next round
	longestAbsence = 24 * time.Hour
	absenceSpread  = 0.2 // more or less, so that not all are tried at once
)

// absences are the nodes that were not reached. The zero value knows of none.
type absences struct {
	spread func() float64 // from 0 to 1; nil: at random

	mu   sync.Mutex
	away map[crypto.DID]absence
}

type absence struct {
	since time.Time     // the last try
	wait  time.Duration // doubled at the next
	rest  time.Duration // wait, spread out
}

// due says whether a node should be tried: it was reached last, or its time is
// up, or the clock was set back since.
func (a *absences) due(node crypto.DID, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, away := a.away[node]
	return !away || now.Before(b.since) || now.Sub(b.since) >= b.rest
}

// missed notes a try that failed.
func (a *absences) missed(node crypto.DID, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away == nil {
		a.away = map[crypto.DID]absence{}
	}
	wait := firstAbsence
	if b, again := a.away[node]; again {
		wait = min(2*b.wait, longestAbsence)
	}
	a.away[node] = absence{now, wait, a.spreadOut(wait)}
}

// met notes that a node is there.
func (a *absences) met(node crypto.DID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.away, node)
}

func (a *absences) spreadOut(d time.Duration) time.Duration {
	spread := a.spread
	if spread == nil {
		spread = rand.Float64
	}
	return time.Duration(float64(d) * (1 - absenceSpread + 2*absenceSpread*spread()))
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// A node that could not be reached is left alone for a moment, then for twice
// as long each time, up to a day: who is away for a week costs a few tries. A
// word from it makes it present.
const (
	firstAbsence   = retryEvery / 2 // due again at the next round
	longestAbsence = 24 * time.Hour
	absenceSpread  = 0.2 // more or less, so that not all are tried at once
)

// absences are the nodes that were not reached, or what a node that was reached
// would not take. The zero value knows of none.
type absences[K comparable] struct {
	spread func() float64 // from 0 to 1; nil: at random

	mu   sync.Mutex
	away map[K]absence
}

type absence struct {
	since time.Time     // the last try
	wait  time.Duration // doubled at the next
	rest  time.Duration // wait, spread out
}

// due says whether a node should be tried: it was reached last, or its time is
// up, or the clock was set back since.
func (a *absences[K]) due(node K, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, away := a.away[node]
	return !away || now.Before(b.since) || now.Sub(b.since) >= b.rest
}

// missed notes a try that failed.
func (a *absences[K]) missed(node K, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away == nil {
		a.away = map[K]absence{}
	}
	wait := firstAbsence
	if b, again := a.away[node]; again {
		wait = min(2*b.wait, longestAbsence)
	}
	a.away[node] = absence{now, wait, a.spreadOut(wait)}
}

// met notes that a node is there.
func (a *absences[K]) met(node K) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.away, node)
}

// forget notes that whatever is so is there.
func (a *absences[K]) forget(is func(K) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.away, func(k K, _ absence) bool { return is(k) })
}

func (a *absences[K]) spreadOut(d time.Duration) time.Duration {
	spread := a.spread
	if spread == nil {
		spread = rand.Float64
	}
	return time.Duration(float64(d) * (1 - absenceSpread + 2*absenceSpread*spread()))
}

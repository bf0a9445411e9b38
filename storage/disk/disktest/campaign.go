// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed is the seed of a random test: TRABOULE_SEED, or chance. A test that
// fails says which it was.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv("TRABOULE_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("TRABOULE_SEED=%s is no whole number", given)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with TRABOULE_SEED=%d", seed)
		}
	})
	return seed
}

// Runs is how often a random test tries: small, or large with TRABOULE_SOAK=1,
// or as TRABOULE_RUNS says.
func Runs(t testing.TB, small, large int) int {
	t.Helper()
	if given := os.Getenv("TRABOULE_RUNS"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 {
			t.Fatalf("TRABOULE_RUNS=%s is no number of runs", given)
		}
		return n
	}
	if os.Getenv("TRABOULE_SOAK") == "1" {
		return large
	}
	return small
}

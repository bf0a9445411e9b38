// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/traboule/traboule/storage/disk/disktest"
)

// run plays a history in a bubble of its own, whose time passes when nobody
// works, and returns the first difference.
func run(t *testing.T, history []move) (differs error) {
	synctest.Test(t, func(t *testing.T) {
		differs = perform(t, history)
	})
	return differs
}

func perform(t *testing.T, history []move) (err error) {
	c, err := newCity(t)
	defer func() {
		if closing := c.close(); err == nil {
			err = closing
		}
	}()
	if err != nil {
		return err
	}
	for _, m := range history {
		if err := c.play(m); err != nil {
			return fmt.Errorf("after\n%v\n     %w", m, err)
		}
	}
	if err := c.judgement(); err != nil {
		return errors.Join(errors.New("at the end"), err)
	}
	return nil
}

// length is how many moves a history has.
const length = 45

// TestHistories plays histories drawn from seeds that follow each other:
// TRABOULE_SEED=n is the first, and the only one unless TRABOULE_RUNS says how
// many; TRABOULE_SOAK=1 plays a thousand.
func TestHistories(t *testing.T) {
	first, count, moves := uint64(1), disktest.Runs(t, 8, 1000), 0
	if os.Getenv("TRABOULE_SEED") != "" {
		first = disktest.Seed(t)
	}
	if os.Getenv("TRABOULE_SEED") != "" && os.Getenv("TRABOULE_RUNS")+os.Getenv("TRABOULE_SOAK") == "" {
		count = 1
	}
	for seed := first; seed < first+uint64(count); seed++ {
		history := draw(seed, length)
		moves += len(history)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			if err := run(t, history); err != nil {
				t.Error(report(t, seed, history, err))
			}
		})
	}
	t.Logf("%d histories of %d moves in all, from seed %d", count, moves, first)
}

var shrinking = flag.Bool("shrink", true, "look for the shortest history that fails")

// report tells a difference, with the shortest history that still differs.
func report(t *testing.T, seed uint64, history []move, found error) string {
	if !*shrinking {
		return fmt.Sprintf("TRABOULE_SEED=%d: %v", seed, found)
	}
	tries := 0
	short := shrink(history, func(h []move) bool {
		if tries++; tries > 150 {
			return false
		}
		err := run(t, h)
		if err != nil {
			found = err
		}
		return err != nil
	})
	return fmt.Sprintf("TRABOULE_SEED=%d: %v\n%d of %d moves suffice:\n%s", seed, found, len(short), len(history), script(short))
}

// shrink takes moves out of a history for as long as it still differs: halves,
// then quarters, then one by one.
func shrink(history []move, differs func([]move) bool) []move {
	for size := len(history) / 2; size > 0; {
		removed := false
		for at := 0; at+size <= len(history); {
			if rest := slices.Concat(history[:at], history[at+size:]); differs(rest) {
				history, removed = rest, true
				continue
			}
			at += size
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	return history
}

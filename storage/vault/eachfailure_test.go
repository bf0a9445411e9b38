// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/journal"
)

// failed carries an error out of somebody's work.
type failed struct{ err error }

// TestEachFailureOfEachKindOfWork lets every change of the disk fail in turn,
// in every way: the error says so, nothing that was acknowledged is lost, and
// what is tried next works, or says that the vault has to be opened again.
func TestEachFailureOfEachKindOfWork(t *testing.T) {
	seed := disktest.Seed(t)
	for _, family := range slices.Sorted(maps.Keys(families)) {
		if family == "creating" {
			continue // TestCreationInterrupted
		}
		t.Run(family, func(t *testing.T) {
			var f failures
			runs := disktest.Runs(t, 8, math.MaxInt) // at most every failure there can be
			for _, cause := range disktest.Causes {
				stride := max(1, f.possible(t, family, seed, cause)/max(1, runs/len(disktest.Causes)))
				for n := 1 + int(seed%uint64(stride)); f.one(t, family, seed, n, cause); n += stride {
				}
			}
			if f.runs == 0 {
				t.Fatal("nothing failed: the test proves nothing")
			}
			t.Logf("seed %d: %d failures, %d of them noticed by nobody, %d after which the vault had to be opened again; 0 acknowledged lost",
				seed, f.runs, f.unnoticed, f.reopened)
		})
	}
}

// failures counts what became of them.
type failures struct{ runs, unnoticed, reopened int }

// possible counts the changes of one life, each of which can fail.
func (f *failures) possible(t *testing.T, family string, seed uint64, cause error) int {
	t.Helper()
	b := newFailing(t, seed, cause)
	b.fails.Arm(math.MaxInt)
	if err := b.tryToLead(family); err != nil {
		t.Fatalf("TRABOULE_SEED=%d: without a failure: %v", seed, err)
	}
	defer b.v.Close()
	return b.fails.Changes()
}

// one leads one life with the n-th change failing, and tells whether there was
// such a change.
func (f *failures) one(t *testing.T, family string, seed uint64, n int, cause error) (more bool) {
	t.Helper()
	b := newFailing(t, seed, cause)
	b.fails.Arm(n)
	err := b.tryToLead(family)
	hit := b.fails.Hit()
	b.fails.Mend()
	if hit == "" {
		b.v.Close()
		return false
	}
	f.runs++
	where := fmt.Sprintf("%v at change %d, %s, TRABOULE_SEED=%d", cause, n, hit, seed)
	if err == nil {
		f.unnoticed++
	} else if !errors.Is(err, cause) && !opensAgain(err) {
		t.Errorf("%s: it says %v", where, err)
	}
	if !slices.Contains([]string{"repair", "open", "reopen", "close"}, b.doing) {
		fact := Fact{Kind: FirstFact, Public: []byte("tried again"), Body: []byte("x"), Scope: newContact(t)}
		switch _, err := b.v.Record(bg, fact); {
		case err == nil:
			b.after = []string{"tried again x"}
		case opensAgain(err):
			f.reopened++
		default:
			t.Errorf("%s: and then: %v", where, err)
		}
		b.v.Close()
	}
	var c cuts
	v, _, _ := c.open(t, b, b.disk, b.ledger)
	defer v.Close()
	b.ledger.check(t, v)
	if t.Failed() {
		t.Fatal(where)
	}
	return true
}

// opensAgain says whether an error asks for the vault to be opened again.
func opensAgain(err error) bool {
	return errors.Is(err, journal.ErrBroken) || errors.Is(err, blocks.ErrBroken)
}

// newFailing is newBusy on a disk that is going to fail.
func newFailing(t *testing.T, seed uint64, cause error) *busy {
	t.Helper()
	var faulty *disktest.Faulty
	b := newBusyOn(t, seed, false, func(d *disktest.Disk) disk.FS {
		faulty = disktest.Fail(d, 0, cause)
		return faulty
	})
	b.fails = faulty
	return b
}

// tryToLead does a family's work until something fails.
func (b *busy) tryToLead(family string) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failed:
			err = r.err
		default:
			panic(r)
		}
	}()
	families[family](b)
	return nil
}

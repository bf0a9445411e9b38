// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk"
)

// empty demands that nothing lies in a folder.
func empty(t *testing.T, dir string) {
	t.Helper()
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("there lies %v (%v)", list, err)
	}
}

// TestCarInterrupted: at whatever block it is interrupted, nothing is left of
// the file; and so it is when the disk is full.
func TestCarInterrupted(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	alice.close()
	on := &stick{FS: disk.OS, dir: t.TempDir()}
	n, err := OpenHome(t.Context(), Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now, Files: on})
	if err != nil {
		t.Fatal(err)
	}
	alice.Node = n
	alice.add("notes", tree{"a": noise(3 << 20), "b": noise(10), "c": ""})
	to := filepath.Join(on.dir, "notes.car")
	blocks := 0
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(t.Context())
		blocks = 0
		r, err := Car.Do(ctx, n, CarRequest{Name: "notes", To: to}, func(p Progress) {
			if blocks++; blocks == stop {
				cancel()
			}
		})
		cancel()
		if err == nil {
			if r.Blocks != blocks || blocks != stop-1 && blocks != stop { // after the last block it is not asked any more
				t.Errorf("%d blocks, told of %d, stopped at %d", r.Blocks, blocks, stop)
			}
			break
		}
		if p := problem.Of(err); p.Kind != problem.Interrupted {
			t.Fatal(err)
		}
		empty(t, on.dir)
	}
	if blocks < 6 {
		t.Errorf("only %d blocks", blocks)
	}
	fails(alice, Car, CarRequest{Name: "notes", To: to}, "file.exists")
	if err := os.Remove(to); err != nil {
		t.Fatal(err)
	}
	on.full.Store(true)
	fails(alice, Car, CarRequest{Name: "notes", To: to}, "disk.full")
	empty(t, on.dir)
}

// TestRefillRefuses: what holds nobody's blocks, is not there, or is no file.
func TestRefillRefuses(t *testing.T) {
	t.Parallel()
	alice, bob := newPerson(t, "alice", newClock()), newPerson(t, "bob", newClock())
	alice.add("notes", tree{"a": "a"})
	bob.add("notes", tree{"a": "a"})
	file := filepath.Join(t.TempDir(), "notes.car")
	do(alice, Car, CarRequest{Name: "notes", To: file})
	fails(bob, RefillFrom, RefillRequest{From: file}, "car.nothing-ours")
	fails(bob, RefillFrom, RefillRequest{From: file + "x"}, "file.none")
	fails(bob, RefillFrom, RefillRequest{From: filepath.Dir(file)}, "car.bad")
	if r := do(alice, RefillFrom, RefillRequest{From: file}); r.Blocks != 0 || len(r.Datasets) != 1 || r.Datasets[0].Missing != 0 {
		t.Errorf("%+v", r)
	}
}

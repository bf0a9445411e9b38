// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"compress/flate"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestHousekeepingGoesOn: what cannot be written now keeps nothing else from
// being done, and is told.
func TestHousekeepingGoesOn(t *testing.T) {
	t.Parallel()
	c, files := newClock(), disktest.Fail(disk.OS, 0, syscall.ENOSPC)
	alice, bob := newPersonOn(t, "alice", c, files), newPerson(t, "bob", c)
	meet(alice, bob)
	alice.add("notes", tree{"a": "a"})
	alice.give("notes", bob)
	alice.leave()
	before := alice.generation("notes")
	alice.halfRevoke()
	if !alice.dropBallast() {
		t.Fatal("there was no ballast")
	}
	c.advance(day)
	files.Arm(1) // the clock mark
	if err := alice.housekeeping(t.Context()); !disk.IsFull(err) {
		t.Errorf("the full disk is not told: %v", err)
	}
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("generation %d, then %d: the half revocation is not finished", before, g)
	}
	if _, err := os.Stat(filepath.Join(alice.home, ballastName)); err != nil {
		t.Errorf("no ballast: %v", err)
	}
}

// TestRunsOnAFailingDisk: a disk that fails for good does not end the node,
// which goes on reading, refuses what it would have to write, and writes again
// as soon as the disk does.
func TestRunsOnAFailingDisk(t *testing.T) {
	t.Parallel()
	c, files := newClock(), disktest.FailFrom(disk.OS, 0, syscall.EIO)
	alice, bob := newPersonOn(t, "alice", c, files), newPerson(t, "bob", c)
	meet(alice, bob)
	want := tree{"a": "a"}
	alice.add("notes", want)
	g := alice.give("notes", bob)
	alice.leave()
	c.advance(day)
	files.Arm(1)
	if err := alice.housekeeping(t.Context()); err == nil {
		t.Fatal("the disk does not fail")
	}
	alice.start()
	fails(alice, Revoke, NameRequest{Name: g.Grant.ID}, "disk.failing")
	alice.wantTree("notes", want)
	files.Mend()
	do(alice, Revoke, NameRequest{Name: g.Grant.ID})
	fails(bob, Fetch, FetchRequest{Grant: g.Grant.ID}, "refused.revoked")
	alice.sound()
}

// TestBallastTakesRoom: on a file system that compresses, too.
func TestBallastTakesRoom(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	ballast, err := os.ReadFile(filepath.Join(alice.home, ballastName))
	if err != nil || len(ballast) != ballastSize {
		t.Fatalf("%d bytes, %v", len(ballast), err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(ballast)
	w.Close()
	if packed.Len() < ballastSize {
		t.Errorf("%d bytes of ballast can be kept in %d", ballastSize, packed.Len())
	}
}

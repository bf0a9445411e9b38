// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestVaultOnADiskInMemory leads a vault's whole life on a disk that is not
// the system's: not one file may appear outside of it.
func TestVaultOnADiskInMemory(t *testing.T) {
	d, opt := disktest.NewDisk(), testOptions()
	opt.FS = d
	home := filepath.Join(t.TempDir(), "not", "there")
	k, words := newRing(t)
	v, err := Create(home, k, opt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(home); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("an open vault's lock was given away: %v", err)
	}
	src := t.TempDir()
	write(t, src, "a.txt", "content")
	added := mustAdd(t, v, "set", src)
	var kit bytes.Buffer
	if err := v.SaveKit(&kit, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}

	v, _ = mustOpen(t, home, opt)
	if diff := cmp.Diff(tree(t, src), export(t, v, added.Dataset.DID, ExportOptions{})); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	rot(t, d, home)
	r, err := Repair(bg, home, crypto.Passphrase([]byte(passphrase)), opt)
	if err != nil || len(r.Damages) == 0 || r.Damages[0].Kind != JournalCut {
		t.Fatalf("repaired: %+v, %v", r, err)
	}
	if v, report := mustOpen(t, home, opt); report.Suspended != CutJournal {
		t.Errorf("after the cut the grants are suspended for %q", report.Suspended)
	} else if err := v.Close(); err != nil {
		t.Error(err)
	}
	again := filepath.Join(filepath.Dir(home), "again")
	v, err = Restore(&kit, words, again, []byte(passphrase), opt)
	if err != nil || len(v.Datasets()) != 1 {
		t.Fatalf("restored: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Dir(home)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the system's disk has it: %v", err)
	}
}

// rot flips a bit in the middle of the journal.
func rot(t *testing.T, d disk.FS, home string) {
	t.Helper()
	log := filepath.Join(home, logDir, "00000001.log")
	disktest.Flip(t, d, log, disktest.Size(t, d, log)*4)
}

// TestCutIsRemembered cuts the power in the middle of Repair's work: whatever
// is left, no later Open may take the shorter journal for the whole one.
func TestCutIsRemembered(t *testing.T) {
	d, opt := disktest.NewDisk(), testOptions()
	opt.FS = d
	k, _ := newRing(t)
	v, err := Create("/v", k, opt)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 { // past the mark
		if _, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("one")}); err != nil {
			t.Fatal(err)
		}
	}
	// The process ends without a word, and the last entries rot.
	below := d.Crash(rand.New(rand.NewPCG(1, 1)))
	log := filepath.Join("/v", logDir, "00000001.log")
	disktest.Flip(t, below, log, disktest.Size(t, below, log)*8-3000)
	disktest.Write(t, below, log, disktest.Read(t, below, log)) // durably
	for n := 1; ; n++ {
		after := below.Crash(rand.New(rand.NewPCG(1, uint64(n))))
		faulty := disktest.Fail(after, n, errors.New("planted"))
		opt.FS = faulty
		_, err := Repair(bg, "/v", crypto.Passphrase([]byte(passphrase)), opt)
		if faulty.Hit() == "" {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		opt.FS = after.Crash(rand.New(rand.NewPCG(2, uint64(n))))
		v, report, err := Open("/v", crypto.Passphrase([]byte(passphrase)), opt)
		if err != nil {
			if _, err := Repair(bg, "/v", crypto.Passphrase([]byte(passphrase)), opt); err != nil {
				t.Fatalf("%s failed, then the second repair: %v", faulty.Hit(), err)
			}
			v, report = mustOpen(t, "/v", opt)
		}
		if report.Suspended == "" {
			t.Errorf("%s failed: the journal was cut, and the grants are not suspended", faulty.Hit())
		}
		v.Close()
	}
}

// TestDiskFullForAWhile: while there is no room at all nothing is acknowledged,
// and once there is all goes on, without opening the vault again.
func TestDiskFullForAWhile(t *testing.T) {
	d, opt := disktest.NewDisk(), testOptions()
	opt.FS = d
	k, _ := newRing(t)
	v, err := Create("/v", k, opt)
	if err != nil {
		t.Fatal(err)
	}
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	entries := v.Entries()
	for _, room := range []int64{0, 30} { // 30: the entry is torn
		d.SetRoom(room)
		if _, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("revoked")}); !disk.IsFull(err) {
			t.Errorf("with %d bytes left: %v", room, err)
		}
		if _, err := v.BumpGeneration(bg, did); !disk.IsFull(err) {
			t.Errorf("with %d bytes left: %v", room, err)
		}
	}
	export(t, v, did, ExportOptions{})
	if v.Entries() != entries {
		t.Errorf("%d entries of %d", v.Entries(), entries)
	}
	d.SetRoom(-1)
	if _, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("revoked")}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if g, err := v.BumpGeneration(bg, did); err != nil || g != 1 {
		t.Errorf("with room again: generation %d, %v", g, err)
	}
	opt.FS = d.Crash(rand.New(rand.NewPCG(1, 9)))
	again, _ := mustOpen(t, "/v", opt)
	defer again.Close()
	if again.Entries() != v.Entries() {
		t.Errorf("after a power cut %d entries of %d", again.Entries(), v.Entries())
	}
	if err := v.Remove(bg, did); err != nil {
		t.Error(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// newRemembering is a closed vault with three checkpoints and all the history
// before them, and where its segments are checkpoints.
func newRemembering(t *testing.T, seed uint64) (b *busy, checkpoints []bool) {
	t.Helper()
	b = newBusy(t, seed, false)
	b.opt.History = 1 << 20
	b.reopen()
	b.receive()
	b.add("second")
	b.remove("second")
	for range 3 {
		b.record()
		b.revoke("first")
		b.forget()
		b.add("first")
		b.checkpoint()
	}
	b.revoke("first")
	b.record()
	for _, seg := range b.v.log.Segments() {
		checkpoints = append(checkpoints, seg.Checkpoint)
	}
	b.act("close", "", b.v.Close, func() {})
	return b, checkpoints
}

// damages are ways to damage the n-th file of the journal.
var damages = map[string]func(t *testing.T, d *disktest.Disk, name string, rng *rand.Rand){
	"a bit flipped": func(t *testing.T, d *disktest.Disk, name string, rng *rand.Rand) {
		disktest.Flip(t, d, name, rng.Int64N(8*disktest.Size(t, d, name)))
	},
	"cut short": func(t *testing.T, d *disktest.Disk, name string, rng *rand.Rand) {
		b := disktest.Read(t, d, name)
		disktest.Write(t, d, name, bytes.Clone(b[:rng.IntN(len(b))]))
	},
	"gone": func(t *testing.T, d *disktest.Disk, name string, _ *rand.Rand) {
		if err := d.Remove(name); err != nil {
			t.Fatal(err)
		}
	},
}

// TestDamagedHistory damages what lies before the newest checkpoint: Repair
// sets only that aside. Nothing that decides is lost, so nothing is suspended,
// no number jumps, and the vault opens.
func TestDamagedHistory(t *testing.T) {
	seed := disktest.Seed(t)
	b, checkpoints := newRemembering(t, seed)
	newest := len(checkpoints) - 1
	for !checkpoints[newest] {
		newest--
	}
	rng := rand.New(rand.NewPCG(seed, 8))
	files := b.files("journal/")
	ways := slices.Sorted(maps.Keys(damages))
	for run := range disktest.Runs(t, 15, 1000) {
		at, how := rng.IntN(newest), ways[run%len(ways)]
		if at == 0 && how == "gone" { // it may begin later
			at = 1
		}
		what := fmt.Sprintf("%s: %s, TRABOULE_SEED=%d, run %d", files[at], how, seed, run)
		d := b.disk.Crash(rng)
		opt, secret := b.opt, crypto.Passphrase([]byte(b.pass))
		opt.FS = d
		damages[how](t, d, files[at], rng)
		if _, _, err := Open(home, secret, opt); !stated(err) {
			t.Fatalf("%s: opened: %v", what, err)
		}
		found, err := Repair(bg, home, secret, opt)
		if err != nil || len(found.Damages) != 1 || found.Damages[0].Kind != HistoryAside || !found.Damages[0].Lost {
			t.Fatalf("%s: repaired: %+v, %v", what, found, err)
		}
		b.rememberedAll(t, d, opt, what)
		b.keptAside(t, d, found.Damages[0], files)
		keep := at + 1 + slices.Index(checkpoints[at+1:], true)
		if left := b.filesOn(t, d); !slices.Equal(left, files[keep:]) {
			t.Errorf("%q are left, want %q", left, files[keep:])
		}
		if t.Failed() {
			t.Fatal(what)
		}
	}
}

// rememberedAll opens a repaired vault and compares all that counts.
func (b *busy) rememberedAll(t *testing.T, d *disktest.Disk, opt Options, what string) {
	t.Helper()
	v, r, err := Open(home, crypto.Passphrase([]byte(b.pass)), opt)
	if err != nil {
		t.Fatalf("%s: after the repair: %v", what, err)
	}
	defer v.Close()
	if r.Suspended != "" || v.Incarnation() != 1 {
		t.Errorf("%s: suspended for %q, incarnation %d", what, r.Suspended, v.Incarnation())
	}
	b.ledger.check(t, v)
}

// filesOn are the journal's on some disk.
func (b *busy) filesOn(t *testing.T, d *disktest.Disk) []string {
	t.Helper()
	here := *b
	here.disk = d
	return here.files("journal/")
}

// keptAside compares the copy with what was there.
func (b *busy) keptAside(t *testing.T, d *disktest.Disk, found Damage, files []string) {
	t.Helper()
	aside := filepath.Join(home, found.Args["aside"])
	list, err := d.ReadDir(aside)
	if err != nil || number(len(list)) != found.Args["files"] {
		t.Errorf("kept aside: %d files of %s, %v", len(list), found.Args["files"], err)
	}
	var bytes int64
	for _, e := range list {
		name := filepath.Join(home, logDir, e.Name())
		if !slices.Contains(files, name) {
			t.Errorf("kept aside: %s", e.Name())
		}
		if _, err := d.Stat(name); err == nil {
			t.Errorf("%s is aside, and is still there", e.Name())
		}
		bytes += disktest.Size(t, d, filepath.Join(aside, e.Name()))
	}
	if number(bytes) != found.Args["bytes"] {
		t.Errorf("kept aside: %d bytes, %s were told", bytes, found.Args["bytes"])
	}
}

// TestDamagedCheckpoint damages the newest checkpoint, or what came after it,
// and half of the times the history too: what comes before that is kept, and
// the grants are suspended.
func TestDamagedCheckpoint(t *testing.T) {
	seed := disktest.Seed(t)
	b, checkpoints := newRemembering(t, seed)
	newest := len(checkpoints) - 1
	for !checkpoints[newest] {
		newest--
	}
	rng := rand.New(rand.NewPCG(seed, 9))
	files := b.files("journal/")
	for run := range disktest.Runs(t, 30, 1000) {
		at, both := newest+rng.IntN(len(files)-newest), run%2 == 0
		d := b.disk.Crash(rng)
		opt, secret := b.opt, crypto.Passphrase([]byte(b.pass))
		opt.FS = d
		damages["a bit flipped"](t, d, files[at], rng)
		if both {
			damages["a bit flipped"](t, d, files[rng.IntN(newest)], rng)
		}
		what := fmt.Sprintf("%s, and history: %v, TRABOULE_SEED=%d, run %d", files[at], both, seed, run)
		found, err := Repair(bg, home, secret, opt)
		if err != nil || len(found.Damages) == 0 || found.Damages[0].Kind != JournalCut {
			t.Fatalf("%s: repaired: %+v, %v", what, found, err)
		}
		v, r, err := Open(home, secret, opt)
		if err != nil || r.Suspended != CutJournal {
			t.Fatalf("%s: after the repair: %+v, %v", what, r, err)
		}
		if d, err := v.Lookup("first"); err != nil || len(d.Versions) == 0 {
			t.Errorf("%s: what stood before the damage is lost: %v", what, err)
		}
		ofJournal := func(d Damage) bool { return strings.HasPrefix(d.Args["file"], "journal/") }
		if again, err := v.Check(bg, nil); err != nil || slices.ContainsFunc(again, ofJournal) { // files of versions that were dropped since are gone
			t.Errorf("%s: and then: %+v, %v", what, again, err)
		}
		v.Close()
		if t.Failed() {
			return
		}
	}
}

// TestCheckTellsHistory: damage in history that is found while the vault is
// open is told as such, and what comes after is read all the same.
func TestCheckTellsHistory(t *testing.T) {
	b, _ := newRemembering(t, 1)
	files := b.files("journal/")
	v, _, err := Open(home, crypto.Passphrase([]byte(b.pass)), b.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	disktest.Flip(t, b.disk, files[1], 4000)
	bad, err := v.Check(bg, nil)
	if err != nil || len(bad) != 1 || bad[0].Kind != HistoryDamaged || !bad[0].Lost {
		t.Errorf("%+v, %v", bad, err)
	}
	last := files[len(files)-1]
	disktest.Flip(t, b.disk, last, disktest.Size(t, b.disk, last)*8-300)
	bad, err = v.Check(bg, nil)
	if err != nil || len(bad) != 2 || bad[1].Kind != JournalDamaged {
		t.Errorf("%+v, %v", bad, err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestPowerCutImages cuts the power at chance moments while batches from a few
// bytes to several pages of the disk are appended, checkpoints made and
// segments dropped. Every image opens by itself, with all that was
// acknowledged and no half of a batch.
func TestPowerCutImages(t *testing.T) {
	seed := disktest.Seed(t)
	images, dropped := disktest.Runs(t, 200, 2000), 0
	for run := range max(1, images/50) {
		rng := rand.New(rand.NewPCG(seed, uint64(run)))
		d := disktest.NewDisk()
		opt := Options{VaultID: [16]byte{1}, SegmentSize: 20000}
		rec := d.Record()
		rec.Mark(Mark{})
		live := appendAll(t, rng, d, rec, opt)
		disktest.Images(t, rec, 50, seed+uint64(run), func(_ int, after *disktest.Disk, promises []any) {
			opt.Expect = promises[len(promises)-1].(Mark)
			j, r, got, err := reopen(after, opt)
			if err != nil {
				t.Fatalf("acknowledged up to %d: %v", opt.Expect.Seq, err)
			}
			j.Close()
			if r.Last < opt.Expect.Seq || r.Last > opt.Expect.Seq+3+uint64(len(live)) {
				t.Fatalf("it ends at %d, acknowledged %d", r.Last, opt.Expect.Seq)
			}
			for i, e := range got {
				if e.Kind == 1 && (i+1 == len(got) || got[i+1].Kind != 2) {
					t.Fatalf("half a batch at %d", e.Seq)
				}
			}
			if r.Dropped > 0 {
				dropped++
			}
		})
	}
	t.Logf("seed %d: %d images, %d with a torn frame dropped", seed, images, dropped)
	if dropped == 0 {
		t.Error("no frame was torn: nothing was proved")
	}
}

// TestKilledThenPowerCut kills a process at chance moments of the same work;
// the next one appends, and then the power is cut: what either acknowledged is
// there.
func TestKilledThenPowerCut(t *testing.T) {
	seed := disktest.Seed(t)
	opt := Options{VaultID: [16]byte{1}, SegmentSize: 20000}
	for run := range max(1, disktest.Runs(t, 200, 2000)/50) {
		rng := rand.New(rand.NewPCG(seed, uint64(run)))
		d := disktest.NewDisk()
		if err := disk.MakeDir(d, filepath.Dir(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		rec := d.Record()
		rec.Mark(Mark{})
		appendAll(t, rng, d, rec, opt)
		disktest.Kills(t, rec, 50, seed+uint64(run), func(rng *rand.Rand, next *disktest.Disk, promises []any) {
			opt := opt
			opt.Expect = promises[len(promises)-1].(Mark)
			j, _ := open(t, next, opt)
			add(t, j, fact(1))
			opt.Expect.Seq, opt.Expect.Chain = j.Head()
			if _, _, _, err := reopen(next.Crash(rng), opt); err != nil {
				t.Fatalf("acknowledged up to %d: %v", opt.Expect.Seq, err)
			}
		})
	}
}

// appendAll appends pairs of kinds 1 and 2, and returns the live state of its
// checkpoints.
func appendAll(t *testing.T, rng *rand.Rand, d *disktest.Disk, rec *disktest.Recording, opt Options) []Entry {
	t.Helper()
	j, _ := open(t, d, opt)
	defer j.Close()
	pair := func() []Entry {
		body := func() []byte {
			b := make([]byte, []int{0, 40, 900, 5000, 13000}[rng.IntN(5)])
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		}
		return []Entry{{Kind: 1, Public: []byte("public"), Body: body()}, {Kind: 2, Body: body()}}
	}
	live := pair()
	acknowledge := func() {
		seq, chain := j.Head()
		rec.Mark(Mark{seq, chain})
	}
	for range 12 {
		add(t, j, pair()...)
		acknowledge()
		if rng.IntN(6) > 0 {
			continue
		}
		seq, _ := j.Head()
		if err := j.Checkpoint(t.Context(), seq, live); err != nil {
			t.Fatal(err)
		}
		acknowledge()
		if err := j.DropBefore(0); err != nil {
			t.Fatal(err)
		}
	}
	return live
}

// TestHole: a last frame of which a sector was never written is dropped; with
// a frame behind it, or with a bit wrong, it is damage.
func TestHole(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, Options{VaultID: small.VaultID})
	body := bytes.Repeat([]byte("x"), 3000)
	add(t, j, fact(1))
	start := j.Segments()[0].Size
	add(t, j, Entry{Body: body})
	end := j.Segments()[0].Size
	add(t, j, Entry{Body: body})
	j.Close()
	const name = dir + "/00000001.log"
	whole := disktest.Read(t, d, name)
	for at := start &^ (sector - 1); at < end; at += sector {
		from, to := max(at, start), min(at+sector, end)
		for _, last := range []bool{true, false} {
			harmed := bytes.Clone(whole)
			clear(harmed[from:to])
			if last {
				harmed = harmed[:end]
			}
			disktest.Write(t, d, name, harmed)
			j, r, _, err := reopen(d, Options{VaultID: small.VaultID})
			if err == nil {
				j.Close()
			}
			if known := at <= start || to-from >= sector/8; known && last && (err != nil || r.Dropped == 0) || !last && err == nil {
				t.Errorf("bytes %d to %d not written, the last frame: %v: %v", from, to, last, err)
			}
		}
	}
}

// TestHoleAnywhere: wherever in a sector the last frame begins, and whichever of
// its sectors were never written, it is dropped, and what was before it is kept.
func TestHoleAnywhere(t *testing.T) {
	const name = dir + "/00000001.log"
	opt := Options{VaultID: small.VaultID}
	for before := range sector {
		d := disktest.NewDisk()
		j, _ := open(t, d, opt)
		add(t, j, Entry{Body: bytes.Repeat([]byte("b"), before)})
		start := j.Segments()[0].Size
		add(t, j, Entry{Body: bytes.Repeat([]byte("x"), 900)})
		j.Close()
		whole := disktest.Read(t, d, name)
		var holes [][2]int64
		for from := start; from < int64(len(whole)); {
			to := min((from/sector+1)*sector, int64(len(whole)))
			holes = append(holes, [2]int64{from, to})
			from = to
		}
		for lost := 1; lost < 1<<len(holes); lost++ {
			harmed := bytes.Clone(whole)
			for i, h := range holes {
				if lost>>i&1 == 1 {
					clear(harmed[h[0]:h[1]])
				}
			}
			disktest.Write(t, d, name, harmed)
			j, r, got, err := reopen(d, opt)
			if err != nil {
				t.Fatalf("a frame at %d (%d in its sector), sectors %b of %d never written: %v", start, start%sector, lost, len(holes), err)
			}
			if r.Dropped == 0 || len(got) != 1 {
				t.Fatalf("a frame at %d, sectors %b never written: %d bytes dropped, %d entries left", start, lost, r.Dropped, len(got))
			}
			j.Close()
		}
	}
}

// TestPowerCutAfterAFailedCheckpoint: a checkpoint fails at each of its
// changes, what is appended next is acknowledged in the segment before, and the
// one that did not come to be does not come back.
func TestPowerCutAfterAFailedCheckpoint(t *testing.T) {
	failed := 0
	disktest.EachFailure(syscall.EIO, func() disk.FS { return disktest.NewDisk() }, func(n int, fsys *disktest.Faulty) {
		fsys.Arm(0)
		j, _ := open(t, fsys, small)
		defer j.Close()
		add(t, j, fact(0))
		fsys.Arm(n)
		if err := j.Checkpoint(t.Context(), 1, []Entry{fact(0)}); err == nil {
			return
		}
		failed++
		fsys.Mend()
		add(t, j, fact(1))
		opt := small
		opt.Expect.Seq, opt.Expect.Chain = j.Head()
		for seed := range uint64(40) {
			after := fsys.FS.(*disktest.Disk).Crash(rand.New(rand.NewPCG(seed, uint64(n))))
			if _, _, _, err := reopen(after, opt); err != nil {
				t.Fatalf("%s failed, power cut %d: %v", fsys.Hit(), seed, err)
			}
		}
	})
	if failed < 3 {
		t.Errorf("only %d failures", failed)
	}
}

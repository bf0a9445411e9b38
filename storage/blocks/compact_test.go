// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// fate is what may be true of a block after a power cut.
type fate struct{ there, gone bool }

// fates says it of each block; what is not in it was never heard of.
type fates map[int]fate

// history is a store, and what a plain map says of it.
type history struct {
	t     *testing.T
	d     *disktest.Disk
	s     *Store
	now   map[int]bool
	after fates // since the last sync
	at    Cursor
	scars bool         // a power cut has left a place that cannot be read
	torn  map[int]bool // blocks that it has torn: never acknowledged, known to be damaged
	over  map[int]bool // of these, what was put or deleted since, not synced
	rng   *rand.Rand
	log   []string
}

const histBlocks = 40

func (h *history) say(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf("%s\nafter %s", fmt.Sprintf(format, args...), strings.Join(h.log, ", "))
}

func (h *history) put() {
	n := h.rng.IntN(histBlocks)
	h.say("put %d", n)
	if _, err := h.s.Put(h.t.Context(), crypto.NameOf(data(n)), data(n)); err != nil {
		h.fail("put %d: %v", n, err)
	}
	f := h.after[n]
	f.gone = f.gone || !f.there // never heard of it
	f.there = true
	h.now[n], h.after[n], h.over[n] = true, f, true
}

func (h *history) delete() {
	n := h.rng.IntN(histBlocks)
	h.say("delete %d", n)
	if err := h.s.Delete(crypto.NameOf(data(n))); err != nil {
		h.fail("delete %d: %v", n, err)
	}
	f := h.after[n]
	f.gone = true
	h.now[n], h.after[n], h.over[n] = false, f, true
}

func (h *history) sync() {
	h.say("sync")
	if err := h.s.Sync(); err != nil {
		h.fail("sync: %v", err)
	}
	h.durable()
}

func (h *history) durable() {
	for n := range h.over {
		delete(h.torn, n)
	}
	clear(h.over)
	h.known()
}

// known: what is true now is true after any power cut.
func (h *history) known() {
	for n, there := range h.now {
		h.after[n] = fate{there, !there}
	}
}

func (h *history) compact() {
	opt := CompactOptions{Percent: []int{0, 1, 60}[h.rng.IntN(3)], All: h.rng.IntN(3) == 0}
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	steps := h.rng.IntN(40) // of progress until it is interrupted
	opt.Progress = func(done, total int64) {
		if steps--; steps == 0 {
			cancel()
		}
		if done > total {
			h.fail("progress: %d of %d", done, total)
		}
	}
	r, err := h.s.Compact(ctx, opt)
	h.say("compact %+v %+v %v", opt.Percent, r, err)
	if err != nil && !errors.Is(err, context.Canceled) {
		h.fail("compact: %v", err)
	}
	if len(r.Skipped) > 0 && !h.scars {
		h.fail("a pack was kept: %v", r.Skipped)
	}
	if err == nil && opt.All && !h.scars {
		h.erased()
	}
}

// erased: of what is not there no bytes are left.
func (h *history) erased() {
	files, _ := h.d.ReadDir("/v/packs")
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".pack" {
			continue
		}
		raw := disktest.Read(h.t, h.d, "/v/packs/"+f.Name())
		for n, there := range h.now {
			if !there && bytes.Contains(raw, data(n)) {
				h.fail("block %d was deleted and its bytes are in %s", n, f.Name())
			}
		}
	}
}

func (h *history) look() {
	n := h.rng.IntN(histBlocks)
	got, err := h.s.Get(crypto.NameOf(data(n)), nil)
	if h.now[n] && (err != nil || !bytes.Equal(got, data(n))) || !h.now[n] && !errors.Is(err, ErrNotFound) && !h.torn[n] {
		h.fail("get %d, there %v: %v", n, h.now[n], err)
	}
}

func (h *history) check() {
	next, found, err := h.s.CheckSome(h.t.Context(), h.at, 1000)
	if err != nil || len(found) > 0 && !h.scars {
		h.fail("check from %v: %v %v", h.at, found, err)
	}
	h.at = next
}

// counts: the figures are those of the files.
func (h *history) counts() {
	st, there := h.s.Stats(), 0
	for _, is := range h.now {
		if is {
			there++
		}
	}
	size, packs := packFiles(h.t, h.d)
	if st.Blocks != there || st.Size != size || st.Packs != packs {
		h.fail("%+v; want %d blocks, and %d packs of %d bytes", st, there, packs, size)
	}
}

func packFiles(t *testing.T, d *disktest.Disk) (size int64, packs int) {
	files, _ := d.ReadDir("/v/packs")
	for _, f := range files {
		if filepath.Ext(f.Name()) == ".pack" {
			size += disktest.Size(t, d, "/v/packs/"+f.Name())
			packs++
		}
	}
	return size, packs
}

func (h *history) reopen() {
	switch h.rng.IntN(3) {
	case 0:
		h.say("close")
		if err := h.s.Close(); err != nil {
			h.fail("close: %v", err)
		}
		h.durable()
	case 1:
		h.say("kill")
		for n, there := range h.now {
			h.after[n] = fate{there, !there}
		}
	case 2:
		h.say("power cut")
		h.d = h.d.Crash(h.rng)
		clear(h.over)
	}
	if h.rng.IntN(2) == 0 {
		h.say("no locations")
		h.d.Remove("/v/packs/locations")
	}
	s, r, err := Open(h.d, "/v/packs", small)
	if err != nil {
		h.fail("open: %v", err)
	}
	h.s = s
	for _, damage := range r.Damage {
		if strings.Contains(damage.Why, "missing") {
			h.fail("not a byte was missing: %v", damage)
		}
	}
	h.scars = h.scars || len(r.Damage) > 0
	h.say("opened %+v", *r)
	h.learn()
}

// learn compares the store after a start with what may be, and takes it over.
func (h *history) learn() {
	for n := range histBlocks {
		f, heard := h.after[n]
		got, err := h.s.Get(crypto.NameOf(data(n)), nil)
		switch {
		case err == nil && (!f.there || !bytes.Equal(got, data(n))):
			h.fail("block %d is back", n)
		case err != nil && heard && !f.gone:
			h.fail("block %d is lost: %v", n, err)
		case err != nil && !f.there && !errors.Is(err, ErrNotFound) && !h.torn[n]:
			h.fail("block %d: %v", n, err)
		}
		if errors.As(err, new(*DamagedError)) {
			h.torn[n] = true
		}
		if heard {
			h.now[n] = err == nil
		}
	}
	h.known()
}

// TestHistories plays random histories against a plain map: what was put and
// synced is never missing, and what was deleted and synced never returns.
func TestHistories(t *testing.T) {
	seed := disktest.Seed(t)
	for run := range disktest.Runs(t, 60, 1000) {
		h := &history{t: t, d: disktest.NewDisk(), now: map[int]bool{}, after: fates{}, torn: map[int]bool{}, over: map[int]bool{}, rng: rand.New(rand.NewPCG(seed, uint64(run)))}
		h.say("run %d", run)
		h.s, _ = open(t, h.d, small)
		for range 150 {
			switch k := h.rng.IntN(100); {
			case k < 40:
				h.put()
			case k < 65:
				h.delete()
			case k < 75:
				h.sync()
			case k < 80:
				h.compact()
			case k < 90:
				h.look()
			case k < 95:
				h.check()
			default:
				h.reopen()
			}
			h.counts()
		}
	}
}

// wasted makes a store in which about half is dead, in some ten packs, and
// returns what is acknowledged of it.
func wasted(t *testing.T, fsys disk.FS) (*Store, fates) {
	t.Helper()
	s, _ := open(t, fsys, small)
	acked := fates{}
	for n := range histBlocks {
		put(t, s, data(n))
		acked[n] = fate{there: true}
		if n%3 == 2 {
			gone := n - n%6
			if err := s.Delete(crypto.NameOf(data(gone))); err != nil {
				t.Fatal(err)
			}
			acked[gone] = fate{gone: true}
		}
	}
	for n := 0; n < 20; n += 2 { // some return, and some of these go again
		if acked[n].gone {
			put(t, s, data(n))
			acked[n] = fate{there: true}
		}
		if n%4 == 0 {
			if err := s.Delete(crypto.NameOf(data(n))); err != nil {
				t.Fatal(err)
			}
			acked[n] = fate{gone: true}
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	return s, acked
}

// holds opens the store and compares.
func (f fates) holds(t *testing.T, fsys disk.FS, what string) (*Store, *Report) {
	t.Helper()
	s, r, err := Open(fsys, "/v/packs", small)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	f.are(t, s, what)
	return s, r
}

func (f fates) are(t *testing.T, s *Store, what string) {
	t.Helper()
	for n, f := range f {
		got, err := s.Get(crypto.NameOf(data(n)), nil)
		if !f.gone && (err != nil || !bytes.Equal(got, data(n))) {
			t.Fatalf("%s: block %d is lost: %v", what, n, err)
		}
		if !f.there && !errors.Is(err, ErrNotFound) {
			t.Fatalf("%s: deleted block %d is back: %v", what, n, err)
		}
	}
}

// TestCompactGivesBack: the space of what was deleted is free afterwards, all
// of it with All, and nothing else is missing, also to a scan.
func TestCompactGivesBack(t *testing.T) {
	for _, all := range []bool{false, true} {
		d := disktest.NewDisk()
		s, acked := wasted(t, d)
		before := s.Stats()
		r, err := s.Compact(t.Context(), CompactOptions{All: all})
		if err != nil || len(r.Skipped) > 0 || r.Packs == 0 {
			t.Fatalf("compact: %+v %v", r, err)
		}
		after := s.Stats()
		if r.Freed != before.Size-after.Size || r.Freed < before.Dead*2/3 {
			t.Errorf("freed %d of %d dead: %+v, then %+v", r.Freed, before.Dead, before, after)
		}
		if live := after.Bytes + int64(after.Blocks)*entryHeader; all && after.Size > live+int64(after.Packs)*packHeader+1000 {
			t.Errorf("%d bytes for %d: %+v", after.Size, live, after)
		}
		acked.are(t, s, "compacted")
		again, err := s.Compact(t.Context(), CompactOptions{All: all})
		if err != nil || again.Packs > 1 {
			t.Errorf("compacted again: %+v %v", again, err)
		}
		if third, err := s.Compact(t.Context(), CompactOptions{All: all}); err != nil || third.Packs > 0 {
			t.Errorf("it does not come to rest: %+v %v", third, err)
		}
		if found, err := s.Check(t.Context(), nil); err != nil || len(found) > 0 {
			t.Errorf("check: %v %v", found, err)
		}
		want := s.Stats()
		s.Close()
		for _, scan := range []bool{false, true} {
			if scan {
				d.Remove("/v/packs/locations")
			}
			s, rep := acked.holds(t, d, "opened again")
			if len(rep.Damage) > 0 || (rep.Scanned > 0) != scan || s.Stats() != want {
				t.Errorf("opened again: %+v, %+v, want %+v", rep, s.Stats(), want)
			}
			s.Close()
		}
	}
}

// TestDeletionsOutliveTheirPack: while bytes of a deleted block stand in an
// old pack, compacting the pack with the deletion does not bring it back.
func TestDeletionsOutliveTheirPack(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	gone, kept := data(1), bytes.Repeat([]byte("x"), 4000)
	waste := func(from int) {
		for n := range 10 {
			put(t, s, data(from+n))
			s.Delete(crypto.NameOf(data(from + n)))
		}
	}
	put(t, s, gone)
	put(t, s, kept) // the first pack stays mostly alive
	s.Delete(crypto.NameOf(gone))
	for round := range 4 { // what was carried is carried again
		waste(100 * (round + 1))
		by := s.graves[crypto.NameOf(gone)].by
		if r, err := s.Compact(t.Context(), CompactOptions{Percent: 50}); err != nil {
			t.Fatal(r, err)
		}
		if !exists(d, 1) || s.graves[crypto.NameOf(gone)].by == by {
			t.Fatalf("not what this is about: %v %v", s.packs, s.graves)
		}
		s.Close()
		d.Remove("/v/packs/locations")
		s, _ = open(t, d, small)
		if s.Has(crypto.NameOf(gone)) {
			t.Fatal("a deleted block is back")
		}
	}
}

func exists(fsys disk.FS, pack uint32) bool {
	_, err := fsys.Stat(packName("/v/packs", pack))
	return err == nil
}

// TestCompactPowerCuts cuts the power at random moments of a compaction that
// is interrupted, taken up again and worked beside.
func TestCompactPowerCuts(t *testing.T) {
	d := disktest.NewDisk()
	s, acked := wasted(t, d)
	rec := d.Record()
	mark := func() { rec.Mark(maps.Clone(acked)) }
	mark()
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 7
		s.Compact(ctx, CompactOptions{All: true, Progress: func(int64, int64) {
			if steps--; steps == 0 {
				cancel()
			}
		}})
		acked[50+round] = fate{true, true}
		acked[30+round] = fate{true, true}
		mark() // from here on either may be
		put(t, s, data(50+round))
		s.Delete(crypto.NameOf(data(30 + round)))
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		acked[50+round], acked[30+round] = fate{there: true}, fate{gone: true}
		mark()
	}
	if _, err := s.Compact(t.Context(), CompactOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	_, packs := packFiles(t, d)
	rec.Mark(packs)
	seed := disktest.Seed(t)
	for part := range uint64(disktest.Runs(t, 2, 10)) {
		disktest.Images(t, rec, 100, seed+part, func(n int, after *disktest.Disk, promises []any) {
			if most, compacted := promises[len(promises)-1].(int); compacted {
				if _, found := packFiles(t, after); found > most {
					t.Fatalf("the room of %d packs is not free after all", found-most)
				}
				promises = promises[:len(promises)-1]
			}
			if n%2 == 0 {
				after.Remove("/v/packs/locations")
			}
			acked := promises[len(promises)-1].(fates)
			s, _ := acked.holds(t, after, "cut")
			if size, packs := packFiles(t, after); s.Stats().Packs != packs || s.Stats().Size != size {
				t.Fatalf("%+v, and %d packs of %d bytes are there", s.Stats(), packs, size)
			}
			if _, err := s.Compact(t.Context(), CompactOptions{All: true}); err != nil {
				t.Fatal(err)
			}
			acked.are(t, s, "cut and compacted")
			again := after.Crash(rand.New(rand.NewPCG(seed, uint64(n))))
			again.Remove("/v/packs/locations")
			acked.holds(t, again, "cut, compacted and cut again")
		})
	}
}

// TestCompactEachFailure lets each change of the disk fail in turn.
func TestCompactEachFailure(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		var acked fates
		below := func() disk.FS {
			d := disktest.NewDisk()
			var s *Store
			s, acked = wasted(t, d)
			s.Close()
			return d
		}
		runs := 0
		disktest.EachFailure(cause, below, func(n int, fsys *disktest.Faulty) {
			runs++
			s, _, err := Open(fsys, "/v/packs", small)
			if err == nil {
				_, err = s.Compact(t.Context(), CompactOptions{All: true})
				acked.are(t, s, "at once after "+fsys.Hit())
			}
			if err != nil && !errors.Is(err, cause) {
				t.Fatalf("%s failed, the store said %v", fsys.Hit(), err)
			}
			d := fsys.FS.(*disktest.Disk)
			for seed := range uint64(4) {
				cut := d.Crash(rand.New(rand.NewPCG(seed, uint64(n))))
				if seed%2 == 0 {
					cut.Remove("/v/packs/locations")
				}
				acked.holds(t, cut, "after "+fsys.Hit())
			}
			s, r := acked.holds(t, d, "after "+fsys.Hit())
			if len(r.Damage) > 0 {
				t.Fatalf("%s failed and left damage: %v", fsys.Hit(), r.Damage)
			}
			if _, err := s.Compact(t.Context(), CompactOptions{All: true}); err != nil {
				t.Fatalf("after %s it cannot be taken up again: %v", fsys.Hit(), err)
			}
			acked.are(t, s, "taken up again after "+fsys.Hit())
		})
		if runs < 60 {
			t.Errorf("only %d changes of the disk: the test is too small", runs)
		}
	}
}

// TestCompactBesideOthers: readers, writers and deleters do not notice.
func TestCompactBesideOthers(t *testing.T) {
	s, acked := wasted(t, disktest.NewDisk())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				mine := 1000 + 100*g + n%20
				put(t, s, data(mine))
				if got, err := s.Get(crypto.NameOf(data(mine)), nil); err != nil || !bytes.Equal(got, data(mine)) {
					t.Errorf("get of what is only mine: %v", err)
					return
				}
				if err := s.Delete(crypto.NameOf(data(mine))); err != nil {
					t.Error(err)
				}
				acked.are(t, s, "meanwhile")
				if n%7 == 0 {
					if _, _, err := s.CheckSome(ctx, Cursor{}, 20000); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}
				s.Stats()
			}
		})
	}
	packs := 0
	for range 60 {
		r, err := s.Compact(t.Context(), CompactOptions{All: true})
		if err != nil || len(r.Skipped) > 0 {
			t.Fatalf("%+v %v", r, err)
		}
		packs += r.Packs
	}
	cancel()
	wg.Wait()
	if found, err := s.Check(t.Context(), nil); err != nil || len(found) > 0 {
		t.Errorf("check: %v %v", found, err)
	}
	t.Logf("%d packs went", packs)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestCompactReadsOn: whoever has found a block and not yet read it when its
// pack goes gets it all the same, and no file that is gone stays open.
func TestCompactReadsOn(t *testing.T) {
	dir := t.TempDir()
	s, _, err := Open(disk.OS, dir, Options{PackSize: 4096, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	for n := range histBlocks {
		put(t, s, data(n))
		if n%2 == 0 {
			s.Delete(crypto.NameOf(data(n)))
		}
	}
	first := s.at[crypto.NameOf(data(1))].pack
	reading := s.handles.with(first, func(f disk.File) error {
		if _, err := s.Compact(t.Context(), CompactOptions{All: true}); err != nil {
			return err
		}
		if _, err := os.Stat(packName(dir, first)); err == nil {
			return errors.New("the pack is still there")
		}
		_, err := f.ReadAt(make([]byte, packHeader), 0)
		return err
	})
	if reading != nil {
		t.Error(reading)
	}
	for number := range s.handles.files {
		if !exists(disk.OS, number) && packGone(dir, number) {
			t.Errorf("pack %d is gone and its file still open", number)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func packGone(dir string, number uint32) bool {
	_, err := os.Stat(packName(dir, number))
	return err != nil
}

// TestCompactOnAFullDisk: deleting and compacting make room when there is
// none for anything else, and say so when there is not even that.
func TestCompactOnAFullDisk(t *testing.T) {
	d := disktest.NewDisk()
	opt := Options{PackSize: 16 << 10, Reserve: 32 << 10}
	s, _ := open(t, d, opt)
	d.SetRoom(200_000)
	n, full := 0, error(nil)
	for ; full == nil; n++ {
		_, full = s.Put(t.Context(), crypto.NameOf(data(n)), data(n))
	}
	acked := fates{}
	for k := range n - 1 {
		acked[k] = fate{there: true}
		if k%3 == 0 {
			if err := s.Delete(crypto.NameOf(data(k))); err != nil {
				t.Fatal(err)
			}
			acked[k] = fate{gone: true}
		}
	}
	free, _ := d.FreeBytes("")
	d.SetRoom(5000)
	if r, err := s.Compact(t.Context(), CompactOptions{}); !disk.IsFull(err) || r.Packs > 0 {
		t.Errorf("with no room for a pack: %+v %v", r, err)
	}
	acked.are(t, s, "refused")
	d.SetRoom(int64(free))
	r, err := s.Compact(t.Context(), CompactOptions{})
	if err != nil || r.Freed < 40_000 {
		t.Errorf("on a disk that is full but for the reserve: %+v %v", r, err)
	}
	acked.are(t, s, "compacted")
	if _, err := s.Put(t.Context(), crypto.NameOf(data(n)), data(n)); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestCompactFlips flips a bit somewhere and compacts: what is damaged stays
// where it is, what is not is as it was.
func TestCompactFlips(t *testing.T) {
	pristine := disktest.NewDisk()
	s, acked := wasted(t, pristine)
	s.Close()
	files, _ := pristine.ReadDir("/v/packs")
	seed := disktest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 5))
	kept, returned := 0, 0
	runs := disktest.Runs(t, 200, 1000)
	for run := range runs {
		d := pristine.Crash(rng)
		pack := files[rng.IntN(len(files))].Name()
		if filepath.Ext(pack) != ".pack" {
			continue
		}
		number, _ := packNumber(pack)
		bit := rng.Int64N(8 * disktest.Size(t, d, "/v/packs/"+pack))
		disktest.Flip(t, d, "/v/packs/"+pack, bit)
		what := fmt.Sprintf("run %d: bit %d of %s", run, bit, pack)
		s, _ := open(t, d, small)
		r, err := s.Compact(t.Context(), CompactOptions{All: run%2 == 0, Percent: 1})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(r.Skipped) > 0 {
			kept++
			if !exists(d, number) {
				t.Fatalf("%s: the damaged pack is gone: %+v", what, r)
			}
		}
		lost := oneLost(t, s, acked, what)
		if lost && exists(d, number) == false {
			t.Fatalf("%s: lost, and the pack is gone", what)
		}
		s.Close()
		d.Remove("/v/packs/locations")
		s, rep := open(t, d, small)
		for n, f := range acked { // what was deleted may only return where the deletion itself has rotted
			if s.Has(crypto.NameOf(data(n))) && !f.there && len(rep.Damage) > 0 {
				returned++
				s.Delete(crypto.NameOf(data(n)))
			}
		}
		lost = oneLost(t, s, acked, what+", scanned") || lost
		if lost {
			for n := range acked {
				if !acked[n].gone {
					put(t, s, data(n))
				}
			}
			acked.are(t, s, what+", put again")
		}
		if r, err = s.Compact(t.Context(), CompactOptions{All: true, Percent: 1, Damaged: true}); err != nil || len(r.Skipped) > 0 {
			t.Fatalf("%s: %+v %v", what, r, err)
		}
		s.Close()
		d.Remove("/v/packs/locations")
		s, rep = acked.holds(t, d, what+", given up")
		if len(rep.Damage) > 0 || s.Damaged() {
			t.Fatalf("%s: damage is left: %v", what, rep.Damage)
		}
		s.Close()
	}
	if kept == 0 {
		t.Error("no damage kept a pack: the test proves nothing")
	}
	t.Logf("%d flips, %d kept a pack, %d deletions rotted", runs, kept, returned)
	if returned > runs/20 {
		t.Errorf("%d deletions were lost with one flip each", returned)
	}
}

// oneLost: at most one block is lost, and the store says so.
func oneLost(t *testing.T, s *Store, acked fates, what string) bool {
	t.Helper()
	lost := 0
	for n, f := range acked {
		got, err := s.Get(crypto.NameOf(data(n)), nil)
		switch {
		case err == nil && !f.there:
			t.Fatalf("%s: deleted block %d is back", what, n)
		case err == nil && !bytes.Equal(got, data(n)):
			t.Fatalf("%s: wrong bytes", what)
		case err != nil && f.there:
			lost++
		}
	}
	if lost > 1 {
		t.Fatalf("%s: %d blocks are lost", what, lost)
	}
	return lost > 0
}

// TestSoundCopyIsKept: where one of two copies of a block is damaged the other
// is served, and compaction takes neither for the better one unread, whichever
// pack goes first.
func TestSoundCopyIsKept(t *testing.T) {
	block := bytes.Repeat([]byte("b"), 2500)
	name := crypto.NameOf(block)
	for _, damaged := range []uint32{1, 2} {
		for _, first := range []uint32{0, 1, 2} { // 0: both at once
			d := disktest.NewDisk()
			s, _ := open(t, d, small)
			put(t, s, block)
			off := int64(s.at[name].off)
			put(t, s, data(200)) // lets go of its pack when deleted
			fillPack(t, s, 1)
			s.Delete(name)
			put(t, s, block)
			if damaged == 2 {
				off = int64(s.at[name].off)
			}
			put(t, s, data(201))
			fillPack(t, s, 2)
			put(t, s, data(3))
			s.Close()
			disktest.Flip(t, d, packName("/v/packs", damaged), 8*(off+entryHeader)+1)
			d.Remove("/v/packs/locations")
			s, _ = open(t, d, small)
			if first > 0 {
				s.Delete(crypto.NameOf(data(199 + int(first))))
			}
			for _, opt := range []CompactOptions{{Percent: 60}, {All: true, Percent: 1}} {
				if first > 0 || opt.All {
					if r, err := s.Compact(t.Context(), opt); err != nil {
						t.Fatal(r, err)
					}
				}
				if got, err := s.Get(name, nil); err != nil || !bytes.Equal(got, block) {
					t.Fatalf("pack %d damaged, pack %d first: %v", damaged, first, err)
				}
			}
			if exists(d, 1) || exists(d, 2) {
				t.Errorf("pack %d damaged, pack %d first: not both went", damaged, first)
			}
			s.Close()
			d.Remove("/v/packs/locations")
			s, _ = open(t, d, small)
			if got, err := s.Get(name, nil); err != nil || !bytes.Equal(got, block) {
				t.Fatalf("pack %d damaged, pack %d first, then scanned: %v", damaged, first, err)
			}
			s.Close()
		}
	}
}

// fillPack puts dead weight until a pack is full.
func fillPack(t *testing.T, s *Store, pack uint32) {
	t.Helper()
	for n := 0; s.packs[pack] < small.PackSize; n++ {
		put(t, s, data(int(pack)*1000+n))
		s.Delete(crypto.NameOf(data(int(pack)*1000 + n)))
	}
}

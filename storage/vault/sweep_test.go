// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// cutOff adds src and is cancelled when so many bytes are read.
func cutOff(t *testing.T, v *Vault, name, src string, at int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	_, err := v.Add(ctx, name, src, AddOptions{Progress: func(p Progress) {
		if p.Bytes >= at {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled add: %v", err)
	}
}

// mustSweep sweeps.
func mustSweep(t testing.TB, v *Vault, grace time.Duration) SweepResult {
	t.Helper()
	r, err := v.Sweep(bg, grace)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSweep: what an interrupted Add left is there for whoever takes it up
// again within the time of grace, across restarts, and dies after it.
func TestSweep(t *testing.T) {
	now := time.Unix(1e9, 0)
	opt := testOptions()
	opt.Now = func() time.Time { return now }
	v := newVault(t, opt)
	kept, src := t.TempDir(), t.TempDir()
	write(t, kept, "a", "kept")
	did := mustAdd(t, v, "kept", kept).Dataset.DID
	if _, err := v.ViewHead(bg, did, View{Paths: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if r := mustSweep(t, v, 0); r.Waste != 0 {
		t.Fatalf("in a vault without waste: %+v", r)
	}
	for i := range 8 {
		write(t, src, string(rune('a'+i)), strings.Repeat(string(rune('a'+i)), crypto.BlockData))
	}
	cutOff(t, v, "cut", src, 5*crypto.BlockData)
	first := mustSweep(t, v, Grace)
	if first.Waste == 0 || first.Dead != 0 {
		t.Fatalf("after a cut: %+v", first)
	}
	now = now.Add(Grace - time.Hour)
	v, _ = reopen(t, v)
	if r := mustSweep(t, v, Grace); r != first {
		t.Fatalf("within the time of grace: %+v, want %+v", r, first)
	}
	now = now.Add(-2 * Grace) // a clock put back lets nothing die early
	if r := mustSweep(t, v, Grace); r != first {
		t.Fatalf("with the clock put back: %+v", r)
	}
	r := mustAdd(t, v, "cut", src)
	if whole := int64(8 * crypto.BlockData); r.NewBytes > whole-first.WasteBytes+(64<<10) {
		t.Errorf("taken up again: %d new bytes, %d were there", r.NewBytes, first.WasteBytes)
	}
	if r := mustSweep(t, v, 0); r.Waste != 0 {
		t.Fatalf("taken up: %+v", r)
	}

	long := bytes.Repeat([]byte{'i'}, 8*crypto.BlockData)
	for i := range 8 {
		long[i*crypto.BlockData] = byte(i) // the same block would be stored once
	}
	write(t, src, "i", string(long))
	cutOff(t, v, "cut", src, 15*crypto.BlockData)
	second := mustSweep(t, v, Grace)
	now = now.Add(Grace + time.Hour)
	if r := mustSweep(t, v, Grace); second.Waste == 0 || r.Dead != second.Waste {
		t.Fatalf("after the time of grace: %+v, then %+v", second, r)
	}
	if r := mustSweep(t, v, 0); r.Waste != 0 {
		t.Fatalf("swept, and again: %+v", r)
	}
	want := tree(t, src)
	delete(want, "i")
	for _, d := range v.Datasets() {
		if d.Name == "cut" {
			if diff := cmp.Diff(want, export(t, v, d.DID, ExportOptions{})); diff != "" {
				t.Error(diff)
			}
		}
	}
	export(t, v, did, ExportOptions{})
	if _, err := v.ViewHead(bg, did, View{Paths: []string{"a"}}); err != nil {
		t.Error(err)
	}
}

// TestSweepBesideIncoming: while data comes in nothing is swept, for what is
// waste now may be named by the version to come.
func TestSweepBesideIncoming(t *testing.T) {
	v, giver := newVault(t, testOptions()), newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", strings.Repeat("a", 3*crypto.BlockData))
	tried := 0
	_, err := v.Add(bg, "x", src, AddOptions{Progress: func(Progress) {
		tried++
		if _, err := v.Sweep(bg, 0); !errors.Is(err, ErrUnderWay) {
			t.Errorf("during an add: %v", err)
		}
	}})
	if err != nil || tried == 0 {
		t.Fatal(err)
	}
	did := mustAdd(t, giver, "x", src).Dataset.DID
	h, err := giver.ViewHead(bg, did, View{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	landed := v.Landing()
	r := give(t, giver, v, h)
	if _, err := v.Sweep(bg, 0); !errors.Is(err, ErrUnderWay) {
		t.Errorf("during a fetch: %v", err)
	}
	if err := v.Receive(bg, r); err != nil {
		t.Fatal(err)
	}
	landed()
	if r := mustSweep(t, v, 0); r.Waste != 0 {
		t.Errorf("%+v", r)
	}
}

// TestSweepSparesWhatGiftsName: a giver who calls a page of ours data does not
// keep a sweep from seeing what is below it.
func TestSweepSparesWhatGiftsName(t *testing.T) {
	victim, giver := newVault(t, testOptions()), newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "precious", strings.Repeat("precious ", 1000))
	mine := mustAdd(t, victim, "mine", src)
	for _, name := range []string{"first", "second", "third"} { // the data sets are walked in no order
		gift := mustAdd(t, giver, name, src).Dataset.DID
		if err := victim.Receive(bg, poison(t, giver, victim, gift, 5, mine.Head.Root.Name)); err != nil {
			t.Fatal(err)
		}
	}
	if r := mustSweep(t, victim, 0); r.Waste != 0 {
		t.Errorf("%+v", r)
	}
	export(t, victim, mine.Dataset.DID, ExportOptions{})
}

// TestSweepUnclear: when a list of files cannot be read nothing dies.
func TestSweepUnclear(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	r := mustAdd(t, v, "x", src)
	if _, _, err := v.store.Add(bg, []byte("waste")); err != nil {
		t.Fatal(err)
	}
	if err := v.store.Delete(r.Head.Root.Name); err != nil {
		t.Fatal(err)
	}
	before := v.store.Stats().Blocks
	if _, err := v.Sweep(bg, 0); !errors.Is(err, ErrUnclear) || v.store.Stats().Blocks != before {
		t.Errorf("%v, and %d blocks of %d are left", err, v.store.Stats().Blocks, before)
	}
}

// TestSweepBesideViews cuts views and makes versions beside sweeps that show no grace.
func TestSweepBesideViews(t *testing.T) {
	opt := testOptions()
	opt.Keep = 2
	v := newVault(t, opt)
	src := t.TempDir()
	write(t, src, "dir/a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	done := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		defer close(done)
		for i := range 12 {
			write(t, src, "dir/b", strings.Repeat("b", i))
			if _, err := v.Add(bg, "x", src, AddOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for {
			select {
			case <-done:
				return nil
			default:
			}
			h, err := v.ViewHead(bg, did, View{Paths: []string{"dir/"}})
			if err != nil {
				return err
			}
			if _, err := v.ViewBlocks(bg, h); err != nil && h.Sequence == latestOf(v, did) {
				return err
			}
		}
	})
	for swept := false; !swept; {
		select {
		case <-done:
			swept = true
		default:
		}
		if _, err := v.Sweep(bg, 0); err != nil && !errors.Is(err, ErrUnderWay) {
			t.Error(err)
		}
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); diff != "" {
		t.Error(diff)
	}
}

func latestOf(v *Vault, did crypto.DID) uint64 {
	d, err := v.find(did)
	if err != nil {
		return 0
	}
	h, _ := d.latest()
	return h.Sequence
}

// TestWasteFile: a damaged memory of the waste begins the time of grace anew.
func TestWasteFile(t *testing.T) {
	now := time.Unix(1e9, 0)
	opt := testOptions()
	opt.Now = func() time.Time { return now }
	v := newVault(t, opt)
	if _, _, err := v.store.Add(bg, []byte("waste")); err != nil {
		t.Fatal(err)
	}
	mustSweep(t, v, Grace)
	now = now.Add(2 * Grace)
	disktest.Flip(t, opt.withDefaults().FS, v.path(wasteFile), 8*20)
	if r := mustSweep(t, v, Grace); r.Waste != 1 || r.Dead != 0 {
		t.Errorf("%+v", r)
	}
	now = now.Add(100 * Grace) // a clock that is wrong for a while
	if _, _, err := v.store.Add(bg, []byte("more waste")); err != nil {
		t.Fatal(err)
	}
	if r := mustSweep(t, v, Grace); r.Dead != 1 {
		t.Errorf("%+v", r)
	}
	now = now.Add(-100 * Grace)
	mustSweep(t, v, Grace)
	now = now.Add(2 * Grace)
	if r := mustSweep(t, v, Grace); r.Dead != 1 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(v.path(wasteFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty list stays: %v", err)
	}
}

func FuzzWaste(f *testing.F) {
	f.Add(waste{}.encode())
	f.Add(waste{{1}: 5, {2}: -1}.encode())
	f.Add([]byte(wasteMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := decodeWaste(b)
		if err != nil {
			return
		}
		again, err := decodeWaste(w.encode())
		if err != nil || !cmp.Equal(again, w) {
			t.Errorf("%v, %v", again, err)
		}
		if len(w) == 1 && !bytes.Equal(w.encode(), b) {
			t.Error("another encoding of one name")
		}
	})
}

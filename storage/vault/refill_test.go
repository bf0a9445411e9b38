// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// heap is a place that has blocks, in memory.
type heap map[crypto.BlockName][]byte

func (h heap) Has(name crypto.BlockName) bool { return h[name] != nil }

func (h heap) Get(name crypto.BlockName, dst []byte) ([]byte, error) {
	return append(dst, h[name]...), nil
}

func heapOf(t *testing.T, v *Vault, c Content) heap {
	t.Helper()
	h := heap{}
	for _, name := range c.Blocks {
		b, err := v.store.Get(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		h[name] = b
	}
	return h
}

func contentOf(t *testing.T, v *Vault, did crypto.DID, version uint64) Content {
	t.Helper()
	c, err := v.Content(bg, did, version)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// library makes a vault with a data set of many files, and the kit of it.
func library(t *testing.T) (v *Vault, words, src string, did crypto.DID) {
	t.Helper()
	k, words := newRing(t)
	v, err := Create(t.TempDir()+"/vault", k, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	src = t.TempDir()
	for i := range 250 { // long names fill several pages
		write(t, src, fmt.Sprintf("many/%s/%04d", strings.Repeat("n", 250), i), strings.Repeat(fmt.Sprint(i), 10))
	}
	write(t, src, "long", strings.Repeat("0123456789", 250_000))
	write(t, src, "empty", "")
	return v, words, src, mustAdd(t, v, "x", src).Dataset.DID
}

func restored(t *testing.T, v *Vault, words string) *Vault {
	t.Helper()
	var kit bytes.Buffer
	if err := v.SaveKit(&kit, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	w, err := Restore(&kit, words, t.TempDir()+"/vault", []byte(passphrase), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func refill(t *testing.T, v *Vault, from Blocks) []Refilled {
	t.Helper()
	list, err := v.Refill(bg, from, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sound reads all blocks of a version.
func sound(t *testing.T, v *Vault, want Content) {
	t.Helper()
	got := contentOf(t, v, want.Dataset, want.Sequence)
	if !slices.Equal(got.Blocks, want.Blocks) {
		t.Errorf("%d blocks, want %d", len(got.Blocks), len(want.Blocks))
	}
	heapOf(t, v, got) // a store hands out what it has hashed
}

// TestContentNamesAll: the description, each page before what it names, each
// block once, and the head sealed so that this vault alone opens it, until the
// data set is removed.
func TestContentNamesAll(t *testing.T) {
	v, _, _, did := library(t)
	c := contentOf(t, v, did, 0)
	want, err := v.ViewBlocks(bg, c.SignedHead)
	if err != nil {
		t.Fatal(err)
	}
	place, size := map[crypto.BlockName]int{}, int64(0)
	for i, name := range c.Blocks {
		place[name] = i
		n, _ := v.store.Size(name)
		size += int64(n)
	}
	if len(place) != len(want) || len(place) != len(c.Blocks) || size != c.Size {
		t.Errorf("%d names, %d of them different, %d wanted; %d bytes, not %d", len(c.Blocks), len(place), len(want), c.Size, size)
	}
	if pages := len(c.Blocks) - 250 - 3 - 1; pages < 3 {
		t.Errorf("only %d pages: the test shows little", pages)
	}
	if c.Blocks[0] != c.Description.Name || c.Blocks[1] != c.Root.Name {
		t.Error("it does not begin with the description and the root page")
	}
	above := 0
	enter := func(page crypto.BlockName) bool { above = place[page]; return true }
	err = storage.WalkPages(bg, c.Head, v.store.Get, enter, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			if at := place[r.Name]; at <= above && c.Blocks[at] != r.Name {
				t.Fatalf("%q stands before its page", e.Path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(c.Sealed, c.Bytes[10:60]) {
		t.Error("the head is open")
	}
	scope := crypto.DatasetScope(did)
	if b, err := v.ring.OpenBody(scope, []byte(sealedHead), c.Sealed); err != nil || !bytes.Equal(b, c.Bytes) {
		t.Error(err)
	}
	if err := v.Remove(bg, did); err != nil {
		t.Fatal(err)
	}
	if _, err := v.ring.OpenBody(scope, []byte(sealedHead), c.Sealed); !errors.Is(err, crypto.ErrErased) {
		t.Error(err)
	}
	if _, err := v.Content(bg, did, 0); !errors.Is(err, ErrNoDataset) {
		t.Error(err)
	}
}

// TestRefill: a vault restored from its kit has its content again, and takes
// nothing that no version names.
func TestRefill(t *testing.T) {
	v, words, src, did := library(t)
	first := contentOf(t, v, did, 0)
	write(t, src, "many/0007", "new")
	mustAdd(t, v, "x", src)
	latest := contentOf(t, v, did, 0)
	all := heapOf(t, v, latest)
	stray := []byte("a block that nobody named, of whatever length")
	all[crypto.NameOf(stray)] = stray

	w := restored(t, v, words)
	if _, err := w.Content(bg, did, 0); !errors.Is(err, ErrMissing) {
		t.Errorf("content of what is not there: %v", err)
	}
	got := refill(t, w, all)
	if len(got) != 1 || got[0].Blocks != len(latest.Blocks) || got[0].Bytes != latest.Size || got[0].Missing != 0 || got[0].Known != len(latest.Blocks) {
		t.Fatalf("%+v, want %d blocks of %d bytes", got, len(latest.Blocks), latest.Size)
	}
	if d := cmp.Diff(tree(t, src), export(t, w, did, ExportOptions{})); d != "" {
		t.Error(d)
	}
	if w.store.Has(crypto.NameOf(stray)) {
		t.Error("it took what nobody named")
	}
	again, _ := reopen(t, w)
	sound(t, again, latest)
	if err := again.Export(bg, did, t.TempDir(), ExportOptions{Version: first.Sequence}); !errors.Is(err, ErrMissing) {
		t.Errorf("the version before: %v", err)
	}
	if got := refill(t, again, heapOf(t, v, first)); got[0].Blocks == 0 || got[0].Blocks > 5 || got[0].Missing != 0 {
		t.Errorf("the version before: %+v", got)
	}
	sound(t, again, first)
	if got := refill(t, again, heapOf(t, v, latest)); got[0].Blocks != 0 || got[0].Bytes != 0 {
		t.Errorf("a second time: %+v", got)
	}
}

// TestRefillInParts: whatever is offered is taken, and what still lacks is
// counted; a page that is nowhere does not keep the rest out.
func TestRefillInParts(t *testing.T) {
	v, words, _, did := library(t)
	c := contentOf(t, v, did, 0)
	w := restored(t, v, words)
	all := heapOf(t, v, c)
	for _, hidden := range []int{0, 1, 2, len(c.Blocks) / 2, len(c.Blocks) - 1} {
		some := heap{}
		for i, name := range c.Blocks {
			if i != hidden {
				some[name] = all[name]
			}
		}
		got := refill(t, w, some)
		if hidden == 1 { // nothing is to be seen below the root
			if len(got) != 1 || got[0].Blocks != 1 && got[0].Blocks != 0 {
				t.Errorf("without the root: %+v", got)
			}
		}
		missing := 0
		if !w.store.Has(c.Blocks[hidden]) {
			missing = 1
		}
		if got[0].Missing != missing {
			t.Errorf("without block %d: %+v, want %d missing", hidden, got[0], missing)
		}
	}
	sound(t, w, c)
}

// TestRefillFromLiars: bytes that are not what they are called are refused, and
// so is nothing that came before.
func TestRefillFromLiars(t *testing.T) {
	v, words, _, did := library(t)
	c := contentOf(t, v, did, 0)
	for _, lie := range []int{0, 1, 5, len(c.Blocks) - 1} {
		w := restored(t, v, words)
		all := heapOf(t, v, c)
		all[c.Blocks[lie]] = slices.Concat(all[c.Blocks[lie]], []byte{0})
		if _, err := w.Refill(bg, all, func(int64) {}); !errors.Is(err, blocks.ErrWrongName) && !errors.Is(err, blocks.ErrTooLarge) {
			t.Errorf("block %d is another: %v", lie, err)
		}
		if w.store.Has(c.Blocks[lie]) {
			t.Errorf("block %d was believed", lie)
		}
		if n := w.store.Stats().Blocks; n > lie {
			t.Errorf("%d blocks were taken before block %d", n, lie)
		}
		w.Close()
	}
}

// TestRefillGoesOn: interrupted at any place, it keeps what it took and goes on.
func TestRefillGoesOn(t *testing.T) {
	v, words, _, did := library(t)
	w := restored(t, v, words)
	all := heapOf(t, v, contentOf(t, v, did, 0))
	taken := 0
	for rounds := 0; ; rounds++ {
		ctx, cancel := context.WithCancel(bg)
		told := 0
		list, err := w.Refill(ctx, all, func(int64) {
			if told++; told == 80 {
				cancel()
			}
		})
		cancel()
		for _, r := range list {
			taken += r.Blocks
		}
		if err == nil {
			if rounds < 3 {
				t.Errorf("only %d rounds", rounds)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if taken != len(all) {
		t.Errorf("took %d of %d", taken, len(all))
	}
	sound(t, w, contentOf(t, v, did, 0))
}

// TestRefillHeals: a block that was found damaged is put back, a page also
// when the damage shows only while it is read.
func TestRefillHeals(t *testing.T) {
	for _, of := range []string{"page", "data"} {
		v, _, _, did := library(t)
		c := contentOf(t, v, did, 0)
		all := heapOf(t, v, c)
		name := c.Root.Name
		if of == "data" {
			name = c.Blocks[len(c.Blocks)-1]
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		spoil(t, v, all[name])
		v, _ = mustOpen(t, v.dir, testOptions())
		if of == "data" {
			if _, err := v.Check(bg, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := refill(t, v, all); got[0].Blocks != 1 || got[0].Missing != 0 {
			t.Errorf("%s: %+v", of, got)
		}
		sound(t, v, c)
	}
}

// TestPowerCutsAfterRefill: what was put back has survived when Refill returns,
// also when it was interrupted.
func TestPowerCutsAfterRefill(t *testing.T) {
	v, words, _, did := library(t)
	c := contentOf(t, v, did, 0)
	all := heapOf(t, v, c)
	var kit bytes.Buffer
	if err := v.SaveKit(&kit, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	seed := disktest.Seed(t)
	for run := range uint64(disktest.Runs(t, 5, 200)) {
		rng := rand.New(rand.NewPCG(seed, run))
		d, opt := disktest.NewDisk(), testOptions()
		opt.FS = d
		w, err := Restore(bytes.NewReader(kit.Bytes()), words, "/vault", []byte(passphrase), opt)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		left := rng.IntN(2 * len(all))
		list, err := w.Refill(ctx, all, func(int64) {
			if left--; left == 0 {
				cancel()
			}
		})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) || len(list) != 1 {
			t.Fatal(list, err)
		}
		opt.FS = d.Crash(rng)
		again, _ := mustOpen(t, "/vault", opt)
		if n := again.store.Stats().Blocks; n < list[0].Blocks {
			t.Errorf("%d of %d blocks survived", n, list[0].Blocks)
		}
		if list[0].Blocks == len(all) {
			sound(t, again, c)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// Whatever change of the disk fails, also an fsync while the next blocks come
// in: a landing that settles without an error has all its blocks on the disk,
// and one that does not says why.
func TestLandingSettles(t *testing.T) {
	var under *disktest.Disk
	below := func() disk.FS {
		under = disktest.NewDisk()
		return under
	}
	settled, failed := 0, 0
	disktest.EachFailure(syscall.EIO, below, func(n int, fsys *disktest.Faulty) {
		names, err := land(t, fsys)
		if err != nil {
			failed++
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("failure %d: %v", n, err)
			}
			return
		}
		settled++
		for seed := range uint64(20) {
			holds(t, under.Crash(rand.New(rand.NewPCG(uint64(n), seed))), names)
		}
	})
	if settled == 0 || failed == 0 {
		t.Errorf("%d settled, %d failed: nothing was proved", settled, failed)
	}
}

// holds says whether the disk that a power cut left has all the blocks.
func holds(t *testing.T, left disk.FS, names []crypto.BlockName) {
	t.Helper()
	s, _, err := blocks.Open(left, "/packs", blocks.Options{Reserve: -1})
	if err != nil {
		t.Fatalf("after a power cut: %v", err)
	}
	defer s.Close()
	for _, name := range names {
		if _, err := s.Get(name, nil); err != nil {
			t.Errorf("after a power cut: %v", err)
		}
	}
}

// land takes in ten blocks, with a sync after each but the last.
func land(t *testing.T, fsys disk.FS) (names []crypto.BlockName, err error) {
	s, _, err := blocks.Open(fsys, "/packs", blocks.Options{Reserve: -1, PackSize: 4096})
	if err != nil {
		return nil, err
	}
	l := landing{store: s}
	for i := range 10 {
		block := fmt.Appendf(make([]byte, 1000), "block %d", i)
		names = append(names, crypto.NameOf(block))
		if i < 9 {
			l.unsaved = syncEvery
		} else if err = l.wait(); err != nil { // or that sync would take the last one along
			break
		}
		if err = l.keep(t.Context(), names[i], block); err != nil {
			break
		}
	}
	err = errors.Join(err, l.settle())
	if l.saving != nil {
		t.Error("a sync is under way after settle")
	}
	// The store stays open: closing it would sync too.
	return names, err
}

// TestLandingSavesOnTheWay: a long fetch that is cut off by a power cut need
// not ask again for what came before the last sync under way.
func TestLandingSavesOnTheWay(t *testing.T) {
	d := disktest.NewDisk()
	s, _, err := blocks.Open(d, "/packs", blocks.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := landing{store: s, unsaved: syncEvery}
	block := []byte("came early")
	name := crypto.NameOf(block)
	if err := errors.Join(l.keep(t.Context(), name, block), l.wait()); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		holds(t, d.Crash(rand.New(rand.NewPCG(seed, 1))), []crypto.BlockName{name})
	}
}

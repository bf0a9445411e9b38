// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"io/fs"
	"syscall"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// hooked is a disk that lets a test do something in the middle of a read.
type hooked struct {
	*disktest.Disk
	onRead func(pack uint32, off int64) error
}

func (h *hooked) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := h.Disk.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &hookedFile{f, h}, nil
}

type hookedFile struct {
	disk.File
	on *hooked
}

func (f *hookedFile) ReadAt(b []byte, off int64) (int, error) {
	number, _ := packNumber(f.Name()[len("/v/packs/"):])
	if hook := f.on.onRead; hook != nil {
		if err := hook(number, off); err != nil {
			return 0, err
		}
	}
	return f.File.ReadAt(b, off)
}

// TestReadWhileItMoves: a read that fails because the pack was compacted away
// under it is tried where the block is now.
func TestReadWhileItMoves(t *testing.T) {
	d := &hooked{Disk: disktest.NewDisk()}
	s, acked := wasted(t, d)
	for n, f := range acked {
		if f.gone || s.at[crypto.NameOf(data(n))].pack != 1 {
			continue
		}
		d.onRead = func(uint32, int64) error {
			d.onRead = nil
			if _, err := s.Compact(t.Context(), CompactOptions{All: true}); err != nil {
				t.Error(err)
			}
			return syscall.EIO
		}
		got, err := s.Get(crypto.NameOf(data(n)), nil)
		if err != nil || !bytes.Equal(got, data(n)) || exists(d, 1) {
			t.Fatalf("block %d: %v", n, err)
		}
		return
	}
	t.Fatal("no block to read")
}

// TestDeletedWhileItMoves: a block is deleted when it was copied and its copy
// not yet served. The deletion stands as long as that copy does.
func TestDeletedWhileItMoves(t *testing.T) {
	d := &hooked{Disk: disktest.NewDisk()}
	s, _ := open(t, d, small)
	for n := range 500 { // so many that no locations are saved in between
		put(t, s, []byte{byte(n), byte(n >> 8)})
	}
	put(t, s, make([]byte, small.PackSize))
	s.Close()
	s, _ = open(t, d, small)
	victim := data(1)
	put(t, s, victim)
	first := s.last
	put(t, s, data(5))
	fillPack(t, s, first)
	put(t, s, data(2))
	s.Sync()
	var into uint32
	next := int64(s.at[crypto.NameOf(data(5))].off) + entryHeader
	d.onRead = func(pack uint32, off int64) error {
		if pack != first || off != next {
			return nil
		}
		d.onRead = nil
		into = s.last
		put(t, s, bytes.Repeat([]byte("alive"), 800)) // the pack with the copy stays
		s.Delete(crypto.NameOf(victim))
		fillPack(t, s, s.last)
		put(t, s, data(3))
		return nil
	}
	for range 3 { // the second time goes the pack with the deletion
		if r, err := s.Compact(t.Context(), CompactOptions{Percent: 60}); err != nil || d.onRead != nil {
			t.Fatal(r, err)
		}
	}
	if !exists(d, into) || exists(d, into+1) {
		t.Fatalf("not what this is about: %v", s.packs)
	}
	s.Close()
	d.Remove("/v/packs/locations")
	s, _ = open(t, d, small)
	if s.Has(crypto.NameOf(victim)) {
		t.Error("a deleted block is back")
	}
	s.Close()
}

// TestPackThatComesBack: a pack that is missing for a while, and found again,
// does not bring back what was deleted before or meanwhile.
func TestPackThatComesBack(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	before, meanwhile := data(1), data(2)
	put(t, s, before)
	put(t, s, meanwhile)
	fillPack(t, s, 1)
	s.Delete(crypto.NameOf(before))
	s.Delete(crypto.NameOf(meanwhile))
	put(t, s, meanwhile)
	fillPack(t, s, 2)
	put(t, s, data(3))
	s.Close()
	for range 2 {
		d.Remove("/v/packs/locations")
		if err := d.Rename(packName("/v/packs", 1), "/v/away"); err != nil {
			t.Fatal(err)
		}
		s, r := open(t, d, small)
		if len(r.Damage) != 1 || r.Damage[0].Pack != 1 || r.Damage[0].Why != "the pack file is missing" {
			t.Fatalf("a pack is missing: %v", r.Damage)
		}
		s.Delete(crypto.NameOf(meanwhile))
		if r, err := s.Compact(t.Context(), CompactOptions{All: true, Percent: 1}); err != nil || exists(d, 2) {
			t.Fatal(r, err)
		}
		fillPack(t, s, s.last)
		s.Close()
		if err := d.Rename("/v/away", packName("/v/packs", 1)); err != nil {
			t.Fatal(err)
		}
		d.Remove("/v/packs/locations")
		s, r = open(t, d, small)
		if len(r.Damage) > 0 || s.Has(crypto.NameOf(before)) || s.Has(crypto.NameOf(meanwhile)) || !s.Has(crypto.NameOf(data(3))) {
			t.Errorf("the pack is back: %v, %v %v", r.Damage, s.Has(crypto.NameOf(before)), s.Has(crypto.NameOf(meanwhile)))
		}
		s.Close()
	}
}

// TestDamageOfTheLastPack: what Open finds wrong in the last pack is not
// trusted by the next Open, for which another pack is the last, also when the
// process is killed in between.
func TestDamageOfTheLastPack(t *testing.T) {
	d := disktest.NewDisk()
	fill(t, d, Options{Reserve: -1}, 2)
	disktest.Flip(t, d, packName("/v/packs", 1), 8*(packHeader+entryHeader)+1)
	d.Remove("/v/packs/locations")
	s, r := open(t, d, small)
	if len(r.Damage) != 1 {
		t.Fatal(r)
	}
	fillPack(t, s, 1)
	put(t, s, data(3))
	s.Sync() // and no Close
	d.Remove("/v/packs/locations")
	s, _ = open(t, d, small)
	if s.Has(crypto.NameOf(data(0))) {
		t.Error("a damaged block is said to be there")
	}
	put(t, s, data(0))
	if _, err := s.Get(crypto.NameOf(data(0)), nil); err != nil {
		t.Error(err)
	}
}

// TestPackDoesNotRetireItself: whoever writes such an entry into a pack does
// not have it removed, nor one after it.
func TestPackDoesNotRetireItself(t *testing.T) {
	for _, to := range []uint32{1, 2} {
		d := disktest.NewDisk()
		s, _ := open(t, d, small)
		put(t, s, data(1))
		s.append(kindRetirement, span{from: 1, to: to}.name(), nil)
		put(t, s, data(2))
		s.file.Sync() // and no Close
		s, r := open(t, d, small)
		if !s.Has(crypto.NameOf(data(1))) || !s.Has(crypto.NameOf(data(2))) || len(r.Damage) == 0 {
			t.Errorf("packs 1 to %d are retired in the first: %+v", to, r)
		}
	}
}

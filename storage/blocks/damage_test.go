// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestFlips flips one bit anywhere in the store: never a wrong answer, never
// a gap that nobody is told of, and what is put again is there again.
func TestFlips(t *testing.T) {
	const n = 25
	pristine := disktest.NewDisk()
	fill(t, pristine, small, n)
	files, _ := pristine.ReadDir("/v/packs")
	rng := rand.New(rand.NewPCG(3, 4))
	rescued := 0
	for run := range 600 {
		d := pristine.Crash(rng) // all is synced: an exact copy
		name := "/v/packs/" + files[run%len(files)].Name()
		bit := rng.Int64N(8 * disktest.Size(t, d, name))
		disktest.Flip(t, d, name, bit)
		if run%2 == 0 {
			d.Remove("/v/packs/locations")
		}
		what := fmt.Sprintf("run %d: bit %d of %s", run, bit, name)
		s, r := open(t, d, small)
		found, err := s.Check(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(found)+len(r.Damage) == 0 && r.Torn == 0 && name != "/v/packs/locations" {
			t.Fatalf("%s: nobody noticed", what)
		}
		lost := 0
		for i := range n {
			got, err := s.Get(crypto.NameOf(data(i)), nil)
			if err == nil && !bytes.Equal(got, data(i)) {
				t.Fatalf("%s: wrong bytes", what)
			}
			if err != nil {
				lost++
				put(t, s, data(i))
			}
			if got, err := s.Get(crypto.NameOf(data(i)), nil); err != nil || !bytes.Equal(got, data(i)) {
				t.Fatalf("%s: put again, and then %v", what, err)
			}
		}
		if lost > 1 || lost > 0 && len(r.Damage)+len(found) == 0 {
			t.Fatalf("%s: %d blocks lost, reported %+v %v", what, lost, r, found)
		}
		if lost == 0 {
			rescued++
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, _ = open(t, d, small)
		if got := s.Stats().Blocks; got != n {
			t.Fatalf("%s: after healing and reopening %d blocks, want %d", what, got, n)
		}
		s.Close()
	}
	t.Logf("600 flips, %d without loss", rescued)
}

func TestDamagedErrorNamesThePlace(t *testing.T) {
	d := disktest.NewDisk()
	fill(t, d, small, 1)
	disktest.Flip(t, d, "/v/packs/00000001.pack", 8*(packHeader+entryHeader)+3)
	s, _ := open(t, d, small)
	name := crypto.NameOf(data(0))
	for range 2 {
		_, err := s.Get(name, nil)
		var damaged *DamagedError
		if !errors.As(err, &damaged) || damaged.Pack != 1 || damaged.Offset != packHeader || damaged.Name != name {
			t.Fatalf("got %v", err)
		}
	}
	if s.Has(name) {
		t.Error("a damaged block is said to be there")
	}
	s.Close()
	s, _ = open(t, d, small)
	if _, err := s.Get(name, nil); !errors.As(err, new(*DamagedError)) {
		t.Errorf("after reopening the damage is forgotten: %v", err)
	}
	s.Close()
}

// TestDamageOutlivesTheProcess: a block found damaged by one process is not
// trusted by the next, whatever the saved locations say and in whatever pack
// it is; put again it is sound for good; and brought back it is served.
func TestDamageOutlivesTheProcess(t *testing.T) {
	const pack = "/v/packs/00000001.pack"
	bit := int64(8*(packHeader+entryHeader) + 3)
	find := map[string]func(*Store, crypto.BlockName){
		"get":   func(s *Store, name crypto.BlockName) { s.Get(name, nil) },
		"check": func(s *Store, _ crypto.BlockName) { s.Check(t.Context(), nil) },
	}
	for how, find := range find {
		for _, keep := range []bool{true, false} { // the locations
			d := disktest.NewDisk()
			fill(t, d, small, 25) // several packs: this one is not the last
			disktest.Flip(t, d, pack, bit)
			name := crypto.NameOf(data(0))
			s, _ := open(t, d, small)
			if !s.Has(name) {
				t.Fatal("the damage was noticed too early to prove anything")
			}
			find(s, name)
			s.Close()
			if !keep {
				d.Remove("/v/packs/locations")
			}
			for range 2 {
				s, _ = open(t, d, small)
				if s.Has(name) || !s.Damaged() {
					t.Fatalf("%s: the next process trusts the damaged block", how)
				}
				s.Close()
			}
			healed := d.Crash(rand.New(rand.NewPCG(1, 2)))
			s, _ = open(t, healed, small)
			put(t, s, data(0))
			s.Close()
			s, _ = open(t, healed, small)
			if _, err := s.Get(name, nil); err != nil {
				t.Errorf("%s: put again, and then %v", how, err)
			}
			if s.Damaged() {
				t.Errorf("%s: put again, and still damaged", how)
			}
			s.Close()
			if _, err := healed.Stat("/v/packs/doubts"); err == nil {
				t.Errorf("%s: healed, and still in doubt", how)
			}
			disktest.Flip(t, d, pack, bit)
			s, _ = open(t, d, small)
			if !s.Has(name) {
				t.Errorf("%s: the pack is sound again, and the block is not served", how)
			}
			s.Close()
		}
	}
}

func FuzzDoubts(f *testing.F) {
	f.Add(encodeDoubts([]crypto.BlockName{{1}, {2}}))
	f.Add(encodeDoubts(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if names, err := decodeDoubts(b); err == nil && !bytes.Equal(encodeDoubts(names), b) {
			t.Fatal("not canonical")
		}
	})
}

// TestOpenFindsTheOtherCopy: a block that the scan finds damaged is served from
// its other copy from the start, before anybody asks for it.
func TestOpenFindsTheOtherCopy(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	block := bytes.Repeat([]byte("b"), 2500)
	name := crypto.NameOf(block)
	put(t, s, block)
	fillPack(t, s, 1)
	s.Delete(name)
	put(t, s, block)
	at := s.at[name]
	if at.pack == 1 {
		t.Fatal("one pack holds both")
	}
	s.Close()
	disktest.Flip(t, d, packName("/v/packs", at.pack), 8*(int64(at.off)+entryHeader)+1)
	d.Remove("/v/packs/locations")
	s, _ = open(t, d, small)
	if !s.Has(name) || s.at[name].pack != 1 {
		t.Errorf("not served from the sound copy: %v", s.bad)
	}
	s.Close()
}

// TestMarksOfADamagedPack: compaction leaves a damaged pack where it is, and
// repeats the deletions that stand in it: the rot may get at them too.
func TestMarksOfADamagedPack(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	deleted, live := []byte("deleted"), []byte("live")
	put(t, s, deleted)
	put(t, s, bytes.Repeat([]byte("a"), 4000)) // keeps pack 1
	put(t, s, []byte("first of pack 2"))
	deletion := s.packs[2]
	s.Delete(crypto.NameOf(deleted))
	put(t, s, live)
	header := int64(s.at[crypto.NameOf(live)].off)
	if s.at[crypto.NameOf(deleted)].pack != 0 || s.at[crypto.NameOf(live)].pack != 2 {
		t.Fatal("not what this is about")
	}
	fillPack(t, s, 2)
	put(t, s, []byte("last"))
	s.Close()
	disktest.Flip(t, d, packName("/v/packs", 2), 8*(header+20))
	s, _ = open(t, d, small)
	r, err := s.Compact(t.Context(), CompactOptions{Percent: 60})
	if err != nil || len(r.Skipped) == 0 || !exists(d, 1) || !exists(d, 2) {
		t.Fatalf("not what this is about: %+v, %v", r, err)
	}
	s.Close()
	disktest.Flip(t, d, packName("/v/packs", 2), 8*(deletion+20))
	d.Remove("/v/packs/locations")
	s, _ = open(t, d, small)
	if s.Has(crypto.NameOf(deleted)) {
		t.Error("a deleted block is back")
	}
	s.Close()
}

// TestNoTurnToALeavingPack: nothing is served any more from a pack that is about
// to go, not even the only sound copy: the pack's removal is under way.
func TestNoTurnToALeavingPack(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	defer s.Close()
	block := bytes.Repeat([]byte("b"), 2500)
	name := crypto.NameOf(block)
	put(t, s, block)
	fillPack(t, s, 1)
	s.Delete(name)
	put(t, s, block)
	s.Sync()
	at := s.at[name]
	disktest.Flip(t, d, packName("/v/packs", at.pack), 8*(int64(at.off)+entryHeader)+1)
	s.leaving = 1
	if _, err := s.Get(name, nil); !errors.As(err, new(*DamagedError)) || s.at[name].pack == 1 {
		t.Errorf("served from the pack that goes: %v", err)
	}
	s.leaving = 0
	if !s.fallBack(name, at) || s.at[name].pack != 1 {
		t.Error("the sound copy is not found when its pack stays")
	}
}

// TestDamageIsSaidAgain: a place that was reported once is reported at each
// start, whatever is put in between.
func TestDamageIsSaidAgain(t *testing.T) {
	d := disktest.NewDisk()
	fill(t, d, small, 3)
	d.Remove("/v/packs/locations")
	disktest.Flip(t, d, "/v/packs/00000001.pack", 8*(packHeader+20)) // in a name: not to be saved
	for run := range 3 {
		s, r := open(t, d, small)
		if len(r.Damage) == 0 {
			t.Errorf("start %d: the damage is not reported", run)
		}
		put(t, s, data(10+run))
		s.Close()
	}
}

// TestTornTail cuts the store in the last entry, at every byte, short and as
// never-written space.
func TestTornTail(t *testing.T) {
	pristine := disktest.NewDisk()
	fill(t, pristine, Options{Reserve: -1}, 3)
	const pack = "/v/packs/00000001.pack"
	whole := disktest.Read(t, pristine, pack)
	end := len(whole) - entryHeader - len(data(2))
	for at := end; at < len(whole); at++ {
		for _, zeros := range []int{0, len(whole) - at} {
			if at+zeros == len(whole) && whole[len(whole)-1] == 0 && at == len(whole)-1 {
				continue // nothing torn
			}
			d := disktest.NewDisk()
			d.MkdirAll("/v/packs", 0o700)
			disktest.Write(t, d, pack, append(bytes.Clone(whole[:at]), make([]byte, zeros)...))
			s, r := open(t, d, small)
			for i := range 2 {
				if got, err := s.Get(crypto.NameOf(data(i)), nil); err != nil || !bytes.Equal(got, data(i)) {
					t.Fatalf("cut at %d: block %d: %v", at, i, err)
				}
			}
			if _, err := s.Get(crypto.NameOf(data(2)), nil); err == nil {
				t.Fatalf("cut at %d: a torn block is served", at)
			}
			if at > end && r.Torn == 0 && len(r.Damage) == 0 {
				t.Fatalf("cut at %d: not reported: %+v", at, r)
			}
			put(t, s, data(2))
			s.Close()
			s, _ = open(t, d, small)
			if s.Stats().Blocks != 3 {
				t.Fatalf("cut at %d: not healed", at)
			}
			s.Close()
		}
	}
}

func TestMissingAndShortPacks(t *testing.T) {
	const n = 25
	for _, how := range []string{"remove", "remove last", "cut", "cut last"} {
		d := disktest.NewDisk()
		fill(t, d, small, n)
		s, r := open(t, d, small)
		pack := packName("/v/packs", 2)
		if how == "remove last" || how == "cut last" {
			pack = packName("/v/packs", uint32(r.Packs))
		}
		s.Close()
		if how[0] == 'r' {
			d.Remove(pack)
		} else {
			disktest.Cut(t, d, pack, packHeader+entryHeader+1)
		}
		for range 2 { // the second time it must still be said
			s, r = open(t, d, small)
			if len(r.Damage) == 0 {
				t.Errorf("%s: not reported", how)
			}
			lost := 0
			for i := range n {
				_, err := s.Get(crypto.NameOf(data(i)), nil)
				if errors.Is(err, ErrNotFound) {
					t.Errorf("%s: block %d is gone in silence", how, i)
				} else if err != nil {
					lost++
				}
			}
			if lost == 0 || lost == n {
				t.Errorf("%s: %d blocks lost", how, lost)
			}
			s.Close()
		}
	}
}

// TestEntryInsideABlock: a sender who hides an entry in a block must not see
// it come to life when a scan looks for the next entry after damage.
func TestEntryInsideABlock(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	victim := data(1)
	put(t, s, victim)
	evil := []byte("front")
	for _, sync := range []syncWord{{}, {'T'}} {
		evil = appendEntryHeader(evil, sync, kindDeletion, crypto.NameOf(victim), 0)
	}
	put(t, s, evil)
	put(t, s, data(2))
	off := int64(s.at[crypto.NameOf(evil)].off)
	s.Close()
	d.Remove("/v/packs/locations")
	disktest.Flip(t, d, "/v/packs/00000001.pack", 8*(off+20))
	s, _ = open(t, d, small)
	if !s.Has(crypto.NameOf(victim)) || !s.Has(crypto.NameOf(data(2))) {
		t.Error("a deletion hidden in a block was obeyed")
	}
	s.Close()
}

func TestNewerVersionIsRefused(t *testing.T) {
	d := disktest.NewDisk()
	d.MkdirAll("/v/packs", 0o700)
	b := encodePackHeader(1, syncWord{1})
	b[11]++
	copy(b[24:], appendCRC(b[:24])[24:])
	disktest.Write(t, d, "/v/packs/00000001.pack", b)
	if _, _, err := Open(d, "/v/packs", small); !errors.Is(err, errVersion) {
		t.Errorf("got %v", err)
	}
}

// TestKill kills a process that puts, five times.
func TestKill(t *testing.T) {
	if dir := disktest.ChildDir(); dir != "" {
		s, r, err := Open(disk.OS, dir, Options{PackSize: 1 << 20, Reserve: -1})
		if err != nil || len(r.Damage) > 0 {
			t.Fatal(err, r)
		}
		for i := r.Blocks; ; i++ {
			put(t, s, data(i))
			if i%3 == 0 {
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
				fmt.Println(i)
			}
		}
	}
	dir := t.TempDir()
	for run := range 5 {
		lines := disktest.StartChild(t, "TestKill", dir).Kill(t, 20+13*run)
		last, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil {
			t.Fatal(err)
		}
		s, r, err := Open(disk.OS, dir, Options{PackSize: 1 << 20, Reserve: -1})
		if err != nil || len(r.Damage) > 0 {
			t.Fatal(err, r)
		}
		for i := range last + 1 {
			if got, err := s.Get(crypto.NameOf(data(i)), nil); err != nil || !bytes.Equal(got, data(i)) {
				t.Fatalf("run %d: acknowledged block %d of %d: %v (%+v)", run, i, last, err, r)
			}
		}
		t.Logf("run %d: %d blocks acknowledged, %d found, %d torn bytes", run, last+1, r.Blocks, r.Torn)
		s.Close()
	}
}

func FuzzPackScan(f *testing.F) {
	d := disktest.NewDisk()
	fill(f, d, Options{Reserve: -1}, 3)
	f.Add(disktest.Read(f, d, "/v/packs/00000001.pack"))
	f.Add([]byte(packMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := disktest.NewDisk()
		d.MkdirAll("/v/packs", 0o700)
		disktest.Write(t, d, "/v/packs/00000001.pack", b)
		s, _, err := Open(d, "/v/packs", small)
		if err != nil {
			return
		}
		for name := range s.Names() {
			if got, err := s.Get(name, nil); err == nil && crypto.NameOf(got) != name {
				t.Fatal("a wrong answer")
			}
		}
		put(t, s, []byte("one more"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzCursor: only what was written is read.
func FuzzCursor(f *testing.F) {
	f.Add(Cursor{3, 12345}.String())
	f.Add("0:0:00000000")
	f.Fuzz(func(t *testing.T, text string) {
		var c Cursor
		if err := c.UnmarshalText([]byte(text)); err == nil && (c.String() != text || c.Offset < 0) {
			t.Fatalf("%q is read as %v", text, c)
		}
	})
}

func FuzzLocations(f *testing.F) {
	d := disktest.NewDisk()
	fill(f, d, small, 9)
	f.Add(disktest.Read(f, d, "/v/packs/locations"))
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeTable(b)
		if len(b) < 32 { // with a right checksum the rest is reached too
			return
		}
		table, err := decodeTable(appendSum(b[:len(b)-32]))
		if err != nil {
			return
		}
		for name, p := range table.at {
			if p.end() > table.packs[p.pack] {
				t.Fatalf("block %v outside its pack", name)
			}
		}
	})
}

// TestGetToSend: a large block is hashed once in each process, a small one each
// time, and all again when somebody doubts what came.
func TestGetToSend(t *testing.T) {
	d := disktest.NewDisk()
	opt := Options{Reserve: -1}
	large, little := bytes.Repeat([]byte("large"), 40_000), []byte("little")
	s, _ := open(t, d, opt)
	put(t, s, little)
	put(t, s, large)
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	rot := func() {
		disktest.Flip(t, d, "/v/packs/00000001.pack", 8*(packHeader+entryHeader)+3)
		disktest.Flip(t, d, "/v/packs/00000001.pack", int64(8*(packHeader+2*entryHeader+len(little))+3))
	}
	send := func(b []byte) ([]byte, error) { return s.GetToSend(crypto.NameOf(b), nil) }
	rot()
	if got, err := send(large); err != nil || bytes.Equal(got, large) {
		t.Errorf("a block that was hashed on its way in is hashed again (%v)", err)
	}
	if _, err := send(little); !errors.As(err, new(*DamagedError)) {
		t.Errorf("a small block that rotted: %v", err)
	}
	s.HashAgain()
	if _, err := send(large); !errors.As(err, new(*DamagedError)) {
		t.Errorf("a doubted block that rotted: %v", err)
	}
	rot()
	s.Close()
	s, _ = open(t, d, opt)
	defer func() { s.Close() }()
	if got, err := send(large); err != nil || !bytes.Equal(got, large) {
		t.Fatalf("after opening: %v", err)
	}
	rot()
	if _, err := send(large); err != nil {
		t.Errorf("a block that was hashed on its way out is hashed again: %v", err)
	}
	s.Close()
	s, _ = open(t, d, opt)
	if _, err := send(large); !errors.As(err, new(*DamagedError)) {
		t.Errorf("a block that rotted before the store was opened: %v", err)
	}
}

// TestHashedMarks: a mark is for one block in one place.
func TestHashedMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, marked := hashed{}, map[place]bool{}
		var all []place
		for pack := range uint32(2) {
			for off := uint32(packHeader); off < 1<<24; {
				p := place{pack, off, rapid.Uint32Range(1, crypto.MaxBlock).Draw(t, "size")}
				all = append(all, p)
				off = uint32(p.end())
			}
		}
		for _, p := range all {
			if rapid.Bool().Draw(t, "mark") {
				h.add(p)
				marked[p] = p.size >= hashedGrain
			}
		}
		for _, p := range all {
			if h.has(p) != marked[p] {
				t.Fatalf("%+v is marked: %v", p, h.has(p))
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

var small = Options{PackSize: 4096, Reserve: -1, MaxHandles: 3}

// data makes the n-th block, of any size up to 2,000 bytes.
func data(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	b := make([]byte, rng.IntN(2000))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return fmt.Appendf(b, "%d", n)
}

func open(t rapid.TB, fsys disk.FS, opt Options) (*Store, *Report) {
	t.Helper()
	s, r, err := Open(fsys, "/v/packs", opt)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func put(t rapid.TB, s *Store, b []byte) {
	t.Helper()
	if _, err := s.Put(context.Background(), crypto.NameOf(b), b); err != nil {
		t.Fatal(err)
	}
}

// fill puts blocks 0 … n-1 and closes.
func fill(t rapid.TB, fsys disk.FS, opt Options, n int) {
	t.Helper()
	s, _ := open(t, fsys, opt)
	for i := range n {
		put(t, s, data(i))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRandomAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := disktest.NewDisk()
		s, _ := open(t, d, small)
		model := map[crypto.BlockName][]byte{}
		pick := func() []byte { return data(rapid.IntRange(0, 40).Draw(t, "n")) }
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				b := pick()
				_, had := model[crypto.NameOf(b)]
				added, err := s.Put(t.Context(), crypto.NameOf(b), b)
				if err != nil || added == had {
					t.Fatalf("added %v, had %v, %v", added, had, err)
				}
				model[crypto.NameOf(b)] = b
			},
			"delete": func(t *rapid.T) {
				name := crypto.NameOf(pick())
				if err := s.Delete(name); err != nil {
					t.Fatal(err)
				}
				delete(model, name)
			},
			"get": func(t *rapid.T) {
				name := crypto.NameOf(pick())
				got, err := s.Get(name, []byte("front"))
				want, had := model[name]
				if had && (err != nil || !bytes.Equal(got, append([]byte("front"), want...))) || !had && !errors.Is(err, ErrNotFound) {
					t.Fatalf("had %v: %v", had, err)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if rapid.Bool().Draw(t, "without locations") {
					d.Remove("/v/packs/locations")
				}
				var r *Report
				s, r = open(t, d, small)
				if len(r.Damage) > 0 || r.Torn > 0 {
					t.Fatalf("after a clean close: %+v", r)
				}
			},
			"": func(t *rapid.T) {
				if st := s.Stats(); st.Blocks != len(model) {
					t.Fatalf("%d blocks, want %d", st.Blocks, len(model))
				}
				n := 0
				for name, listed := range s.Names() {
					if size, ok := s.Size(name); !ok || size != len(model[name]) || listed != size {
						t.Fatalf("size %d, listed %d, %v", size, listed, ok)
					}
					n++
				}
				if n != len(model) {
					t.Fatalf("%d names, want %d", n, len(model))
				}
			},
		})
		if found, err := s.Check(t.Context(), nil); err != nil || len(found) > 0 {
			t.Fatalf("check: %v %v", found, err)
		}
	})
}

func TestPutRefuses(t *testing.T) {
	s, _ := open(t, disktest.NewDisk(), small)
	if _, err := s.Put(t.Context(), crypto.BlockName{1}, data(1)); !errors.Is(err, ErrWrongName) {
		t.Errorf("wrong name: %v", err)
	}
	big := make([]byte, crypto.MaxBlock+1)
	if _, err := s.Put(t.Context(), crypto.NameOf(big), big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, _, err := s.Add(t.Context(), big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for _, want := range []bool{true, false} {
		if name, added, err := s.Add(t.Context(), big[1:]); err != nil || added != want || name != crypto.NameOf(big[1:]) {
			t.Errorf("add: %v, want %v: %v", added, want, err)
		}
	}
	put(t, s, nil)
	if got, err := s.Get(crypto.NameOf(nil), nil); err != nil || len(got) != 0 {
		t.Errorf("empty block: %v %v", got, err)
	}
	s.Close()
	if _, err := s.Put(t.Context(), crypto.NameOf(data(1)), data(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("put after close: %v", err)
	}
	if _, err := s.Get(crypto.NameOf(nil), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("get after close: %v", err)
	}
}

// What is put as hashed is not hashed again; if it was not what its name says,
// it is never given out.
func TestPutHashed(t *testing.T) {
	s, _ := open(t, disktest.NewDisk(), small)
	name := crypto.NameOf(data(1))
	for _, want := range []bool{true, false} {
		if added, err := s.PutHashed(t.Context(), name, data(1)); err != nil || added != want {
			t.Errorf("added %v, %v; want %v", added, err, want)
		}
	}
	if got, err := s.Get(name, nil); err != nil || !bytes.Equal(got, data(1)) {
		t.Errorf("read back: %d bytes, %v", len(got), err)
	}
	if _, err := s.PutHashed(t.Context(), crypto.BlockName{1}, data(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(crypto.BlockName{1}, nil); !errors.As(err, new(*DamagedError)) {
		t.Errorf("another block's bytes are read: %v", err)
	}
}

// TestEachFailure lets each change of the disk fail in turn. What a Sync
// acknowledged must be there after reopening, and after a power cut too.
func TestEachFailure(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		below := func() disk.FS { return disktest.NewDisk() }
		runs := 0
		disktest.EachFailure(cause, below, func(n int, fsys *disktest.Faulty) {
			runs++
			acked, refused := failingRun(t, fsys)
			if fsys.Hit() != "" && refused != nil && !errors.Is(refused, cause) {
				t.Fatalf("%s failed, the store said %v", fsys.Hit(), refused)
			}
			d := fsys.FS.(*disktest.Disk)
			for seed := range uint64(4) {
				verify(t, d.Crash(rand.New(rand.NewPCG(seed, uint64(n)))), acked, fsys.Hit())
			}
			verify(t, d, acked, fsys.Hit())
			if _, r := open(t, d, small); strings.HasPrefix(fsys.Hit(), "write") && len(r.Damage) > 0 {
				t.Fatalf("%s failed and left damage: %v", fsys.Hit(), r.Damage)
			}
		})
		if runs < 50 {
			t.Errorf("only %d changes of the disk: the test is too small", runs)
		}
	}
}

// failingRun puts and deletes and returns what was acknowledged (false: the
// deletion was), and the first error.
func failingRun(t *testing.T, fsys disk.FS) (acked map[int]bool, refused error) {
	acked = map[int]bool{}
	s, _, err := Open(fsys, "/v/packs", small)
	if err != nil {
		return acked, err
	}
	note := func(err error) bool {
		if err != nil && refused == nil {
			refused = err
		}
		return err == nil
	}
	for i := range 20 {
		_, err := s.Put(t.Context(), crypto.NameOf(data(i)), data(i))
		stored := note(err)
		deleted := false
		if i%5 == 4 {
			delete(acked, i-1) // in doubt until the sync
			deleted = note(s.Delete(crypto.NameOf(data(i - 1))))
		}
		if !note(s.Sync()) {
			continue
		}
		if stored {
			acked[i] = true
		}
		if deleted {
			acked[i-1] = false
		}
	}
	note(s.Close())
	return acked, refused
}

func verify(t *testing.T, fsys disk.FS, acked map[int]bool, hint string) {
	t.Helper()
	s, r, err := Open(fsys, "/v/packs", small)
	if err != nil {
		t.Fatalf("after %q: %v", hint, err)
	}
	defer s.Close()
	for n, there := range acked {
		got, err := s.Get(crypto.NameOf(data(n)), nil)
		if there && (err != nil || !bytes.Equal(got, data(n))) {
			t.Fatalf("after %q: acknowledged block %d is lost: %v (%+v)", hint, n, err, r)
		}
		if !there && !errors.Is(err, ErrNotFound) {
			t.Fatalf("after %q: deleted block %d is back: %v", hint, n, err)
		}
	}
	// The store must also work on, and keep what it takes now.
	put(t, s, []byte("afterwards"))
	if err := s.Sync(); err != nil {
		t.Fatalf("after %q: %v", hint, err)
	}
}

func TestPowerCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for run := range 300 {
		d := disktest.NewDisk()
		s, _ := open(t, d, small)
		acked := map[int]bool{}
		for i := range rng.IntN(20) {
			put(t, s, data(i))
			if rng.IntN(3) == 0 {
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
				for k := range i + 1 {
					acked[k] = true
				}
			}
		}
		verify(t, d.Crash(rng), acked, fmt.Sprintf("run %d", run))
	}
}

// TestKillThenPowerCut: a process is killed with a block not yet synced, and
// the next one finds it. Whoever puts it again and syncs relies on it.
func TestKillThenPowerCut(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, small)
	put(t, s, data(1)) // and no Close
	s, _ = open(t, d, small)
	put(t, s, data(1))
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		verify(t, d.Crash(rand.New(rand.NewPCG(seed, 8))), map[int]bool{1: true}, "kill")
	}
}

func TestDiskFull(t *testing.T) {
	d := disktest.NewDisk()
	s, _ := open(t, d, Options{PackSize: 1 << 16, Reserve: 20_000})
	d.SetRoom(100_000)
	n, full := 0, error(nil)
	for ; full == nil; n++ {
		_, full = s.Put(t.Context(), crypto.NameOf(data(n)), data(n))
	}
	if !disk.IsFull(full) || !errors.Is(full, disk.ErrReserve) {
		t.Fatalf("the disk is full: %v", full)
	}
	if free, _ := d.FreeBytes(""); free < 20_000 {
		t.Errorf("only %d bytes of the reserve are left", free)
	}
	if err := errors.Join(s.Delete(crypto.NameOf(data(0))), s.Sync()); err != nil {
		t.Errorf("deleting on a full disk: %v", err)
	}
	if _, err := s.Get(crypto.NameOf(data(1)), nil); err != nil {
		t.Errorf("reading on a full disk: %v", err)
	}
	d.SetRoom(100) // somebody else took the reserve
	s.opt.Reserve = 0
	if _, err := s.Put(t.Context(), crypto.NameOf(data(n)), data(n)); !disk.IsFull(err) {
		t.Fatalf("no room at all: %v", err)
	}
	d.SetRoom(-1)
	put(t, s, data(n))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, r := open(t, d, small)
	if len(r.Damage) > 0 || r.Torn > 0 || r.Blocks != n-1 {
		t.Errorf("afterwards: %+v, want %d blocks", r, n-1)
	}
	s.Close()
}

// TestSyncFailureBreaks: after a failed fsync nothing is acknowledged any
// more, also not to those who put before.
func TestSyncFailureBreaks(t *testing.T) {
	var fsys *disktest.Faulty
	for n := 1; ; n++ {
		fsys = disktest.Fail(disktest.NewDisk(), n, syscall.EIO)
		s, _, err := Open(fsys, "/v/packs", small)
		if err != nil {
			continue
		}
		if _, err := s.Put(t.Context(), crypto.NameOf(data(1)), data(1)); err != nil {
			continue
		}
		if err := s.Sync(); err == nil {
			t.Fatal("no fsync was reached")
		}
		if err := s.Sync(); !errors.Is(err, ErrBroken) || !errors.Is(err, syscall.EIO) {
			t.Errorf("the second sync: %v", err)
		}
		if _, err := s.Put(t.Context(), crypto.NameOf(data(2)), data(2)); !errors.Is(err, ErrBroken) {
			t.Errorf("put afterwards: %v", err)
		}
		s.Close()
		s, r := open(t, fsys, small)
		if s.Has(crypto.NameOf(data(1))) {
			t.Errorf("a block that the failed fsync left in doubt is believed: %+v", r)
		}
		s.Close()
		return
	}
}

func TestManyGoroutines(t *testing.T) {
	s, _ := open(t, disktest.NewDisk(), small)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 60 {
				b := data((i*7 + g) % 80)
				if _, err := s.Put(t.Context(), crypto.NameOf(b), b); err != nil {
					t.Error(err)
				}
				if got, err := s.Get(crypto.NameOf(b), nil); err != nil || !bytes.Equal(got, b) {
					t.Errorf("get: %v", err)
				}
				if i%10 == g {
					if err := s.Sync(); err != nil {
						t.Error(err)
					}
				}
				if i == 30 && g == 0 {
					if found, err := s.Check(t.Context(), nil); err != nil || len(found) > 0 {
						t.Errorf("check: %v %v", found, err)
					}
				}
				s.Stats()
			}
		})
	}
	wg.Wait()
	if n := s.Stats().Blocks; n != 80 {
		t.Errorf("%d blocks, want 80", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if open := len(s.handles.files); open != 0 {
		t.Errorf("%d files left open", open)
	}
}

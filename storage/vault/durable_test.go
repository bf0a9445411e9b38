// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// inMemory is a vault on a disk whose power can be cut, with one data set.
func inMemory(t *testing.T) (v *Vault, d *disktest.Disk, src string, r AddResult) {
	t.Helper()
	d = disktest.NewDisk()
	opt := testOptions()
	opt.FS = d
	k, _ := newRing(t)
	v, err := Create(home, k, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	src = t.TempDir()
	write(t, src, "a", "content")
	write(t, src, "folder/b", "more content")
	return v, d, src, mustAdd(t, v, "x", src)
}

// afterCuts opens what power cuts leave of the disk.
func afterCuts(t *testing.T, d *disktest.Disk, look func(v *Vault)) {
	t.Helper()
	for seed := range uint64(12) {
		opt := testOptions()
		opt.FS = d.Crash(rand.New(rand.NewPCG(seed, 1)))
		v, _, err := Open(home, crypto.Passphrase([]byte(passphrase)), opt)
		if err != nil {
			t.Fatalf("power cut %d: %v", seed, err)
		}
		look(v)
		v.Close()
		if t.Failed() {
			t.Fatalf("that was power cut %d", seed)
		}
	}
}

// lose takes blocks away, as damage does, durably.
func lose(t *testing.T, v *Vault, lost ...crypto.BlockName) {
	t.Helper()
	for _, name := range lost {
		if err := v.store.Delete(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.store.Sync(); err != nil {
		t.Fatal(err)
	}
}

// An Add that makes no version heals what was lost, and that lasts.
func TestPowerCutAfterHealing(t *testing.T) {
	v, d, src, r := inMemory(t)
	lose(t, v, blocksOf(t, v, r.Head)["a"][0].Name)
	if r := mustAdd(t, v, "x", src); !r.Unchanged {
		t.Fatalf("it made a version: %+v", r)
	}
	afterCuts(t, d, func(v *Vault) { sameTree(t, v, r, src) })
}

// So does an object that is put again as it was.
func TestPowerCutAfterHealingAnObject(t *testing.T) {
	v, d, _, _ := inMemory(t)
	content := []byte("the rows of March")
	request := PutRequest{Target: Target{Name: "rows", Kind: storage.KindRecords}, Put: []Object{{Path: "rows/0", Content: content}}}
	r, err := v.Put(bg, request)
	if err != nil {
		t.Fatal(err)
	}
	request.Target = Target{Dataset: r.Dataset.DID}
	lose(t, v, blocksOf(t, v, r.Head)["rows/0"][0].Name)
	if r, err := v.Put(bg, request); err != nil || !r.Unchanged {
		t.Fatalf("it made a version: %+v, %v", r, err)
	}
	afterCuts(t, d, func(v *Vault) {
		if got, err := v.Object(bg, r.Dataset.DID, 0, "rows/0"); err != nil || string(got) != string(content) {
			t.Errorf("what was put again: %q, %v", got, err)
		}
	})
}

func sameTree(t *testing.T, v *Vault, r AddResult, src string) {
	t.Helper()
	got, err := exported(v, r.Dataset.DID, r.Head)
	if diff := cmp.Diff(tree(t, src), got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// Blocks that came back from elsewhere stay.
func TestPowerCutAfterRefill(t *testing.T) {
	v, d, src, r := inMemory(t)
	from := heapOf(t, v, contentOf(t, v, r.Dataset.DID, 0))
	for name := range from {
		lose(t, v, name)
	}
	if list, err := v.Refill(bg, from, func(int64) {}); err != nil || len(list) != 1 {
		t.Fatalf("refilled: %+v, %v", list, err)
	}
	afterCuts(t, d, func(v *Vault) { sameTree(t, v, r, src) })
}

// A view that was cut again because it was damaged is not damaged again.
func TestPowerCutAfterMendingAView(t *testing.T) {
	v, d, _, r := inMemory(t)
	view := View{Paths: []string{"folder/"}}
	h, err := v.ViewHead(bg, r.Dataset.DID, view)
	if err != nil {
		t.Fatal(err)
	}
	rotBlock(t, v, d, h.Root.Name)
	if bad, err := v.Check(bg, nil); err != nil || len(bad) == 0 {
		t.Fatalf("%+v, %v", bad, err)
	}
	if h, err = v.ViewHead(bg, r.Dataset.DID, view); err != nil {
		t.Fatal(err)
	}
	afterCuts(t, d, func(v *Vault) {
		if err := v.complete(bg, h.Head); err != nil {
			t.Error(err)
		}
	})
}

// rotBlock flips a bit of a block, durably.
func rotBlock(t *testing.T, v *Vault, d *disktest.Disk, name crypto.BlockName) {
	t.Helper()
	sealed, err := v.store.Get(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	pack := filepath.Join(home, packsDir, "00000001.pack")
	at := bytes.Index(disktest.Read(t, d, pack), sealed)
	disktest.Flip(t, d, pack, int64(at+len(sealed)/2)*8)
	f, err := d.OpenFile(pack, os.O_RDWR, 0)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The blocks of what was removed, and what was swept, stay dead.
func TestPowerCutAfterDeath(t *testing.T) {
	v, d, _, r := inMemory(t)
	dead := names{}
	if err := v.reach(bg, r.Head, nil, dead); err != nil {
		t.Fatal(err)
	}
	waste := []byte("nobody needs this")
	dead[crypto.NameOf(waste)] = struct{}{}
	if _, _, err := v.store.Add(bg, waste); err != nil {
		t.Fatal(err)
	}
	if err := v.store.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func() error{
		func() error { return v.Remove(bg, r.Dataset.DID) },
		func() error { _, err := v.Sweep(bg, 0); return err },
	} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		afterCuts(t, d, func(after *Vault) {
			for name := range dead {
				if after.store.Has(name) && !v.store.Has(name) {
					t.Errorf("%v is there again", name)
				}
			}
		})
	}
	if v.store.Has(crypto.NameOf(waste)) {
		t.Error("the waste was not swept")
	}
}

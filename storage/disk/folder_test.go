// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestFolders copies a folder with a folder in it, and removes the first, on
// the system's disk and on one in memory. The copy is durable.
func TestFolders(t *testing.T) {
	inMemory := disktest.NewDisk()
	for name, fsys := range map[string]disk.FS{"the system's": disk.OS, "in memory": inMemory} {
		at := filepath.Join(t.TempDir(), "made", "durably")
		from, to := filepath.Join(at, "from"), filepath.Join(at, "to")
		if err := disk.MakeDir(fsys, filepath.Join(from, "below"), 0o700); err != nil {
			t.Fatal(err)
		}
		disktest.Write(t, fsys, filepath.Join(from, "f"), []byte("1"))
		disktest.Write(t, fsys, filepath.Join(from, "below", "g"), []byte("22"))
		if err := disk.CopyDir(fsys, to, from); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := disk.CopyDir(fsys, to, from); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: copied over what is there: %v", name, err)
		}
		if err := disk.RemoveAll(fsys, from); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := disk.RemoveAll(fsys, from); err != nil {
			t.Errorf("%s: removed again: %v", name, err)
		}
		if _, err := fsys.Stat(from); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is still there: %v", name, err)
		}
		after := fsys
		if fsys == inMemory {
			after = inMemory.Crash(rand.New(rand.NewPCG(1, 1)))
		}
		got := string(disktest.Read(t, after, filepath.Join(to, "f"))) + string(disktest.Read(t, after, filepath.Join(to, "below", "g")))
		if got != "122" {
			t.Errorf("%s: the copy holds %q", name, got)
		}
		if err := disk.Cut(fsys, filepath.Join(to, "below", "g"), 1); err != nil || disktest.Size(t, fsys, filepath.Join(to, "below", "g")) != 1 {
			t.Errorf("%s: cut: %v", name, err)
		}
		if fsys == inMemory {
			for seed := range uint64(20) {
				cut := inMemory.Crash(rand.New(rand.NewPCG(seed, 2)))
				if size := disktest.Size(t, cut, filepath.Join(to, "below", "g")); size != 1 {
					t.Errorf("a cut that was acknowledged is undone: %d bytes", size)
				}
			}
		}
	}
}

// TestCopyFiles copies some files of a folder, durably.
func TestCopyFiles(t *testing.T) {
	for seed := range uint64(20) {
		d := disktest.NewDisk()
		if err := disk.MakeDir(d, "/from", 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b", "c"} {
			disktest.Write(t, d, "/from/"+name, []byte(name+name))
		}
		if bytes, err := disk.CopyFiles(d, "/to", "/from", []string{"a", "c"}); err != nil || bytes != 4 {
			t.Fatalf("%d bytes, %v", bytes, err)
		}
		if _, err := disk.CopyFiles(d, "/to", "/from", []string{"b"}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("copied over what is there: %v", err)
		}
		after := d.Crash(rand.New(rand.NewPCG(seed, 3)))
		list, err := after.ReadDir("/to")
		if err != nil || len(list) != 2 || string(disktest.Read(t, after, "/to/a"))+string(disktest.Read(t, after, "/to/c")) != "aacc" {
			t.Errorf("after a power cut the copy holds %v, %v", list, err)
		}
	}
}

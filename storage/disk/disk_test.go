// SPDX-License-Identifier: Apache-2.0

package disk_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

func TestWriteFileAtomicOldOrNew(t *testing.T) {
	old, fresh := strings.Repeat("old", 1000), strings.Repeat("new", 999)
	below := func() disk.FS {
		d := disktest.NewDisk()
		if err := disk.MakeDir(d, "/v", 0o700); err != nil {
			t.Fatal(err)
		}
		disktest.Write(t, d, "/v/f", []byte(old))
		return d
	}
	disktest.EachFailure(syscall.EIO, below, func(n int, fsys *disktest.Faulty) {
		err := disk.WriteFileAtomic(fsys, "/v/f", []byte(fresh), 0o600)
		if (err != nil) != (fsys.Hit() != "") {
			t.Fatalf("change %d (%s) failed, the call said %v", n, fsys.Hit(), err)
		}
		if err != nil && !errors.Is(err, syscall.EIO) {
			t.Fatalf("change %d: %v does not wrap the cause", n, err)
		}
		got := string(disktest.Read(t, fsys.FS, "/v/f"))
		if got != fresh && (err == nil || got != old) {
			t.Fatalf("change %d: the file is neither old nor new: %.20q", n, got)
		}
		for seed := range uint64(50) {
			after := fsys.FS.(*disktest.Disk).Crash(rand.New(rand.NewPCG(seed, 1)))
			got := string(disktest.Read(t, after, "/v/f"))
			if got != fresh && (err == nil || got != old) {
				t.Fatalf("change %d, power cut %d: the file is %.20q, the call said %v", n, seed, got, err)
			}
		}
	})
}

func TestOSWritesAndSyncs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for _, want := range []string{"one", "another"} {
		if err := disk.WriteFileAtomic(disk.OS, name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := string(disktest.Read(t, disk.OS, name)); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if _, err := os.Stat(name + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file was left behind: %v", err)
	}
	if _, err := disk.ReadFile(disk.OS, name, 3); err == nil {
		t.Error("a file longer than the limit was read")
	}
	if free, err := disk.OS.FreeBytes(filepath.Dir(name)); err != nil || free == 0 {
		t.Errorf("FreeBytes = %d, %v", free, err)
	}
}

// TestPlanted: whatever somebody puts where the temporary file goes, nothing is
// written through it, and the file is a new one of ours; and what is no file is
// not read, nor waited for.
func TestPlanted(t *testing.T) {
	dir := t.TempDir()
	name, victim := filepath.Join(dir, "f"), filepath.Join(dir, "victim")
	disktest.Write(t, disk.OS, victim, []byte("precious"))
	for what, plant := range map[string]func(at string) error{
		"a link":           func(at string) error { return os.Symlink(victim, at) },
		"a link to naught": func(at string) error { return os.Symlink(filepath.Join(dir, "naught"), at) },
		"a hard link":      func(at string) error { return os.Link(victim, at) },
		"a pipe":           func(at string) error { return syscall.Mkfifo(at, 0o666) },
		"an open file":     func(at string) error { return errors.Join(os.WriteFile(at, nil, 0o666), os.Chmod(at, 0o666)) },
		"a folder":         func(at string) error { return os.Mkdir(at, 0o777) },
	} {
		if err := plant(name + ".new"); err != nil {
			t.Fatal(err)
		}
		if err := disk.WriteFileAtomic(disk.OS, name, []byte("secret"), 0o600); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		info, err := os.Lstat(name)
		if err != nil || info.Mode() != 0o600 || string(disktest.Read(t, disk.OS, name)) != "secret" {
			t.Errorf("%s: the file is %v (%v)", what, info.Mode(), err)
		}
		if got := string(disktest.Read(t, disk.OS, victim)); got != "precious" {
			t.Fatalf("%s: the victim holds %q", what, got)
		}
		if err := plant(filepath.Join(dir, what)); err != nil {
			t.Fatal(err)
		}
		_, err = disk.ReadPlain(disk.OS, filepath.Join(dir, what), 100)
		if file := what == "a hard link" || what == "an open file"; errors.Is(err, disk.ErrNoFile) == file || file && err != nil {
			t.Errorf("%s is read: %v", what, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "naught")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made through a link: %v", err)
	}
	if _, err := disk.ReadPlain(disk.OS, victim, 3); err == nil {
		t.Error("a file longer than the limit was read")
	}
	if _, err := disk.ReadPlain(disk.OS, name+"none", 3); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestOSSyncsForReal asks for the fsync of something that has none: the system
// refuses, which it could not if nobody had asked.
func TestOSSyncsForReal(t *testing.T) {
	f, err := disk.OS.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("fsync of %s: %v", os.DevNull, err)
	}
	if err := disk.OS.SyncDir(os.DevNull); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("fsync of %s as a folder: %v", os.DevNull, err)
	}
}

func TestIsFull(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.ENOSPC: true, syscall.EDQUOT: true, disk.ErrReserve: true, syscall.EIO: false, nil: false,
	} {
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if disk.IsFull(err) != want {
			t.Errorf("IsFull(%v) = %v", err, !want)
		}
	}
}

// TestLockKeepsAnotherProcessOut asks for the lock from a second process.
func TestLockKeepsAnotherProcessOut(t *testing.T) {
	if dir := disktest.ChildDir(); dir != "" {
		_, err := disk.OS.Lock(dir)
		var held *disk.LockedError
		if !errors.As(err, &held) {
			fmt.Printf("got the lock: %v\n", err)
			return
		}
		fmt.Printf("held by %d\n", held.PID)
		return
	}
	dir := t.TempDir()
	ask := func() string { return disktest.StartChild(t, t.Name(), dir).Kill(t, 1)[0] }
	lock, err := disk.OS.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ask(), fmt.Sprintf("held by %d", os.Getpid()); got != want {
		t.Errorf("another process: %q, want %q", got, want)
	}
	if _, err := disk.OS.Lock(dir); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("the same process, again: %v", err)
	}
	lock.Close()
	if got := ask(); got != "got the lock: <nil>" {
		t.Errorf("after Close, another process: %q", got)
	}
}

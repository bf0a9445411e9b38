// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/traboule/traboule/storage/disk"
)

// Causes are the errors that a campaign lets a disk fail with.
var Causes = []error{syscall.EIO, syscall.ENOSPC, syscall.EINTR, io.ErrShortWrite}

// Faulty is a file system that fails: see [Fail] and [FailFrom]. All else
// passes through to the one below.
type Faulty struct {
	disk.FS

	mu   sync.Mutex
	left int
	made int // changes since Arm
	err  error
	on   bool // and all changes after it
	hit  string
}

// Fail returns a file system whose n-th change (creating, writing, truncating,
// syncing, renaming, removing, making or syncing a folder), counted from 1,
// fails with err. A write that fails has written half of its bytes. What comes
// after works again. With n = 0 nothing fails. Of io.ErrShortWrite only writes
// fail, and only they are counted.
func Fail(below disk.FS, n int, err error) *Faulty {
	return &Faulty{FS: below, left: n, err: err}
}

// FailFrom is [Fail] with all changes failing from the n-th on, until
// [Faulty.Mend].
func FailFrom(below disk.FS, n int, err error) *Faulty {
	return &Faulty{FS: below, left: n, err: err, on: true}
}

// Arm lets the n-th change from now on fail.
func (f *Faulty) Arm(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.made, f.hit = n, 0, ""
}

// Changes says how many changes were asked for since [Faulty.Arm].
func (f *Faulty) Changes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// Mend ends all failing.
func (f *Faulty) Mend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.on = 0, false
}

// Hit says which change failed, as "sync packs/00000001.pack", or "" when the
// n-th change has not been asked for yet.
func (f *Faulty) Hit() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// EachFailure calls run with a file system that fails at the first change, at
// the second, and so on, until a run has made fewer changes than that.
func EachFailure(err error, below func() disk.FS, run func(n int, fsys *Faulty)) {
	for n := 1; ; n++ {
		f := Fail(below(), n, err)
		run(n, f)
		if f.Hit() == "" {
			return
		}
	}
}

func (f *Faulty) change(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == io.ErrShortWrite && op != "write" {
		return nil
	}
	f.made++
	if f.left--; f.left > 0 || f.left < 0 && (!f.on || f.hit == "") {
		return nil
	}
	if f.hit == "" {
		f.hit = op + " " + name
	}
	return fmt.Errorf("%s %s: %w", op, name, f.err)
}

// OpenFile counts as a change when it may create or truncate.
func (f *Faulty) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		if err := f.change("create", name); err != nil {
			return nil, err
		}
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

// Rename may fail.
func (f *Faulty) Rename(old, new string) error {
	if err := f.change("rename", old); err != nil {
		return err
	}
	return f.FS.Rename(old, new)
}

// Remove may fail.
func (f *Faulty) Remove(name string) error {
	if err := f.change("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// MkdirAll may fail.
func (f *Faulty) MkdirAll(name string, perm fs.FileMode) error {
	if err := f.change("mkdir", name); err != nil {
		return err
	}
	return f.FS.MkdirAll(name, perm)
}

// SyncDir may fail.
func (f *Faulty) SyncDir(name string) error {
	if err := f.change("syncdir", name); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

type faultyFile struct {
	disk.File
	fs *Faulty
}

func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.fs.change("write", f.Name()); err != nil {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, err
	}
	return f.File.Write(b)
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.fs.change("write", f.Name()); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/2], off)
		return n, err
	}
	return f.File.WriteAt(b, off)
}

func (f *faultyFile) Sync() error {
	if err := f.fs.change("sync", f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.fs.change("truncate", f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// SPDX-License-Identifier: Apache-2.0

// Package disk is the one small door between the stores and the file system,
// so that a failing, forgetful or recording file system can stand in for the
// real one (package disktest has them).
//
// It knows how to make a file or a name durable, how much room is left and how
// to keep a second process out. It does not know what is in the files, and it
// retries nothing: after a failed fsync nobody can tell what the disk holds,
// so the store that asked has to stop, or to take back what it wrote and look.
//
// The way in is [OS], handed to a store's Open as its [FS].
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// FS is what a store asks of a file system. Names are paths in the operating
// system's form; errors keep what the system said (errors.Is with
// fs.ErrNotExist, syscall.ENOSPC …). Many goroutines may call it.
type FS interface {
	// OpenFile opens as os.OpenFile does, with the same flags.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename replaces new, in one step. It is durable after SyncDir.
	Rename(old, new string) error
	// Remove deletes one file or empty folder. It is durable after SyncDir.
	Remove(name string) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// MkdirAll makes a folder and those above it.
	MkdirAll(name string, perm fs.FileMode) error
	// Stat describes a file.
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(name string) error
	// FreeBytes says how much room is left for this process around a folder.
	FreeBytes(dir string) (uint64, error)
	// Lock takes a folder for this process until the closer is closed or the
	// process ends, however it ends. When it is taken the error is one that
	// errors.Is finds to be [ErrLocked].
	Lock(dir string) (io.Closer, error)
	// Native tells whether the names are the operating system's, so that a
	// library that opens its files by itself finds the same ones.
	Native() bool
}

// File is one open file of an [FS]. ReadAt and WriteAt may be called by many
// goroutines; the other methods by one.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Seeker
	io.Closer
	// Sync makes what was written durable. After an error nobody knows what
	// is on the disk, and a second Sync may falsely succeed.
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	Name() string
}

// ErrReserve is returned by a store that would have to take the room it keeps
// free for revoking and deleting. [IsFull] recognises it.
var ErrReserve = errors.New("the disk is full but for the reserve")

// IsFull tells whether an error means that there is no room: no space left,
// the quota is used up, or only the reserve is left.
func IsFull(err error) bool {
	return errors.Is(err, ErrReserve) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// WriteFileAtomic is [WriteAtomic] of bytes.
func WriteFileAtomic(fsys FS, name string, data []byte, perm fs.FileMode) error {
	return WriteAtomic(fsys, name, perm, func(f File) error {
		_, err := f.Write(data)
		return err
	})
}

// WriteAtomic gives the file the content that write writes, durably, in one
// step: whatever happens, the name holds the old content or the new, whole. It
// has write fill name+".new", fsyncs that, renames it and fsyncs the folder. What
// lies at name+".new" already, be it a link, a pipe or somebody else's file, is
// removed and never written to.
// When it fails after the rename the new content may or may not be durable. Two
// goroutines must not write the same name at once.
func WriteAtomic(fsys FS, name string, perm fs.FileMode, write func(File) error) error {
	fresh := name + ".new"
	err := writeSynced(fsys, fresh, perm, write)
	if err == nil {
		err = fsys.Rename(fresh, name)
	}
	if err != nil {
		fsys.Remove(fresh)
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeSynced(fsys FS, name string, perm fs.FileMode, write func(File) error) error {
	f, err := fsys.OpenFile(name, createNew, perm)
	if errors.Is(err, fs.ErrExist) { // left by a crash, or planted
		if err = fsys.Remove(name); err == nil {
			f, err = fsys.OpenFile(name, createNew, perm)
		}
	}
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadFile reads a whole file of at most limit bytes; a longer one is refused.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, readOnly, 0)
	if err != nil {
		return nil, err
	}
	return readAll(f, name, limit)
}

// ErrNoFile is returned by [ReadPlain] for what is no file.
var ErrNoFile = errors.New("not a file")

// ReadPlain is [ReadFile] of a name that others may have taken for something
// else, such as a link, a folder, or a pipe that nobody ever writes to.
func ReadPlain(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, openAsIs, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("read %s: %w: %w", name, ErrNoFile, err)
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, ErrNoFile), err)
	}
	return readAll(f, name, limit)
}

func readAll(f File, name string, limit int64) ([]byte, error) {
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: longer than %d bytes", name, limit)
	}
	return b, nil
}

// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	createOnly = os.O_CREATE | os.O_TRUNC | os.O_WRONLY
	createNew  = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	openAsIs   = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	readOnly   = os.O_RDONLY
	readWrite  = os.O_RDWR
)

// OS is the computer's own file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFS) Rename(old, new string) error                 { return os.Rename(old, new) }
func (osFS) Remove(name string) error                     { return os.Remove(name) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }
func (osFS) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (osFS) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (osFS) Native() bool                                 { return true }

func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// FreeBytes does not count what the system keeps for root.
func (osFS) FreeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("room left around %s: %w", dir, err)
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}

// ErrLocked means that another process has the folder. The error of [OS]'s
// Lock is a *[LockedError], which says which one.
var ErrLocked = errors.New("another process has it open")

// LockedError names the process that holds a folder.
type LockedError struct {
	Dir string
	PID int // 0 when the other process did not say
}

// Error says who holds the folder.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("lock %s: %v", e.Dir, ErrLocked)
	}
	return fmt.Sprintf("lock %s: %v (process %d)", e.Dir, ErrLocked, e.PID)
}

// Unwrap returns [ErrLocked].
func (e *LockedError) Unwrap() error { return ErrLocked }

// Lock keeps a file named "lock" in the folder with the process number in it.
func (osFS) Lock(dir string) (io.Closer, error) {
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, &LockedError{Dir: dir, PID: readPID(f)}
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

func readPID(r io.Reader) int {
	b, _ := io.ReadAll(io.LimitReader(r, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// A full disk must not keep the node from starting: an unwritten process
// number is only a poorer message.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil && !IsFull(err) {
		return err
	}
	return nil
}

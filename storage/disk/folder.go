// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// MakeDir makes a folder and those above it, durably: each new name is synced
// in the folder that it stands in, and dir itself also when it is not new, for
// whoever made it may have been killed before that.
func MakeDir(fsys FS, dir string, perm fs.FileMode) error {
	fresh := []string{filepath.Clean(dir)}
	for at := filepath.Dir(fresh[0]); at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := fsys.Stat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		fresh = append(fresh, at)
	}
	if err := fsys.MkdirAll(dir, perm); err != nil {
		return err
	}
	for _, name := range fresh {
		if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAll removes a file, or a folder with all that is in it. That nothing
// is there is no error. It is durable after SyncDir of the folder above; cut
// short it has removed some of it.
func RemoveAll(fsys FS, name string) error {
	info, err := fsys.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		list, err := fsys.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := RemoveAll(fsys, filepath.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}

// CopyDir makes the folder to, which must not be there, a durable copy of the
// folder from with all that is in it.
func CopyDir(fsys FS, to, from string) error {
	if _, err := fsys.Stat(to); err == nil {
		return fmt.Errorf("copy %s: %s: %w", from, to, fs.ErrExist)
	}
	if err := MakeDir(fsys, to, 0o700); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	list, err := fsys.ReadDir(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	for _, e := range list {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if e.IsDir() {
			err = CopyDir(fsys, target, source)
		} else {
			err = copyFile(fsys, target, source)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", source, err)
		}
	}
	return fsys.SyncDir(to)
}

func copyFile(fsys FS, to, from string) error {
	in, err := fsys.OpenFile(from, readOnly, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := fsys.OpenFile(to, createOnly, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{out}, struct{ io.Reader }{in})
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Cut makes a file size bytes long, durably.
func Cut(fsys FS, name string, size int64) error {
	f, err := fsys.OpenFile(name, readWrite, 0)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

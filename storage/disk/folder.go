// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// MakeDir makes a folder and those above it, durably, also where they are not
// new: whoever made them may have been killed before they were durable. A
// folder further up that this process may not open is left to the system.
func MakeDir(fsys FS, dir string, perm fs.FileMode) error {
	if err := fsys.MkdirAll(dir, perm); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := fsys.SyncDir(parent); err != nil {
		return err
	}
	for up := filepath.Dir(parent); up != parent; parent, up = up, filepath.Dir(up) {
		if err := fsys.SyncDir(up); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// UseDir is MakeDir for a folder that stands in a durable one. It does less
// when it is not new.
func UseDir(fsys FS, dir string, perm fs.FileMode) error {
	if _, err := fsys.Stat(dir); err != nil {
		return MakeDir(fsys, dir, perm)
	}
	return fsys.SyncDir(filepath.Dir(filepath.Clean(dir)))
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

// CopyFiles is [CopyDir] of some files of a folder. It returns how many bytes
// they have.
func CopyFiles(fsys FS, to, from string, names []string) (bytes int64, err error) {
	if _, err := fsys.Stat(to); err == nil {
		return 0, fmt.Errorf("copy %s: %s: %w", from, to, fs.ErrExist)
	}
	if err := MakeDir(fsys, to, 0o700); err != nil {
		return 0, fmt.Errorf("copy %s: %w", from, err)
	}
	for _, name := range names {
		source, target := filepath.Join(from, name), filepath.Join(to, name)
		if err := copyFile(fsys, target, source); err != nil {
			return bytes, fmt.Errorf("copy %s: %w", source, err)
		}
		info, err := fsys.Stat(target)
		if err != nil {
			return bytes, fmt.Errorf("copy %s: %w", source, err)
		}
		bytes += info.Size()
	}
	return bytes, fsys.SyncDir(to)
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

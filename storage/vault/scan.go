// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// found is a file or folder below the source.
type found struct {
	path string
	kind storage.Kind
	info stamp
}

// stamp tells whether a file was touched since.
type stamp struct {
	mode          uint32
	size          int64
	mtime, ctime  int64 // ns
	inode, device uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{mode: uint32(info.Mode().Perm()), size: info.Size(), mtime: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.ctime = st.Ctim.Nano()
		s.inode, s.device = uint64(st.Ino), uint64(st.Dev)
	}
	return s
}

// scan lists what lies below a source, in path order. It holds the names and
// stamps of everything at once, some 150 bytes for each.
type scan struct {
	root    *os.Root // the source, or the folder of a source that is one file
	vault   fs.FileInfo
	list    []found
	skipped []Skip
	bytes   int64
}

// newScan looks at a source, which may itself be a symbolic link. The caller
// closes scan.root.
func newScan(ctx context.Context, source string, vault fs.FileInfo) (*scan, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	s := &scan{vault: vault}
	switch {
	case info.Mode().IsRegular():
		err = s.one(source)
	case info.IsDir():
		if s.root, err = os.OpenRoot(source); err == nil {
			err = s.folder(ctx, "")
		}
	default:
		err = fmt.Errorf("%w: %s (%s)", ErrBadSource, source, describe(info.Mode()))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	slices.SortFunc(s.list, func(a, b found) int { return cmp.Compare(a.path, b.path) })
	slices.SortFunc(s.skipped, func(a, b Skip) int { return cmp.Compare(a.Path, b.Path) })
	return s, nil
}

// counts are what a version of all that was found would hold.
func (s *scan) counts() (c storage.Counts) {
	for _, f := range s.list {
		if f.kind == storage.Folder {
			c.Folders++
			continue
		}
		c.Files++
	}
	c.Bytes = uint64(s.bytes)
	return c
}

// sealedBytes is how much ciphertext all that was found makes at most. Padding
// adds an eighth to a block, and some bytes; the list of files is reckoned at
// twice what stands in it, for it comes in pages of unforeseen lengths.
func (s *scan) sealedBytes() int64 {
	const entry, ref, least = 64, 64, 1 << 10
	total := int64(least)
	for _, f := range s.list {
		total += 2 * (entry + int64(len(f.path)))
		if f.kind == storage.Folder {
			continue
		}
		full, rest := f.info.size/crypto.BlockData, f.info.size%crypto.BlockData
		total += full*(crypto.MaxBlock+2*ref) + rest + rest/8 + 2*ref
	}
	return total
}

func (s *scan) close() {
	if s.root != nil {
		s.root.Close()
	}
}

func (s *scan) one(source string) (err error) {
	if source, err = filepath.EvalSymlinks(source); err != nil {
		return err
	}
	if s.root, err = os.OpenRoot(filepath.Dir(source)); err != nil {
		return err
	}
	return s.entry(context.Background(), filepath.Base(source))
}

func (s *scan) folder(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := s.root.Open(cmp.Or(dir, "."))
	if err != nil {
		return s.refused(dir, err)
	}
	entries, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return s.refused(dir, err)
	}
	for _, name := range entries {
		if err := s.entry(ctx, path.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scan) entry(ctx context.Context, name string) error {
	info, err := s.root.Lstat(name)
	if err != nil {
		return s.refused(name, err)
	}
	switch {
	case len(name) > storage.MaxPath:
		s.skip(name, SkipLongPath)
	case info.Mode().IsRegular():
		s.list = append(s.list, found{name, storage.File, stampOf(info)})
		s.bytes += info.Size()
	case info.IsDir() && s.vault != nil && os.SameFile(info, s.vault):
		s.skip(name, SkipVault)
	case info.IsDir():
		s.list = append(s.list, found{name, storage.Folder, stampOf(info)})
		return s.folder(ctx, name)
	default:
		s.skip(name, describe(info.Mode()))
	}
	return nil
}

func (s *scan) skip(name string, why SkipReason) { s.skipped = append(s.skipped, Skip{name, why}) }

// refused skips what cannot be read; only the source itself is an error.
func (s *scan) refused(name string, err error) error {
	if name == "" {
		return err
	}
	s.skip(name, reason(err))
	return nil
}

func reason(err error) SkipReason {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return SkipPermission
	case errors.Is(err, fs.ErrNotExist):
		return SkipGone
	case errors.Is(err, syscall.EIO):
		return SkipDisk
	}
	return SkipUnreadable
}

func describe(m fs.FileMode) SkipReason {
	switch {
	case m&fs.ModeSymlink != 0:
		return SkipLink
	case m&fs.ModeNamedPipe != 0:
		return SkipPipe
	case m&fs.ModeSocket != 0:
		return SkipSocket
	case m&fs.ModeDevice != 0:
		return SkipDevice
	}
	return SkipSpecial
}

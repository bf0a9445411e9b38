// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/traboule/traboule/storage/disk"
)

// Disk is a disk in memory that tells what was written from what is durable,
// as strictly as POSIX allows:
//
//   - Sync of a file makes its content and length durable, not its name.
//   - SyncDir makes the names in that one folder durable: files made, renamed
//     and removed there, and folders made there (MkdirAll too). Not the names
//     above it nor below it, nor the content of files.
//   - [Disk.Crash], the power cut, keeps of all that is not durable what
//     chance wants: of the changes of names any, in no order, though a rename
//     as a whole or not at all; of the writes to a file any, and each of them
//     whole or torn. Where a file has grown and the bytes were not written it
//     has zeros.
//   - What was durable stays so until a later change of it is written out.
//
// [Disk.Record] keeps every change, for images of the disk at any moment.
type Disk struct {
	mu     sync.Mutex
	state  *state
	rec    *Recording
	room   int64 // bytes that may still be written; negative: no limit
	locked map[string]bool
}

var _ disk.FS = (*Disk)(nil)

// NewDisk makes an empty disk without limit.
func NewDisk() *Disk { return &Disk{state: newState(), room: -1, locked: map[string]bool{}} }

// SetRoom lets at most n more bytes be added to files before ENOSPC; negative
// for no limit. Removing and cutting files gives room back.
func (d *Disk) SetRoom(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = n
}

// do makes one change, and keeps it when somebody records.
func (d *Disk) do(o op) {
	d.state.apply(o)
	if d.rec != nil {
		d.rec.ops = append(d.rec.ops, o)
	}
}

// find walks to a file or folder; nil when there is none.
func (d *Disk) find(path string) *inode {
	n := d.state.nodes[relativeRoot]
	if filepath.IsAbs(path) {
		n = d.state.nodes[absoluteRoot]
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." {
			continue
		}
		if n = n.entries[part]; n == nil {
			return nil
		}
	}
	return n
}

// folder finds the folder that a name stands in.
func (d *Disk) folder(path string) *inode {
	if up := d.find(filepath.Dir(path)); up != nil && up.folder {
		return up
	}
	return nil
}

// OpenFile opens or creates.
func (d *Disk) OpenFile(name string, flag int, _ fs.FileMode) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	n := d.find(name)
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, fs.ErrNotExist)
	case n != nil && flag&os.O_EXCL != 0:
		return nil, pathError("open", name, fs.ErrExist)
	case n != nil && n.folder:
		return nil, pathError("open", name, syscall.EISDIR)
	case n == nil:
		up := d.folder(name)
		if up == nil {
			return nil, pathError("open", name, fs.ErrNotExist)
		}
		n = d.make(up, filepath.Base(name), false)
	case flag&os.O_TRUNC != 0:
		d.give(n.size())
		d.do(op{kind: opCut, node: n.id, name: name})
	}
	return &memFile{disk: d, node: n, name: name, append: flag&os.O_APPEND != 0}, nil
}

func (d *Disk) make(up *inode, name string, folder bool) *inode {
	id := d.state.next
	d.do(op{kind: opMake, node: id, parent: up.id, name: name, folder: folder})
	return d.state.nodes[id]
}

// give takes room back from what was freed.
func (d *Disk) give(n int64) {
	if d.room >= 0 {
		d.room += n
	}
}

// Rename replaces new.
func (d *Disk) Rename(old, new string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, new = filepath.Clean(old), filepath.Clean(new)
	n, from, to := d.find(old), d.folder(old), d.folder(new)
	if n == nil || from == nil || to == nil {
		return pathError("rename", old, fs.ErrNotExist)
	}
	if over := d.find(new); over != nil && over != n {
		if over.folder {
			return pathError("rename", new, fs.ErrExist)
		}
		d.give(over.size())
	}
	d.do(op{kind: opRename, node: n.id, parent: from.id, name: filepath.Base(old), to: to.id, toName: filepath.Base(new)})
	return nil
}

// Remove deletes a file or an empty folder.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	n := d.find(name)
	switch {
	case n == nil:
		return pathError("remove", name, fs.ErrNotExist)
	case len(n.entries) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	d.give(n.size())
	d.do(op{kind: opRemove, node: n.id, parent: d.folder(name).id, name: filepath.Base(name)})
	return nil
}

// MkdirAll makes folders; each is durable after SyncDir of the one above it.
func (d *Disk) MkdirAll(name string, _ fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mkdirAll(filepath.Clean(name))
}

func (d *Disk) mkdirAll(name string) error {
	if n := d.find(name); n != nil {
		if !n.folder {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		return nil
	}
	if err := d.mkdirAll(filepath.Dir(name)); err != nil {
		return err
	}
	d.make(d.folder(name), filepath.Base(name), true)
	return nil
}

// SyncDir makes the names in one folder durable.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(filepath.Clean(name))
	if n == nil || !n.folder {
		return pathError("sync", name, fs.ErrNotExist)
	}
	d.do(op{kind: opSyncDir, node: n.id, name: name})
	return nil
}

// Stat describes a file.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	n := d.find(name)
	if n == nil {
		return nil, pathError("stat", name, fs.ErrNotExist)
	}
	return n.info(filepath.Base(name)), nil
}

// ReadDir lists a folder.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(filepath.Clean(name))
	if n == nil || !n.folder {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	var list []fs.DirEntry
	for name, n := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(n.info(name)))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// FreeBytes is the room set with SetRoom, or a terabyte.
func (d *Disk) FreeBytes(string) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room < 0 {
		return 1 << 40, nil
	}
	return uint64(d.room), nil
}

// Native is false: no other program can open these names.
func (d *Disk) Native() bool { return false }

// Lock takes a folder until the closer is closed. A power cut frees it.
func (d *Disk) Lock(dir string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = filepath.Clean(dir)
	if n := d.find(dir); n == nil || !n.folder {
		return nil, pathError("lock", dir, fs.ErrNotExist)
	}
	if d.locked[dir] {
		return nil, &disk.LockedError{Dir: dir, PID: os.Getpid()}
	}
	d.locked[dir] = true
	return &lock{d, dir}, nil
}

type lock struct {
	disk *Disk
	dir  string
}

func (l *lock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	delete(l.disk.locked, l.dir)
	return nil
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

type info struct {
	name   string
	size   int64
	folder bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.folder }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

type memFile struct {
	disk   *Disk
	node   *inode
	name   string
	pos    int64
	append bool
}

func (f *memFile) Name() string { return f.name }
func (f *memFile) Close() error { return nil }

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.node.info(filepath.Base(f.name)), nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if off >= f.node.size() {
		return 0, io.EOF
	}
	n := copy(b, f.node.data.b[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.pos)
	f.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// WriteAt writes what there is room for.
func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	d, fits := f.disk, len(b)
	if grow := off + int64(len(b)) - f.node.size(); grow > 0 && d.room >= 0 {
		fits = max(0, len(b)-int(max(0, grow-d.room)))
		d.room -= min(grow, d.room)
	}
	if fits > 0 || len(b) == 0 {
		d.do(op{kind: opWrite, node: f.node.id, name: f.name, off: off, data: append([]byte{}, b[:fits]...)})
	}
	if fits < len(b) {
		return fits, pathError("write", f.name, syscall.ENOSPC)
	}
	return fits, nil
}

func (f *memFile) Write(b []byte) (int, error) {
	if f.append {
		f.Seek(0, io.SeekEnd)
	}
	n, err := f.WriteAt(b, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *memFile) Seek(off int64, whence int) (int64, error) {
	st, _ := f.Stat()
	f.pos = [...]int64{0, f.pos, st.Size()}[whence] + off
	return f.pos, nil
}

func (f *memFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.give(f.node.size() - size)
	f.disk.do(op{kind: opCut, node: f.node.id, name: f.name, off: size})
	return nil
}

func (f *memFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.do(op{kind: opSync, node: f.node.id, name: f.name})
	return nil
}

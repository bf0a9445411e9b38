// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/traboule/traboule/storage/disk"
)

// Disk is a disk in memory that tells what was written from what is durable.
// Content is durable after Sync of the file, names after SyncDir of the
// folder. [Disk.Crash] is the power cut.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*inode // what a process sees
	durable map[string]*inode // what a power cut leaves for certain
	pending []nameChange      // in order
	room    int64             // bytes that may still be written; negative: no limit
	locked  map[string]bool   // folders that somebody has; a power cut lets go of them
}

// nameChange sets or (node nil) removes one name; a rename is two with one id.
type nameChange struct {
	id   int
	name string
	node *inode
}

type inode struct {
	folder  bool
	data    []byte
	durable []byte
	pending []change
}

// change is a write at off, or (data nil) a cut at off.
type change struct {
	off  int64
	data []byte
}

var _ disk.FS = (*Disk)(nil)

// NewDisk makes an empty disk without limit.
func NewDisk() *Disk {
	root := func() map[string]*inode { return map[string]*inode{"/": {folder: true}, ".": {folder: true}} }
	return &Disk{names: root(), durable: root(), room: -1}
}

// SetRoom lets at most n more bytes be added to files before ENOSPC; negative
// for no limit.
func (d *Disk) SetRoom(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = n
}

// Crash cuts the power and returns the disk as the next start finds it:
// everything durable, and of the rest what chance wrote out. Changes of names
// survive up to some point in their order; of the writes to a file any may be
// missing, and any may be torn: short, or zeros from some point on. The disk
// itself is left as it is, so that one run can be cut many times.
func (d *Disk) Crash(rng *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := &Disk{names: maps.Clone(d.durable), room: -1}
	keep := rng.IntN(len(d.pending) + 1)
	for keep > 0 && keep < len(d.pending) && d.pending[keep].id == d.pending[keep-1].id {
		keep++ // a rename is one step
	}
	for _, c := range d.pending[:keep] {
		setName(after.names, c)
	}
	for name, node := range after.names {
		after.names[name] = node.crash(rng)
	}
	after.durable = maps.Clone(after.names)
	return after
}

func (n *inode) crash(rng *rand.Rand) *inode {
	data := slices.Clone(n.durable)
	odds := rng.Float64() // of a change to survive: some crashes keep nearly all, some nearly nothing
	for _, c := range n.pending {
		if rng.Float64() >= odds {
			continue
		}
		data = c.tear(rng).apply(data)
	}
	return &inode{folder: n.folder, data: data, durable: slices.Clone(data)}
}

func (c change) tear(rng *rand.Rand) change {
	if len(c.data) == 0 || rng.IntN(2) == 0 {
		return c
	}
	at := rng.IntN(len(c.data))
	if rng.IntN(2) == 0 {
		return change{c.off, c.data[:at:at]}
	}
	torn := slices.Clone(c.data)
	clear(torn[at:])
	return change{c.off, torn}
}

func (c change) apply(data []byte) []byte {
	end := c.off + int64(len(c.data))
	if c.data == nil && c.off < int64(len(data)) {
		return data[:c.off:c.off]
	}
	if grow := end - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[c.off:], c.data)
	return data
}

func setName(names map[string]*inode, c nameChange) {
	if c.node == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.node
	}
}

// do changes names for the process; the power cut may undo it.
func (d *Disk) do(changes ...nameChange) {
	id := len(d.pending)
	for _, c := range changes {
		c.id = id
		setName(d.names, c)
		d.pending = append(d.pending, c)
	}
}

// OpenFile opens or creates.
func (d *Disk) OpenFile(name string, flag int, _ fs.FileMode) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	n := d.names[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, fs.ErrNotExist)
	case n != nil && flag&os.O_EXCL != 0:
		return nil, pathError("open", name, fs.ErrExist)
	case n != nil && n.folder:
		return nil, pathError("open", name, syscall.EISDIR)
	case n == nil:
		if up := d.names[filepath.Dir(name)]; up == nil || !up.folder {
			return nil, pathError("open", name, fs.ErrNotExist)
		}
		n = &inode{}
		d.do(nameChange{name: name, node: n})
	case flag&os.O_TRUNC != 0:
		n.change(change{})
	}
	return &memFile{disk: d, node: n, name: name}, nil
}

func (n *inode) change(c change) {
	n.pending = append(n.pending, c)
	n.data = c.apply(n.data)
}

// Rename replaces new.
func (d *Disk) Rename(old, new string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, new = filepath.Clean(old), filepath.Clean(new)
	n := d.names[old]
	if n == nil {
		return pathError("rename", old, fs.ErrNotExist)
	}
	d.do(nameChange{name: new, node: n}, nameChange{name: old})
	return nil
}

// Remove deletes a file.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	if d.names[name] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	d.do(nameChange{name: name})
	return nil
}

// MkdirAll makes folders; they are durable at once.
func (d *Disk) MkdirAll(name string, _ fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name = filepath.Clean(name); d.names[name] == nil; name = filepath.Dir(name) {
		n := &inode{folder: true}
		d.names[name], d.durable[name] = n, n
	}
	return nil
}

// SyncDir makes names durable: those of all folders, as a journalling file
// system does.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[filepath.Clean(name)]; n == nil || !n.folder {
		return pathError("sync", name, fs.ErrNotExist)
	}
	for _, c := range d.pending {
		setName(d.durable, c)
	}
	d.pending = nil
	return nil
}

// Stat describes a file.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	n := d.names[name]
	if n == nil {
		return nil, pathError("stat", name, fs.ErrNotExist)
	}
	return info{filepath.Base(name), int64(len(n.data)), n.folder}, nil
}

// ReadDir lists a folder.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	if n := d.names[name]; n == nil || !n.folder {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	var list []fs.DirEntry
	for path, n := range d.names {
		if filepath.Dir(path) == name && path != name {
			list = append(list, fs.FileInfoToDirEntry(info{filepath.Base(path), int64(len(n.data)), n.folder}))
		}
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

// Lock takes a folder until the closer is closed.
func (d *Disk) Lock(dir string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = filepath.Clean(dir)
	if n := d.names[dir]; n == nil || !n.folder {
		return nil, pathError("lock", dir, fs.ErrNotExist)
	}
	if d.locked[dir] {
		return nil, pathError("lock", dir, disk.ErrLocked)
	}
	if d.locked == nil {
		d.locked = map[string]bool{}
	}
	d.locked[dir] = true
	return unlock(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.locked, dir)
	}), nil
}

// unlock is what a lock is closed with.
type unlock func()

func (u unlock) Close() error { u(); return nil }

// Native is false: nobody else finds these names.
func (d *Disk) Native() bool { return false }

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
	disk *Disk
	node *inode
	name string
	pos  int64
}

func (f *memFile) Name() string { return f.name }
func (f *memFile) Close() error { return nil }

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return info{filepath.Base(f.name), int64(len(f.node.data)), false}, nil
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
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

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if grow := off + int64(len(b)) - int64(len(f.node.data)); grow > 0 && f.disk.room >= 0 {
		if grow > f.disk.room {
			return 0, pathError("write", f.name, syscall.ENOSPC)
		}
		f.disk.room -= grow
	}
	f.node.change(change{off, append([]byte{}, b...)})
	return len(b), nil
}

func (f *memFile) Write(b []byte) (int, error) {
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
	if freed := int64(len(f.node.data)) - size; f.disk.room >= 0 {
		f.disk.room += freed
	}
	f.node.change(change{off: size})
	return nil
}

func (f *memFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	// Two steps, so that the unchanged front is not copied at each Sync.
	for _, c := range f.node.pending {
		f.node.durable = c.apply(f.node.durable)
	}
	f.node.pending = nil
	return nil
}

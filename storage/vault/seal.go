// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/index"
)

// adding is one pass over a source: one goroutine reads, some seal, one writes
// the manifest in order. Buffers of one block each are passed around, so that
// memory does not grow with the data.
//
//	read ──jobs──► seal (a few) ──► blocks
//	  └──items──► emit, once an item's blocks are sealed ──► manifest, index
type adding struct {
	v        *Vault
	d        *dataset
	scan     *scan
	opt      AddOptions
	manifest *manifest
	old      *oldVersion

	jobs    chan job
	items   chan *item
	buffers chan []byte
	newly   atomic.Int64 // ciphertext stored, without pages

	progress Progress
	result   AddResult
	seen     []index.Entry
	unseen   [][]byte // by emit
	removed  [][]byte // by read
	lostOld  bool     // the version before cannot be read, so all counts as new
}

// job is one block to seal.
type job struct {
	buf  []byte // to be given back
	n    int
	ref  *storage.Ref // where the result goes
	old  storage.Ref  // the block in the same place of the version before; zero for none
	item *item
}

// item is an entry on its way to the manifest.
type item struct {
	entry storage.Entry
	stamp stamp
	old   *storage.Entry
	left  atomic.Int64 // blocks not yet sealed, and one while it is read
	ready chan struct{}
}

func newItem() *item {
	it := &item{ready: make(chan struct{})}
	it.left.Store(1)
	return it
}

func (it *item) done() {
	if it.left.Add(-1) == 0 {
		close(it.ready)
	}
}

// sealAll makes one pass.
func (v *Vault) sealAll(ctx context.Context, d *dataset, s *scan, opt AddOptions) (*adding, error) {
	put := v.put(ctx)
	if opt.DryRun {
		put = func(name crypto.BlockName, _ []byte) (bool, error) { return !v.store.Has(name), nil }
	}
	m, err := v.manifest(ctx, d, "", put)
	if err != nil {
		return nil, err
	}
	workers := v.opt.Workers
	a := &adding{v: v, d: d, scan: s, opt: opt, manifest: m,
		jobs: make(chan job, workers), items: make(chan *item, 256), buffers: make(chan []byte, 2*workers+2)}
	for range cap(a.buffers) {
		a.buffers <- make([]byte, crypto.BlockData)
	}
	a.progress = Progress{TotalBytes: s.bytes, TotalFiles: len(s.list)}
	if err := a.run(ctx, workers); err != nil {
		return nil, err
	}
	a.result.NewBytes = a.newly.Load()
	return a, nil
}

func (a *adding) run(ctx context.Context, workers int) error {
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error { return a.seal(ctx) })
	}
	g.Go(func() error { return a.emit(ctx) })
	g.Go(func() error {
		defer close(a.jobs)
		defer close(a.items)
		return a.read(ctx)
	})
	return g.Wait()
}

// read goes through the source in order, beside the version before.
func (a *adding) read(ctx context.Context) error {
	a.old = a.v.oldVersion(ctx, a.d)
	defer a.old.close()
	for _, f := range a.scan.list {
		before := a.old.upTo(f.path, a.gone)
		it, err := a.one(ctx, f, before)
		if err != nil {
			return err
		}
		if it != nil {
			select {
			case a.items <- it:
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if before != nil {
			a.gone(*before)
		}
		a.tell(0, 1)
	}
	a.old.upTo("", a.gone)
	a.lostOld = a.old.failed != nil
	return nil
}

// gone is called for what the version before has and the source does not.
func (a *adding) gone(e storage.Entry) {
	a.result.Removed++
	a.removed = append(a.removed, e.Path)
}

func (a *adding) tell(bytes int64, files int) {
	a.progress.Bytes += bytes
	a.progress.Files += files
	if a.opt.Progress != nil {
		a.opt.Progress(a.progress)
	}
}

// one makes an item of a file or folder; nil when it has to be skipped.
func (a *adding) one(ctx context.Context, f found, before *storage.Entry) (*item, error) {
	if before != nil && before.Kind != f.kind {
		a.gone(*before)
		before = nil
	}
	if f.kind == storage.Folder {
		it := newItem()
		it.entry = storage.Entry{Path: []byte(f.path), Kind: f.kind, Mode: f.info.mode, ModTime: f.info.mtime}
		it.old = before
		it.done()
		return it, nil
	}
	if before != nil && a.v.untouched(a.d, f, *before) {
		it := newItem()
		it.entry, it.old = *before, before
		it.entry.Mode = f.info.mode
		it.done()
		a.tell(f.info.size, 0)
		return it, nil
	}
	return a.file(ctx, f, before)
}

// readings is how often a file that changes under our hands is begun again.
const readings = 3

func (a *adding) file(ctx context.Context, f found, before *storage.Entry) (*item, error) {
	a.result.Read++
	for range readings {
		it, err := a.once(ctx, f, before)
		if errors.Is(err, ErrChanging) {
			continue
		}
		var gone *unreadable
		if errors.As(err, &gone) {
			a.result.Skipped = append(a.result.Skipped, Skip{f.path, gone.why})
			return nil, nil
		}
		return it, err
	}
	return nil, &fs.PathError{Op: "read", Path: filepath.Join(a.scan.root.Name(), f.path), Err: ErrChanging}
}

// unreadable is why a file is left out.
type unreadable struct{ why SkipReason }

func (u *unreadable) Error() string { return string(u.why) }

// once reads a file from its start. ErrChanging means that it was not the same
// file all the time.
func (a *adding) once(ctx context.Context, f found, before *storage.Entry) (*item, error) {
	// Not to wait for the other end, should it have become a pipe.
	file, err := a.scan.root.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &unreadable{reason(err)}
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, &unreadable{reason(err)}
	}
	start := stampOf(info)
	if !info.Mode().IsRegular() || start.inode != f.info.inode || start.device != f.info.device {
		if err := a.refind(&f, info); err != nil {
			return nil, err
		}
	}
	it := newItem()
	it.stamp, it.old = start, before
	it.entry = storage.Entry{Path: []byte(f.path), Kind: storage.File, Mode: start.mode, ModTime: start.mtime, Size: uint64(start.size)}
	it.entry.Blocks = make([]storage.Ref, (start.size+crypto.BlockData-1)/crypto.BlockData)
	if err := a.content(ctx, file, it); err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err != nil || stampOf(info) != start {
		return nil, ErrChanging
	}
	it.done()
	return it, nil
}

// refind looks at a name again that was opened as another file than was found:
// editors save by renaming. A link put in its place is not followed.
func (a *adding) refind(f *found, opened fs.FileInfo) error {
	info, err := a.scan.root.Lstat(f.path)
	if err != nil {
		return &unreadable{reason(err)}
	}
	if !info.Mode().IsRegular() {
		return &unreadable{describe(info.Mode())}
	}
	if !os.SameFile(info, opened) {
		return ErrChanging
	}
	return nil
}

// content hands a file's blocks to the sealers. The file must have exactly the
// size that it said.
func (a *adding) content(ctx context.Context, file io.Reader, it *item) error {
	size := int64(it.entry.Size)
	for i := range it.entry.Blocks {
		var buf []byte
		select {
		case buf = <-a.buffers:
		case <-ctx.Done():
			return ctx.Err()
		}
		n := min(crypto.BlockData, size-int64(i)*crypto.BlockData)
		if _, err := io.ReadFull(file, buf[:n]); err != nil {
			a.buffers <- buf
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return ErrChanging
			}
			return &unreadable{reason(err)}
		}
		j := job{buf: buf, n: int(n), ref: &it.entry.Blocks[i], item: it}
		if it.old != nil && i < len(it.old.Blocks) {
			j.old = it.old.Blocks[i]
		}
		it.left.Add(1)
		select {
		case a.jobs <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
		a.tell(n, 0)
	}
	return nil
}

// seal is one sealing goroutine.
func (a *adding) seal(ctx context.Context) error {
	w := a.v.sealWorker(a.d, a.manifest.sealer, a.keep)
	for j := range a.jobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		ref, err := w.block(ctx, j.buf[:j.n], j.old)
		if err != nil {
			return err
		}
		*j.ref = ref
		clear(j.buf[:j.n])
		a.buffers <- j.buf
		j.item.done()
	}
	a.newly.Add(w.newly)
	return nil
}

// keep stores a sealed block; in a dry run it only says whether it is new.
func (a *adding) keep(ctx context.Context, sealed []byte) (name crypto.BlockName, added bool, err error) {
	if !a.opt.DryRun {
		return a.v.store.Add(ctx, sealed)
	}
	name = crypto.NameOf(sealed)
	return name, !a.v.store.Has(name), nil
}

// keepBlock stores a sealed block, and tells whether it is new.
type keepBlock func(ctx context.Context, sealed []byte) (crypto.BlockName, bool, error)

// sealWorker seals blocks one after the other, with the buffers of one goroutine.
type sealWorker struct {
	v             *Vault
	d             *dataset // with the sealer's generation
	sealer        *crypto.Sealer
	keep          keepBlock
	newly         int64 // ciphertext stored
	sealed, plain []byte
}

func (v *Vault) sealWorker(d *dataset, s *crypto.Sealer, keep keepBlock) *sealWorker {
	return &sealWorker{v: v, d: d, sealer: s, keep: keep}
}

// block stores one block, unless it is the one that was in its place before,
// in whatever generation that was sealed.
func (w *sealWorker) block(ctx context.Context, plain []byte, old storage.Ref) (storage.Ref, error) {
	if !old.IsZero() && w.v.store.Has(old.Name) {
		if w.sealer.Key(plain) == old.Key || (w.d.generation > 0 && w.same(plain, old)) {
			return old, nil
		}
	}
	sealed, key, err := w.sealer.Seal(w.sealed[:0], plain)
	if err != nil {
		return storage.Ref{}, err
	}
	w.sealed = sealed
	name, added, err := w.keep(ctx, sealed)
	if added {
		w.newly += int64(len(sealed))
	}
	return storage.Ref{Name: name, Key: key}, err
}

func (w *sealWorker) same(plain []byte, old storage.Ref) bool {
	have, err := w.open(old)
	return err == nil && bytes.Equal(have, plain)
}

// open returns what a block holds, until the next call.
func (w *sealWorker) open(ref storage.Ref) (plain []byte, err error) {
	if w.sealed, err = w.v.store.Get(ref.Name, w.sealed[:0]); err != nil {
		return nil, err
	}
	w.plain, err = crypto.OpenBlock(w.plain[:0], w.d.did, ref.Key, w.sealed)
	return w.plain, err
}

// emit writes the manifest, in order.
func (a *adding) emit(ctx context.Context) error {
	for it := range a.items {
		select {
		case <-it.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := a.manifest.builder.Add(it.entry); err != nil {
			return err
		}
		switch {
		case it.old == nil:
			a.result.Added++
		case !sameEntry(*it.old, it.entry):
			a.result.Changed++
		}
		a.remember(it)
	}
	return nil
}

// unchanged tells whether the source is what the version before says, and that
// can be read.
func (a *adding) unchanged() bool {
	r := a.result
	if latest, ok := a.d.latest(); !ok || !a.v.store.Has(latest.Description.Name) {
		return false
	}
	return !a.lostOld && r.Added == 0 && r.Changed == 0 && r.Removed == 0
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
)

// A data set of objects (of kind [storage.KindRecords]) is made of what its
// user hands over as bytes, each object under a path. It has versions,
// generations and views as one of files has. Its entries say nothing of when an
// object was written: mode and time are always the same, so that equal objects
// are equal entries.

// MaxObject is how many bytes an object has at most.
const MaxObject = 64 << 20

// ErrObjectSize is returned for an object of more than [MaxObject] bytes.
var ErrObjectSize = fmt.Errorf("an object of more than %d MiB", MaxObject>>20)

// Object is a named piece of content.
type Object struct {
	Path    string // as in a manifest: plain names between "/"
	Content []byte
}

// ObjectInfo tells of an object without reading it.
type ObjectInfo struct {
	Path string
	Size uint64
	ID   [32]byte // of its blocks: within a data set or view the same only for the same content
}

// Object returns an object of a version (0 for the latest; a sequence number),
// ours or received. The errors are [ErrNoPath], [ErrMissing], [DamagedError]
// and [ErrObjectSize].
func (v *Vault) Object(ctx context.Context, did crypto.DID, version uint64, path string) ([]byte, error) {
	h, err := v.version(did, version)
	if err != nil {
		return nil, fmt.Errorf("read %q of %s: %w", path, did.Short(), err)
	}
	return v.ObjectAt(ctx, h.Head, path)
}

// ObjectAt is [Vault.Object] for any head whose blocks are here: a received one
// of one of several views, or one that [Vault.LastView] returns.
func (v *Vault) ObjectAt(ctx context.Context, h storage.Head, path string) ([]byte, error) {
	content, err := v.object(ctx, h, path)
	if errors.Is(err, blocks.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err = damagedAt("", err); err != nil {
		return nil, fmt.Errorf("read %q of %s: %w", path, h.Dataset.Short(), err)
	}
	return content, nil
}

func (v *Vault) object(ctx context.Context, h storage.Head, path string) ([]byte, error) {
	e, err := storage.Find(ctx, h, v.store.Get, path, MaxObject)
	switch {
	case errors.Is(err, storage.ErrNoEntry) || err == nil && e.Kind != storage.File:
		return nil, ErrNoPath
	case errors.Is(err, storage.ErrTooLarge):
		return nil, fmt.Errorf("%w: %w", ErrObjectSize, err)
	case err != nil:
		return nil, err
	}
	content := make([]byte, 0, e.Size)
	var sealed []byte
	for i, ref := range e.Blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if sealed, err = v.store.Get(ref.Name, sealed[:0]); err != nil {
			return nil, damagedAt(path, err)
		}
		if content, err = crypto.OpenBlock(content, h.Dataset, ref.Key, sealed); err != nil {
			return nil, &DamagedError{path, err}
		}
		if want := min(e.Size, uint64(i+1)*crypto.BlockData); uint64(len(content)) != want {
			return nil, &DamagedError{path, fmt.Errorf("%d bytes after block %d, not %d", len(content), i, want)}
		}
	}
	return content, nil
}

// Objects lists the objects of a version (0 for the latest; a sequence number)
// by path.
func (v *Vault) Objects(ctx context.Context, did crypto.DID, version uint64) ([]ObjectInfo, error) {
	h, err := v.version(did, version)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", did.Short(), err)
	}
	return v.ObjectsAt(ctx, h.Head)
}

// ObjectsAt is [Vault.Objects] for any head whose pages are here.
func (v *Vault) ObjectsAt(ctx context.Context, h storage.Head) ([]ObjectInfo, error) {
	entries, err := v.entries(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", h.Dataset.Short(), err)
	}
	list := []ObjectInfo{}
	for _, e := range entries {
		if e.Kind == storage.File {
			list = append(list, ObjectInfo{Path: string(e.Path), Size: e.Size, ID: identity(e)})
		}
	}
	return list, nil
}

func identity(e storage.Entry) [32]byte {
	all := fmt.Appendf(nil, "%d\x00", e.Size)
	for _, r := range e.Blocks {
		all = append(append(all, r.Name[:]...), r.Key[:]...)
	}
	return sha256.Sum256(all)
}

// entries are those of a head, each long one whole.
func (v *Vault) entries(ctx context.Context, h storage.Head) (list []storage.Entry, err error) {
	err = storage.Walk(ctx, h, v.store.Get, func(e storage.Entry) error {
		if e.First > 0 {
			last := &list[len(list)-1]
			last.Blocks = append(last.Blocks, e.Blocks...)
			return nil
		}
		list = append(list, e)
		return nil
	})
	if errors.Is(err, blocks.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return list, err
}

// batch gathers the objects of a head to be: sealed and stored as they come,
// and named by nothing yet. It is for one goroutine.
type batch struct {
	v       *Vault
	ctx     context.Context
	d       *dataset // as it was when the batch began, or was sealed again
	view    string
	keep    keepBlock
	put     putBlock // of pages
	worker  *sealWorker
	old     map[string]storage.Entry // what the head before says
	next    map[string]storage.Entry // what the next will say
	written map[string]bool          // of next: those that came as bytes
	bytes   int64                    // ciphertext stored that was not there
}

// begin makes ready to seal.
func (b *batch) begin(before []storage.Entry) error {
	b.old, b.next, b.written = map[string]storage.Entry{}, map[string]storage.Entry{}, map[string]bool{}
	for _, e := range before {
		b.old[string(e.Path)] = e
	}
	return b.useGeneration(b.d)
}

func (b *batch) useGeneration(d *dataset) error {
	sealer, err := b.v.ring.Sealer(d.did, b.view, d.generation)
	if err != nil {
		return err
	}
	b.d, b.worker = d, b.v.sealWorker(d, sealer, b.keep)
	return nil
}

// objectMode is what an export gives the file that an object becomes.
const objectMode = 0o600

// write seals and stores an object.
func (b *batch) write(path string, content []byte) error {
	if err := storage.CheckPath(path); err != nil {
		return err
	}
	if len(content) > MaxObject {
		return fmt.Errorf("%w: %d bytes", ErrObjectSize, len(content))
	}
	e := storage.Entry{Path: []byte(path), Kind: storage.File, Mode: objectMode, Size: uint64(len(content))}
	for part := range slices.Chunk(content, crypto.BlockData) {
		ref, err := b.block(part, path, len(e.Blocks))
		if err != nil {
			return err
		}
		e.Blocks = append(e.Blocks, ref)
	}
	b.next[path], b.written[path] = e, true
	return nil
}

// block stores the i-th block of an object.
func (b *batch) block(plain []byte, path string, i int) (storage.Ref, error) {
	if err := b.ctx.Err(); err != nil {
		return storage.Ref{}, err
	}
	var old storage.Ref
	if e := b.old[path]; i < len(e.Blocks) {
		old = e.Blocks[i]
	}
	before := b.worker.newly
	ref, err := b.worker.block(b.ctx, plain, old)
	b.bytes += b.worker.newly - before
	return ref, err
}

// raise seals again what is new, under the keys of a generation that was raised
// meanwhile: those of the one before may have been given to somebody.
func (b *batch) raise(d *dataset) error {
	if d.generation == b.d.generation {
		b.d = d
		return nil
	}
	from := b.v.sealWorker(b.d, nil, nil)
	if err := b.useGeneration(d); err != nil {
		return err
	}
	for path := range b.written {
		e := b.next[path]
		e.Blocks = slices.Clone(e.Blocks)
		for i, ref := range e.Blocks {
			plain, err := from.open(ref)
			if err != nil {
				return fmt.Errorf("seal %q again: %w", path, err)
			}
			if e.Blocks[i], err = b.block(plain, path, i); err != nil {
				return fmt.Errorf("seal %q again: %w", path, err)
			}
		}
		b.next[path] = e
	}
	return nil
}

// unchanged tells whether the next head would say what the one before says.
func (b *batch) unchanged() bool {
	if len(b.next) != len(b.old) {
		return false
	}
	for path, e := range b.next {
		old, ok := b.old[path]
		if !ok || !sameObject(old, e) {
			return false
		}
	}
	return true
}

func sameObject(x, y storage.Entry) bool {
	return x.Kind == y.Kind && x.Mode == y.Mode && x.ModTime == y.ModTime && x.Size == y.Size && slices.Equal(x.Blocks, y.Blocks)
}

// settle makes durable what was lost and has come again, where no head follows.
func (b *batch) settle() error {
	if b.bytes == 0 {
		return nil
	}
	return b.v.store.Sync()
}

// manifest writes the tree of the next head.
func (b *batch) manifest() (*manifest, error) {
	m, err := b.v.manifest(b.ctx, b.d, b.view, b.put)
	if err != nil {
		return nil, err
	}
	paths := make([]string, 0, len(b.next))
	for path := range b.next {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if err := m.builder.Add(b.next[path]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

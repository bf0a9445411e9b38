// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/index"
)

// oldVersion goes through the version before, beside the source. It holds one
// file's block list: 64 bytes for each MiB of it.
type oldVersion struct {
	next   func() (storage.Entry, error, bool)
	stop   func()
	part   *storage.Entry // read ahead
	file   *storage.Entry // the next whole one
	failed error          // it cannot be read on
}

func (v *Vault) oldVersion(ctx context.Context, d *dataset) *oldVersion {
	o := &oldVersion{}
	latest, ok := d.latest()
	if !ok {
		o.next = func() (storage.Entry, error, bool) { return storage.Entry{}, nil, false }
		o.stop = func() {}
		return o
	}
	o.next, o.stop = iter.Pull2(func(yield func(storage.Entry, error) bool) {
		err := storage.Walk(ctx, latest.Head, v.store.Get, func(e storage.Entry) error {
			if !yield(e, nil) {
				return context.Canceled
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			yield(storage.Entry{}, err)
		}
	})
	o.advance()
	return o
}

func (o *oldVersion) close() { o.stop() }

// read returns the next part.
func (o *oldVersion) read() *storage.Entry {
	if o.part != nil {
		p := o.part
		o.part = nil
		return p
	}
	e, err, ok := o.next()
	if err != nil {
		o.failed = err
		return nil
	}
	if !ok {
		return nil
	}
	return &e
}

// advance joins the parts of the next file.
func (o *oldVersion) advance() {
	o.file = o.read()
	if o.file == nil || o.file.Last() {
		return
	}
	for {
		p := o.read()
		if p == nil {
			return
		}
		if p.First == 0 {
			o.part = p
			return
		}
		o.file.Blocks = append(o.file.Blocks, p.Blocks...)
	}
}

// upTo gives gone all that stands before path, or everything that is left when
// path is "", and returns the entry at path.
func (o *oldVersion) upTo(path string, gone func(storage.Entry)) *storage.Entry {
	for o.file != nil {
		c := strings.Compare(string(o.file.Path), path)
		if path != "" && c > 0 {
			return nil
		}
		e := o.file
		o.advance()
		if path != "" && c == 0 {
			return e
		}
		gone(*e)
	}
	return nil
}

func sameEntry(a, b storage.Entry) bool {
	return a.Kind == b.Kind && a.Mode == b.Mode && a.ModTime == b.ModTime && a.Size == b.Size && slices.Equal(a.Blocks, b.Blocks)
}

func scanTable(did crypto.DID) string { return "scan/" + string(did) }

// What the index remembers of a file that was read: enough to see that it was
// not touched since, and that the version before holds what was read then.
const cacheSize = 4*8 + 32

func cacheEntry(s stamp, e storage.Entry) []byte {
	b := make([]byte, 0, cacheSize)
	for _, n := range []int64{s.mtime, s.ctime, int64(s.inode), int64(s.device)} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	sum := sha256.New()
	binary.Write(sum, binary.BigEndian, s.size)
	for _, r := range e.Blocks {
		sum.Write(r.Name[:])
	}
	return sum.Sum(b)
}

// untouched tells whether a file need not be read again.
func (v *Vault) untouched(d *dataset, f found, old storage.Entry) bool {
	if old.Size != uint64(f.info.size) || old.ModTime != f.info.mtime {
		return false
	}
	known, ok := v.index.Get(scanTable(d.did), []byte(f.path))
	if !ok || string(known) != string(cacheEntry(f.info, old)) {
		return false
	}
	for _, r := range old.Blocks {
		if !v.store.Has(r.Name) {
			return false
		}
	}
	return true
}

// A file touched so short a time before it was read may be touched again
// without a later time stamp to show for it: file systems count in steps.
const (
	fineSteps   = 50 * time.Millisecond
	coarseSteps = 2 * time.Second
)

// remember notes a file that was read, for the index.
func (a *adding) remember(it *item) {
	if it.stamp == (stamp{}) {
		return
	}
	steps := fineSteps
	if it.stamp.ctime%int64(time.Second) == 0 {
		steps = coarseSteps
	}
	if time.Since(time.Unix(0, max(it.stamp.ctime, it.stamp.mtime))) < steps {
		a.unseen = append(a.unseen, it.entry.Path)
		return
	}
	a.seen = append(a.seen, index.Entry{Name: it.entry.Path, Value: cacheEntry(it.stamp, it.entry)})
}

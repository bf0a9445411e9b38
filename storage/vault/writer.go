// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// ErrWriterDone is returned by a writer that was committed or aborted.
var ErrWriterDone = errors.New("it was committed or given up before")

// Target says which data set of objects gets another version.
type Target struct {
	Dataset crypto.DID // one of ours; or "" and
	Name    string     // that of a new one, or of one that was begun and has no version yet
	Kind    string     // of a new one; default [storage.KindRecords]
	Keep    int        // versions kept of it, from now on; 0 leaves it
	Time    time.Time  // of the version; default now
}

// PutRequest is what [Vault.Put] changes.
type PutRequest struct {
	Target
	Put  []Object // new, or in place of what has the same path
	Drop []string // paths that the version no longer has; those that it never had count for nothing
}

// PutResult says what became of it.
type PutResult struct {
	Dataset   Dataset
	New       bool         // the data set had no version before
	Unchanged bool         // nothing differs, so no version was made
	Head      storage.Head // of the latest version
	Dropped   int          // old versions that are no longer kept
	NewBytes  int64        // ciphertext that was not stored before
}

// Put makes the next version of a data set of objects from the latest: what is
// neither put nor dropped stays as it is, unread. It happens whole or not at
// all, and is durable when it returns.
func (v *Vault) Put(ctx context.Context, r PutRequest) (PutResult, error) {
	w, err := v.Begin(ctx, r.Target)
	if err != nil {
		return PutResult{}, err
	}
	defer w.Abort()
	for _, o := range r.Put {
		if err := w.Write(o.Path, o.Content); err != nil {
			return PutResult{}, err
		}
	}
	return w.Commit(ctx, r.Drop...)
}

// Writer makes a version of a data set of objects from what it is given one
// after the other, in the memory that one object takes and some 200 bytes for
// each that there is. Until [Writer.Commit] nothing is seen of it; what one
// leaves behind that was given up or cut off is used by the next that writes
// the same, and swept later. It is for one goroutine.
type Writer struct {
	batch
	at   time.Time
	done bool
}

// Begin starts a version. It waits, until ctx ends, for an Add or another
// Writer that is under way, and they wait for this one, as Remove does: whoever
// begins must commit or abort, and call no such thing before. ctx is that of
// all writing, too. The errors are [ErrNoDataset], [ErrNotOurs], [ErrOtherKind],
// [ErrNameTaken], and [ErrMissing] when the latest version's list cannot be
// read.
func (v *Vault) Begin(ctx context.Context, to Target) (*Writer, error) {
	w, err := v.begin(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("begin a version of %s: %w", to, err)
	}
	return w, nil
}

// String is how an error names it.
func (to Target) String() string {
	if to.Dataset != "" {
		return to.Dataset.Short()
	}
	return fmt.Sprintf("%q", to.Name)
}

func (v *Vault) begin(ctx context.Context, to Target) (w *Writer, err error) {
	if err := v.adding.take(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			v.adding.Unlock()
		}
	}()
	d, err := v.aim(ctx, to)
	if err != nil {
		return nil, err
	}
	var before []storage.Entry
	if latest, ok := d.latest(); ok {
		if before, err = v.entries(ctx, latest.Head); err != nil {
			return nil, err
		}
	}
	w = &Writer{batch: batch{v: v, ctx: ctx, d: d, keep: v.store.Add, put: v.put(ctx)}, at: to.Time}
	if w.at.IsZero() {
		w.at = v.opt.Now()
	}
	if err := w.begin(before); err != nil {
		return nil, err
	}
	w.next = maps.Clone(w.old)
	return w, nil
}

// aim finds the data set, or makes it, and has it keep so many versions.
func (v *Vault) aim(ctx context.Context, to Target) (*dataset, error) {
	if to.Kind != "" && to.Kind != storage.KindRecords {
		return nil, fmt.Errorf("%w: nobody can put objects into one of %q", ErrOtherKind, to.Kind)
	}
	d, err := v.aimed(to)
	if err != nil {
		return nil, err
	}
	switch {
	case d == nil:
		name, err := storage.ParseName(to.Name)
		if err != nil {
			return nil, err
		}
		return v.birth(ctx, &dataset{name: name, kind: storage.KindRecords, keep: max(to.Keep, 0)})
	case d.from != "":
		return nil, ErrNotOurs
	case d.kind != storage.KindRecords:
		return nil, fmt.Errorf("%w: %q is one of %s", ErrOtherKind, d.name, d.kind)
	case to.Keep > 0 && to.Keep != d.keep:
		d.keep = to.Keep
		_, err = v.commit(ctx, d.change())
	}
	return d, err
}

// aimed is the data set that is meant; nil for a new one.
func (v *Vault) aimed(to Target) (*dataset, error) {
	if to.Dataset != "" {
		return v.find(to.Dataset)
	}
	name, err := storage.ParseName(to.Name)
	if err != nil {
		return nil, err
	}
	d := v.named(name)
	if d != nil && (len(d.versions) > 0 || d.from != "" || d.kind != storage.KindRecords) {
		return nil, ErrNameTaken
	}
	return d, nil
}

// Dataset is the data set that is written to.
func (w *Writer) Dataset() crypto.DID { return w.d.did }

// Write seals and stores an object of at most [MaxObject] bytes, in place of
// what has the same path. Nothing of content is kept.
func (w *Writer) Write(path string, content []byte) error {
	if w.done {
		return fmt.Errorf("write %q: %w", path, ErrWriterDone)
	}
	if err := w.write(path, content); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// Commit makes the version of what was written and of what the version before
// has and was not dropped. It ends the writer, also with an error.
func (w *Writer) Commit(ctx context.Context, drop ...string) (PutResult, error) {
	if w.done {
		return PutResult{}, fmt.Errorf("make a version: %w", ErrWriterDone)
	}
	defer w.Abort()
	for _, path := range drop {
		if !w.written[path] {
			delete(w.next, path)
		}
	}
	r, err := w.commit(ctx)
	if err != nil {
		return r, fmt.Errorf("make a version of %q: %w", w.d.name, err)
	}
	return r, nil
}

func (w *Writer) commit(ctx context.Context) (r PutResult, err error) {
	w.ctx, w.put = ctx, w.v.put(ctx)
	for {
		d, err := w.v.find(w.d.did)
		if err != nil {
			return r, err
		}
		if err := w.raise(d); err != nil {
			return r, err
		}
		latest, ok := d.latest()
		if r.New = !ok; ok && w.unchanged() && w.v.store.Has(latest.Description.Name) {
			r.Unchanged, r.Dataset, r.Head, r.NewBytes = true, w.v.describe(d), latest.Head, w.bytes
			return r, w.settle()
		}
		m, err := w.manifest()
		if err != nil {
			return r, err
		}
		p, done, err := w.v.publishVersion(ctx, d, m, w.at.Unix())
		w.bytes += m.bytes
		if done || err != nil {
			r.Dataset, r.Head, r.Dropped, r.NewBytes = p.dataset, p.head, p.dropped, w.bytes
			return r, err
		}
	}
}

// Abort gives up, unless it was committed or given up before.
func (w *Writer) Abort() {
	if !w.done {
		w.done = true
		w.v.adding.Unlock()
	}
}

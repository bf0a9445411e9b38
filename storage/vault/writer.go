// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
// each that there is. Until [Writer.Commit] nothing is seen of it, nor of a data
// set that is new. What one leaves behind that was given up or cut off is used
// by the next that writes the same to the same data set, and swept later. It is
// for one goroutine.
type Writer struct {
	batch
	at   time.Time
	born []change   // what the journal is to hear of a new data set
	all  *[]*Writer // those that are made together

	offered bool // the keys of a new data set may be on the disk
	done    bool
}

// Begin starts a version. It waits, until ctx ends, for an Add or another
// Writer that is under way, and they wait for this one, as Remove does: whoever
// begins must commit or abort, and call no such thing before. ctx is that of
// all writing, too. The errors are [ErrNoDataset], [ErrNotOurs], [ErrOtherKind],
// [ErrNameTaken], and [ErrMissing] when the latest version's list cannot be
// read.
func (v *Vault) Begin(ctx context.Context, to Target) (*Writer, error) {
	if err := v.adding.take(ctx); err != nil {
		return nil, fmt.Errorf("begin a version of %s: %w", to, err)
	}
	w, err := v.begin(ctx, to, nil)
	if err != nil {
		v.adding.Unlock()
		return nil, fmt.Errorf("begin a version of %s: %w", to, err)
	}
	w.all = &[]*Writer{w}
	return w, nil
}

// Beside starts a version of another data set, made with this one or not at
// all: whichever of the writers is committed or aborted, the others are too. The
// errors are those of [Vault.Begin].
func (w *Writer) Beside(to Target) (*Writer, error) {
	if w.done {
		return nil, fmt.Errorf("begin a version of %s: %w", to, ErrWriterDone)
	}
	other, err := w.v.begin(w.ctx, to, *w.all)
	if err != nil {
		return nil, fmt.Errorf("begin a version of %s: %w", to, err)
	}
	other.all = w.all
	*w.all = append(*w.all, other)
	return other, nil
}

// Together are this writer and those that are made with it, in the order in
// which they were begun.
func (w *Writer) Together() []*Writer { return *w.all }

// String is how an error names it.
func (to Target) String() string {
	if to.Dataset != "" {
		return to.Dataset.Short()
	}
	return fmt.Sprintf("%q", to.Name)
}

func (v *Vault) begin(ctx context.Context, to Target, beside []*Writer) (*Writer, error) {
	d, born, err := v.aim(ctx, to)
	if err != nil {
		return nil, err
	}
	w := &Writer{batch: batch{v: v, ctx: ctx, d: d, keep: v.store.Add, put: v.put(ctx)}, at: to.Time, born: born}
	if err := w.prepare(beside); err != nil {
		w.unmake()
		return nil, err
	}
	return w, nil
}

// prepare reads what the latest version has.
func (w *Writer) prepare(beside []*Writer) (err error) {
	for _, other := range beside {
		if other.d.did == w.d.did || other.d.name == w.d.name {
			return ErrNameTaken
		}
	}
	var before []storage.Entry
	if latest, ok := w.d.latest(); ok {
		if before, err = w.v.entries(w.ctx, latest.Head); err != nil {
			return err
		}
	}
	if w.at.IsZero() {
		w.at = w.v.opt.Now()
	}
	if err := w.begin(before); err != nil {
		return err
	}
	w.next = maps.Clone(w.old)
	return nil
}

// aim finds the data set, and has it keep so many versions; or it makes one,
// which nobody is told of yet.
func (v *Vault) aim(ctx context.Context, to Target) (d *dataset, born []change, err error) {
	if to.Kind != "" && to.Kind != storage.KindRecords {
		return nil, nil, fmt.Errorf("%w: nobody can put objects into one of %q", ErrOtherKind, to.Kind)
	}
	if d, err = v.aimed(to); err != nil {
		return nil, nil, err
	}
	switch {
	case d == nil:
		name, err := storage.ParseName(to.Name)
		if err != nil {
			return nil, nil, err
		}
		d = &dataset{name: name, kind: storage.KindRecords, keep: max(to.Keep, 0)}
		born, err = v.birth(d)
		return d, born, err
	case d.from != "":
		return nil, nil, ErrNotOurs
	case d.kind != storage.KindRecords:
		return nil, nil, fmt.Errorf("%w: %q is one of %s", ErrOtherKind, d.name, d.kind)
	case to.Keep > 0 && to.Keep != d.keep:
		d.keep = to.Keep
		_, err = v.commit(ctx, d.change())
	}
	return d, nil, err
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

// Drop leaves out objects that the version before has, and that were not
// written.
func (w *Writer) Drop(paths ...string) {
	for _, path := range paths {
		if !w.written[path] {
			delete(w.next, path)
		}
	}
}

// Commit makes the version of what was written and of what the version before
// has and was not dropped. It ends the writer, also with an error.
func (w *Writer) Commit(ctx context.Context, drop ...string) (PutResult, error) {
	w.Drop(drop...)
	all, err := w.CommitAll(ctx)
	if all == nil {
		return PutResult{}, err
	}
	return all[slices.Index(*w.all, w)], err
}

// CommitAll is Commit for all of [Writer.Together], in their order: all versions
// are made, or none.
func (w *Writer) CommitAll(ctx context.Context) ([]PutResult, error) {
	if w.done {
		return nil, fmt.Errorf("make a version: %w", ErrWriterDone)
	}
	defer w.Abort()
	r, err := w.commit(ctx)
	if err != nil {
		return r, fmt.Errorf("make a version of %q: %w", w.d.name, err)
	}
	return r, nil
}

func (w *Writer) commit(ctx context.Context) ([]PutResult, error) {
	for {
		results, made := make([]PutResult, len(*w.all)), make([]*coming, len(*w.all))
		var all []*coming
		for i, one := range *w.all {
			var err error
			if made[i], err = one.ready(ctx, &results[i]); err != nil {
				return nil, err
			}
			if made[i] != nil {
				all = append(all, made[i])
			}
		}
		if len(all) == 0 {
			return results, nil
		}
		done, err := w.v.publishVersions(ctx, all...)
		if err != nil && !done {
			return nil, err
		}
		for i, c := range made {
			if c != nil {
				results[i].Dataset, results[i].Head, results[i].Dropped = c.now, c.head.Head, c.dropped
			}
		}
		if done {
			return results, err
		}
	}
}

// ready makes the version to be, or nil if it would say what the latest says.
func (w *Writer) ready(ctx context.Context, r *PutResult) (c *coming, err error) {
	w.ctx, w.put = ctx, w.v.put(ctx)
	d := w.d
	if w.born == nil {
		if d, err = w.v.find(w.d.did); err != nil {
			return nil, err
		}
	}
	if err := w.raise(d); err != nil {
		return nil, err
	}
	latest, ok := d.latest()
	if r.New = !ok; ok && w.unchanged() && w.v.store.Has(latest.Description.Name) {
		r.Unchanged, r.Dataset, r.Head, r.NewBytes = true, w.v.describe(d), latest.Head, w.bytes
		return nil, w.settle()
	}
	m, err := w.manifest()
	if err != nil {
		return nil, err
	}
	if c, err = w.v.sign(d, m, w.at.Unix()); err != nil {
		return nil, err
	}
	w.bytes += m.bytes
	c.born, w.offered, r.NewBytes = w.born, true, w.bytes
	return c, nil
}

// Abort gives up, unless it was committed or given up before.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	for _, one := range *w.all {
		one.done = true
		one.unmake()
	}
	w.v.adding.Unlock()
}

// unmake forgets a data set that was to be new. Where the journal may have heard
// of it, its keys stay.
func (w *Writer) unmake() {
	if w.born != nil && !w.offered {
		w.v.ring.UnmakeDataset(w.d.did)
	}
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/traboule/traboule/storage"
)

// AddOptions of [Vault.Add].
type AddOptions struct {
	DryRun   bool           // write nothing, only say what would happen
	Replace  bool           // the source may be another than before
	Keep     int            // versions kept of this data set, from now on; 0 leaves it
	Progress func(Progress) // called from one goroutine at a time; must be quick
}

// Progress says how far a long operation has come.
type Progress struct {
	Bytes, TotalBytes int64
	Files, TotalFiles int
}

// AddResult says what Add did or, in a dry run, would do.
type AddResult struct {
	Dataset   Dataset      // zero DID in a dry run of a new data set
	New       bool         // the data set had no version before
	Unchanged bool         // nothing differs, so no version was made
	Head      storage.Head // of a dry run: as it would be, without its root
	Added     int          // files and folders
	Changed   int
	Removed   int
	Skipped   []Skip
	Dropped   int   // old versions that are no longer kept
	Read      int   // files whose content had to be read
	NewBytes  int64 // ciphertext that was not stored before: data and lists of files; of a dry run at most so much
}

// Add mirrors the file or folder at path as the next version of the data set
// of this name, and makes the data set when it is new. What it stored before
// an error or a cancellation stays and is used by the next attempt; a version
// is made whole or not at all. A file that keeps changing while it is read
// ends it ([ErrChanging], in an fs.PathError that names the file).
func (v *Vault) Add(ctx context.Context, name, path string, opt AddOptions) (AddResult, error) {
	r, err := v.add(ctx, name, path, opt)
	if err != nil {
		return AddResult{}, fmt.Errorf("add %s to %q: %w", path, name, err)
	}
	return r, nil
}

func (v *Vault) add(ctx context.Context, name, path string, opt AddOptions) (AddResult, error) {
	name, err := storage.ParseName(name)
	if err != nil {
		return AddResult{}, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return AddResult{}, err
	}
	v.adding.Lock()
	defer v.adding.Unlock()
	d := v.named(name)
	if d != nil && d.from != "" {
		return AddResult{}, ErrNotOurs
	}
	if d != nil && d.kind != storage.KindFiles {
		return AddResult{}, fmt.Errorf("%w: %q is one of %s", ErrOtherKind, d.name, d.kind)
	}
	if d != nil && d.source != path && !opt.Replace {
		return AddResult{}, fmt.Errorf("%w (it mirrors %s)", ErrOtherSource, d.source)
	}
	vaultInfo, err := v.opt.FS.Stat(v.dir)
	if err != nil {
		return AddResult{}, err
	}
	s, err := newScan(ctx, path, vaultInfo)
	if err != nil {
		return AddResult{}, err
	}
	defer s.close()
	if d == nil && opt.DryRun {
		return v.forecast(s, name, path), nil
	}
	if d, err = v.settle(ctx, d, name, path, opt); err != nil {
		return AddResult{}, err
	}
	return v.mirror(ctx, d, s, opt)
}

// forecast is a dry run of a data set that does not exist yet: it has no keys,
// and all is new.
func (v *Vault) forecast(s *scan, name, path string) AddResult {
	head := storage.Head{Sequence: storage.SequenceOf(v.Incarnation(), 1), Time: v.opt.Now().Unix(), Counts: s.counts()}
	return AddResult{New: true, Added: len(s.list), Skipped: s.skipped, NewBytes: s.sealedBytes(), Head: head,
		Dataset: Dataset{Name: name, Kind: storage.KindFiles, Source: path}}
}

// settle makes the data set, or changes its source and settings.
func (v *Vault) settle(ctx context.Context, d *dataset, name, path string, opt AddOptions) (*dataset, error) {
	if d == nil {
		d = &dataset{name: name, kind: storage.KindFiles, source: path, keep: max(opt.Keep, 0)}
		born, err := v.birth(d)
		if err == nil {
			err = v.keepKeys(d, born)
		}
		if err == nil {
			_, err = v.commit(ctx, born...)
		}
		return d, err
	}
	keep := cmp.Or(max(opt.Keep, 0), d.keep)
	if (d.source == path && d.keep == keep) || opt.DryRun {
		return d, nil
	}
	d.source, d.keep = path, keep
	_, err := v.commit(ctx, d.change())
	return d, err
}

// birth gives a data set its keys, in memory, and is what the journal is to be
// told of it once they are durable.
func (v *Vault) birth(d *dataset) ([]change, error) {
	did, birth, err := v.ring.NewDataset(v.opt.Rand)
	if err != nil {
		return nil, err
	}
	d.did, d.created = did, v.opt.Now().Unix()
	changes := []change{d.change()}
	if v.opt.Birth == nil {
		return changes, nil
	}
	facts, err := v.opt.Birth(birth)
	if err != nil {
		return nil, fmt.Errorf("sign for a new data set: %w", err)
	}
	more, err := changesOf(facts)
	return append(changes, more...), err
}

// keepKeys makes the keys of a new data set durable, before the journal speaks
// of them.
func (v *Vault) keepKeys(d *dataset, born []change) error {
	if err := v.ensureScopes(born); err != nil {
		return err
	}
	if err := v.SaveKeyring(); err != nil {
		return err
	}
	v.learn(d.scope())
	return nil
}

// mirror stores the source's content and makes a version of it. When the
// generation is raised meanwhile it starts again, so that the version's new
// blocks have keys of the new one.
func (v *Vault) mirror(ctx context.Context, d *dataset, s *scan, opt AddOptions) (AddResult, error) {
	for {
		a, err := v.sealAll(ctx, d, s, opt)
		if err != nil {
			return AddResult{}, err
		}
		r := a.result
		r.Skipped = append(r.Skipped, s.skipped...)
		r.New = len(d.versions) == 0
		if r.Unchanged = a.unchanged(); r.Unchanged || opt.DryRun {
			return v.unpublished(a, r)
		}
		done, err := v.publish(ctx, d, a, &r)
		if err != nil || done {
			return r, err
		}
		if d, err = v.find(d.did); err != nil {
			return AddResult{}, err
		}
	}
}

// unpublished is the result of an Add that makes no version: because it is a
// dry run, which says what the version would be, or because nothing differs.
func (v *Vault) unpublished(a *adding, r AddResult) (AddResult, error) {
	latest, _ := a.d.latest()
	r.Dataset, r.Head = v.describe(a.d), latest.Head
	switch {
	case !a.opt.DryRun:
		return r, v.leave(a)
	case r.Unchanged:
		return r, nil
	}
	head, err := a.manifest.head(storage.SequenceOf(v.Incarnation(), a.d.last+1), v.opt.Now().Unix())
	r.NewBytes += a.manifest.bytes
	head.Root, head.Description = storage.Ref{}, storage.Ref{} // nothing of that name is anywhere
	r.Head = head
	return r, err
}

// leave ends an Add that makes no version: it takes back the pages, and keeps
// blocks that had been lost and are here again.
func (v *Vault) leave(a *adding) error {
	for _, name := range a.manifest.fresh {
		if err := v.store.Delete(name); err != nil {
			return err
		}
	}
	if err := v.store.Sync(); err != nil {
		return err
	}
	v.note(a)
	return nil
}

// note tells the index which files need not be read again. It may fail: then
// they are read again.
func (v *Vault) note(a *adding) {
	table := scanTable(a.d.did)
	v.index.Put(table, a.seen...)
	v.index.Delete(table, append(a.unseen, a.removed...)...)
}

// publish makes the version true. It is not done when the generation was raised
// meanwhile.
func (v *Vault) publish(ctx context.Context, d *dataset, a *adding, r *AddResult) (done bool, err error) {
	c, err := v.sign(d, a.manifest, v.opt.Now().Unix())
	if err != nil {
		return false, err
	}
	done, err = v.publishVersions(ctx, c)
	r.NewBytes += a.manifest.bytes
	if !done {
		return false, err
	}
	v.note(a)
	r.Dataset, r.Head, r.Dropped = c.now, c.head.Head, c.dropped
	return true, err
}

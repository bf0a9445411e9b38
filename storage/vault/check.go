// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/journal"
)

// Check reads everything and says what is wrong, and what to do about it. An
// error means that it could not look; damage is not an error, and what is Harmless is
// no reason to call the vault damaged. progress counts bytes of packs.
func (v *Vault) Check(ctx context.Context, progress func(done, total int64)) ([]Damage, error) {
	began := v.opt.Now()
	found := v.checkKeyfiles()
	found = append(found, v.checkJournal()...)
	bad, err := v.store.Check(ctx, progress)
	if err != nil {
		return nil, fmt.Errorf("check the packs: %w", err)
	}
	more, err := v.checkContent(ctx)
	if err != nil {
		return nil, fmt.Errorf("check the data sets: %w", err)
	}
	v.noteChecked(began)
	return append(found, v.weigh(bad, more)...), nil
}

// Damages says what is known to be damaged, by whatever found it, without
// reading the content again.
func (v *Vault) Damages(ctx context.Context) ([]Damage, error) {
	found := v.checkKeyfiles()
	if !v.store.Damaged() {
		return found, nil
	}
	more, err := v.checkContent(ctx)
	if err != nil {
		return nil, fmt.Errorf("check the data sets: %w", err)
	}
	return append(found, more...), nil
}

// weigh says of places in packs whether they may be why more is lost.
func (v *Vault) weigh(bad []blocks.Damage, more []Damage) (found []Damage) {
	for _, d := range bad {
		if len(more) == 0 || v.store.Has(d.Name) { // nothing needs it, or it is here once more
			found = append(found, packScar(d.Pack, d.Offset))
			continue
		}
		found = append(found, packDamage(d.Pack, d.Offset))
	}
	return append(found, more...)
}

func (v *Vault) checkKeyfiles() (found []Damage) {
	v.files.Lock()
	defer v.files.Unlock()
	list := v.readKeyrings()
	for _, c := range list {
		if c.locked == nil {
			found = append(found, keyringDamage(c))
		}
	}
	if found == nil && !bytes.Equal(list[0].raw, list[1].raw) {
		found = append(found, Damage{Kind: KeyringOlder, Args: Args{"file": list[1].name, "other": list[0].name}})
	}
	for _, name := range []string{markA, markB} {
		if _, err := v.readMarkFile(name); err != nil {
			found = append(found, Damage{Kind: MarkDamaged, Args: Args{"file": name}})
		}
	}
	return found
}

// checkJournal reads all of it, and what counts also when history is damaged.
func (v *Vault) checkJournal() (found []Damage) {
	entry := uint64(0)
	opens := func(e journal.Entry) error {
		entry = e.Seq
		_, err := v.entryOpens(e)
		return err
	}
	err := v.log.Read(0, opens)
	if at := (*journal.DamagedError)(nil); errors.As(err, &at) && at.Segment < v.newestCheckpoint() {
		found = append(found, Damage{Kind: HistoryDamaged, Lost: true, Args: Args{"file": segmentFile(at.Segment), "offset": number(at.Offset)}})
		err = v.log.ReadLive(opens)
	}
	if err != nil {
		found = append(found, journalDamage(err, entry))
	}
	return found
}

// newestCheckpoint is the segment that begins with it; 0 for none.
func (v *Vault) newestCheckpoint() (number uint32) {
	for _, seg := range v.log.Segments() {
		if seg.Checkpoint {
			number = seg.Number
		}
	}
	return number
}

func (v *Vault) entryOpens(e journal.Entry) (bool, error) {
	var r Recorded
	err := v.openFact(e, &r)
	if err != nil {
		err = fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return !r.Erased, err
}

// checkContent walks every version. Views are not worth a word: ViewHead cuts
// one again when it cannot be read.
func (v *Vault) checkContent(ctx context.Context) (found []Damage, err error) {
	for _, d := range v.Datasets() {
		one, err := v.find(d.DID)
		if err != nil {
			continue // removed meanwhile
		}
		for _, h := range one.versions {
			d, damaged := v.checkHead(ctx, one, h.Head)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if damaged {
				found = append(found, d)
			}
		}
	}
	return found, nil
}

// namedFiles is how many files a damage names.
const namedFiles = 10

// checkHead looks for files of a version that cannot be read.
func (v *Vault) checkHead(ctx context.Context, d *dataset, h storage.Head) (Damage, bool) {
	var paths []string
	bad, last := 0, ""
	err := storage.Walk(ctx, h, v.store.Get, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			if v.store.Has(r.Name) || string(e.Path) == last {
				continue
			}
			last = string(e.Path)
			if bad++; bad <= namedFiles {
				paths = append(paths, last)
			}
		}
		return nil
	})
	if bad > namedFiles {
		paths = append(paths, "…")
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Damage{}, false
	case err != nil || !v.store.Has(h.Description.Name):
		return d.damage(ListLost, ListNotHere, h, Args{}), true
	case bad > 0:
		return d.damage(FilesLost, FilesNotHere, h, Args{"files": number(bad), "paths": strings.Join(paths, ", ")}), true
	}
	return Damage{}, false
}

// damage tells what is lost of a version: from our own, or from one received.
func (d *dataset) damage(ours, received DamageKind, h storage.Head, args Args) Damage {
	args["name"], args["version"] = d.name, number(uint32(h.Sequence))
	if d.from != "" {
		return Damage{Kind: received, Args: args, Lost: true}
	}
	if d.kind == storage.KindRecords {
		return Damage{Kind: RecordsLost, Args: Args{"name": d.name, "version": args["version"]}, Lost: true}
	}
	args["source"] = d.source
	return Damage{Kind: ours, Args: args, Lost: true}
}

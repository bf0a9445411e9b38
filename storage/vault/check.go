// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/journal"
)

// Damage is one thing that Check found wrong.
type Damage struct {
	Where  string // "keyring.b", "pack 00000003 at 1024", "photos, version 4"
	Why    string
	Lost   string // what cannot be read because of it; "" for nothing
	WayOut string
}

// Check reads everything and says what is wrong, and what to do about it. An
// error means that it could not look; damage is not an error. progress counts
// bytes of packs.
func (v *Vault) Check(ctx context.Context, progress func(done, total int64)) ([]Damage, error) {
	found := v.checkKeyfiles()
	found = append(found, v.checkJournal()...)
	bad, err := v.store.Check(ctx, progress)
	if err != nil {
		return nil, fmt.Errorf("check the packs: %w", err)
	}
	for _, d := range bad {
		found = append(found, Damage{Where: fmt.Sprintf("pack %08d at %d", d.Pack, d.Offset), Why: d.Why,
			WayOut: "what needs it is listed below; adding the same files again heals it"})
	}
	more, err := v.checkContent(ctx)
	if err != nil {
		return nil, fmt.Errorf("check the data sets: %w", err)
	}
	return append(found, more...), nil
}

func (v *Vault) checkKeyfiles() (found []Damage) {
	v.files.Lock()
	defer v.files.Unlock()
	list := v.readKeyrings()
	for _, c := range list {
		if c.locked == nil {
			found = append(found, Damage{Where: c.name, Why: c.why.Error(), WayOut: "repair, or the next start, copies the other one"})
		}
	}
	if found == nil && !bytes.Equal(list[0].raw, list[1].raw) {
		found = append(found, Damage{Where: list[1].name, Why: "older than " + list[0].name, WayOut: "repair, or the next start, copies the other one"})
	}
	for _, name := range []string{markA, markB} {
		if _, err := v.readMarkFile(name); err != nil {
			found = append(found, Damage{Where: name, Why: err.Error(), WayOut: "written anew at the next stop"})
		}
	}
	return found
}

func (v *Vault) checkJournal() []Damage {
	err := v.log.Read(0, func(e journal.Entry) error {
		_, err := v.entryOpens(e)
		return err
	})
	if err == nil {
		return nil
	}
	return []Damage{{Where: "journal", Why: err.Error(), Lost: "what came after", WayOut: "stop the node and run repair; grants will wait for your confirmation"}}
}

func (v *Vault) entryOpens(e journal.Entry) (bool, error) {
	var r Recorded
	err := v.openFact(e, &r)
	if err != nil {
		err = fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return !r.Erased, err
}

// checkContent walks every version and view.
func (v *Vault) checkContent(ctx context.Context) (found []Damage, err error) {
	for _, d := range v.Datasets() {
		one, err := v.find(d.DID)
		if err != nil {
			continue // removed meanwhile
		}
		for _, h := range one.heads() {
			lost, why := v.checkHead(ctx, h.Head)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if why == "" {
				continue
			}
			found = append(found, Damage{Where: fmt.Sprintf("%s, version %d", one.name, uint32(h.Sequence)), Why: why, Lost: lost, WayOut: one.wayOut()})
		}
	}
	return found, nil
}

func (d *dataset) wayOut() string {
	if d.from != "" {
		return "fetch it again"
	}
	return "add " + d.source + " again, or put the lost packs back"
}

// checkHead names up to ten files that cannot be read.
func (v *Vault) checkHead(ctx context.Context, h storage.Head) (lost, why string) {
	var names []string
	bad, last := 0, ""
	err := storage.Walk(ctx, h, v.store.Get, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			if v.store.Has(r.Name) || string(e.Path) == last {
				continue
			}
			last = string(e.Path)
			if bad++; bad <= 10 {
				names = append(names, fmt.Sprintf("%q", last))
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, context.Canceled):
		return "", ""
	case err != nil:
		return "the whole list of files, or a part of it", err.Error()
	case bad > 0:
		return fmt.Sprintf("%d files: %v", bad, names), "blocks are missing or damaged"
	}
	return "", ""
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/journal"
)

// Repaired says what Repair mended, and what is still damaged or lost.
type Repaired struct {
	Healed  []Healing
	Damages []Damage
}

// Repair opens a vault that Open may refuse, mends what can be mended and says
// what was wrong and what is lost. It makes the index anew, copies a sound
// keyring over a damaged one and, only if the journal cannot be read otherwise,
// cuts it where the damage begins: what it cuts off is kept beside it, and the
// grants are suspended. The vault must not be open, and is closed afterwards.
func Repair(ctx context.Context, dir string, secret crypto.Secret, opt Options) (Repaired, error) {
	r, err := repair(ctx, dir, secret, opt.withDefaults())
	if err != nil {
		return r, fmt.Errorf("repair the vault %s: %w", dir, err)
	}
	return r, nil
}

func repair(ctx context.Context, dir string, secret crypto.Secret, opt Options) (r Repaired, err error) {
	v, report, err := open(dir, secret, opt)
	for cuts := 0; errors.Is(err, journal.ErrDamaged) && cuts < 3; cuts++ {
		var d Damage
		if d, err = cutJournal(dir, err, opt); err != nil {
			return r, err
		}
		r.Damages = append(r.Damages, d)
		v, report, err = open(dir, secret, opt)
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	r.Healed = report.Healed
	if len(r.Damages) > 0 {
		r.Healed = slices.DeleteFunc(r.Healed, func(h Healing) bool { return h.Kind == MarkRenewed }) // we took them away
		if err := v.suspendFor(CutJournal); err != nil {
			return r, err
		}
	}
	if err := v.mark(); err != nil {
		return r, err
	}
	if err := v.index.Wipe(); err != nil {
		r.Damages = append(r.Damages, Damage{Kind: IndexUnwritable, Args: Args{"file": indexDir}})
	}
	more, err := v.Check(ctx, nil)
	r.Damages = append(r.Damages, more...)
	return r, err
}

// cutJournal keeps a copy of the journal's files, and cuts the damaged one
// where the damage begins and the later ones off.
func cutJournal(dir string, cause error, opt Options) (Damage, error) {
	var at *journal.DamagedError
	if !errors.As(cause, &at) {
		return Damage{}, cause
	}
	lock, err := opt.FS.Lock(dir)
	if err != nil {
		return Damage{}, err
	}
	defer lock.Close()
	folder, aside := filepath.Join(dir, logDir), freeName(opt, filepath.Join(dir, "journal.damaged"))
	if err := disk.CopyDir(opt.FS, aside, folder); err != nil {
		return Damage{}, fmt.Errorf("keep the damaged journal: %w", err)
	}
	if err := forgetMarks(dir, opt.FS); err != nil {
		return Damage{}, err
	}
	bytes, files, err := cutFiles(opt.FS, folder, at)
	if err != nil {
		return Damage{}, err
	}
	return Damage{Kind: JournalCut, Lost: true, Args: Args{"file": segmentFile(at), "offset": number(at.Offset),
		"bytes": number(bytes), "files": number(files), "aside": filepath.Base(aside)}}, nil
}

// freeName adds the time to a name, and more when that is taken.
func freeName(opt Options, name string) string {
	name = fmt.Sprintf("%s-%d", name, opt.Now().Unix())
	for try, n := name, 2; ; try, n = fmt.Sprintf("%s-%d", name, n), n+1 {
		if _, err := opt.FS.Stat(try); err != nil {
			return try
		}
	}
}

// forgetMarks has every Open suspend the grants from now on, until one has
// done so: a cut that is interrupted before the journal says why must not pass
// for a journal that never was longer.
func forgetMarks(dir string, fsys disk.FS) error {
	for _, name := range []string{markA, markB} {
		if err := fsys.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget the mark: %w", err)
		}
	}
	return fsys.SyncDir(dir)
}

// cutFiles removes what cannot be read, the last file first: what is left at
// any time still is one journal.
func cutFiles(fsys disk.FS, folder string, at *journal.DamagedError) (bytes int64, files int, err error) {
	list, err := fsys.ReadDir(folder)
	if err != nil {
		return 0, 0, err
	}
	first := fmt.Sprintf("%08d.log", at.Segment)
	for _, e := range slices.Backward(list) {
		name := filepath.Join(folder, e.Name())
		switch {
		case filepath.Ext(name) != ".log" || e.Name() < first:
			continue
		case e.Name() == first && at.Offset > 0:
			info, err := e.Info()
			if err != nil {
				return bytes, files, err
			}
			bytes = info.Size() - at.Offset
			err = disk.Cut(fsys, name, at.Offset)
			if err != nil {
				return bytes, files, err
			}
		default:
			files++
			if err := fsys.Remove(name); err != nil {
				return bytes, files, err
			}
		}
	}
	return bytes, files, nil // durable when the journal is opened, which is next
}

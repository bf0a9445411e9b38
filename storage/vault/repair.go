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
	for errors.Is(err, journal.ErrDamaged) && ctx.Err() == nil { // each time there is less of it
		var d Damage
		if d, err = mendJournal(dir, err, opt); err != nil {
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
	if slices.ContainsFunc(r.Damages, func(d Damage) bool { return d.Kind == JournalCut }) {
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

// mendJournal takes away what keeps the journal from being read, and keeps a
// copy of it.
func mendJournal(dir string, cause error, opt Options) (Damage, error) {
	var at *journal.DamagedError
	if !errors.As(cause, &at) {
		return Damage{}, cause
	}
	lock, err := opt.FS.Lock(dir)
	if err != nil {
		return Damage{}, err
	}
	defer lock.Close()
	aside := freeName(opt, filepath.Join(dir, "journal.damaged"))
	if at.Keep > 0 {
		return setAside(dir, aside, at, opt.FS)
	}
	return cutJournal(dir, aside, at, opt.FS)
}

// setAside moves the history before at.Keep out of the way. The marks stay:
// the journal still ends where it ended.
func setAside(dir, aside string, at *journal.DamagedError, fsys disk.FS) (Damage, error) {
	folder := filepath.Join(dir, logDir)
	names, err := logNames(fsys, folder)
	if err != nil {
		return Damage{}, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name >= segmentName(at.Keep) })
	bytes, err := disk.CopyFiles(fsys, aside, folder, names)
	if err != nil {
		return Damage{}, fmt.Errorf("keep the damaged history: %w", err)
	}
	for _, name := range names { // durable when the journal is opened, which is next; a gap in history is mended again
		if err := fsys.Remove(filepath.Join(folder, name)); err != nil {
			return Damage{}, err
		}
	}
	return Damage{Kind: HistoryAside, Lost: true, Args: Args{"file": segmentFile(at.Segment), "offset": number(at.Offset),
		"bytes": number(bytes), "files": number(len(names)), "aside": filepath.Base(aside)}}, nil
}

// logNames lists the journal's segments, in order.
func logNames(fsys disk.FS, folder string) (names []string, err error) {
	list, err := fsys.ReadDir(folder)
	for _, e := range list {
		if filepath.Ext(e.Name()) == ".log" {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// cutJournal cuts the damaged file where the damage begins, and the later ones
// off.
func cutJournal(dir, aside string, at *journal.DamagedError, fsys disk.FS) (Damage, error) {
	folder := filepath.Join(dir, logDir)
	if err := disk.CopyDir(fsys, aside, folder); err != nil {
		return Damage{}, fmt.Errorf("keep the damaged journal: %w", err)
	}
	if err := forgetMarks(dir, fsys); err != nil {
		return Damage{}, err
	}
	bytes, files, err := cutFiles(fsys, folder, at)
	if err != nil {
		return Damage{}, err
	}
	return Damage{Kind: JournalCut, Lost: true, Args: Args{"file": segmentFile(at.Segment), "offset": number(at.Offset),
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
	names, err := logNames(fsys, folder)
	if err != nil {
		return 0, 0, err
	}
	first := segmentName(at.Segment)
	for _, name := range slices.Backward(names) {
		path := filepath.Join(folder, name)
		switch {
		case name < first:
			continue
		case name == first && at.Offset > 0:
			info, err := fsys.Stat(path)
			if err != nil {
				return bytes, files, err
			}
			bytes = info.Size() - at.Offset
			err = disk.Cut(fsys, path, at.Offset)
			if err != nil {
				return bytes, files, err
			}
		default:
			files++
			if err := fsys.Remove(path); err != nil {
				return bytes, files, err
			}
		}
	}
	return bytes, files, nil // durable when the journal is opened, which is next
}

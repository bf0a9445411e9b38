// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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

// cutJournal keeps a copy of the journal's files from the damaged one on, cuts
// that one where the damage begins and removes the later ones.
func cutJournal(dir string, cause error, opt Options) (Damage, error) {
	var at *journal.DamagedError
	if !errors.As(cause, &at) {
		return Damage{}, cause
	}
	lock, err := disk.Lock(dir)
	if err != nil {
		return Damage{}, err
	}
	defer lock.Close()
	aside := filepath.Join(dir, fmt.Sprintf("journal.damaged-%d", opt.Now().Unix()))
	if err := os.CopyFS(aside, os.DirFS(filepath.Join(dir, logDir))); err != nil {
		return Damage{}, fmt.Errorf("keep the damaged journal: %w", err)
	}
	bytes, files, err := cutFiles(filepath.Join(dir, logDir), at)
	if err != nil {
		return Damage{}, err
	}
	return Damage{Kind: JournalCut, Lost: true, Args: Args{"file": segmentFile(at), "offset": number(at.Offset),
		"bytes": number(bytes), "files": number(files), "aside": filepath.Base(aside)}}, nil
}

func cutFiles(folder string, at *journal.DamagedError) (bytes int64, files int, err error) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return 0, 0, err
	}
	first := fmt.Sprintf("%08d.log", at.Segment)
	for _, e := range list {
		name := filepath.Join(folder, e.Name())
		switch {
		case filepath.Ext(name) != ".log" || e.Name() < first:
		case e.Name() == first && at.Offset > 0:
			info, err := e.Info()
			if err != nil {
				return bytes, files, err
			}
			bytes += info.Size() - at.Offset
			if err := os.Truncate(name, at.Offset); err != nil {
				return bytes, files, err
			}
		default:
			files++
			if err := os.Remove(name); err != nil {
				return bytes, files, err
			}
		}
	}
	return bytes, files, disk.OS.SyncDir(folder)
}

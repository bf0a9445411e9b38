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

// Repair opens a vault that Open may refuse, mends what can be mended and says
// what was wrong and what is lost. It makes the index anew, copies a sound
// keyring over a damaged one and, only if the journal cannot be read otherwise,
// cuts it where the damage begins: what it cuts off is kept beside it, and the
// grants are suspended. The vault must not be open, and is closed afterwards.
func Repair(ctx context.Context, dir string, secret crypto.Secret, opt Options) ([]Damage, error) {
	found, err := repair(ctx, dir, secret, opt.withDefaults())
	if err != nil {
		return found, fmt.Errorf("repair the vault %s: %w", dir, err)
	}
	return found, nil
}

func repair(ctx context.Context, dir string, secret crypto.Secret, opt Options) (found []Damage, err error) {
	v, report, err := open(dir, secret, opt)
	for cuts := 0; errors.Is(err, journal.ErrDamaged) && cuts < 3; cuts++ {
		var d Damage
		if d, err = cutJournal(dir, err, opt); err != nil {
			return found, err
		}
		found = append(found, d)
		v, report, err = open(dir, secret, opt)
	}
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	for _, what := range report.Healed {
		found = append(found, Damage{Where: dir, Why: what, WayOut: "done"})
	}
	if len(found) > 0 && v.Suspended() == "" && report.Suspended == "" && cutAny(found) {
		if err := v.suspend("the journal was damaged and had to be cut"); err != nil {
			return found, err
		}
	}
	if err := v.index.Wipe(); err != nil {
		found = append(found, Damage{Where: indexDir, Why: err.Error(), WayOut: "remove the folder"})
	}
	more, err := v.Check(ctx, nil)
	return append(found, more...), err
}

func cutAny(found []Damage) bool {
	for _, d := range found {
		if d.Where == logDir {
			return true
		}
	}
	return false
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
	return Damage{Where: logDir, Why: cause.Error(),
		Lost:   fmt.Sprintf("%d bytes at the end of the journal and %d later files of it: changes of state, among them perhaps revocations", bytes, files),
		WayOut: "look at every grant and confirm; what was cut off is kept in " + aside}, nil
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

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/journal"
)

// Create makes a vault in dir, which must not hold one; the left-over of a
// creation that was interrupted is cleared away. k needs a way in
// (SetPassphrase) and recovery words (NewWords). Whenever it is interrupted,
// there is either a vault afterwards or [ErrUnfinished].
func Create(dir string, k *crypto.Keyring, opt Options) (*Vault, error) {
	v, err := create(dir, k, opt.withDefaults(), change{kind: kindIncarnation, public: encode(incarnationBody{1})})
	if err != nil {
		return nil, fmt.Errorf("create a vault in %s: %w", dir, err)
	}
	return v, nil
}

// create makes a vault whose journal opens with the given changes.
func create(dir string, k *crypto.Keyring, opt Options, first ...change) (*Vault, error) {
	v := &Vault{dir: dir, opt: opt, ring: k, state: newState(), adding: newTurn()}
	if err := disk.MakeDir(opt.FS, dir, 0o700); err != nil {
		return nil, err
	}
	if err := v.takeLock(); err != nil {
		return nil, err
	}
	if err := v.fill(first); err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

func (v *Vault) fill(first []change) error {
	if err := v.clear(); err != nil {
		return err
	}
	if err := disk.WriteFileAtomic(v.opt.FS, v.path(creating), nil, 0o600); err != nil {
		return err
	}
	var err error
	jopt := journal.Options{VaultID: v.ring.VaultID(), SegmentSize: v.opt.segmentSize}
	if v.log, _, err = journal.Open(v.opt.FS, v.path(logDir), jopt, v.replay); err != nil {
		return err
	}
	if v.store, _, err = blocks.Open(v.opt.FS, v.path(packsDir), v.opt.blocks()); err != nil {
		return err
	}
	v.openIndex()
	for _, s := range v.ring.Scopes() {
		v.state.tags[v.ring.ScopeTag(s)] = s
	}
	if err := v.commitMany(first); err != nil {
		return err
	}
	if err := v.SaveMark(); err != nil {
		return err
	}
	if err := v.SaveKeyring(); err != nil {
		return err
	}
	if err := v.opt.FS.Remove(v.path(creating)); err != nil {
		return err
	}
	return v.opt.FS.SyncDir(v.dir)
}

// clear makes way for a new vault. Only what stands beside the file "creating"
// was never used and may go; packs are left alone in any case.
func (v *Vault) clear() error {
	own := []string{keyringA, keyringB, markA, markB, logDir}
	if v.exists(creating) {
		for _, name := range own {
			if err := disk.RemoveAll(v.opt.FS, v.path(name)); err != nil {
				return err
			}
		}
	}
	for _, name := range own {
		if v.exists(name) {
			return ErrExists
		}
	}
	return nil
}

// commitMany commits in batches that the journal takes: a kit may restore more
// than one of them. The order counts, not the grouping.
func (v *Vault) commitMany(all []change) error {
	for len(all) > 0 {
		n := 0
		for size := 0; n < len(all) && n < 256 && (n == 0 || size < journal.MaxBatch/4); n++ {
			size += len(all[n].body) + len(all[n].public)
		}
		if _, err := v.commit(context.Background(), all[:n]...); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

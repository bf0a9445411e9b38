// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
)

// checkedFile says how far [Vault.CheckSome] has come, sealed as the mark is.
// Without it, or with a damaged one, a round begins anew.
const (
	checkedFile = "checked"
	checkedAAD  = "traboule/v1/checked"
)

type checked struct {
	Cursor string `cbor:"cursor"`
	Began  int64  `cbor:"began"` // Unix seconds: when the round that is under way began; 0 for none
	Whole  int64  `cbor:"whole"` // and when the last one that is over began
}

// CheckSome is [Vault.Check] a share at a time, also over restarts: about
// budget bytes of packs, and each time the keyring's copies and the marks; the
// journal when a round begins. over tells that all has been read since the
// round began. When the packs turn out damaged it looks for what is lost by it.
func (v *Vault) CheckSome(ctx context.Context, budget int64) (found []Damage, over bool, err error) {
	v.checking.Lock()
	defer v.checking.Unlock()
	at := v.readChecked()
	var from blocks.Cursor
	if at.Began == 0 || from.UnmarshalText([]byte(at.Cursor)) != nil {
		at.Began, from = v.opt.Now().Unix(), blocks.Cursor{}
		found = v.checkJournal()
	}
	found = append(found, v.checkKeyfiles()...)
	next, bad, failed := v.store.CheckSome(ctx, from, budget)
	if len(bad) > 0 {
		more, err := v.checkContent(ctx)
		if err != nil {
			return found, false, fmt.Errorf("check the data sets: %w", err)
		}
		found = append(found, v.weigh(bad, more)...)
	}
	if failed != nil {
		return found, false, fmt.Errorf("check a share of the packs: %w", failed)
	}
	if over = next == (blocks.Cursor{}); over {
		at.Began, at.Whole = 0, at.Began
	}
	at.Cursor = next.String()
	v.saveChecked(at)
	return found, over, nil
}

// Checked is when the last [Vault.Check], or round of [Vault.CheckSome], began
// that is over: what is older than that has been read since. It is zero when
// none is over.
func (v *Vault) Checked() time.Time {
	v.checking.Lock()
	defer v.checking.Unlock()
	if at := v.readChecked(); at.Whole != 0 {
		return time.Unix(at.Whole, 0)
	}
	return time.Time{}
}

// noteChecked remembers that all has been read since a moment.
func (v *Vault) noteChecked(began time.Time) {
	v.checking.Lock()
	defer v.checking.Unlock()
	at := v.readChecked()
	at.Whole = max(at.Whole, began.Unix())
	v.saveChecked(at)
}

func (v *Vault) readChecked() (at checked) {
	sealed, err := disk.ReadFile(v.opt.FS, v.path(checkedFile), maxMark)
	if err != nil {
		return checked{}
	}
	plain, err := v.ring.OpenBody(crypto.NodeScope, []byte(checkedAAD), sealed)
	if err != nil || canonical.Unmarshal(plain, &at) != nil {
		return checked{}
	}
	return at
}

// saveChecked may fail: then the share is checked again.
func (v *Vault) saveChecked(at checked) {
	sealed, err := v.ring.SealBody(crypto.NodeScope, []byte(checkedAAD), encode(at))
	if err == nil {
		_ = disk.WriteFileAtomic(v.opt.FS, v.path(checkedFile), sealed, 0o600)
	}
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/storage/blocks"
)

// Grace is how long what a cut-off Add or fetch left behind waits to be taken
// up again.
const Grace = 7 * 24 * time.Hour

// CompactOptions of [Vault.Compact]; the zero value is right.
type CompactOptions struct {
	Grace    time.Duration           // as of Sweep; default [Grace], negative for none
	Percent  int                     // of a pack that must be dead before it is rewritten; default that of blocks
	All      bool                    // also the pack that is written to
	Progress func(done, total int64) // bytes of packs
}

// CompactResult says what [Vault.Compact] did.
type CompactResult struct {
	Sweep   SweepResult
	Unswept error // why nothing was swept, or nil: [ErrUnderWay], [ErrUnclear]
	Blocks  blocks.CompactResult
}

// Compact gives room back: it sweeps, and then rewrites the packs in which
// enough is dead. All else goes on meanwhile. What it has done before an error
// or a cancellation stays done; the next call goes on from there. On a disk
// that is full but for the reserve it may use that.
func (v *Vault) Compact(ctx context.Context, opt CompactOptions) (r CompactResult, err error) {
	grace := opt.Grace
	switch {
	case grace == 0:
		grace = Grace
	case grace < 0:
		grace = 0
	}
	r.Sweep, r.Unswept = v.Sweep(ctx, grace)
	if r.Unswept != nil && !errors.Is(r.Unswept, ErrUnderWay) && !errors.Is(r.Unswept, ErrUnclear) {
		return r, fmt.Errorf("make room: %w", r.Unswept)
	}
	r.Blocks, err = v.store.Compact(ctx, blocks.CompactOptions{Percent: opt.Percent, All: opt.All, Progress: opt.Progress})
	if err != nil {
		return r, fmt.Errorf("make room: %w", err)
	}
	return r, nil
}

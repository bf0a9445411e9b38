// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
)

// syncEvery is how much ciphertext a fetch takes between two moments at which
// all that came is made durable and will not be asked for again.
const syncEvery = 32 << 20

// landing takes in the blocks of a fetch. While what came is made durable the
// next blocks come in; at most twice [syncEvery] is in doubt at any time.
type landing struct {
	store   *blocks.Store
	unsaved int
	saving  chan error // of the sync under way; nil for none
}

// keep stores a block whose hash was found to be its name (transfer's
// Session.Fetch promises that).
func (l *landing) keep(ctx context.Context, name crypto.BlockName, ciphertext []byte) error {
	if _, err := l.store.PutHashed(ctx, name, ciphertext); err != nil {
		return err
	}
	if l.unsaved += len(ciphertext); l.unsaved < syncEvery {
		return nil
	}
	l.unsaved = 0
	if err := l.wait(); err != nil {
		return err
	}
	saved := make(chan error, 1)
	l.saving = saved
	go func() { saved <- l.store.Sync() }()
	return nil
}

// wait returns when no sync is under way.
func (l *landing) wait() error {
	if l.saving == nil {
		return nil
	}
	err := <-l.saving
	l.saving = nil
	return err
}

// settle returns when all that came is durable and nothing is under way. After
// it the landing may go on.
func (l *landing) settle() error {
	if err := l.wait(); err != nil {
		return err
	}
	return l.store.Sync()
}

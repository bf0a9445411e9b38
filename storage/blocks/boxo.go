// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/boxo/blockstore"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"

	"github.com/traboule/traboule/crypto"
)

// Boxo is the store as boxo's Blockstore, for what the IPFS libraries can do
// with one, such as CAR files. It takes raw SHA-256 blocks only. Its Put and
// PutMany return when the blocks are durable.
func (s *Store) Boxo() blockstore.Blockstore { return boxo{s} }

type boxo struct{ s *Store }

var _ blockstore.Blockstore = boxo{}

// DeleteBlock is [Store.Delete] and [Store.Sync].
func (b boxo) DeleteBlock(_ context.Context, c cid.Cid) error {
	name, err := crypto.BlockNameFromCID(c)
	if err != nil {
		return nil // what cannot be here is not here
	}
	if err := b.s.Delete(name); err != nil {
		return err
	}
	return b.s.Sync()
}

// Has is [Store.Has].
func (b boxo) Has(_ context.Context, c cid.Cid) (bool, error) {
	name, err := crypto.BlockNameFromCID(c)
	return err == nil && b.s.Has(name), nil
}

// Get is [Store.Get].
func (b boxo) Get(_ context.Context, c cid.Cid) (block.Block, error) {
	name, err := crypto.BlockNameFromCID(c)
	if err != nil {
		return nil, ipld.ErrNotFound{Cid: c}
	}
	data, err := b.s.Get(name, nil)
	if errors.Is(err, ErrNotFound) {
		return nil, ipld.ErrNotFound{Cid: c}
	}
	if err != nil {
		return nil, err
	}
	return block.NewBlockWithCid(data, c)
}

// GetSize is [Store.Size].
func (b boxo) GetSize(_ context.Context, c cid.Cid) (int, error) {
	name, err := crypto.BlockNameFromCID(c)
	if err != nil {
		return -1, ipld.ErrNotFound{Cid: c}
	}
	size, ok := b.s.Size(name)
	if !ok {
		return -1, ipld.ErrNotFound{Cid: c}
	}
	return size, nil
}

// Put puts one block, durably.
func (b boxo) Put(ctx context.Context, bl block.Block) error {
	return b.PutMany(ctx, []block.Block{bl})
}

// PutMany puts blocks and syncs once.
func (b boxo) PutMany(ctx context.Context, list []block.Block) error {
	for _, bl := range list {
		name, err := crypto.BlockNameFromCID(bl.Cid())
		if err != nil {
			return fmt.Errorf("put %v: %w", bl.Cid(), err)
		}
		if _, err := b.s.Put(ctx, name, bl.RawData()); err != nil {
			return err
		}
	}
	return b.s.Sync()
}

// AllKeysChan sends all names until the context is done.
func (b boxo) AllKeysChan(ctx context.Context) (<-chan cid.Cid, error) {
	ch := make(chan cid.Cid)
	go func() { // ends with the reader: either all is read or ctx is done
		defer close(ch)
		for name := range b.s.Names() {
			select {
			case ch <- name.CID():
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch, nil
}

// SPDX-License-Identifier: Apache-2.0

package storetest_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/ipfs/boxo/blockstore"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	ipld "github.com/ipfs/go-ipld-format"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/storetest"
)

func openPacks(t *testing.T) *blocks.Store {
	s, _, err := blocks.Open(disk.OS, t.TempDir(), blocks.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestPacks(t *testing.T) {
	storetest.TestBlocks(t, func(t *testing.T) storetest.Blocks { return openPacks(t) },
		func(err error) bool { return errors.Is(err, blocks.ErrNotFound) })
}

// TestPacksCompacted runs the same on a store that is rewritten before each Get.
func TestPacksCompacted(t *testing.T) {
	storetest.TestBlocks(t, func(t *testing.T) storetest.Blocks { return compacted{openPacks(t), t} },
		func(err error) bool { return errors.Is(err, blocks.ErrNotFound) })
}

type compacted struct {
	*blocks.Store
	t *testing.T
}

func (c compacted) Get(name crypto.BlockName, dst []byte) ([]byte, error) {
	if r, err := c.Compact(c.t.Context(), blocks.CompactOptions{All: true, Percent: 1}); err != nil || len(r.Skipped) > 0 {
		c.t.Errorf("compact: %+v %v", r, err)
	}
	return c.Store.Get(name, dst)
}

// TestBoxoOverPacks runs the same through boxo's interface.
func TestBoxoOverPacks(t *testing.T) {
	storetest.TestBlocks(t, func(t *testing.T) storetest.Blocks { return boxo{openPacks(t).Boxo()} }, ipld.IsNotFound)
}

// TestBoxoInMemory runs the same on boxo's own store, which shows that the
// adapter promises what boxo's users expect.
func TestBoxoInMemory(t *testing.T) {
	storetest.TestBlocks(t, func(*testing.T) storetest.Blocks {
		return boxo{blockstore.NewBlockstore(dssync.MutexWrap(datastore.NewMapDatastore()))}
	}, ipld.IsNotFound)
}

// TestBoxoForeignCID: what cannot be a block of ours is not there.
func TestBoxoForeignCID(t *testing.T) {
	b := openPacks(t).Boxo()
	foreign := block.NewBlock([]byte("dag-pb by default, CIDv0"))
	if _, err := b.Get(t.Context(), foreign.Cid()); !ipld.IsNotFound(err) {
		t.Errorf("Get: %v", err)
	}
	if err := b.Put(t.Context(), foreign); !errors.Is(err, crypto.ErrBadBlockName) {
		t.Errorf("Put: %v", err)
	}
	if has, err := b.Has(t.Context(), foreign.Cid()); has || err != nil {
		t.Errorf("Has: %v %v", has, err)
	}
	if err := b.DeleteBlock(t.Context(), foreign.Cid()); err != nil {
		t.Errorf("DeleteBlock: %v", err)
	}
}

// boxo is a boxo store as storetest.Blocks.
type boxo struct{ blockstore.Blockstore }

func (b boxo) Put(ctx context.Context, name crypto.BlockName, data []byte) (bool, error) {
	had, err := b.Blockstore.Has(ctx, name.CID())
	if err != nil {
		return false, err
	}
	bl, err := block.NewBlockWithCid(data, name.CID())
	if err != nil {
		return false, err
	}
	return !had, b.Blockstore.Put(ctx, bl)
}

func (b boxo) Get(name crypto.BlockName, dst []byte) ([]byte, error) {
	bl, err := b.Blockstore.Get(context.Background(), name.CID())
	if err != nil {
		return dst, err
	}
	return append(dst, bl.RawData()...), nil
}

func (b boxo) Has(name crypto.BlockName) bool {
	has, err := b.Blockstore.Has(context.Background(), name.CID())
	return has && err == nil
}

func (b boxo) Size(name crypto.BlockName) (int, bool) {
	size, err := b.GetSize(context.Background(), name.CID())
	return size, err == nil
}

func (b boxo) Delete(name crypto.BlockName) error {
	return b.DeleteBlock(context.Background(), name.CID())
}

func (b boxo) Names() iter.Seq2[crypto.BlockName, int] {
	return func(yield func(crypto.BlockName, int) bool) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		all, err := b.AllKeysChan(ctx)
		if err != nil {
			return
		}
		for c := range all {
			name, err := crypto.BlockNameFromCID(c)
			size, _ := b.Size(name)
			if err != nil || !yield(name, size) {
				return
			}
		}
	}
}

func (b boxo) Sync() error { return nil }

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// Errors of a [Store].
var (
	ErrNotFound = errors.New("no such block")
)

// Options of [Open]; the zero value is right for a vault.
type Options struct {
	PackSize   int64 // a pack that has reached this size is closed; default 64 MiB, at most 1 GiB
	Reserve    int64 // bytes that Put leaves free on the disk; default 32 MiB, negative for none
	MaxHandles int   // pack files held open at once; default 64
}

// Damage is one place of a pack that does not hold what it should.
type Damage struct {
	Pack   uint32
	Offset int64
	Name   crypto.BlockName // zero when not even that is known
	Why    string
}

// DamagedError is returned for a block whose bytes are there but wrong.
type DamagedError struct{ Damage }

// Error names the pack and the offset.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("pack %08d at %d: %s", e.Pack, e.Offset, e.Why)
}

// Report says what [Open] found.
type Report struct {
	Blocks  int
	Packs   int
	Scanned int64    // bytes that the saved locations did not cover
	Torn    int64    // unfinished bytes cut from the end of the last pack
	Damage  []Damage // places that are not served
}

// Stats counts what a [Store] holds.
type Stats struct {
	Blocks int   // live blocks
	Bytes  int64 // their ciphertext
	Packs  int
	Size   int64 // all pack files together
	Dead   int64 // bytes in packs that compaction could take back
}

// Store is an open block store. Many goroutines may call it.
type Store struct{}

// Open opens the store in dir, and makes the folder when it is new.
func Open(fsys disk.FS, dir string, opt Options) (*Store, *Report, error) {
	return nil, nil, errors.ErrUnsupported
}

// Put adds a block.
func (s *Store) Put(ctx context.Context, name crypto.BlockName, ciphertext []byte) (added bool, err error) {
	return false, errors.ErrUnsupported
}

// Sync makes all that was put or deleted before durable.
func (s *Store) Sync() error { return errors.ErrUnsupported }

// Get appends a block to dst.
func (s *Store) Get(name crypto.BlockName, dst []byte) ([]byte, error) { return nil, ErrNotFound }

// Has tells whether a block is there.
func (s *Store) Has(name crypto.BlockName) bool { return false }

// Size is the length of a block.
func (s *Store) Size(name crypto.BlockName) (int, bool) { return 0, false }

// Delete marks a block dead.
func (s *Store) Delete(name crypto.BlockName) error { return errors.ErrUnsupported }

// Names calls yield with each name: for name := range s.Names.
func (s *Store) Names(yield func(crypto.BlockName) bool) {}

// Check reads everything.
func (s *Store) Check(ctx context.Context, progress func(done, total int64)) ([]Damage, error) {
	return nil, errors.ErrUnsupported
}

// Stats counts.
func (s *Store) Stats() Stats { return Stats{} }

// Close syncs and closes.
func (s *Store) Close() error { return nil }

// SPDX-License-Identifier: Apache-2.0

// Package storetest has the tests that every store must pass.
//
// It knows what a place for blocks promises ([Blocks]), not how it keeps
// them; the enemies (failing disks, power cuts, flipped bits) are in
// storage/disk/disktest, and each store has its own tests with those.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/traboule/traboule/crypto"
)

// Blocks is a place for blocks.
type Blocks interface {
	// Put adds a block and says whether it was new.
	Put(ctx context.Context, name crypto.BlockName, ciphertext []byte) (added bool, err error)
	// Get appends a block to dst.
	Get(name crypto.BlockName, dst []byte) ([]byte, error)
	// Has tells whether a block is there.
	Has(name crypto.BlockName) bool
	// Size is the length of a block, and whether it is there.
	Size(name crypto.BlockName) (int, bool)
	// Delete removes a block; what is not there is no error.
	Delete(name crypto.BlockName) error
	// Names gives each name with the length of its block, in any order.
	Names() iter.Seq2[crypto.BlockName, int]
	// Sync returns when all of this is durable.
	Sync() error
}

// TestBlocks runs the tests on stores that open makes, each new and empty.
// notFound recognises the error of Get for what is not there.
func TestBlocks(t *testing.T, open func(t *testing.T) Blocks, notFound func(error) bool) {
	for name, test := range map[string]func(*testing.T, Blocks){
		"a block comes back":        comesBack,
		"put twice":                 putTwice,
		"delete":                    deletes,
		"names":                     names,
		"many goroutines":           goroutines,
		"the largest and the least": sizes,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	t.Run("not found", func(t *testing.T) {
		s := open(t)
		_, err := s.Get(block(1).name, nil)
		if !notFound(err) {
			t.Errorf("Get of what is not there: %v", err)
		}
		if size, ok := s.Size(block(1).name); ok {
			t.Errorf("Size of what is not there: %d", size)
		}
	})
}

type sample struct {
	name crypto.BlockName
	data []byte
}

// block makes the n-th of endless different blocks.
func block(n int) sample {
	sum := sha256.Sum256(fmt.Append(nil, n))
	data := bytes.Repeat(sum[:], 1+n%50)
	return sample{crypto.NameOf(data), data}
}

func put(t *testing.T, s Blocks, b sample, wantAdded bool) {
	t.Helper()
	if added, err := s.Put(t.Context(), b.name, b.data); err != nil || added != wantAdded {
		t.Errorf("Put: added %v, %v; want added %v", added, err, wantAdded)
	}
}

func there(t *testing.T, s Blocks, b sample) {
	t.Helper()
	if got, err := s.Get(b.name, nil); err != nil || !bytes.Equal(got, b.data) {
		t.Errorf("Get: %d bytes, %v; want %d bytes", len(got), err, len(b.data))
	}
	if size, ok := s.Size(b.name); !ok || size != len(b.data) || !s.Has(b.name) {
		t.Errorf("Size: %d, %v; Has: %v; want %d bytes", size, ok, s.Has(b.name), len(b.data))
	}
}

func comesBack(t *testing.T, s Blocks) {
	for n := range 100 {
		put(t, s, block(n), true)
	}
	for n := range 100 {
		there(t, s, block(n))
	}
	if err := s.Sync(); err != nil {
		t.Error(err)
	}
	got, err := s.Get(block(3).name, []byte("front"))
	if err != nil || !bytes.Equal(got, append([]byte("front"), block(3).data...)) {
		t.Errorf("Get does not append to dst: %v", err)
	}
}

func putTwice(t *testing.T, s Blocks) {
	put(t, s, block(1), true)
	put(t, s, block(1), false)
	there(t, s, block(1))
}

func deletes(t *testing.T, s Blocks) {
	put(t, s, block(1), true)
	put(t, s, block(2), true)
	for range 2 {
		if err := s.Delete(block(1).name); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if s.Has(block(1).name) {
		t.Error("a deleted block is there")
	}
	there(t, s, block(2))
	put(t, s, block(1), true)
	there(t, s, block(1))
}

func names(t *testing.T, s Blocks) {
	want := map[crypto.BlockName]int{}
	for n := range 20 {
		put(t, s, block(n), true)
		want[block(n).name] = len(block(n).data)
	}
	if err := s.Delete(block(3).name); err != nil {
		t.Errorf("Delete: %v", err)
	}
	delete(want, block(3).name)
	for name, size := range s.Names() {
		if known, ok := want[name]; !ok || size != known {
			t.Errorf("unknown name, or twice, or of the wrong size: %v, %d bytes", name, size)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("%d names are missing", len(want))
	}
	for range s.Names() {
		break
	}
}

func goroutines(t *testing.T, s Blocks) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 40 {
				b := block(n + g*20)
				if _, err := s.Put(t.Context(), b.name, b.data); err != nil {
					t.Error(err)
				}
				there(t, s, b)
			}
			if err := s.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func sizes(t *testing.T, s Blocks) {
	for _, size := range []int{0, 1, crypto.MaxBlock} {
		data := make([]byte, size)
		b := sample{crypto.NameOf(data), data}
		put(t, s, b, true)
		there(t, s, b)
	}
}

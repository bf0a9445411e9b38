// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// views are the heads that are being served. However many passages serve one,
// its list of blocks is there once, and no longer than they need it.
type views struct {
	mu   sync.Mutex
	open map[[32]byte]*servedView
}

// servedView is one head being served.
type servedView struct {
	users int // under views.mu

	mu     sync.Mutex // held also while the list is made
	blocks []crypto.BlockName
}

// hold returns the view of the head with this digest, until release.
func (s *views) hold(head [32]byte) *servedView {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[[32]byte]*servedView{}
	}
	if s.open[head] == nil {
		s.open[head] = &servedView{}
	}
	s.open[head].users++
	return s.open[head]
}

func (s *views) release(head [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[head].users--; s.open[head].users == 0 {
		delete(s.open, head)
	}
}

// opens says whether a block is one of the view. list is called for the first
// block, and again if it failed: whoever has this version wants none, and the
// pages are then not read.
func (v *servedView) opens(name crypto.BlockName, list func() ([]crypto.BlockName, error)) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.blocks == nil {
		blocks, err := list()
		if err != nil {
			return false, fmt.Errorf("list the view's blocks: %w", err)
		}
		v.blocks = blocks
	}
	_, found := slices.BinarySearchFunc(v.blocks, name, compareNames)
	return found, nil
}

func compareNames(a, b crypto.BlockName) int { return bytes.Compare(a[:], b[:]) }

// blocksOf names every block that a head opens: its description, its pages and
// its data, in the order of their bytes, each once. Nothing else is served under it.
func (n *Node) blocksOf(ctx context.Context, head storage.Head) ([]crypto.BlockName, error) {
	var names []crypto.BlockName
	if !head.Description.IsZero() {
		names = append(names, head.Description.Name)
	}
	enter := func(page crypto.BlockName) bool {
		names = append(names, page)
		return true
	}
	err := storage.WalkPages(ctx, head, n.vault.Blocks().Get, enter, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			names = append(names, r.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(names, compareNames)
	return slices.Clone(slices.Compact(names)), nil // in no more room than they need
}

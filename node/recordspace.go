// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// compactRecords joins the small segments of our data sets of records, which
// many imports leave behind, where that is worth what it writes; rests is called
// after each. One that cannot be read or written keeps nothing else waiting, and
// least of all the vault, which may have room to give back.
func (n *Node) compactRecords(ctx context.Context, rests func()) error {
	for _, d := range n.vault.Datasets() {
		if d.From != "" || d.Kind != storage.KindRecords || len(d.Versions) == 0 {
			continue
		}
		if err := n.compactSet(ctx, d, rests); err != nil && ctx.Err() == nil {
			n.opt.Log.Error("compact records", "dataset", d.DID.Short(), "error", err)
		}
	}
	return ctx.Err()
}

// compactSet makes a version with fewer segments, in which nothing else differs.
// What cannot have fewer, for its long texts, is not tried again before it
// changes.
func (n *Node) compactSet(ctx context.Context, d vault.Dataset, rests func()) error {
	set, err := n.records(ctx, d)
	if err != nil || !set.Due(n.now()) || n.recordSets.tight(d) {
		return err
	}
	defer rests()
	_, err = n.changeRecords(ctx, string(d.DID), func(set *record.Set, w *vault.Writer) (record.Change, error) {
		return set.Compact(ctx, w, n.now())
	})
	if err != nil {
		return err
	}
	d, err = n.vault.Lookup(string(d.DID))
	if err == nil {
		n.recordSets.tighten(d)
	}
	return err
}

// tight says that the newest version of a data set was compacted.
func (s *recordSets) tight(d vault.Dataset) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, ok := d.Latest()
	return ok && s.compacted[d.DID] == head.Root
}

func (s *recordSets) tighten(d vault.Dataset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compacted == nil {
		s.compacted = map[crypto.DID]storage.Ref{}
	}
	if head, ok := d.Latest(); ok {
		s.compacted[d.DID] = head.Root
	}
}

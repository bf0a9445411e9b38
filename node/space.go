// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"strconv"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

// compact gives the room of what nothing needs any more back to the disk. What
// was done before an interruption stays done.
func (n *Node) compact(ctx context.Context, q CompactRequest, progress func(Progress)) (CompactResult, error) {
	opt := vault.CompactOptions{Percent: 1, All: true, Progress: func(done, total int64) {
		progress(Progress{Step: "compact", Done: done, Total: total})
	}}
	if q.Waste {
		opt.Grace = -1
	}
	if err := n.compactRecords(ctx, func() {}); err != nil {
		return CompactResult{}, err
	}
	return n.makeRoom(ctx, opt)
}

func (n *Node) makeRoom(ctx context.Context, opt vault.CompactOptions) (CompactResult, error) {
	done, err := n.vault.Compact(ctx, opt)
	if err != nil {
		return CompactResult{}, err
	}
	stats := n.vault.Blocks().Stats()
	r := CompactResult{
		Packs: done.Blocks.Packs, Freed: max(0, done.Blocks.Freed), Copied: done.Blocks.Copied,
		Waiting: done.Sweep.WasteBytes - done.Sweep.DeadBytes, Bytes: stats.Size, Dead: stats.Dead,
	}
	switch {
	case errors.Is(done.Unswept, vault.ErrUnderWay):
		r.Notices = append(r.Notices, Notice{Key: "compact.busy"})
	case done.Unswept != nil:
		r.Notices = append(r.Notices, Notice{Key: "compact.unclear"})
	}
	if damaged := len(done.Blocks.Skipped); damaged > 0 {
		r.Notices = append(r.Notices, Notice{Key: "compact.damaged", Args: map[string]string{"n": strconv.Itoa(damaged)}})
	}
	return r, nil
}

// roomDue says how much of the packs must be dead for the node to make room by
// itself: to rewrite a pack for little wears a memory card out.
func roomDue(dead, size int64) bool { return dead >= leastRoom && dead >= size/10 }

// leastRoom is for how much, in bytes, the node rewrites packs by itself.
const leastRoom = 1 << 20

// makeRoomDaily compacts records and gives room back, where that is worth while.
func (n *Node) makeRoomDaily(ctx context.Context) error {
	opt := vault.CompactOptions{Progress: n.gently(ctx)}
	if err := n.compactRecords(ctx, func() { opt.Progress(0, 0) }); err != nil {
		return err
	}
	if stats := n.vault.Blocks().Stats(); roomDue(stats.Dead, stats.Size) {
		opt.All = true
	}
	r, err := n.makeRoom(ctx, opt)
	if disk.IsFull(err) {
		return err // told by whatever wants to write
	}
	if err == nil && r.Freed > 0 {
		n.opt.Log.Info("room was made", "bytes", r.Freed)
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"time"
)

const (
	// upkeepEvery is how often the node looks whether something is due that
	// reads or writes much.
	upkeepEvery = 10 * time.Minute
	// roomEvery is how often it makes room: what was removed in the evening is
	// off the disk the next evening.
	roomEvery = 20 * time.Hour
	// The node takes at most one part in gentleness of the time for itself,
	// and none, for so long, while it serves somebody.
	gentleness  = 4
	courtesy    = 5 * time.Second
	longestRest = time.Second
)

// upkeep remembers what the node last did for itself.
type upkeep struct {
	room time.Time // of lookAfter alone
}

// keepUp does what is due in the background, until ctx is done.
func (n *Node) keepUp(ctx context.Context) error {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := n.lookAfter(ctx); err != nil && ctx.Err() == nil {
			n.opt.Log.Error("upkeep", "error", err)
		}
	}
}

// lookAfter makes room, where that is due.
func (n *Node) lookAfter(ctx context.Context) error {
	now := n.now()
	if now.Sub(n.upkeep.room) >= roomEvery {
		n.upkeep.room = now
		if err := n.makeRoomDaily(ctx); err != nil {
			return err
		}
	}
	return nil
}

// gently slows down whoever reports progress to it, so that the node's own
// upkeep takes a small share of the time and steps aside for those it serves.
func (n *Node) gently(ctx context.Context) func(done, total int64) {
	began := time.Now()
	return func(int64, int64) {
		rest(ctx, min(longestRest, (gentleness-1)*time.Since(began)))
		for waited := time.Duration(0); waited < courtesy && n.passages.any() && ctx.Err() == nil; waited += longestRest {
			rest(ctx, longestRest)
		}
		began = time.Now()
	}
}

// rest waits for so long, or until ctx is done.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

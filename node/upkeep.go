// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/vault"
)

const (
	// upkeepEvery is how often the node looks whether something is due that
	// reads or writes much.
	upkeepEvery = 10 * time.Minute
	// roomEvery is how often it makes room: what was removed in the evening is
	// off the disk the next evening.
	roomEvery = 20 * time.Hour
	// Everything is read once in readSpan, a share every readEvery; a round
	// begins readPause after the one before at the soonest, so that a small
	// vault is not read all day.
	readSpan  = 25 * 24 * time.Hour
	readEvery = time.Hour
	readPause = 5 * 24 * time.Hour
	// leastShare, in bytes, is what is read at a time at least, and readPiece
	// at once.
	leastShare = 4 << 20
	readPiece  = 4 << 20
	// The node takes at most one part in gentleness of the time for itself,
	// and none, for so long, while it serves somebody.
	gentleness  = 4
	courtesy    = 5 * time.Second
	longestRest = time.Second
)

// upkeep remembers what the node last did for itself.
type upkeep struct {
	room, read time.Time // of lookAfter alone
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

// lookAfter makes room and reads a share of what is stored, where that is due.
func (n *Node) lookAfter(ctx context.Context) error {
	now := n.now()
	if now.Sub(n.upkeep.room) >= roomEvery {
		n.upkeep.room = now
		if err := n.makeRoomDaily(ctx); err != nil {
			return err
		}
	}
	if now.Sub(n.upkeep.read) >= readEvery {
		n.upkeep.read = now
		return n.readShare(ctx)
	}
	return nil
}

// readShare reads on through what is stored, in small pieces, and writes down
// what it finds damaged.
func (n *Node) readShare(ctx context.Context) error {
	if n.now().Sub(n.vault.Checked()) < readPause {
		return nil
	}
	rests := n.gently(ctx)
	share := max(leastShare, n.vault.Blocks().Stats().Size/int64(readSpan/readEvery))
	for share > 0 {
		found, over, err := n.vault.CheckSome(ctx, readPiece)
		if err := errors.Join(err, n.recordDamage(ctx, found)); err != nil {
			return err
		}
		if over {
			return nil
		}
		share -= readPiece
		rests(0, 0)
	}
	return nil
}

// recordDamage puts into the log that something was found damaged; what, and
// what to do, status says as long as it is so.
func (n *Node) recordDamage(ctx context.Context, found []vault.Damage) error {
	counts := map[vault.DamageKind]uint64{}
	for _, d := range found {
		if !d.Harmless {
			counts[d.Kind]++
		}
	}
	var facts []vault.Fact
	for kind, count := range counts {
		facts = append(facts, fact(factDamaged, crypto.NodeScope, damaged{Kind: string(kind), Count: count}))
	}
	if len(facts) == 0 {
		return nil
	}
	return n.record(ctx, facts...)
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

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

// checkpoint makes the journal's next start short when it has grown long. It
// may wait: for an erasure to be finished, which is tried first, for room on
// the disk.
func (n *Node) checkpoint(ctx context.Context) error {
	if err := n.vault.FinishErasures(); err != nil && !disk.IsFull(err) {
		return err
	}
	if !n.vault.CheckpointDue() {
		return nil
	}
	d, err := n.digest()
	if err == nil {
		err = n.vault.Checkpoint(ctx, d)
	}
	if errors.Is(err, vault.ErrErasing) || disk.IsFull(err) {
		return nil
	}
	return err
}

// digesting finds the facts that no longer count, from the oldest to the
// newest. Only what is named here ever stops counting: above all no
// revocation does, no use that was counted, no answer that could be asked for
// again, and no link that a revocation may speak of.
type digesting struct {
	now    time.Time
	dead   map[uint64]bool
	last   map[string]uint64         // by what they are about: where the newest fact stands
	latest map[string]vault.Recorded // the newest delivery of a grant
	clock  vault.Recorded            // the highest mark since it was last lowered
	sums   map[crypto.Scope]map[string]summary
}

// lasting is how long a delivery is remembered by itself beyond the end of its
// invocation, which no clock that is a little wrong must bring back to life.
const lasting = 48 * time.Hour

// digest looks at all facts that count so far.
func (n *Node) digest() (vault.Digest, error) {
	d := &digesting{now: n.now(), dead: map[uint64]bool{}, last: map[string]uint64{},
		latest: map[string]vault.Recorded{}, sums: map[crypto.Scope]map[string]summary{}}
	upto := n.vault.Entries()
	err := n.vault.LiveFacts(func(rec vault.Recorded) error {
		if rec.Seq <= upto {
			d.take(rec)
		}
		return nil
	})
	return vault.Digest{Upto: upto, Dead: d.dead, Instead: d.summaries()}, err
}

// take looks at one fact. One that cannot be read counts.
func (d *digesting) take(rec vault.Recorded) {
	switch rec.Kind {
	case factClock:
		d.mark(rec)
	case factClockLowered:
		d.clock = vault.Recorded{}
	case factDenials, factDamaged: // for the log alone
		d.dead[rec.Seq] = true
	case factDelivered:
		d.delivered(rec)
	}
	if rec.Erased {
		return
	}
	switch rec.Kind {
	case factContact:
		_ = with(rec, func(f contactFact, _ vault.Recorded) error { return d.replace("contact "+string(f.Owner), rec) })
	case factKitSaved:
		_ = d.replace("kit", rec)
	case factKitWritten:
		_ = with(rec, func(f kitWritten, _ vault.Recorded) error { return d.replace("kit "+f.Path, rec) })
	case factFetched:
		_ = with(rec, func(f fetched, _ vault.Recorded) error {
			if d.last["fetched "+string(f.Grant)] != 0 {
				d.count(rec.Scope, summary{Grant: f.Grant, Fetches: 1})
			}
			return d.replace("fetched "+string(f.Grant), rec)
		})
	case factSummary:
		_ = with(rec, func(f summary, _ vault.Recorded) error {
			d.dead[rec.Seq] = true
			d.count(rec.Scope, f)
			return nil
		})
	}
}

// replace lets a fact stand for the one before about the same.
func (d *digesting) replace(about string, rec vault.Recorded) error {
	if before := d.last[about]; before != 0 {
		d.dead[before] = true
	}
	d.last[about] = rec.Seq
	return nil
}

// mark keeps the highest mark of each stretch in which none was lowered.
func (d *digesting) mark(rec vault.Recorded) {
	lower := rec
	if d.clock.Seq == 0 || !markOf(rec.Public).Before(markOf(d.clock.Public)) {
		lower, d.clock = d.clock, rec
	}
	if lower.Seq != 0 {
		d.dead[lower.Seq] = true
	}
}

// delivered keeps a grant's last delivery, and those that keep something from
// being answered or used twice.
func (d *digesting) delivered(rec vault.Recorded) {
	if rec.Erased {
		d.dead[rec.Seq] = d.isPast(rec)
		return
	}
	_ = with(rec, func(f delivery, _ vault.Recorded) error {
		before, any := d.latest[string(f.Grant)]
		if any && d.isPast(before) {
			d.dead[before.Seq] = true
			d.count(before.Scope, summary{Grant: f.Grant, Deliveries: 1})
		}
		d.latest[string(f.Grant)] = rec
		return nil
	})
}

func (d *digesting) isPast(rec vault.Recorded) bool {
	var mark deliveryMark
	if err := canonical.Unmarshal(rec.Public, &mark); err != nil || len(mark.Uses) > 0 {
		return false
	}
	limit := d.now.Add(-lasting)
	return time.Unix(mark.Expires, 0).Before(limit) && time.Unix(rec.Time, 0).Before(limit)
}

func (d *digesting) count(scope crypto.Scope, more summary) {
	if d.sums[scope] == nil {
		d.sums[scope] = map[string]summary{}
	}
	sum := d.sums[scope][string(more.Grant)]
	d.sums[scope][string(more.Grant)] = summary{more.Grant, sum.Deliveries + more.Deliveries, sum.Fetches + more.Fetches}
}

func (d *digesting) summaries() (list []vault.Fact) {
	for scope, grants := range d.sums {
		for _, sum := range grants {
			list = append(list, fact(factSummary, scope, sum))
		}
	}
	return list
}

// applySummary counts what was dropped from the journal.
func (b *book) applySummary(f summary, _ vault.Recorded) error {
	c, err := asCID(f.Grant)
	if err != nil {
		return err
	}
	if g, ok := b.given[c]; ok {
		g.deliveries += int(f.Deliveries)
	}
	if r, ok := b.received[c]; ok {
		r.count += int(f.Fetches)
	}
	return nil
}

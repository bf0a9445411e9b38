// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol/grant"
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
	n.digests.Lock()
	defer n.digests.Unlock()
	d, err := n.digest()
	if err == nil {
		err = n.vault.Checkpoint(ctx, d)
	}
	if errors.Is(err, vault.ErrErasing) || disk.IsFull(err) {
		return nil
	}
	return err
}

// sealKit writes a recovery kit without what no longer counts: whoever is given
// much must not make it grow.
func (n *Node) sealKit(w io.Writer) error {
	n.digests.Lock()
	defer n.digests.Unlock()
	d, err := n.digestUntil(n.now())
	if err != nil {
		return err
	}
	return n.vault.SaveKit(w, n.lastChange(), d)
}

// digesting finds the facts that no longer count, from the oldest to the
// newest. Only what is named here ever stops counting: above all no
// revocation does, no use that was counted, no answer that could be asked for
// again, and no link that a revocation may speak of.
type digesting struct {
	until int64 // what was delivered for invocations that ended before is past; Unix seconds
	dead  map[uint64]bool
	last  map[string]uint64 // by what they are about: where the newest fact stands
	out   []handedOut       // the deliveries
	clock vault.Recorded    // the highest mark since it was last lowered
	sums  map[crypto.Scope]map[string]summary
}

// handedOut is a delivery, as far as it decides whether it counts.
type handedOut struct {
	seq   uint64
	scope crypto.Scope
	what  delivery // nothing when that is erased
	past  bool
	uses  []usedMark
}

// lasting is how long a delivery is remembered by itself beyond the end of its
// invocation: as far as the gate lets a clock go back.
const lasting = access.Recent

// digest looks at all facts that count so far.
func (n *Node) digest() (vault.Digest, error) { return n.digestUntil(n.now().Add(-lasting)) }

// digestUntil is digest where what was delivered for invocations that ended
// before a time counts together, but for a grant's last.
func (n *Node) digestUntil(until time.Time) (vault.Digest, error) {
	d := &digesting{until: until.Unix(), dead: map[uint64]bool{}, last: map[string]uint64{}, sums: map[crypto.Scope]map[string]summary{}}
	upto := n.vault.Entries()
	err := n.vault.LiveFacts(func(rec vault.Recorded) error {
		if rec.Seq <= upto {
			d.take(rec)
		}
		return nil
	})
	d.sumUp()
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
	case factReceivedGrant:
		_ = with(rec, d.receivedAgain)
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
	case factOwnKind:
		_ = with(rec, func(f ownKind, _ vault.Recorded) error {
			d.dead[rec.Seq] = len(f.Description) == 0
			return d.replace("own kind "+f.Kind, rec)
		})
	case factSummary:
		_ = with(rec, func(f summary, _ vault.Recorded) error {
			d.dead[rec.Seq] = true
			d.count(rec.Scope, f)
			return nil
		})
	}
}

// receivedAgain lets the newest of the facts that say one chain of a grant, one
// after the other, stand for all but the first: they differ in addresses. The
// first is what a revocation in between was witnessed by.
func (d *digesting) receivedAgain(f receivedGrant, rec vault.Recorded) error {
	if len(f.Chain) <= grant.LinkGrant {
		return nil
	}
	leaf := "received " + string(f.Chain[grant.LinkGrant])
	moved, chain := leaf+" moved", leaf+" "+string(bytes.Join(f.Chain, nil))
	if before := d.last[moved]; before != 0 {
		d.dead[before] = true
		delete(d.last, moved)
	}
	if first := d.last[leaf]; first != 0 && first == d.last[chain] {
		d.last[moved] = rec.Seq
		return nil
	}
	d.last[leaf], d.last[chain] = rec.Seq, rec.Seq
	return nil
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

// delivered takes down a delivery. One whose mark cannot be read counts.
func (d *digesting) delivered(rec vault.Recorded) {
	var mark deliveryMark
	if err := canonical.Unmarshal(rec.Public, &mark); err != nil {
		return
	}
	h := handedOut{seq: rec.Seq, scope: rec.Scope, uses: mark.Uses, past: max(mark.Expires, rec.Time) < d.until}
	if rec.Erased {
		d.out = append(d.out, h)
		return
	}
	_ = with(rec, func(f delivery, _ vault.Recorded) error {
		h.what = f
		d.out = append(d.out, h)
		return nil
	})
}

// sumUp keeps, from the newest on, each grant's last delivery and the one that
// held the most, one for each head that a use was drawn for, and those whose
// invocation might come again.
func (d *digesting) sumUp() {
	last, drawn, most := map[string]bool{"": true}, map[string]bool{}, map[string]handedOut{}
	for _, h := range d.out {
		if leaf := string(h.what.Grant); leaf != "" && most[leaf].what.isNoMore(h.what) {
			most[leaf] = h
		}
	}
	for _, h := range slices.Backward(d.out) {
		leaf := string(h.what.Grant)
		counts := !h.past || !last[leaf] || most[leaf].seq == h.seq
		last[leaf] = true
		for _, use := range h.uses {
			key := string(use.Delegation) + string(use.Head[:])
			counts = counts || !drawn[key]
			drawn[key] = true
		}
		if counts {
			continue
		}
		d.dead[h.seq] = true
		if leaf != "" {
			d.count(h.scope, summary{Grant: h.what.Grant, Deliveries: 1})
		}
	}
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

// SPDX-License-Identifier: Apache-2.0

package access

import (
	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
)

// Use is a head that was delivered under a delegation which bounds how many
// may be, as the journal keeps it. The counter belongs to the delegation that
// carries the bound: everybody it was passed on to draws on the same one.
type Use struct {
	Delegation cid.Cid
	Head       [32]byte // digest of the head's plaintext
}

// uses counts, under each delegation that carries a bound, the deliveries that
// stand on each head. A head stays as long as one of them does.
type uses map[cid.Cid]map[[32]byte]int

// LoadUses tells the gate, after a start, which uses were drawn before. It may
// be told the same one many times.
func (g *Gate) LoadUses(drawn ...Use) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range drawn {
		g.uses.take(u)
	}
}

func (u uses) take(use Use) {
	if u[use.Delegation] == nil {
		u[use.Delegation] = make(map[[32]byte]int)
	}
	u[use.Delegation][use.Head]++
}

func (u uses) giveBack(taken []Use) {
	for _, use := range taken {
		if u[use.Delegation][use.Head]--; u[use.Delegation][use.Head] <= 0 {
			delete(u[use.Delegation], use.Head)
		}
	}
}

// next is the number that a head has, or would have, among those delivered.
func (u uses) next(id cid.Cid, head [32]byte) (n int64, again bool) {
	_, again = u[id][head]
	return int64(len(u[id])) + 1, again
}

// Use draws one use from every delegation of the decision's chain that bounds
// them, unless this head was delivered under it before: reconnecting burns
// none. It returns the uses that the delivery stands on, which are journaled
// with it, drawn now or before.
//
// The request's seq says up to which use of the lowest such delegation it may
// draw, so that a seq that was used for another head is refused.
func (g *Gate) Use(d *Decision, head [32]byte) ([]Use, *Denial) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var stand []Use
	for i := len(d.Chain) - 1; i >= 0; i-- {
		limit, ok := grant.Uses(d.Chain[i].Policy)
		if !ok {
			continue
		}
		if len(stand) == 0 {
			limit = min(limit, d.Args.Seq)
		}
		id := d.Chain[i].CID()
		if n, again := g.uses.next(id, head); !again && n > limit {
			return nil, limitReached(d, i, n, limit)
		}
		stand = append(stand, Use{id, head})
	}
	for _, use := range stand {
		g.uses.take(use)
	}
	d.taken = append(d.taken, stand...)
	return stand, nil
}

func limitReached(d *Decision, link int, next, limit int64) *Denial {
	f := tell(LayerGate, protocol.Limit, 0, "link %d: use %d of %d", link, next, limit)
	return &Denial{Code: f.code, Layer: f.layer, Reason: f.reason, Audience: true, Grantee: d.Chain[grant.LinkGrant].Audience}
}

// usesLeft is how many new heads may still be delivered under a chain, or -1.
func (g *Gate) usesLeft(chain grant.Chain) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	left := int64(-1)
	for _, d := range chain {
		bound, ok := grant.Uses(d.Policy)
		if !ok {
			continue
		}
		if n := max(0, bound-int64(len(g.uses[d.CID()]))); left < 0 || n < left {
			left = n
		}
	}
	return left
}

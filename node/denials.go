// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/storage/vault"
)

const (
	denialsEvery = time.Minute
	// maxDenials bounds what is counted apart in one minute.
	maxDenials = 256
)

// denialCounts counts refusals in memory, since nobody who is refused may make
// the node write: they go to the journal together, once a minute.
type denialCounts struct {
	mu     sync.Mutex
	counts map[denialKey]uint64
}

type denialKey struct {
	peer   crypto.DID // empty: strangers, together
	reason string
}

// denied counts a refusal.
func (n *Node) denied(peer crypto.DID, d *access.Denial) {
	key := denialKey{reason: string(d.Layer)}
	if d.Audience {
		key = denialKey{peer: peer, reason: d.Code.String()}
	}
	n.denials.mu.Lock()
	defer n.denials.mu.Unlock()
	if n.denials.counts == nil {
		n.denials.counts = map[denialKey]uint64{}
	}
	if _, counted := n.denials.counts[key]; !counted && len(n.denials.counts) >= maxDenials {
		key = denialKey{reason: "others"}
	}
	n.denials.counts[key]++
}

// take empties the counts into facts.
func (c *denialCounts) take() []vault.Fact {
	c.mu.Lock()
	defer c.mu.Unlock()
	var facts []vault.Fact
	for key, count := range c.counts {
		facts = append(facts, fact(factDenials, crypto.NodeScope, denials{Peer: key.peer, Reason: key.reason, Count: count}))
	}
	c.counts = nil
	return facts
}

// saveDenials journals what was counted.
func (n *Node) saveDenials(ctx context.Context) error {
	facts := n.denials.take()
	if len(facts) == 0 {
		return nil
	}
	return n.record(ctx, facts...)
}

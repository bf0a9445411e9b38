// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/storage/vault"
)

const (
	// denialsEvery is how often what was counted may be written at all, and
	// denialsApart how far two entries about one grantee and one reason lie
	// apart: a grantee who goes on asking fills no disk.
	denialsEvery = time.Minute
	denialsApart = time.Hour
	// maxDenials bounds what is counted apart.
	maxDenials = 256
)

// denialCounts counts refusals. Those of strangers are counted in memory and
// nowhere else: nothing that a stranger does makes the node write. Those of
// grantees go to the journal, many in one entry.
type denialCounts struct {
	strangers atomic.Uint64 // since the node was opened

	mu       sync.Mutex
	grantees map[denialKey]tally
}

type denialKey struct {
	grantee crypto.DID // the owner; empty: all beyond maxDenials
	code    protocol.Code
}

// tally is what was counted since the last entry, and when that was made.
type tally struct {
	count   uint64
	written time.Time
}

// denied counts a refusal.
func (n *Node) denied(d *access.Denial) {
	if d.Grantee == "" {
		n.denials.strangers.Add(1)
		return
	}
	n.denials.add(denialKey{d.Grantee, d.Code})
}

func (c *denialCounts) add(key denialKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.grantees == nil {
		c.grantees = map[denialKey]tally{}
	}
	if _, counted := c.grantees[key]; !counted && len(c.grantees) >= maxDenials {
		key = denialKey{code: protocol.Denied}
	}
	t := c.grantees[key]
	t.count++
	c.grantees[key] = t
}

// due is what may be written now; all is for the last time. What was written
// long ago and has not been heard of since is forgotten.
func (c *denialCounts) due(now time.Time, all bool) map[denialKey]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := map[denialKey]uint64{}
	for key, t := range c.grantees {
		switch rested := now.Sub(t.written) >= denialsApart; {
		case t.count > 0 && (rested || all):
			due[key] = t.count
		case t.count == 0 && rested:
			delete(c.grantees, key)
		}
	}
	return due
}

// wrote takes what is in the journal now off the counts.
func (c *denialCounts) wrote(due map[denialKey]uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, count := range due {
		c.grantees[key] = tally{c.grantees[key].count - count, now}
	}
}

// saveDenials journals what is due. What could not be written stays counted.
func (n *Node) saveDenials(ctx context.Context, all bool) error {
	now := n.now()
	due := n.denials.due(now, all)
	var facts []vault.Fact
	for key, count := range due {
		facts = append(facts, fact(factDenials, crypto.NodeScope, denials{Peer: key.grantee, Reason: key.code.String(), Count: count}))
	}
	if len(facts) == 0 {
		return nil
	}
	if err := n.record(ctx, facts...); err != nil {
		return err
	}
	n.denials.wrote(due, now)
	return nil
}

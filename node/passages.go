// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"sync"

	"github.com/ipfs/go-cid"
)

// errEnded is why a passage was cut: its grant is over.
var errEnded = errors.New("the grant was revoked")

// passages are the transfers under way, so that a revocation can stop them and
// wait until their writers have stopped.
//
//	enter ──► open ──► leave
//	            │
//	 end(grant) └─► cancelled ──► leave, which end waits for
type passages struct {
	mu   sync.Mutex
	open map[*passage]struct{}

	views views // what they serve
}

// maxPassages bounds what is open at once under one grant, by whomever it was
// passed on to.
const maxPassages = 4

// passage is one transfer under one grant.
type passage struct {
	grant  cid.Cid
	links  []cid.Cid // its whole chain
	cancel context.CancelCauseFunc
	left   chan struct{} // closed when no further byte will be written
}

// enter begins a passage under a grant, which cancel ends when any link of its
// chain is revoked; it returns nil if maxPassages are open under the grant. The
// caller then asks whether a link was revoked meanwhile, and calls leave when
// its writer has stopped.
func (p *passages) enter(grant cid.Cid, links []cid.Cid, cancel context.CancelCauseFunc) *passage {
	entered := &passage{grant: grant, links: links, cancel: cancel, left: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count(grant) >= maxPassages {
		return nil
	}
	if p.open == nil {
		p.open = map[*passage]struct{}{}
	}
	p.open[entered] = struct{}{}
	return entered
}

// any says whether a transfer is under way.
func (p *passages) any() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open) > 0
}

// count is how many passages are open under a grant. The caller holds mu.
func (p *passages) count(grant cid.Cid) (n int) {
	for open := range p.open {
		if open.grant.Equals(grant) {
			n++
		}
	}
	return n
}

// leave ends a passage: no further byte will be written.
func (p *passages) leave(left *passage) {
	p.mu.Lock()
	delete(p.open, left)
	p.mu.Unlock()
	close(left.left)
}

// end cancels the passages that stand on a link and returns when their writers
// have stopped, with how many there were.
func (p *passages) end(link cid.Cid) int {
	stopping := p.under(link)
	for _, s := range stopping {
		s.cancel(errEnded)
	}
	for _, s := range stopping {
		<-s.left
	}
	return len(stopping)
}

func (p *passages) under(link cid.Cid) []*passage {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []*passage
	for open := range p.open {
		for _, c := range open.links {
			if c.Equals(link) {
				found = append(found, open)
				break
			}
		}
	}
	return found
}

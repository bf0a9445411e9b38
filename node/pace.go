// SPDX-License-Identifier: Apache-2.0

package node

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol"
)

// What one grant may cost its giver, who writes an entry for each delivery and
// keeps the pages of each view that was asked for.
const (
	openingsPerMinute = 600
	openingsPerHour   = 3600
	viewsPerGrant     = 32
)

// pace bounds, in memory, how often and in how many shapes a grant is used.
type pace struct {
	mu     sync.Mutex
	grants map[cid.Cid]*usage
}

type usage struct {
	minute, hour span
	views        map[string]struct{}
}

// span counts openings in one stretch of time.
type span struct {
	at       int64 // which one it is, since 1970
	openings int
}

// count counts one more, or says when the next stretch begins, in Unix seconds.
func (s *span) count(now, length int64, limit int) (busyUntil int64) {
	if at := now / length; s.at != at {
		*s = span{at: at}
	}
	if s.openings >= limit {
		return (s.at + 1) * length
	}
	s.openings++
	return 0
}

// allow counts one opening of a view of this shape under a grant, or says when
// to come back.
func (p *pace) allow(leaf cid.Cid, shape []string, now time.Time) *protocol.Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.of(leaf)
	until := u.minute.count(now.Unix(), 60, openingsPerMinute)
	if until == 0 {
		until = u.hour.count(now.Unix(), 3600, openingsPerHour)
	}
	if until > 0 {
		return &protocol.Refusal{Code: protocol.Busy, Time: until}
	}
	view := strings.Join(shape, "\x00")
	if _, seen := u.views[view]; !seen && len(u.views) >= viewsPerGrant {
		return &protocol.Refusal{Code: protocol.Limit}
	}
	u.views[view] = struct{}{}
	return nil
}

// forget drops what was counted of grants that are over.
func (p *pace) forget(over func(leaf cid.Cid) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.grants, func(leaf cid.Cid, _ *usage) bool { return over(leaf) })
}

func (p *pace) of(leaf cid.Cid) *usage {
	if p.grants == nil {
		p.grants = map[cid.Cid]*usage{}
	}
	if p.grants[leaf] == nil {
		p.grants[leaf] = &usage{views: map[string]struct{}{}}
	}
	return p.grants[leaf]
}

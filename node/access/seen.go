// SPDX-License-Identifier: Apache-2.0

package access

import (
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
)

// Recent is how far back the journal is read after a start for [Gate.LoadRecent]:
// the life of an invocation, and as far as the clock may have gone back unnoticed.
const Recent = grant.MaxInvocationLife + MarkStep + MarkTolerance + time.Minute

// Seen is an admitted invocation, as the journal keeps it.
type Seen struct {
	Digest  [32]byte // SHA-256 of its signed payload
	Expires int64    // Unix seconds
}

// seen remembers admitted invocations until nobody could admit them again.
type seen struct {
	until map[[32]byte]memory
	limit int
	share int                // of the limit, that one grantee may fill with all whom they passed a grant on to
	held  map[crypto.DID]int // by grantee, how much of until is theirs
	swept int64              // when the expired were last taken out
	floor int64              // the latest expiry that was taken out: what ends by then is not known any more
}

// memory is what is kept of one invocation.
type memory struct {
	expires int64
	grantee crypto.DID // whose share it takes; "" while it is being judged, or after a start
}

// LoadRecent tells the gate, after a start, what was admitted before.
func (g *Gate) LoadRecent(entries ...Seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range entries {
		g.seen.drop(e.Digest)
		g.seen.until[e.Digest] = memory{expires: e.Expires}
	}
}

// reserve remembers an invocation, or refuses one that is remembered.
func (g *Gate) reserve(s Seen, now int64) *fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen.sweep(now)
	if _, again := g.seen.until[s.Digest]; again {
		return deny(LayerGate, "the invocation was seen before")
	}
	if s.Expires <= g.seen.floor {
		return deny(LayerGate, "the invocation is too old to know whether it was seen before")
	}
	g.seen.until[s.Digest] = memory{expires: s.Expires}
	return nil
}

// hold lets a reserved invocation that is good take of its grantee's share. It
// is asked last, so that nobody spends the share of another.
func (g *Gate) hold(s Seen, grantee crypto.DID) *fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen.held[grantee] >= g.seen.share {
		return tell(LayerGate, protocol.Busy, 0, "more than %d invocations at once under grants to %s", g.seen.share, grantee.Short())
	}
	if len(g.seen.until) > g.seen.limit { // it is one of them
		return tell(LayerGate, protocol.Busy, 0, "more than %d invocations at once", g.seen.limit)
	}
	g.seen.until[s.Digest] = memory{s.Expires, grantee}
	g.seen.held[grantee]++
	return nil
}

func (g *Gate) forget(s Seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen.drop(s.Digest)
}

func (s *seen) drop(digest [32]byte) {
	grantee := s.until[digest].grantee
	delete(s.until, digest)
	if grantee == "" {
		return
	}
	if s.held[grantee]--; s.held[grantee] == 0 {
		delete(s.held, grantee)
	}
}

// sweep takes out, once a minute, what expired more than a minute ago.
func (s *seen) sweep(now int64) {
	if now-s.swept < 60 && now >= s.swept {
		return
	}
	s.swept = now
	for digest, m := range s.until {
		if m.expires < now-60 {
			s.drop(digest)
			s.floor = max(s.floor, m.expires)
		}
	}
}

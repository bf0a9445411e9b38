// SPDX-License-Identifier: Apache-2.0

package access

import (
	"time"

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
	until map[[32]byte]int64
	limit int
	swept int64 // when the expired were last taken out
	floor int64 // the latest expiry that was taken out: what ends by then is not known any more
}

// LoadRecent tells the gate, after a start, what was admitted before.
func (g *Gate) LoadRecent(entries ...Seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range entries {
		g.seen.until[e.Digest] = e.Expires
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
	if len(g.seen.until) >= g.seen.limit {
		return deny(LayerGate, "more than %d invocations at once", g.seen.limit)
	}
	g.seen.until[s.Digest] = s.Expires
	return nil
}

func (g *Gate) forget(s Seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.seen.until, s.Digest)
}

// sweep takes out, once a minute, what expired more than a minute ago.
func (s *seen) sweep(now int64) {
	if now-s.swept < 60 && now >= s.swept {
		return
	}
	s.swept = now
	for digest, expires := range s.until {
		if expires < now-60 {
			delete(s.until, digest)
			s.floor = max(s.floor, expires)
		}
	}
}

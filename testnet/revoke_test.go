// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
)

// revocations watches a giver's wire for what is sent under one grant.
type revocations struct {
	mu       sync.Mutex
	cid      []byte               // the grant's
	sockets  map[*socket]struct{} // on which a request under it was granted
	over     bool                 // revoke has returned
	blocks   int                  // sent under it
	late     []string             // frames sent under it since
	want     int
	reached  chan struct{}
	carrying map[*wireStream]bool
}

// begin forgets the grant before and watches another, until n blocks have left
// under it.
func (r *revocations) begin(t *testing.T, id string, n int) <-chan struct{} {
	c, err := cid.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cid, r.over, r.blocks, r.late, r.want = c.Bytes(), false, 0, nil, n
	r.sockets, r.carrying, r.reached = map[*socket]struct{}{}, map[*wireStream]bool{}, make(chan struct{})
	return r.reached
}

// frame is told by the wire.
func (r *revocations) frame(s *wireStream, out bool, kind byte, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !out && kind == frameRequest && r.cid != nil && bytes.Contains(body, r.cid) {
		r.carrying[s] = true
	}
	if !out || !r.carrying[s] {
		return
	}
	if r.over && kind != byte(protocol.KindRefused) {
		r.late = append(r.late, fmt.Sprintf("frame %d, %d bytes", kind, len(body)))
	}
	if kind == frameAnswer && !r.over {
		r.sockets[s.socket] = struct{}{}
	}
	if kind != frameBlock {
		return
	}
	if r.blocks++; r.blocks == r.want {
		close(r.reached)
	}
}

// end is called when revoke has returned: what the sockets have written by now
// is all that they may ever write.
func (r *revocations) end() map[*socket]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	final := map[*socket]int64{}
	for s := range r.sockets {
		final[s] = s.sent()
	}
	return final
}

const (
	revokeTries = 100
	streamsEach = 3
)

// When revoke has returned, the node writes nothing more under the grant: not
// one byte, not even a notice of closing, on the connections that served it,
// and only refusals on others. A hundred times, under load: three streams
// under the grant that ends, one under another grant of the same peer, which
// dials again whenever it is cut, and one of another peer, which must not
// notice.
//
// The grantee here takes no calls, so that telling it of the revocation, a
// small conversation of its own, adds nothing to what is counted.
func TestRevokeStopsTheWriters(t *testing.T) {
	watch, w := &revocations{}, newWire()
	w.frame = watch.frame
	giver := openHome(t, makeHome(t), w.network)
	camille, bilal := newGuest(t, giver, "Camille"), newGuest(t, giver, "Bilal")
	source := filepath.Join(t.TempDir(), "source")
	write(t, source, seeded(5), map[string]int{"a": 700 << 10, "b": 2 << 20, "c": 3000, "d/e": 90 << 10})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "ending"})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "staying"})

	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer cancel()
	staying := camille.chain(t, do(t, giver, node.Grant, node.GrantRequest{Name: "staying", To: "Camille"}).Link)
	load.Go(func() { readAgain(ctx, t, camille, staying) })
	other := bilal.chain(t, do(t, giver, node.Grant, node.GrantRequest{Name: "ending", To: "Bilal"}).Link)
	undisturbed, err := bilal.open(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	var others atomic.Int64
	load.Go(func() {
		if err := undisturbed.readOn(ctx, func() { others.Add(1) }); ctx.Err() == nil {
			t.Errorf("the passage of another peer was cut: %v", err)
		}
	})

	random := rand.New(seeded(55))
	var longest time.Duration
	var stopped int
	for range revokeTries {
		took, n := revokeOnce(t, giver, camille, watch, 1+random.IntN(16))
		longest, stopped = max(longest, took), stopped+n
	}
	if others.Load() == 0 {
		t.Error("there was no load")
	}
	t.Logf("%d revocations stopped %d transfers, the longest took %v", revokeTries, stopped, longest)
}

// readAgain reads under a grant without end, dialling again when it is cut.
func readAgain(ctx context.Context, t *testing.T, g *guest, chain grant.Chain) {
	for ctx.Err() == nil {
		r, err := g.open(ctx, chain)
		if err == nil {
			err = r.readOn(ctx, func() {})
		}
		var refusal *protocol.Refusal
		if errors.As(err, &refusal) && refusal.Code != protocol.Busy {
			t.Errorf("refused under a grant that is not revoked: %v", err)
			return
		}
	}
}

// revokeOnce grants, lets streams run until n blocks have left, revokes, and
// counts.
func revokeOnce(t *testing.T, giver *home, g *guest, watch *revocations, n int) (time.Duration, int) {
	t.Helper()
	given := do(t, giver, node.Grant, node.GrantRequest{Name: "ending", To: "Camille"})
	chain := g.chain(t, given.Link)
	reached := watch.begin(t, given.Grant.CID, n)
	ended := make(chan error, streamsEach)
	for range streamsEach {
		go func() { ended <- readUntilCut(t.Context(), g, chain) }()
	}
	within(t, "blocks leave", reached)

	start := time.Now()
	revoked := do(t, giver, node.Revoke, node.NameRequest{Name: given.Grant.ID})
	final := watch.end()
	took := time.Since(start)
	for range streamsEach {
		if err := within(t, "a stream ends", ended); err == nil {
			t.Error("a stream ended without an error")
		}
	}
	if err := readUntilCut(t.Context(), g, chain); !refusedWith(err, protocol.Revoked) {
		t.Errorf("asked after the revocation, the giver says %v", err)
	}
	watch.check(t, final)
	if revoked.Stopped == 0 || len(final) == 0 {
		t.Errorf("nothing was stopped: the try proves nothing (%d transfers, %d sockets)", revoked.Stopped, len(final))
	}
	return took, revoked.Stopped
}

func (r *revocations) check(t *testing.T, final map[*socket]int64) {
	t.Helper()
	for s, before := range final {
		if after := s.sent(); after != before {
			t.Errorf("%d bytes were written to %s after revoke had returned", after-before, s.remote)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.late) > 0 {
		t.Errorf("sent under the grant after revoke had returned: %v", r.late)
	}
}

// readUntilCut reads under a grant until it is told no, dialling again only if
// it was cut before its passage was open (by the end of another one's).
func readUntilCut(ctx context.Context, g *guest, chain grant.Chain) error {
	for {
		r, err := g.open(ctx, chain)
		if err == nil {
			return r.readOn(ctx, func() {})
		}
		if errors.As(err, new(*protocol.Refusal)) || ctx.Err() != nil {
			return err
		}
	}
}

func refusedWith(err error, code protocol.Code) bool {
	var refusal *protocol.Refusal
	return errors.As(err, &refusal) && refusal.Code == code
}

// A peer that takes nothing does not hold a revocation up: neither one that
// reads no blocks, nor one whose kernel takes no bytes.
func TestRevokeDoesNotWaitForAPeerThatReadsNothing(t *testing.T) {
	for name, stall := range map[string]func(*guest, chan struct{}){
		"reads no blocks": nil,
		"takes no bytes":  func(g *guest, until chan struct{}) { g.wire.holdUp(until) },
	} {
		t.Run(name, func(t *testing.T) {
			watch, w := &revocations{}, newWire()
			w.frame = watch.frame
			stuck := make(chan struct{})
			w.stuck = sync.OnceFunc(func() { close(stuck) })
			giver := openHome(t, makeHome(t), w.network)
			g := newGuest(t, giver, "Camille")
			source := filepath.Join(t.TempDir(), "source")
			write(t, source, seeded(6), map[string]int{"a": 9 << 20})
			do(t, giver, node.Add, node.AddRequest{Path: source, Name: "ending"})
			given := do(t, giver, node.Grant, node.GrantRequest{Name: "ending", To: "Camille"})
			reached := watch.begin(t, given.Grant.CID, 2)
			r, err := g.open(t.Context(), g.chain(t, given.Link))
			if err != nil {
				t.Fatal(err)
			}
			resume, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- r.readOn(t.Context(), func() {
					if stall == nil {
						<-resume
					}
				})
			}()
			within(t, "blocks leave", reached)
			if stall != nil {
				stall(g, resume)
			}
			within(t, "the giver's writer waits", stuck)
			start := time.Now()
			revoked := do(t, giver, node.Revoke, node.NameRequest{Name: given.Grant.ID})
			took, final := time.Since(start), watch.end()
			close(resume)
			if within(t, "the stream ends", ended) == nil {
				t.Error("the stream ended without an error")
			}
			watch.check(t, final)
			if took > 2*time.Second || revoked.Stopped != 1 || len(final) != 1 {
				t.Errorf("revoke took %v and stopped %d transfers", took, revoked.Stopped)
			}
			t.Logf("revoke took %v", took)
		})
	}
}

// The same between two whole nodes: the grantee's fetch ends with a reason, its
// node is told, which is a small conversation on another connection, and the
// connections that served the grant stay silent.
func TestRevokeBetweenTwoNodes(t *testing.T) {
	watch, w := &revocations{}, newWire()
	w.frame = watch.frame
	giver, taker := openHome(t, makeHome(t), w.network), openHome(t, makeHome(t), nil)
	introduce(t, giver, taker, "Alice", "Camille")
	for i := range 5 {
		source, name := filepath.Join(t.TempDir(), "source"), fmt.Sprintf("set %d", i)
		write(t, source, seeded(uint64(70+i)), map[string]int{"a": 12 << 20, "b": 100})
		do(t, giver, node.Add, node.AddRequest{Path: source, Name: name})
		given := do(t, giver, node.Grant, node.GrantRequest{Name: name, To: "Camille"})
		watch.begin(t, given.Grant.CID, -1)
		fetch := startFetch(t, taker, given.Grant.ID)
		fetch.wait(t)
		revoked := do(t, giver, node.Revoke, node.NameRequest{Name: given.Grant.ID})
		final := watch.end()
		if within(t, "the fetch ends", fetch.ended) == nil {
			t.Error("the fetch succeeded")
		}
		if _, err := node.Fetch.Do(t.Context(), taker, node.FetchRequest{Grant: given.Grant.ID}, nil); problem.Of(err).Key != "refused.revoked" {
			t.Errorf("after the revocation, a fetch ends with %v", err)
		}
		watch.check(t, final)
		if revoked.Stopped != 1 || !revoked.Notified || len(final) != 1 {
			t.Errorf("stopped %d transfers on %d connections, notified: %v", revoked.Stopped, len(final), revoked.Notified)
		}
	}
}

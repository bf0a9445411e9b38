// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"runtime"
	"testing"

	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// What a grantee writes below a grant takes little of the gate's memory: none
// once the grant is revoked, and while it lives only the grantee's share.
func TestVerifiedProofsOfOneGrantee(t *testing.T) {
	const tries, share = 200, 1024 / 16
	zeros := make([]ucan.Value, 15_600)
	for i := range zeros {
		zeros[i] = ucan.Int(0)
	}
	meta := ucan.MakeMap(map[string]ucan.Value{"x": ucan.List(zeros...)})
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	w := newWorld(t)
	w.terms.Uses = 0
	w.chain = w.grow(w.terms, 4)
	other := w.terms
	other.Audience = w.workerOwner.DID()
	leaf := must[*ucan.Delegation](t)(grant.Issue(w.node, other, w.nonce()))
	beside := append(w.chain[:2:2], leaf)
	beside = append(beside, must[*ucan.Delegation](t)(grant.PassOn(w.workerOwner, beside, w.workerNode.DID(), other.Until, nil, w.nonce())))
	aside := w.ask(beside)
	aside.peer, aside.signer = w.workerNode.DID(), w.workerNode
	w.admit(aside)
	before := heap()
	var last *attempt
	for range tries {
		last = w.ask(w.bend(w.chain, 3, func(c *ucan.DelegationClaims) { c.Meta = meta }))
		w.admit(last)
	}
	if n := w.gate.Verified(); n != len(beside)+1+share {
		t.Errorf("%d proofs are kept, want %d", n, len(beside)+1+share)
	}
	if grown := (heap() - before) / share; grown > 32<<10 {
		t.Errorf("%d bytes for each proof that is kept", grown)
	}
	if !w.gate.Remembers(aside.tokens) {
		t.Error("one grantee pushed out the proofs of another")
	}
	w.revoke(w.node, w.chain[2], w.chain[:3])
	for range tries {
		_, denial := w.ask(w.bend(w.chain, 3, func(c *ucan.DelegationClaims) { c.Meta = meta })).check()
		if denial == nil || denial.Code != protocol.Revoked {
			t.Fatalf("a revoked grant: %v", denial)
		}
	}
	if !w.gate.Remembers(last.tokens) || w.gate.Verified() != len(beside)+1+share {
		t.Error("what was refused is remembered, in the place of what was good")
	}
}

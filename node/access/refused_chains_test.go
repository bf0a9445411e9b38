// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"math/big"
	"slices"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

func chainRefusals() []refusal {
	return []refusal{
		{"7 proofs", byProfile, denied, func(w *world) *attempt {
			six := w.grow(w.terms, 6)
			seventh := must[*ucan.Delegation](w.t)(ucan.Delegate(w.workerNode, ucan.DelegationClaims{
				Audience: w.granteeNode.DID(), Subject: w.dataset.DID(), Command: grant.CommandRead, Nonce: w.nonce(), Expires: six[5].Expires,
			}))
			a := w.ask(w.chain)
			a.bring(append(six, seventh))
			return a
		}},
		{"7 proofs named, 6 brought", byProfile, denied, asking(func(_ *world, a *attempt) {
			for len(a.claims.Proofs) < 7 {
				a.claims.Proofs = append(a.claims.Proofs, a.claims.Proofs[0])
			}
		})},
		{"a repeated CID", byUCAN, denied, asking(func(w *world, a *attempt) {
			a.bring(append(append(grant.Chain{}, w.chain...), w.chain[2], w.chain[3]))
		})},
		{"a cycle", byProfile, denied, func(w *world) *attempt {
			chain := w.grow(w.terms, 6)
			chain = w.bend(chain, 4, func(c *ucan.DelegationClaims) { c.Audience = w.granteeOwner.DID() })
			chain[5] = w.bend(chain, 3, func(*ucan.DelegationClaims) {})[3]
			a := w.ask(w.chain)
			a.bring(chain)
			return a
		}},
		{"a missing proof", byUCAN, denied, asking(func(_ *world, a *attempt) { a.tokens = a.tokens[:3] })},
		{"a link left out", byUCAN, denied, asking(func(w *world, a *attempt) { a.bring(grant.Chain{w.chain[0], w.chain[1], w.chain[3]}) })},
		{"leaf first", byUCAN, denied, asking(func(w *world, a *attempt) {
			leafFirst := append(grant.Chain{}, w.chain...)
			slices.Reverse(leafFirst)
			a.bring(leafFirst)
		})},
		{"a proof whose bytes are not its CID's", byUCAN, denied, asking(func(w *world, a *attempt) {
			a.tokens[3] = w.bend(w.chain, 3, func(*ucan.DelegationClaims) {})[3].Bytes()
		})},
		{"a powerline", byProfile, denied, linked(4, 3, func(_ *world, c *ucan.DelegationClaims) { c.Subject = "" })},
		{"a powerline at the root", byUCAN, denied, linked(4, 0, func(_ *world, c *ucan.DelegationClaims) { c.Subject = "" })},
		{"an absent subject", byUCAN, denied, asking(func(w *world, a *attempt) {
			last := w.chain[3]
			token := seal(w.t, w.granteeOwner, "ucan/dlg@1.0.0", ucan.MakeMap(map[string]ucan.Value{
				"iss": ucan.String(string(last.Issuer)), "aud": ucan.String(string(last.Audience)), "cmd": ucan.String("/dataset/read"),
				"pol": ucan.List(), "nonce": ucan.Bytes(w.nonce()), "exp": ucan.Int(*last.Expires),
			}))
			a.bringTokens(append(w.chain[:3].Tokens(), token))
		})},
		{"a chain that ends at an owner", byProfile, denied, func(w *world) *attempt {
			a := w.ask(w.chain)
			a.signer, a.peer = w.granteeOwner, w.granteeOwner.DID()
			a.bring(w.chain[:3])
			return a
		}},
	}
}

func timeRefusals() []refusal {
	return []refusal{
		{"an expired grant", byUCAN, protocol.Expired, func(w *world) *attempt { return w.after(w.terms.Until.Add(24 * time.Hour)) }},
		{"the second after the last", byUCAN, protocol.Expired, func(w *world) *attempt { return w.after(w.terms.Until.Add(time.Second)) }},
		{"a grant that is not yet valid", byUCAN, protocol.NotYet, func(w *world) *attempt {
			w.terms.Begins = start.Add(time.Second)
			return w.ask(w.grow(w.terms, 4))
		}},
		{"an upper link that aged", byUCAN, protocol.Refresh, func(w *world) *attempt {
			w.terms.Until = start.Add(200 * 24 * time.Hour)
			chain := w.grow(w.terms, 4)
			w.now = start.Add(grant.NodeLinkLife)
			return w.ask(chain)
		}},
		{"an upper link that has not begun", byUCAN, protocol.Refresh, func(w *world) *attempt { return w.after(start.Add(-2 * time.Minute)) }},
		{"no expiry on a third party's grant", byProfile, denied, linked(4, 2, func(_ *world, c *ucan.DelegationClaims) { c.Expires = nil })},
		{"no expiry on a device link", byProfile, denied, linked(4, 3, func(_ *world, c *ucan.DelegationClaims) { c.Expires = nil })},
		{"an invocation without expiry", byGate, denied, asking(func(_ *world, a *attempt) { a.claims.Expires = nil })},
		{"an invocation without its time of issue", byGate, denied, asking(func(_ *world, a *attempt) { a.claims.IssuedAt = nil })},
		{"an expired invocation", byGate, protocol.Clock, asking(func(_ *world, a *attempt) { a.times(-10, -1) })},
		{"an invocation that lives too long", byGate, protocol.Clock, asking(func(_ *world, a *attempt) { a.times(0, 301) })},
		{"an invocation from the future", byGate, protocol.Clock, asking(func(_ *world, a *attempt) { a.times(61, 120) })},
		{"an invocation from the past", byGate, protocol.Clock, asking(func(_ *world, a *attempt) { a.times(-61, 60) })},
		{"a clock rolled back", byGate, protocol.Clock, asking(func(w *world, _ *attempt) {
			w.gate.Mark(start.Add(access.MarkTolerance + time.Second))
		})},
		{"a clock rolled back, after a restart", byGate, protocol.Clock, asking(func(w *world, _ *attempt) {
			w.gate = w.newGate(start.Add(365 * 24 * time.Hour))
		})},
		{"an expired grant with a clock rolled back a little", byUCAN, protocol.Expired, func(w *world) *attempt {
			w.gate.Mark(w.terms.Until.Add(time.Second))
			return w.after(w.terms.Until.Add(-time.Second))
		}},
		{"a stranger while the clock is rolled back", byUCAN, denied, asking(func(w *world, a *attempt) {
			w.gate.Mark(start.Add(time.Hour))
			a.signer, a.peer = w.mallory, w.mallory.DID()
		})},
	}
}

// after is a good attempt at another time.
func (w *world) after(now time.Time) *attempt {
	w.now = now
	return w.ask(w.chain)
}

func (a *attempt) times(issued, expires int64) {
	*a.claims.IssuedAt, *a.claims.Expires = a.w.now.Unix()+issued, a.w.now.Unix()+expires
}

func revoking(by func(w *world) crypto.Signer, link int) func(*world) *attempt {
	return asking(func(w *world, _ *attempt) { w.revoke(by(w), w.chain[link], w.chain) })
}

func stateRefusals() []refusal {
	owner := func(w *world) crypto.Signer { return w.owner }
	node := func(w *world) crypto.Signer { return w.node }
	grantee := func(w *world) crypto.Signer { return w.granteeOwner }
	return []refusal{
		{"a revoked leaf", byGate, protocol.Revoked, revoking(node, 2)},
		{"a leaf revoked by an ancestor's issuer", byGate, protocol.Revoked, revoking(owner, 2)},
		{"a revoked ancestor", byGate, protocol.Revoked, revoking(owner, 1)},
		{"a revoked device", byGate, protocol.Revoked, revoking(grantee, 3)},
		{"a revocation that arrives first", byGate, protocol.Revoked, asking(func(w *world, _ *attempt) {
			if r := w.revoke(w.node, w.chain[2], nil); r.Counts {
				w.t.Error("a record counts before its target is seen")
			}
		})},
		{"an expired revocation, brought by a stranger", byGate, protocol.Revoked, asking(func(w *world, _ *attempt) { w.revokeUntil(at(1)) })},
		{"a revocation without expiry, brought by a stranger", byGate, protocol.Revoked, asking(func(w *world, _ *attempt) { w.revokeUntil(nil) })},
		{"revoked before a restart", byGate, protocol.Revoked, asking(func(w *world, _ *attempt) {
			record := must[*ucan.Invocation](w.t)(ucan.Revoke(w.node, w.chain[2].CID(), nil, nil))
			w.gate = w.newGate(time.Time{})
			if err := w.gate.LoadRevocation(record, nil); err != nil {
				w.t.Fatal(err)
			}
		})},
		{"the same invocation twice", byGate, denied, asking(func(w *world, a *attempt) { w.admit(a) })},
		{"the same invocation after a restart", byGate, denied, asking(func(w *world, a *attempt) {
			before := w.admit(a).Seen
			w.gate = w.newGate(time.Time{})
			w.gate.LoadRecent(before)
		})},
		{"the same invocation after its memory was swept and the clock set back", byGate, denied, asking(func(w *world, a *attempt) {
			w.admit(a)
			w.now = start.Add(10 * time.Minute)
			w.ask(w.chain).check()
			w.now = start
		})},
		{"a suspended data set", byGate, protocol.Suspended, asking(func(w *world, _ *attempt) { w.standing[w.dataset.DID()] = access.Suspended })},
		{"a suspended grant", byGate, protocol.Suspended, asking(func(w *world, _ *attempt) { w.grants = access.Suspended })},
		{"a data set that is gone", byGate, protocol.Gone, asking(func(w *world, _ *attempt) { w.standing[w.dataset.DID()] = access.Gone })},
		{"a data set that was never here", byGate, denied, asking(func(w *world, _ *attempt) { delete(w.standing, w.dataset.DID()) })},
	}
}

func at(n int64) *int64 { return &n }

// revokeUntil takes a revocation of the grant that a stranger brings.
func (w *world) revokeUntil(expires *int64) {
	record := must[*ucan.Invocation](w.t)(ucan.Invoke(w.node, ucan.InvocationClaims{
		Subject: w.node.DID(), Command: ucan.CommandRevoke, Nonce: w.nonce(), Expires: expires,
		Args: ucan.MakeMap(map[string]ucan.Value{"ucan": ucan.Link(w.chain[2].CID()), "pth": ucan.List()}),
	}))
	if r, err := w.gate.Revoke(record, w.chain); err != nil || !r.Counts || !r.Keep || !r.New {
		w.t.Errorf("the revocation is not taken: %+v, %v", r, err)
	}
}

func (w *world) admit(a *attempt) *access.Decision {
	w.t.Helper()
	d, denial := a.check()
	if denial != nil {
		w.t.Fatal(denial)
	}
	return d
}

// reencoded is a case that brings the grant, revoked, in other bytes.
func reencoded(change func(token []byte) []byte) func(*world) *attempt {
	return func(w *world) *attempt {
		w.revoke(w.node, w.chain[2], w.chain)
		tokens := w.chain.Tokens()
		tokens[2] = change(bytes.Clone(tokens[2]))
		a := w.ask(w.chain)
		a.bringTokens(tokens)
		return a
	}
}

func encodingRefusals() []refusal {
	third := func(b []byte) []byte { b[0] = 0x83; return append(b, 0xf6) }
	indefinite := func(b []byte) []byte { b[0] = 0x9f; return append(b, 0xff) }
	long := func(b []byte) []byte { return append([]byte{0x98, 2}, b[1:]...) }
	trailing := func(b []byte) []byte { return append(b, 0) }
	return []refusal{
		{"a revoked token with a third element", byUCAN, denied, reencoded(third)},
		{"a revoked token in an indefinite list", byUCAN, denied, reencoded(indefinite)},
		{"a revoked token with a long header", byUCAN, denied, reencoded(long)},
		{"a revoked token with a trailing byte", byUCAN, denied, reencoded(trailing)},
		{"a revoked token with its order added to the signature", byUCAN, denied, reencoded(addOrder)},
		{"an indefinite length", byUCAN, denied, cutting(func(_ *world, b []byte) []byte { return indefinite(b) })},
		{"a trailing byte", byUCAN, denied, cutting(func(_ *world, b []byte) []byte { return trailing(b) })},
		{"a long header", byUCAN, denied, cutting(func(_ *world, b []byte) []byte { return long(b) })},
		{"a third element", byUCAN, denied, cutting(func(_ *world, b []byte) []byte { return third(b) })},
		{"a duplicate key", byUCAN, denied, cutting(func(w *world, b []byte) []byte {
			return w.resign(b, "\x63seq\x01", "\x63seq\x01\x63seq\x01")
		})},
		{"two tags", byUCAN, denied, cutting(func(w *world, b []byte) []byte {
			return sealBytes(w.t, w.granteeNode, append(append([]byte{0xa3}, b[3+64+1:]...), "\x6eucan/zzz@1.0.0\xa0"...))
		})},
		{"an unknown field", byUCAN, denied, claiming("zzz", func(*world) ucan.Value { return ucan.Null() })},
		{"a lying varsig", byUCAN, denied, asking(func(w *world, a *attempt) {
			a.cut = func([]byte) []byte {
				return sealVarsig(w.t, w.granteeNode, "\x34\x01\xe7\x01\xe7\x01\x12\x71", "ucan/inv@1.0.0", a.fields())
			}
		})},
		{"a delegation for an invocation", byUCAN, denied, cutting(func(w *world, _ []byte) []byte { return w.chain[3].Bytes() })},
		{"an invocation for a delegation", byUCAN, denied, asking(func(w *world, a *attempt) {
			a.bringTokens(append(w.chain[:3].Tokens(), w.ask(w.chain).token()))
		})},
	}
}

// addOrder adds the group's order to a signature's s (little-endian), which
// naive verifiers accept.
func addOrder(token []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := token[3+32 : 3+64]
	slices.Reverse(s)
	new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(s)
	slices.Reverse(s)
	return token
}

func pathRefusals() (list []refusal) {
	for name, path := range map[string]string{
		"a path above": "photos/../taxes/", "an absolute path": "/photos/", "an empty segment": "photos//",
		"an escaped path": "photos/%2e%2e/taxes/", "a path with a NUL": "photos/\x00", "a path with a backslash": `photos\..\taxes`,
		"a path in normal form D": "photos/e\u0301/",
	} {
		list = append(list, refusal{name, byProfile, protocol.Malformed, pathed(path)})
	}
	return append(list,
		refusal{"a path that begins like a granted one", byUCAN, denied, pathed("photos2/")},
		refusal{"a granted prefix without its slash", byUCAN, denied, pathed("photos")},
		refusal{"all paths", byUCAN, denied, pathed("")})
}

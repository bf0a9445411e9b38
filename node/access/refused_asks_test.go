// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

func refusals() []refusal {
	return slices.Concat(signatureRefusals(), commandRefusals(), policyRefusals(), argumentRefusals(),
		chainRefusals(), timeRefusals(), stateRefusals(), encodingRefusals(), pathRefusals())
}

func signatureRefusals() []refusal {
	return []refusal{
		{"a flipped bit of the signature", byUCAN, denied, cutting(func(_ *world, b []byte) []byte { b[10] ^= 1; return b })},
		{"a swapped issuer", byUCAN, denied, claiming("iss", func(w *world) ucan.Value { return ucan.String(string(w.owner.DID())) })},
		{"an invocation by the attacker under the victim's chain", byUCAN, denied, asking(func(w *world, a *attempt) {
			a.signer, a.peer = w.mallory, w.mallory.DID()
		})},
		{"a proof with a swapped audience", byUCAN, denied, func(w *world) *attempt {
			a := w.ask(w.bend(w.chain, 3, func(c *ucan.DelegationClaims) { c.Audience = w.mallory.DID() }))
			return a
		}},
		{"another subject", byUCAN, denied, asking(func(w *world, a *attempt) { a.claims.Subject = w.mallorySet.DID() })},
		{"the attacker's proof for the victim's subject", byUCAN, denied, func(w *world) *attempt {
			a := w.ask(w.chain)
			a.signer, a.peer = w.mallory, w.mallory.DID()
			a.bring(grant.Chain{w.self(w.mallory, w.mallory.DID(), w.mallory.DID())})
			return a
		}},
		{"a proof on the executor's own subject, subject of another", byUCAN, denied, func(w *world) *attempt {
			a := w.ask(w.chain)
			a.bring(grant.Chain{w.self(w.node, w.node.DID(), w.granteeNode.DID())})
			return a
		}},
		{"no proof at all", byUCAN, denied, asking(func(_ *world, a *attempt) { a.bring(nil) })},
		{"the attacker's own data set", byGate, denied, func(w *world) *attempt {
			a := w.ask(w.chain)
			a.signer, a.peer, a.claims.Subject = w.mallory, w.mallory.DID(), w.mallorySet.DID()
			a.bring(grant.Chain{w.self(w.mallorySet, w.mallorySet.DID(), w.mallory.DID())})
			return a
		}},
		{"a chain through another node", byGate, denied, func(w *world) *attempt {
			return w.ask(w.elsewhere())
		}},
		{"replay on another executor", byGate, denied, asking(func(w *world, a *attempt) { a.claims.Audience = w.workerNode.DID() })},
		{"no audience", byGate, denied, asking(func(_ *world, a *attempt) { a.claims.Audience = "" })},
		{"a token over another peer's connection", byGate, denied, asking(func(w *world, a *attempt) { a.peer = w.mallory.DID() })},
		{"did:key with a fragment", byUCAN, denied, claiming("iss", func(w *world) ucan.Value {
			did := string(w.granteeNode.DID())
			return ucan.String(did + "#" + did[8:])
		})},
		{"did:key in another base", byUCAN, denied, claiming("iss", func(*world) ucan.Value {
			return ucan.String("did:key:fed01" + strings.Repeat("00", 32))
		})},
		{"did:key of small order", byUCAN, denied, claiming("iss", func(*world) ucan.Value {
			return ucan.String("did:key:z" + base58.Encode(append([]byte{0xed, 1, 1}, make([]byte, 31)...)))
		})},
		{"did:web", byUCAN, denied, claiming("iss", func(*world) ucan.Value { return ucan.String("did:web:example.org") })},
	}
}

// self is a delegation of everything on subject, by signer.
func (w *world) self(signer crypto.Signer, subject, to crypto.DID) *ucan.Delegation {
	return must[*ucan.Delegation](w.t)(ucan.Delegate(signer, ucan.DelegationClaims{
		Audience: to, Subject: subject, Command: "/", Nonce: w.nonce(),
	}))
}

// elsewhere is a good chain that the owner gave to another node.
func (w *world) elsewhere() grant.Chain {
	ok := must[*ucan.Delegation](w.t)
	chain := grant.Chain{w.chain[0],
		ok(grant.AppointNode(w.owner, w.dataset.DID(), w.mallory.DID(), start, w.nonce())),
		ok(grant.Issue(w.mallory, w.terms, w.nonce())),
	}
	return append(chain, ok(grant.PassOn(w.granteeOwner, chain, w.granteeNode.DID(), w.terms.Until, nil, w.nonce())))
}

func commandRefusals() []refusal {
	return []refusal{
		{"a wider child command", byUCAN, denied, linked(4, 3, func(_ *world, c *ucan.DelegationClaims) { c.Command = "/dataset" })},
		{"everything for a third party", byProfile, denied, linked(4, 2, func(_ *world, c *ucan.DelegationClaims) { c.Command = "/" })},
		{"all of a data set for a third party", byProfile, denied, linked(4, 2, func(_ *world, c *ucan.DelegationClaims) { c.Command = "/dataset" })},
		{"/dataset/readall under /dataset/read", byUCAN, denied, commanding("/dataset/readall")},
		{"a sibling command", byUCAN, denied, commanding("/dataset/subscribe")},
		{"a command below", byProfile, denied, commanding("/dataset/read/more")},
		{"//", byUCAN, denied, commanding("/dataset//read")},
		{"/../", byUCAN, denied, commanding("/dataset/../read")},
		{"a slash at the end", byUCAN, denied, commanding("/dataset/read/")},
		{"upper case", byUCAN, denied, commanding("/dataset/Read")},
		{"%72", byUCAN, denied, commanding("/dataset/%72ead")},
		{"a look-alike", byUCAN, denied, commanding("/dataset/rе\u0430d")},
	}
}

func policyRefusals() []refusal {
	outside := func(w *world, a *attempt) { a.args.Paths = []string{"taxes/"} }
	return []refusal{
		{"outside an empty child policy's ancestor", byUCAN, denied, asking(outside)},
		{"outside a wider child policy's ancestor", byUCAN, denied, func(w *world) *attempt {
			a := limited(all("paths", like("*")))(w)
			outside(w, a)
			return a
		}},
		{"another purpose", byUCAN, denied, asking(func(_ *world, a *attempt) { a.args.Purpose = grant.Purposes["research"] })},
		{"outside the child's policy only", byUCAN, denied, limited(all("paths", like("photos/paris/*")))},
		{"a seq beyond the bound", byUCAN, denied, asking(func(_ *world, a *attempt) { a.args.Seq = 3 })},
		{"an optional selector on a missing field", byProfile, denied, limited(ucan.Statement{Op: ucan.OpEqual, Selector: optional("missing"), Value: ucan.Null()})},
		{"an optional selector on an argument", byProfile, denied, limited(ucan.Statement{Op: ucan.OpEqual, Selector: optional("from"), Value: ucan.Int(0)})},
		{"a selector of no argument", byProfile, denied, limited(ucan.Statement{Op: ucan.OpEqual, Selector: field("rate"), Value: ucan.Int(0)})},
		{"a selector that does not parse", byUCAN, denied, func(w *world) *attempt {
			return w.askWithPolicy(ucan.List(ucan.List(ucan.String("=="), ucan.String("from"), ucan.Int(0))))
		}},
		{"an unknown operator", byUCAN, denied, func(w *world) *attempt {
			return w.askWithPolicy(ucan.List(ucan.List(ucan.String("=~"), ucan.String(".from"), ucan.Int(0))))
		}},
		{"a quoted selector", byProfile, denied, func(w *world) *attempt {
			return w.askWithPolicy(ucan.List(ucan.List(ucan.String("=="), ucan.String(`.["from"]`), ucan.Int(0))))
		}},
		{"an empty or", byProfile, denied, limited(ucan.Statement{Op: ucan.OpOr})},
		{"an empty and", byProfile, denied, limited(ucan.Statement{Op: ucan.OpAnd})},
		{"not", byProfile, denied, limited(ucan.Statement{Op: ucan.OpNot, Args: []ucan.Statement{{Op: ucan.OpEqual, Selector: field("from"), Value: ucan.Int(9)}}})},
		{"!=", byProfile, denied, limited(ucan.Statement{Op: ucan.OpNotEqual, Selector: field("from"), Value: ucan.Int(9)})},
		{"any", byProfile, denied, limited(ucan.Statement{Op: ucan.OpAny, Selector: field("paths"), Args: []ucan.Statement{like("*")}})},
		{"a float in a policy", byProfile, denied, limited(ucan.Statement{Op: ucan.OpLessOrEqual, Selector: field("from"), Value: ucan.Float(1.5)})},
		{"many stars", byProfile, denied, limited(all("paths", like(strings.Repeat("*a", 100))))},
		{"a grant whose policy says no grant", byProfile, denied, linked(4, 2, func(_ *world, c *ucan.DelegationClaims) { c.Policy = ucan.Policy{} })},
	}
}

// askWithPolicy signs the grantee's link with a policy that no library writes.
func (w *world) askWithPolicy(policy ucan.Value) *attempt {
	last := w.chain[3]
	token := seal(w.t, w.granteeOwner, "ucan/dlg@1.0.0", ucan.MakeMap(map[string]ucan.Value{
		"iss": ucan.String(string(last.Issuer)), "aud": ucan.String(string(last.Audience)),
		"sub": ucan.String(string(last.Subject)), "cmd": ucan.String(string(last.Command)),
		"pol": policy, "nonce": ucan.Bytes(w.nonce()), "exp": ucan.Int(*last.Expires),
	}))
	a := w.ask(w.chain)
	a.bringTokens(append(w.chain[:3].Tokens(), token))
	return a
}

func argument(name string, v ucan.Value) func(*world) *attempt {
	return asking(func(_ *world, a *attempt) { a.claims.Args = with(a.args.ToMap(), name, v) })
}

func argumentRefusals() []refusal {
	malformed := protocol.Malformed
	return []refusal{
		{"all over nothing", byProfile, malformed, asking(func(_ *world, a *attempt) { a.args.Paths = nil })},
		{"an unknown argument", byProfile, malformed, argument("rate", ucan.Int(1))},
		{"no arguments", byProfile, malformed, asking(func(_ *world, a *attempt) { a.claims.Args = ucan.Map{} })},
		{"a float", byProfile, malformed, argument("from", ucan.Float(0))},
		{"NaN", byUCAN, denied, cutting(func(w *world, b []byte) []byte {
			return w.resign(b, "\x63seq\x01", "\x63seq\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00")
		})},
		{"beyond 2^53", byUCAN, denied, cutting(func(w *world, b []byte) []byte {
			return w.resign(b, "\x63seq\x01", "\x63seq\x1b\x00\x20\x00\x00\x00\x00\x00\x00")
		})},
		{"a negative", byProfile, malformed, argument("seq", ucan.Int(-1))},
		{"from after to", byProfile, malformed, argument("from", ucan.Int(1))},
		{"a rank that is none", byProfile, malformed, argument("period", ucan.Int(6))},
		{"a short receive key", byProfile, malformed, argument("hpke", ucan.Bytes([]byte("short")))},
		{"500 KB of nesting", byUCAN, denied, cutting(func(*world, []byte) []byte { return bytes.Repeat([]byte{0x81}, 500_000) })},
		{"500 KB of nesting for a proof", byUCAN, denied, asking(func(_ *world, a *attempt) {
			a.tokens[3] = bytes.Repeat([]byte{0x81}, 500_000)
		})},
	}
}

// resign replaces bytes of an invocation's payload and signs it anew.
func (w *world) resign(token []byte, old, new string) []byte {
	payload := token[3+64:]
	if bytes.Count(payload, []byte(old)) != 1 {
		w.t.Fatalf("%q stands %d times in the payload", old, bytes.Count(payload, []byte(old)))
	}
	return sealBytes(w.t, w.granteeNode, bytes.Replace(payload, []byte(old), []byte(new), 1))
}

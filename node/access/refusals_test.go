// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// refusal is one line of the list of what must be refused: by which layer, and
// what the peer hears.
type refusal struct {
	name  string
	layer access.Layer
	code  protocol.Code
	make  func(w *world) *attempt
}

const (
	byUCAN    = access.LayerUCAN
	byProfile = access.LayerProfile
	byGate    = access.LayerGate
	denied    = protocol.Denied
)

// asking is a case that bends a good invocation.
func asking(bend func(w *world, a *attempt)) func(*world) *attempt {
	return func(w *world) *attempt {
		a := w.ask(w.chain)
		bend(w, a)
		return a
	}
}

// linked is a case that bends one link of a good chain.
func linked(links, i int, bend func(w *world, c *ucan.DelegationClaims)) func(*world) *attempt {
	return func(w *world) *attempt {
		return w.ask(w.bend(w.grow(w.terms, links), i, func(c *ucan.DelegationClaims) { bend(w, c) }))
	}
}

// claiming is a case that signs a claim that no library would.
func claiming(key string, v func(w *world) ucan.Value) func(*world) *attempt {
	return asking(func(w *world, a *attempt) {
		a.raw = func(m ucan.Map) ucan.Map { return with(m, key, v(w)) }
	})
}

func commanding(cmd string) func(*world) *attempt {
	return claiming("cmd", func(*world) ucan.Value { return ucan.String(cmd) })
}

func cutting(cut func(w *world, token []byte) []byte) func(*world) *attempt {
	return asking(func(w *world, a *attempt) { a.cut = func(b []byte) []byte { return cut(w, b) } })
}

func pathed(path string) func(*world) *attempt {
	return asking(func(_ *world, a *attempt) { a.args.Paths = []string{path} })
}

func limited(policy ...ucan.Statement) func(*world) *attempt {
	return linked(4, 3, func(_ *world, c *ucan.DelegationClaims) { c.Policy = policy })
}

func field(name string) ucan.Selector { return ucan.Selector{{Kind: ucan.Field, Name: name}} }

func optional(name string) ucan.Selector {
	return ucan.Selector{{Kind: ucan.Field, Name: name, Optional: true}}
}

func all(list string, inner ucan.Statement) ucan.Statement {
	return ucan.Statement{Op: ucan.OpAll, Selector: field(list), Args: []ucan.Statement{inner}}
}

func like(pattern string) ucan.Statement { return ucan.Statement{Op: ucan.OpLike, Pattern: pattern} }

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

// The whole list, through the gate. go test -run TestRefusals -v shows it.
func TestRefusals(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t)
			a := r.make(w)
			decision, denial := a.check()
			if decision != nil || denial == nil {
				t.Fatal("admitted")
			}
			if denial.Layer != r.layer || denial.Code != r.code {
				t.Errorf("refused by %s with %v (%v), want %s with %v", denial.Layer, denial.Code, denial.Reason, r.layer, r.code)
			}
			if denial.Code != denied && !denial.Audience {
				t.Errorf("a stranger hears %v", denial.Code)
			}
			t.Logf("%s → %s: %v", r.name, denial.Layer, denial.Code)
		})
	}
	for _, r := range otherRefusals {
		t.Run(r.name, func(t *testing.T) {
			if err := r.try(newWorld(t)); err == nil {
				t.Error("not refused")
			} else {
				t.Logf("%s → %s: %v", r.name, r.layer, err)
			}
		})
	}
}

// otherRefusals are those of the list that are not about an invocation.
var otherRefusals = []struct {
	name  string
	layer access.Layer
	try   func(w *world) error
}{
	{"a reused seq", byGate, func(w *world) error {
		return w.useTwice(1, 1, "head 1", "head 2")
	}},
	{"a use more than the bound", byGate, func(w *world) error {
		if err := w.useTwice(2, 2, "head 1", "head 2"); err != nil {
			w.t.Fatal(err)
		}
		return w.use(w.ask(w.chain), 2, "head 3")
	}},
	{"a stale status, to readers", byGate, func(w *world) error {
		var l access.Leases
		if err := l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start}, start); err != nil {
			w.t.Fatal(err)
		}
		if err := l.Check(w.dataset.DID(), access.ReaderLease, start.Add(time.Hour)); err != nil {
			w.t.Fatal(err)
		}
		return l.Check(w.dataset.DID(), access.ReaderLease, start.Add(time.Hour+time.Second))
	}},
	{"a stale status, to replicas", byGate, func(w *world) error {
		var l access.Leases
		if err := l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start}, start); err != nil {
			w.t.Fatal(err)
		}
		return l.Check(w.dataset.DID(), access.ReplicaLease, start.Add(24*time.Hour+time.Second))
	}},
	{"no status", byGate, func(w *world) error {
		return new(access.Leases).Check(w.dataset.DID(), access.ReplicaLease, start)
	}},
	{"a status going back", byGate, func(w *world) error {
		var l access.Leases
		if err := l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 2, Issued: start}, start); err != nil {
			w.t.Fatal(err)
		}
		return l.Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start.Add(time.Minute)}, start.Add(time.Minute))
	}},
	{"a status from the future", byGate, func(w *world) error {
		return new(access.Leases).Accept(access.Status{Dataset: w.dataset.DID(), Seq: 1, Issued: start.Add(time.Hour)}, start)
	}},
	{"a wrapped key replayed to another grantee", "crypto", func(w *world) error {
		one, other := must[*crypto.Keyring](w.t)(crypto.NewKeyring(seeded("one"))), must[*crypto.Keyring](w.t)(crypto.NewKeyring(seeded("other")))
		sealed := must[[]byte](w.t)(crypto.SealTo(one.Receive().Public(), []byte("for one"), []byte("head")))
		if _, err := one.Receive().Open([]byte("for one"), sealed); err != nil {
			w.t.Fatal(err)
		}
		if _, err := one.Receive().Open([]byte("for other"), sealed); err == nil {
			w.t.Error("opened for another audience")
		}
		_, err := other.Receive().Open([]byte("for one"), sealed)
		return err
	}},
}

// seeded is a reader of bytes made from a name.
func seeded(name string) *bytes.Reader {
	var b []byte
	for i := range 1024 {
		b = append(b, name...)
		b = binary.BigEndian.AppendUint64(b, uint64(i))
	}
	return bytes.NewReader(b)
}

func (w *world) useTwice(seq1, seq2 int64, head1, head2 string) error {
	return errors.Join(w.use(w.ask(w.chain), seq1, head1), w.use(w.ask(w.chain), seq2, head2))
}

func (w *world) use(a *attempt, seq int64, head string) error {
	w.t.Helper()
	a.args.Seq = seq
	if _, denial := w.gate.Use(w.admit(a), digest(head)); denial != nil {
		if denial.Code != protocol.Limit || !denial.Audience {
			w.t.Errorf("a spent bound says %v", denial)
		}
		return denial
	}
	return nil
}

func digest(head string) (d [32]byte) {
	copy(d[:], head)
	return d
}

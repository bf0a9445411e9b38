// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol/ucan"
)

// chainCase is one invocation with the proofs that are brought for it. Each
// begins as the good chain from the data set over owner and node to bob.
type chainCase struct {
	name string
	want string
	edit func(t *testing.T, c *chainUnderTest)
}

type chainUnderTest struct {
	chain   []*ucan.Delegation
	ask     ucan.InvocationClaims
	invoker string
	brought []*ucan.Delegation // nil: the chain
	time    int64
}

// relink signs the i-th delegation again with changed claims and names it in
// the invocation.
func (c *chainUnderTest) relink(t *testing.T, i int, from string, change func(*ucan.DelegationClaims)) {
	d := c.chain[i]
	claims := ucan.DelegationClaims{Audience: d.Audience, Subject: d.Subject, Command: d.Command,
		Policy: d.Policy, Nonce: d.Nonce, NotBefore: d.NotBefore, Expires: d.Expires}
	change(&claims)
	c.chain[i] = delegate(t, from, claims)
	c.ask.Proofs = cids(c.chain)
}

// relinked is relink as an edit.
func relinked(i int, from string, change func(*testing.T, *ucan.DelegationClaims)) func(*testing.T, *chainUnderTest) {
	return func(t *testing.T, c *chainUnderTest) {
		c.relink(t, i, from, func(claims *ucan.DelegationClaims) { change(t, claims) })
	}
}

func chainVectors(t *testing.T) []vector {
	var vectors []vector
	for _, c := range slices.Concat(principalCases(), commandCases(), timeCases(), proofCases(), boundCases()) {
		chain := goodChain(t)
		u := &chainUnderTest{chain: chain, ask: ask(t, chain), invoker: "bob", time: now}
		c.edit(t, u)
		if u.brought == nil {
			u.brought = u.chain
		}
		v := vector{Name: c.name, Kind: "chain", Want: c.want, Time: u.time, Token: b64(invoke(t, u.invoker, u.ask).Bytes())}
		for _, d := range u.brought {
			v.Proofs = append(v.Proofs, b64(d.Bytes()))
		}
		vectors = append(vectors, v)
	}
	return vectors
}

func principalCases() []chainCase {
	return []chainCase{
		{"a good chain", "ok", func(*testing.T, *chainUnderTest) {}},
		{"a good chain on a subcommand", "ok", func(_ *testing.T, c *chainUnderTest) { c.ask.Command = "/dataset/read/now" }},
		{"a chain used by somebody else", "InvalidAudience", func(_ *testing.T, c *chainUnderTest) { c.invoker = "mallory" }},
		{"a leaf issued by somebody else", "InvalidAudience", relinked(2, "mallory", func(*testing.T, *ucan.DelegationClaims) {})},
		{"a link to another audience", "InvalidAudience", relinked(1, "owner", func(t *testing.T, d *ucan.DelegationClaims) { d.Audience = did(t, "mallory") })},
		{"issuer and audience swapped", "InvalidAudience", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 2, "bob", func(d *ucan.DelegationClaims) { d.Audience = did(t, "node") })
		}},
		{"a leaf on another subject", "InvalidSubject", relinked(2, "node", func(t *testing.T, d *ucan.DelegationClaims) { d.Subject = did(t, "other set") })},
		{"an invocation on another subject", "InvalidSubject", func(t *testing.T, c *chainUnderTest) { c.ask.Subject = did(t, "other set") }},
		{"a root not issued by its subject", "InvalidSubject", relinked(0, "mallory", func(*testing.T, *ucan.DelegationClaims) {})},
		{"the audience is the attacker, the subject the victim", "InvalidSubject", func(t *testing.T, c *chainUnderTest) {
			d := link(t, "mallory")
			d.Subject = did(t, "mallory")
			c.chain = []*ucan.Delegation{delegate(t, "mallory", d)}
			c.ask.Proofs, c.ask.Audience, c.invoker = cids(c.chain), did(t, "mallory"), "mallory"
		}},
		{"a proof on the executor's own subject, used on another's", "InvalidSubject", func(t *testing.T, c *chainUnderTest) {
			d := link(t, "mallory")
			d.Subject = did(t, "node")
			c.chain = []*ucan.Delegation{delegate(t, "node", d)}
			c.ask.Proofs, c.invoker = cids(c.chain), "mallory"
		}},
		{"a powerline at the root", "InvalidClaim", relinked(0, "set", func(_ *testing.T, d *ucan.DelegationClaims) { d.Subject = "" })},
		{"a powerline below the root", "ok", relinked(1, "owner", func(_ *testing.T, d *ucan.DelegationClaims) { d.Subject = "" })},
		{"a powerline by somebody else", "InvalidAudience", relinked(1, "mallory", func(_ *testing.T, d *ucan.DelegationClaims) { d.Subject = "" })},
	}
}

func commandCases() []chainCase {
	command := func(name string, want string, cmd ucan.Command) chainCase {
		return chainCase{name, want, func(_ *testing.T, c *chainUnderTest) { c.ask.Command = cmd }}
	}
	return []chainCase{
		command("/dataset/readall under /dataset/read", "InvalidCommand", "/dataset/readall"),
		command("/dataset under /dataset/read", "InvalidCommand", "/dataset"),
		command("everything under /dataset/read", "InvalidCommand", "/"),
		command("a sibling of /dataset/read", "InvalidCommand", "/dataset/list"),
		{"a child that widens its parent's command", "InvalidCommand", relinked(1, "owner",
			func(_ *testing.T, d *ucan.DelegationClaims) { d.Command = "/grant" })},
		{"a leaf for everything under a narrower link", "InvalidCommand", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 1, "owner", func(d *ucan.DelegationClaims) { d.Command = "/dataset/read" })
			c.relink(t, 2, "node", func(d *ucan.DelegationClaims) { d.Command = "/" })
		}},
	}
}

func timeCases() []chainCase {
	used := func(name, want string, seconds int64) chainCase {
		return chainCase{name, want, func(_ *testing.T, c *chainUnderTest) {
			c.ask.Expires, c.time = nil, seconds
		}}
	}
	return []chainCase{
		used("a proof in its last second", "ok", tomorrow),
		used("a proof a second after its last", "Expired", tomorrow+1),
		used("a proof in its first second", "ok", yesterday),
		used("a proof a second before its first", "TooEarly", yesterday-1),
		{"an invocation in its last second", "ok", func(_ *testing.T, c *chainUnderTest) { c.time = now + 300 }},
		{"an invocation a second after its last", "Expired", func(_ *testing.T, c *chainUnderTest) { c.time = now + 301 }},
		{"an expired link in the middle", "Expired", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 1, "owner", func(d *ucan.DelegationClaims) { d.Expires = at(now - 1) })
		}},
		{"a root not yet valid", "TooEarly", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 0, "set", func(d *ucan.DelegationClaims) { d.NotBefore = at(now + 1) })
		}},
		{"a proof that ends before it begins", "TooEarly", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 2, "node", func(d *ucan.DelegationClaims) { d.NotBefore, d.Expires = at(now+1), at(now-1) })
		}},
	}
}

func proofCases() []chainCase {
	name := func(order ...int) func(*testing.T, *chainUnderTest) {
		return func(_ *testing.T, c *chainUnderTest) {
			ids := cids(c.chain)
			c.ask.Proofs = nil
			for _, i := range order {
				c.ask.Proofs = append(c.ask.Proofs, ids[i])
			}
		}
	}
	return []chainCase{
		{"no proof", "InvalidClaim", name()},
		{"a missing root", "InvalidSubject", name(1, 2)},
		{"a missing link", "InvalidAudience", name(0, 2)},
		{"a missing leaf", "InvalidAudience", name(0, 1)},
		{"proofs leaf first", "InvalidSubject", name(2, 1, 0)},
		{"a proof named twice", "InvalidClaim", name(0, 1, 1, 2)},
		{"a cycle", "InvalidClaim", func(t *testing.T, c *chainUnderTest) {
			back := link(t, "owner")
			back.Command = "/"
			c.chain = []*ucan.Delegation{c.chain[0], c.chain[1], delegate(t, "node", back), c.chain[1], c.chain[2]}
			c.ask.Proofs = cids(c.chain)
		}},
		{"a proof not brought", "UnavailableProof", func(_ *testing.T, c *chainUnderTest) { c.brought = c.chain[:2] }},
		{"a proof that is an invocation", "UnavailableProof", func(t *testing.T, c *chainUnderTest) {
			c.ask.Proofs = append(slices.Clone(c.ask.Proofs[:2]), invoke(t, "bob", c.ask).CID())
		}},
		{"too many proofs", "InvalidClaim", func(t *testing.T, c *chainUnderTest) {
			c.ask.Proofs = nil
			for i := range ucan.MaxProofs + 1 {
				id, err := cid.Cast([]byte("\x01\x71\x12\x20" + strings.Repeat("x", 31) + string(rune(i))))
				c.ask.Proofs = append(c.ask.Proofs, must(t, id, err))
			}
		}},
	}
}

func boundCases() []chainCase {
	args := func(name, want string, change map[string]any) chainCase {
		return chainCase{name, want, func(_ *testing.T, c *chainUnderTest) {
			fields := map[string]ucan.Value{"to": val(100), "purpose": val("service")}
			for k, v := range change {
				fields[k] = val(v)
			}
			c.ask.Args = ucan.MakeMap(fields)
		}}
	}
	return []chainCase{
		args("arguments beyond the leaf's policy", "MatchError", map[string]any{"to": 101}),
		args("arguments that say less than the policy asks", "MatchError", map[string]any{"purpose": ucan.Null()}),
		{"arguments that break an ancestor's policy only", "MatchError", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 1, "owner", func(d *ucan.DelegationClaims) { d.Policy = policy(t, stmt("<", ".to", 100)) })
		}},
		{"an empty child policy under a strict parent", "MatchError", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 1, "owner", func(d *ucan.DelegationClaims) { d.Policy = policy(t, stmt("<", ".to", 100)) })
			c.relink(t, 2, "node", func(d *ucan.DelegationClaims) { d.Policy = nil })
		}},
		{"a wider child policy under a strict parent", "MatchError", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 1, "owner", func(d *ucan.DelegationClaims) { d.Policy = policy(t, stmt("<", ".to", 100)) })
			c.relink(t, 2, "node", func(d *ucan.DelegationClaims) { d.Policy = policy(t, stmt("<", ".to", 1000)) })
		}},
		{"a root policy that is broken", "MatchError", func(t *testing.T, c *chainUnderTest) {
			c.relink(t, 0, "set", func(d *ucan.DelegationClaims) { d.Policy = policy(t, stmt("==", ".purpose", "research")) })
		}},
	}
}

func revocationVectors(t *testing.T) []vector {
	chain := goodChain(t)
	leaf := chain[2].CID()
	revoke := func(from string, target cid.Cid, path []cid.Cid) []byte {
		return must2(ucan.Revoke(party(t, from), target, path, nil))(t).Bytes()
	}
	good := revoke("node", leaf, nil)
	forged := func(change map[string]any) []byte { return forge(t, "node", ucan.TagInvocation, good, change) }
	args := func(m map[string]any) map[string]any { return map[string]any{"args": m} }
	back := link(t, "node")
	back.Command = "/"
	detour := []*ucan.Delegation{chain[0], delegate(t, "owner", func() ucan.DelegationClaims {
		d := link(t, "mallory")
		d.Command = "/"
		return d
	}()), delegate(t, "mallory", back), chain[2]}
	mallorys := link(t, "node")
	mallorys.Subject, mallorys.Command = did(t, "mallory"), "/"
	unrooted := []*ucan.Delegation{delegate(t, "mallory", mallorys), chain[2]}
	forgedRoot := link(t, "node")
	forgedRoot.Command = "/"
	stolen := []*ucan.Delegation{delegate(t, "mallory", forgedRoot), chain[2]}
	otherRoot := link(t, "owner")
	otherRoot.Command = "/grant"
	narrow := []*ucan.Delegation{delegate(t, "set", otherRoot), chain[1], chain[2]}
	gap := []*ucan.Delegation{chain[0], chain[2]}
	long := slices.Repeat(cids(chain[:1]), ucan.MaxProofs+1)
	pathOf := func(ids []cid.Cid) map[string]any {
		items := make([]any, len(ids))
		for i, id := range ids {
			items[i] = ucan.Link(id)
		}
		return args(map[string]any{"ucan": ucan.Link(leaf), "pth": items})
	}
	cases := []struct {
		name  string
		token []byte
		chain []*ucan.Delegation
		want  string
	}{
		{"by its issuer", good, chain, "counts"},
		{"by its issuer, with nothing above it known", good, chain[2:], "counts"},
		{"by its issuer, with a path", revoke("node", leaf, cids(chain)), chain, "counts"},
		{"by an ancestor", revoke("owner", leaf, nil), chain, "counts"},
		{"by the subject", revoke("set", leaf, nil), chain, "counts"},
		{"of a link in the middle, by its issuer", revoke("owner", chain[1].CID(), nil), chain, "counts"},
		{"that expired long ago", forged(map[string]any{"exp": 1}), chain, "counts"},
		{"that speaks to somebody", forged(map[string]any{"aud": string(did(t, "bob"))}), chain, "counts"},
		{"by a stranger", revoke("mallory", leaf, nil), chain, "stranger"},
		{"by the audience", revoke("bob", leaf, nil), chain, "stranger"},
		{"of a link in the middle, by the one below", revoke("node", chain[1].CID(), nil), chain, "stranger"},
		{"of a delegation that is not in use", revoke("mallory", detour[2].CID(), nil), chain, "stranger"},
		{"by an ancestor, the chain above not known", revoke("owner", leaf, nil), chain[2:], "stranger"},
		{"by a stranger whose own subject leads there", revoke("mallory", leaf, nil), unrooted, "stranger"},
		{"by a stranger who says he speaks for the subject", revoke("mallory", leaf, nil), stolen, "stranger"},
		{"by an ancestor across a gap", revoke("set", leaf, nil), gap, "stranger"},
		{"by an ancestor who gave another command", revoke("set", leaf, nil), narrow, "stranger"},
		{"by one who only comes below the target", revoke("node", chain[0].CID(), nil), chain, "stranger"},
		{"with the longest path", forged(pathOf(long[1:])), chain, "counts"},
		{"with a path too long", forged(pathOf(long)), chain, "InvalidClaim"},
		{"by an ancestor on a detour in use", revoke("mallory", leaf, nil), detour, "counts"},
		{"for another subject", forged(map[string]any{"sub": string(did(t, "set"))}), chain, "InvalidClaim"},
		{"that names proofs", forged(map[string]any{"prf": []any{ucan.Link(leaf)}}), chain, "InvalidClaim"},
		{"of another command", forged(map[string]any{"cmd": "/ucan/revoked"}), chain, "InvalidClaim"},
		{"without a target", forged(args(map[string]any{})), chain, "InvalidClaim"},
		{"whose target is a text", forged(args(map[string]any{"ucan": leaf.String()})), chain, "InvalidClaim"},
		{"whose path is a text", forged(args(map[string]any{"ucan": ucan.Link(leaf), "pth": "x"})), chain, "InvalidClaim"},
		{"without a path", forged(args(map[string]any{"ucan": ucan.Link(leaf)})), chain, "counts"},
		{"with an unknown argument", forged(args(map[string]any{"ucan": ucan.Link(leaf), "x": 1})), chain, "InvalidClaim"},
		{"signed by somebody else", forge(t, "mallory", ucan.TagInvocation, good, nil), chain, "InvalidSignature"},
	}
	var vectors []vector
	for _, c := range cases {
		v := vector{Name: "a revocation " + c.name, Kind: "revocation", Token: b64(c.token), Want: c.want}
		for _, d := range c.chain {
			v.Proofs = append(v.Proofs, b64(d.Bytes()))
		}
		vectors = append(vectors, v)
	}
	return vectors
}

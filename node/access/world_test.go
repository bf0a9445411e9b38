// SPDX-License-Identifier: Apache-2.0

package access_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// world is a node with one data set, a grantee with a worker, and Mallory, who
// has a data set of her own.
type world struct {
	t testing.TB

	dataset, owner, node, granteeOwner, granteeNode *crypto.Identity
	workerOwner, workerNode, mallory, mallorySet    *crypto.Identity

	now      time.Time
	standing map[crypto.DID]access.Standing
	grants   access.Standing
	gate     *access.Gate
	terms    grant.Grant
	chain    grant.Chain // of four links
	nonces   uint64
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, dataset: identity(t, "data set"), owner: identity(t, "owner"), node: identity(t, "node"),
		granteeOwner: identity(t, "grantee's owner"), granteeNode: identity(t, "grantee's node"),
		workerOwner: identity(t, "worker's owner"), workerNode: identity(t, "worker's node"),
		mallory: identity(t, "mallory"), mallorySet: identity(t, "mallory's data set"),
		now: start, grants: access.Live,
	}
	w.standing = map[crypto.DID]access.Standing{w.dataset.DID(): access.Live}
	w.gate = w.newGate(time.Time{})
	w.terms = grant.Grant{
		Dataset: w.dataset.DID(), Audience: w.granteeOwner.DID(), Paths: []string{"photos/"},
		Purpose: grant.Purposes["family"], Until: start.Add(30 * 24 * time.Hour), Uses: 2,
	}
	w.chain = w.grow(w.terms, 4)
	return w
}

func (w *world) newGate(mark time.Time) *access.Gate {
	return access.New(access.Options{
		Self:     w.node.DID(),
		Datasets: func(did crypto.DID) access.Standing { return w.standing[did] },
		Grants:   func(cid.Cid) access.Standing { return w.grants },
		Known:    func(did crypto.DID) bool { return did == w.granteeOwner.DID() },
		Clock:    func() time.Time { return w.now },
		Mark:     mark,
	})
}

func identity(t testing.TB, name string) *crypto.Identity {
	seed := sha256.Sum256([]byte(name))
	id, err := crypto.NewIdentity(bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) nonce() []byte {
	w.nonces++
	return binary.BigEndian.AppendUint64([]byte("test"), w.nonces)
}

// grow makes a chain of n links under g.
func (w *world) grow(g grant.Grant, n int) grant.Chain {
	ok := must[*ucan.Delegation](w.t)
	chain := grant.Chain{
		ok(grant.Birth(w.dataset, w.owner.DID(), w.nonce())),
		ok(grant.AppointNode(w.owner, w.dataset.DID(), w.node.DID(), start, w.nonce())),
		ok(grant.Issue(w.node, g, w.nonce())),
	}
	below := []*crypto.Identity{w.granteeOwner, w.granteeNode, w.workerOwner, w.workerNode}
	for i := 0; len(chain) < n; i++ {
		chain = append(chain, ok(grant.PassOn(below[i], chain, below[i+1].DID(), g.Until, nil, w.nonce())))
	}
	return chain
}

// attempt is an invocation on its way, which a case may bend before it is
// signed and brought.
type attempt struct {
	w      *world
	peer   crypto.DID
	signer crypto.Signer
	claims ucan.InvocationClaims
	args   grant.ReadArgs // become the claims' args, unless those are set
	tokens [][]byte

	raw func(ucan.Map) ucan.Map // bends the claims where ucan.Invoke would refuse
	cut func([]byte) []byte     // bends the token
}

// ask is a good attempt under chain.
func (w *world) ask(chain grant.Chain) *attempt {
	issued, expires := w.now.Unix(), w.now.Add(4*time.Minute).Unix()
	a := &attempt{
		w: w, peer: w.granteeNode.DID(), signer: w.granteeNode,
		args: grant.ReadArgs{
			Paths: []string{"photos/lyon/"}, Purpose: w.terms.Purpose, Seq: 1,
			HPKE: make([]byte, crypto.PublicReceiveKeySize),
		},
		claims: ucan.InvocationClaims{
			Subject: w.dataset.DID(), Audience: w.node.DID(), Command: grant.CommandRead,
			Nonce: w.nonce(), IssuedAt: &issued, Expires: &expires,
		},
	}
	if len(chain) == 6 {
		a.peer, a.signer = w.workerNode.DID(), w.workerNode
	}
	a.bring(chain)
	return a
}

// bring names and carries the chain's links.
func (a *attempt) bring(chain grant.Chain) { a.bringTokens(chain.Tokens()) }

func (a *attempt) bringTokens(tokens [][]byte) {
	a.tokens, a.claims.Proofs = tokens, nil
	for _, token := range tokens {
		a.claims.Proofs = append(a.claims.Proofs, cidOf(a.w.t, token))
	}
}

func cidOf(t testing.TB, token []byte) cid.Cid {
	sum := sha256.Sum256(token)
	return must[cid.Cid](t)(cid.Cast(append([]byte("\x01\x71\x12\x20"), sum[:]...)))
}

func (a *attempt) token() []byte {
	if a.claims.Args == nil {
		a.claims.Args = a.args.ToMap()
	}
	fields := a.fields()
	if a.raw != nil {
		fields = a.raw(fields)
	}
	token := seal(a.w.t, a.signer, "ucan/inv@1.0.0", fields)
	if a.cut != nil {
		token = a.cut(token)
	}
	return token
}

func (a *attempt) fields() ucan.Map {
	c, proofs := a.claims, []ucan.Value{}
	for _, p := range c.Proofs {
		proofs = append(proofs, ucan.Link(p))
	}
	m := map[string]ucan.Value{
		"iss": ucan.String(string(a.signer.DID())), "sub": ucan.String(string(c.Subject)),
		"cmd": ucan.String(string(c.Command)), "args": c.Args.Value(), "prf": ucan.List(proofs...),
		"nonce": ucan.Bytes(c.Nonce), "exp": ucan.Null(),
	}
	if c.Audience != "" {
		m["aud"] = ucan.String(string(c.Audience))
	}
	if c.Expires != nil {
		m["exp"] = ucan.Int(*c.Expires)
	}
	if c.IssuedAt != nil {
		m["iat"] = ucan.Int(*c.IssuedAt)
	}
	return ucan.MakeMap(m)
}

func (a *attempt) check() (*access.Decision, *access.Denial) {
	return a.w.gate.Check(a.peer, a.token(), a.tokens)
}

const varsig = "\x34\x01\xed\x01\xed\x01\x13\x71"

// seal signs claims as they are, whatever they say.
func seal(t testing.TB, s crypto.Signer, tag string, fields ucan.Map) []byte {
	return sealVarsig(t, s, varsig, tag, fields)
}

func sealVarsig(t testing.TB, s crypto.Signer, header, tag string, fields ucan.Map) []byte {
	payload := ucan.MakeMap(map[string]ucan.Value{"h": ucan.Bytes([]byte(header)), tag: fields.Value()}).Value()
	return sealBytes(t, s, must[[]byte](t)(ucan.EncodeValue(payload)))
}

// sealBytes signs a payload of any bytes.
func sealBytes(t testing.TB, s crypto.Signer, payload []byte) []byte {
	sig := must[[]byte](t)(s.Sign(payload))
	return append(append([]byte{0x82, 0x58, 0x40}, sig...), payload...)
}

// with replaces or adds a claim.
func with(m ucan.Map, key string, v ucan.Value) ucan.Map {
	fields := make(map[string]ucan.Value)
	for _, e := range m {
		fields[e.Key] = e.Value
	}
	fields[key] = v
	return ucan.MakeMap(fields)
}

// bend signs link i of chain anew with other claims.
func (w *world) bend(chain grant.Chain, i int, change func(*ucan.DelegationClaims)) grant.Chain {
	d := chain[i]
	c := ucan.DelegationClaims{
		Audience: d.Audience, Subject: d.Subject, Command: d.Command, Policy: d.Policy,
		Nonce: w.nonce(), Meta: d.Meta, NotBefore: d.NotBefore, Expires: d.Expires,
	}
	change(&c)
	signers := []crypto.Signer{w.dataset, w.owner, w.node, w.granteeOwner, w.granteeNode, w.workerOwner}
	bent := append(grant.Chain{}, chain...)
	bent[i] = must[*ucan.Delegation](w.t)(ucan.Delegate(signers[i], c))
	return bent
}

func (w *world) revoke(by crypto.Signer, target *ucan.Delegation, witnessed grant.Chain) access.Recorded {
	record := must[*ucan.Invocation](w.t)(ucan.Revoke(by, target.CID(), nil, w.nonce()))
	return must[access.Recorded](w.t)(w.gate.Revoke(record, witnessed))
}

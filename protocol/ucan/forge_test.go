// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// The moment at which the tests' tokens are used, and the year around it.
const (
	now       = int64(1_800_000_000)
	yesterday = now - 86_400
	tomorrow  = now + 86_400
)

func at(seconds int64) *int64 { return &seconds }

// party is a key pair of the tests, the same in every run.
func party(t testing.TB, name string) *crypto.Identity {
	t.Helper()
	seed := sha256.Sum256([]byte("test key of " + name))
	id, err := crypto.NewIdentity(bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func did(t testing.TB, name string) crypto.DID { return party(t, name).DID() }

// link is the claims of a delegation on the data set to an audience.
func link(t testing.TB, to string) ucan.DelegationClaims {
	return ucan.DelegationClaims{
		Audience: did(t, to), Subject: did(t, "set"), Command: "/dataset/read",
		Nonce: []byte("to " + to), Expires: at(tomorrow),
	}
}

func delegate(t testing.TB, from string, c ucan.DelegationClaims) *ucan.Delegation {
	t.Helper()
	d, err := ucan.Delegate(party(t, from), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// goodChain leads from the data set over owner and node to bob.
func goodChain(t testing.TB) []*ucan.Delegation {
	t.Helper()
	root := link(t, "owner")
	root.Command, root.Expires = "/", nil
	whole := link(t, "node")
	whole.Command = "/"
	leaf := link(t, "bob")
	leaf.Policy = policy(t, stmt("<=", ".to", 100), stmt("==", ".purpose", "service"))
	leaf.NotBefore = at(yesterday)
	return []*ucan.Delegation{
		delegate(t, "set", root), delegate(t, "owner", whole), delegate(t, "node", leaf),
	}
}

func goodArgs() ucan.Map {
	return ucan.MakeMap(map[string]ucan.Value{"to": ucan.Int(100), "purpose": ucan.String("service")})
}

func cids(chain []*ucan.Delegation) []cid.Cid {
	ids := make([]cid.Cid, len(chain))
	for i, d := range chain {
		ids[i] = d.CID()
	}
	return ids
}

// ask is an invocation's claims that goodChain proves for bob.
func ask(t testing.TB, chain []*ucan.Delegation) ucan.InvocationClaims {
	return ucan.InvocationClaims{
		Subject: did(t, "set"), Audience: did(t, "node"), Command: "/dataset/read", Args: goodArgs(),
		Proofs: cids(chain), Nonce: []byte("asked"), IssuedAt: at(now), Expires: at(now + 300),
	}
}

func invoke(t testing.TB, from string, c ucan.InvocationClaims) *ucan.Invocation {
	t.Helper()
	inv, err := ucan.Invoke(party(t, from), c)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// val turns plain Go values into those of a token.
func val(x any) ucan.Value {
	switch x := x.(type) {
	case nil:
		return ucan.Null()
	case bool:
		return ucan.Bool(x)
	case int:
		return ucan.Int(int64(x))
	case float64:
		return ucan.Float(x)
	case string:
		return ucan.String(x)
	case []byte:
		return ucan.Bytes(x)
	case []any:
		return stmt(x...)
	case map[string]any:
		fields := map[string]ucan.Value{}
		for k, v := range x {
			fields[k] = val(v)
		}
		return ucan.MakeMap(fields).Value()
	}
	return x.(ucan.Value)
}

// stmt is a list, such as a statement.
func stmt(items ...any) ucan.Value {
	values := make([]ucan.Value, len(items))
	for i, item := range items {
		values[i] = val(item)
	}
	return ucan.List(values...)
}

func policy(t testing.TB, statements ...ucan.Value) ucan.Policy {
	t.Helper()
	p, err := ucan.ParsePolicy(ucan.List(statements...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// claimsOf reads a good token's claims so that one of them can be changed.
func claimsOf(t testing.TB, token []byte, tag string) map[string]ucan.Value {
	t.Helper()
	envelope, err := ucan.DecodeValue(token)
	if err != nil {
		t.Fatal(err)
	}
	parts, _ := envelope.AsList()
	payload, _ := parts[1].AsMap()
	found, _ := payload.Get(tag)
	m, _ := found.AsMap()
	fields := map[string]ucan.Value{}
	for _, e := range m {
		fields[e.Key] = e.Value
	}
	return fields
}

// forge signs the claims of a good token, some of them changed, as its issuer
// would; a nil change takes the claim away.
func forge(t testing.TB, signer, tag string, token []byte, change map[string]any) []byte {
	t.Helper()
	fields := claimsOf(t, token, tag)
	for _, key := range slices.Sorted(maps.Keys(change)) {
		if change[key] == nil {
			delete(fields, key)
			continue
		}
		fields[key] = val(change[key])
	}
	forged, err := ucan.Seal(party(t, signer), tag, ucan.MakeMap(fields))
	if err != nil {
		t.Fatal(err)
	}
	return forged
}

func encode(t testing.TB, v ucan.Value) []byte {
	t.Helper()
	b, err := ucan.EncodeValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signRaw puts any payload bytes, canonical or not, into an envelope that the
// signer signed.
func signRaw(t testing.TB, signer string, payload []byte) []byte {
	t.Helper()
	signature, err := party(t, signer).Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat([]byte{0x82, 0x58, 0x40}, signature, payload)
}

// rawPayload is the map of header and claims, each given as it stands in CBOR.
func rawPayload(t testing.TB, tag string, claims []byte) []byte {
	t.Helper()
	return slices.Concat([]byte{0xa2}, encode(t, val("h")), encode(t, val([]byte(ucan.Varsig))),
		encode(t, val(tag)), claims)
}

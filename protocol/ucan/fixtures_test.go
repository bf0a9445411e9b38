// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// fixture reads one of the UCAN working group's files, which are not ours to
// copy. Whoever has them puts them into ../shared/conformance/ucan, beside the
// check-out; our own vectors (protocol/spec) are always there.
func fixture(t *testing.T, name string) []byte {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "conformance", "ucan", name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the UCAN working group's %s is not ours to copy and not in ../shared/conformance/ucan, beside this check-out", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// value carries an IPLD node over, so that the fixtures are read by another
// library than ours.
func value(t *testing.T, n ipld.Node) ucan.Value {
	t.Helper()
	switch n.Kind() {
	case datamodel.Kind_Null:
		return ucan.Null()
	case datamodel.Kind_Bool:
		b, err := n.AsBool()
		return must(t, ucan.Bool(b), err)
	case datamodel.Kind_Int:
		i, err := n.AsInt()
		return must(t, ucan.Int(i), err)
	case datamodel.Kind_Float:
		f, err := n.AsFloat()
		return must(t, ucan.Float(f), err)
	case datamodel.Kind_String:
		s, err := n.AsString()
		return must(t, ucan.String(s), err)
	case datamodel.Kind_Bytes:
		b, err := n.AsBytes()
		return must(t, ucan.Bytes(b), err)
	case datamodel.Kind_Link:
		l, err := n.AsLink()
		return must(t, ucan.Link(l.(cidlink.Link).Cid), err)
	case datamodel.Kind_List:
		var items []ucan.Value
		for it := n.ListIterator(); !it.Done(); {
			_, item, err := it.Next()
			items = append(items, value(t, must(t, item, err)))
		}
		return ucan.List(items...)
	}
	fields := map[string]ucan.Value{}
	for it := n.MapIterator(); !it.Done(); {
		k, v, err := it.Next()
		key, err2 := must(t, k, err).AsString()
		fields[must(t, key, err2)] = value(t, v)
	}
	return ucan.MakeMap(fields).Value()
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// dagJSON reads DAG-JSON by go-ipld-prime.
func dagJSON(t *testing.T, data []byte) ucan.Value {
	t.Helper()
	b := basicnode.Prototype.Any.NewBuilder()
	if err := dagjson.Decode(b, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return value(t, b.Build())
}

// dagCBOR reads DAG-CBOR by go-ipld-prime and checks that it writes the same
// bytes again.
func dagCBOR(t *testing.T, data []byte) ucan.Value {
	t.Helper()
	b := basicnode.Prototype.Any.NewBuilder()
	if err := dagcbor.Decode(b, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := dagcbor.Encode(b.Build(), &again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Bytes(), data) {
		t.Fatal("go-ipld-prime writes other bytes than it read")
	}
	return value(t, b.Build())
}

func get(t *testing.T, v ucan.Value, key string) ucan.Value {
	t.Helper()
	m, ok := v.AsMap()
	if !ok {
		t.Fatalf("%q of what is no map", key)
	}
	found, ok := m.Get(key)
	if !ok {
		t.Fatalf("no %q", key)
	}
	return found
}

func text(t *testing.T, v ucan.Value) string {
	t.Helper()
	s, ok := v.AsString()
	if !ok {
		t.Fatal("no text")
	}
	return s
}

func raw(t *testing.T, v ucan.Value) []byte {
	t.Helper()
	b, ok := v.AsBytes()
	if !ok {
		t.Fatal("no bytes")
	}
	return b
}

func TestDelegationFixtures(t *testing.T) {
	var file struct {
		Principals map[string]string
		Valid      []struct {
			Name, Token, CID string
			Envelope         struct {
				Payload struct {
					Iss, Aud, Sub, Cmd, Nonce string
					Exp                       int64
				}
			}
		}
	}
	if err := json.Unmarshal(fixture(t, "delegation.json"), &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Valid {
		token := must2(base64.StdEncoding.DecodeString(c.Token))(t)
		d, err := ucan.DecodeDelegation(token)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		p := c.Envelope.Payload
		if d.CID().String() != c.CID || string(d.Issuer) != p.Iss || string(d.Audience) != p.Aud ||
			string(d.Subject) != p.Sub || string(d.Command) != p.Cmd || *d.Expires != p.Exp ||
			base64.StdEncoding.EncodeToString(d.Nonce) != p.Nonce || len(d.Policy) != 0 {
			t.Errorf("%s: read as %s", c.Name, d)
		}
		again := delegateAgain(t, file.Principals, d)
		if !bytes.Equal(again.Bytes(), token) {
			t.Errorf("%s: signed again with the same key, the bytes differ", c.Name)
		}
		t.Logf("ok %s", c.Name)
	}
	t.Logf("%d of %d official delegations read and written", len(file.Valid), len(file.Valid))
}

// delegateAgain signs d's claims with the fixture's key of its issuer.
func delegateAgain(t *testing.T, principals map[string]string, d *ucan.Delegation) *ucan.Delegation {
	t.Helper()
	for _, encoded := range principals {
		key := must2(base64.StdEncoding.DecodeString(encoded))(t)
		id := must2(crypto.NewIdentity(bytes.NewReader(key[2:])))(t) // after varint(0x1300)
		if id.DID() != d.Issuer {
			continue
		}
		return must2(ucan.Delegate(id, ucan.DelegationClaims{
			Audience: d.Audience, Subject: d.Subject, Command: d.Command, Policy: d.Policy,
			Nonce: d.Nonce, Meta: d.Meta, NotBefore: d.NotBefore, Expires: d.Expires,
		}))(t)
	}
	t.Fatal("the issuer's key is not in the fixture")
	return nil
}

// must2 lets a call with an error stand where a value is wanted.
func must2[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		return must(t, v, err)
	}
}

func TestInvocationFixtures(t *testing.T) {
	file := dagJSON(t, fixture(t, "invocation.json"))
	passed := 0
	for _, group := range []string{"valid", "invalid"} {
		cases, _ := get(t, file, group).AsList()
		for _, c := range cases {
			name, want := text(t, get(t, c, "name")), ""
			if group == "invalid" {
				want = text(t, get(t, get(t, c, "error"), "name"))
			}
			got := ""
			if err := judge(t, c); err != nil {
				got = ucan.KindOf(err).String()
			}
			if got != want {
				t.Errorf("%s %q: got %q, want %q", group, name, got, want)
				continue
			}
			passed++
			t.Logf("ok %s %q %s", group, name, got)
		}
	}
	if passed != 20 {
		t.Errorf("%d of 20 official invocations pass", passed)
	}
	t.Logf("%d official invocations pass", passed)
}

// judge decodes a fixture's invocation and proofs and checks the chain.
func judge(t *testing.T, c ucan.Value) error {
	t.Helper()
	token := raw(t, get(t, c, "invocation"))
	dagCBOR(t, token)
	inv, err := ucan.DecodeInvocation(token)
	if err != nil {
		return err
	}
	proofs := map[cid.Cid]*ucan.Delegation{}
	brought, _ := get(t, c, "proofs").AsList()
	for _, p := range brought {
		d, err := ucan.DecodeDelegation(raw(t, p))
		if err != nil {
			return err
		}
		proofs[d.CID()] = d
	}
	seconds, _ := get(t, c, "time").AsInt()
	return ucan.CheckChain(inv, lookup(proofs), time.Unix(seconds, 0))
}

func lookup(proofs map[cid.Cid]*ucan.Delegation) ucan.Proofs {
	return func(id cid.Cid) (*ucan.Delegation, bool) {
		d, ok := proofs[id]
		return d, ok
	}
}

func TestPolicyFixtures(t *testing.T) {
	file := dagJSON(t, fixture(t, "policy.json"))
	total := 0
	for _, group := range []string{"valid", "invalid"} {
		cases, _ := get(t, file, group).AsList()
		for i, c := range cases {
			policies, _ := get(t, c, "policies").AsList()
			for j, p := range policies {
				policy, err := ucan.ParsePolicy(p)
				if err != nil {
					t.Errorf("%s %d.%d: %v", group, i, j, err)
					continue
				}
				err = policy.Match(get(t, c, "args"))
				if (err == nil) != (group == "valid") {
					t.Errorf("%s %d.%d: %v", group, i, j, err)
				}
				if !policy.Value().Equal(p) {
					t.Errorf("%s %d.%d: written otherwise than read", group, i, j)
				}
				total++
			}
		}
	}
	t.Logf("%d official policies judged", total)
}

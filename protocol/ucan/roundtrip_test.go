// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

var asClaims = cmp.Options{
	cmp.Comparer(func(a, b cid.Cid) bool { return a.Equals(b) }),
	cmpopts.IgnoreUnexported(ucan.Statement{}),
}

// TestDelegationSaysWhatWasClaimed fills in every claim and reads it back.
func TestDelegationSaysWhatWasClaimed(t *testing.T) {
	want := ucan.DelegationClaims{
		Audience: did(t, "bob"), Subject: did(t, "set"), Command: "/dataset/read",
		Policy:    policy(t, stmt("any", ".a", stmt("like", ".", "x*")), stmt("not", stmt("or", stmt()))),
		Nonce:     []byte("n"),
		Meta:      ucan.MakeMap(map[string]ucan.Value{"terms": ucan.Link(goodChain(t)[0].CID())}),
		NotBefore: at(yesterday), Expires: at(tomorrow),
	}
	d := delegate(t, "node", want)
	got := ucan.DelegationClaims{Audience: d.Audience, Subject: d.Subject, Command: d.Command, Policy: d.Policy,
		Nonce: d.Nonce, Meta: d.Meta, NotBefore: d.NotBefore, Expires: d.Expires}
	if diff := cmp.Diff(want, got, asClaims); diff != "" || d.Issuer != did(t, "node") {
		t.Error(diff)
	}
}

// TestInvocationSaysWhatWasClaimed fills in every claim and reads it back.
func TestInvocationSaysWhatWasClaimed(t *testing.T) {
	chain := goodChain(t)
	cause := chain[1].CID()
	want := ask(t, chain)
	want.Meta, want.Cause = ucan.MakeMap(map[string]ucan.Value{"m": val(1)}), &cause
	inv := invoke(t, "bob", want)
	got := ucan.InvocationClaims{Subject: inv.Subject, Audience: inv.Audience, Command: inv.Command, Args: inv.Args,
		Proofs: inv.Proofs, Nonce: inv.Nonce, Meta: inv.Meta, IssuedAt: inv.IssuedAt, Expires: inv.Expires, Cause: inv.Cause}
	if diff := cmp.Diff(want, got, asClaims); diff != "" || inv.Issuer != did(t, "bob") {
		t.Error(diff)
	}
}

// TestAbsentIsNotEmpty: what was left out is nil when read, what was empty is
// not.
func TestAbsentIsNotEmpty(t *testing.T) {
	d := delegate(t, "node", ucan.DelegationClaims{Audience: did(t, "bob"), Command: "/"})
	if d.Subject != "" || d.Meta != nil || d.NotBefore != nil || d.Expires != nil {
		t.Errorf("%v reads absent claims as present", d)
	}
	c := link(t, "bob")
	c.Meta = ucan.Map{}
	if delegate(t, "node", c).Meta == nil {
		t.Error("an empty meta reads as absent")
	}
	inv := invoke(t, "bob", ucan.InvocationClaims{Subject: did(t, "bob"), Command: "/x"})
	if inv.Audience != "" || inv.Meta != nil || inv.IssuedAt != nil || inv.Expires != nil || inv.Cause != nil || inv.Args == nil {
		t.Errorf("%v reads absent claims as present", inv)
	}
}

// TestNothingUnacceptableIsSigned: writing fails on what reading would refuse.
func TestNothingUnacceptableIsSigned(t *testing.T) {
	bob := party(t, "bob")
	for name, c := range map[string]ucan.InvocationClaims{
		"no subject":      {Command: "/x"},
		"a bad command":   {Subject: bob.DID(), Command: "x"},
		"a bad audience":  {Subject: bob.DID(), Command: "/x", Audience: "did:key:z"},
		"a proof of none": {Subject: bob.DID(), Command: "/x", Proofs: []cid.Cid{cid.Undef}},
		"a large number":  {Subject: bob.DID(), Command: "/x", Args: ucan.Map{{Key: "n", Value: ucan.Int(1 << 60)}}},
		"too much":        {Subject: bob.DID(), Command: "/x", Nonce: make([]byte, ucan.MaxInvocationSize)},
	} {
		if inv, err := ucan.Invoke(bob, c); err == nil {
			t.Errorf("%s: signed %v", name, inv)
		}
	}
	if inv, err := ucan.Revoke(bob, cid.NewCidV1(cid.Raw, goodChain(t)[0].CID().Hash()), nil, nil); err == nil {
		t.Errorf("a revocation of what is no token: %v", inv)
	}
	if _, err := ucan.Delegate(brokenSigner{bob.DID()}, link(t, "node")); !errors.Is(err, errBroken) {
		t.Errorf("the signer's own error is lost: %v", err)
	}
}

var errBroken = errors.New("no key at hand")

type brokenSigner struct{ did crypto.DID }

func (s brokenSigner) DID() crypto.DID             { return s.did }
func (s brokenSigner) Sign([]byte) ([]byte, error) { return nil, errBroken }

// TestSameClaimsSameToken: signing is deterministic, so the nonce alone tells
// two grants apart.
func TestSameClaimsSameToken(t *testing.T) {
	a, b := delegate(t, "node", link(t, "bob")), delegate(t, "node", link(t, "bob"))
	c := link(t, "bob")
	c.Nonce = []byte("another")
	if !bytes.Equal(a.Bytes(), b.Bytes()) || a.CID().Equals(delegate(t, "node", c).CID()) {
		t.Error("a token is not a function of its claims")
	}
}

// SPDX-License-Identifier: Apache-2.0

package grant_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"slices"
	"testing"

	"filippo.io/edwards25519"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

func (c *cast) revocation(by crypto.Signer, target *ucan.Delegation) ucan.Revocation {
	c.t.Helper()
	record := must[*ucan.Invocation](c.t)(ucan.Revoke(by, target.CID(), nil, nil))
	return must[ucan.Revocation](c.t)(ucan.ParseRevocation(record))
}

// Whoever issued a link or one above it ends it; nobody else does, whether the
// record comes before the chain or after.
func TestWhoRevokesWhat(t *testing.T) {
	c := newCast(t)
	chain := c.chain(c.grant(), 6)
	parties := append(c.signers(), c.workerNode, c.mallory)
	for link, target := range chain {
		for who, by := range parties {
			rev := c.revocation(by, target)
			for _, early := range []bool{false, true} {
				var r grant.Revocations
				if early {
					r.AddEarly(rev)
				} else {
					r.Add(rev, nil)
				}
				got, _, revoked := r.Revoked(chain)
				if want := who <= link; revoked != want || revoked && got != link {
					t.Errorf("party %d revokes link %d (early %v): revoked %v at %d, want %v", who, link, early, revoked, got, want)
				}
			}
		}
	}
}

func TestRevocationIsRepeatedWithoutEffect(t *testing.T) {
	c := newCast(t)
	var r grant.Revocations
	rev := c.revocation(c.node, c.chain(c.grant(), 3)[2])
	if !r.AddEarly(rev) || r.AddEarly(rev) || !r.Add(rev, nil) || r.Add(rev, nil) || r.AddEarly(rev) {
		t.Error("what is new and what is repeated was mixed up")
	}
}

// The same payload under another signature of its issuer, and so another CID,
// is over too; another payload is not.
func TestRevokedByPayload(t *testing.T) {
	c := newCast(t)
	chain := c.chain(c.grant(), 4)
	again := append(grant.Chain{}, chain...)
	again[2] = must[*ucan.Delegation](t)(ucan.DecodeDelegation(signAgain(t, "node", chain[2].Bytes())))
	other := append(grant.Chain{}, chain...)
	other[2] = must[*ucan.Delegation](t)(grant.Issue(c.node, c.grant(), nonce("other")))
	if again[2].CID().Equals(chain[2].CID()) {
		t.Fatal("it has the same CID")
	}
	var r grant.Revocations
	r.Add(c.revocation(c.node, chain[2]), chain[2])
	for name, want := range map[string]struct {
		chain grant.Chain
		over  bool
	}{"the grant": {chain, true}, "signed again": {again, true}, "another": {other, false}} {
		if _, _, revoked := r.Revoked(want.chain); revoked != want.over {
			t.Errorf("%s: revoked %v, want %v", name, revoked, want.over)
		}
	}
}

// signAgain makes another valid signature of the token's payload, with another
// nonce than RFC 8032 prescribes. Only the issuer can.
func signAgain(t *testing.T, name string, token []byte) []byte {
	seed := sha256.Sum256([]byte(name))
	h := sha512.Sum512(seed[:])
	key := must[*edwards25519.Scalar](t)(edwards25519.NewScalar().SetBytesWithClamping(h[:32]))
	wide := sha512.Sum512([]byte("another nonce"))
	r := must[*edwards25519.Scalar](t)(edwards25519.NewScalar().SetUniformBytes(wide[:]))
	public := new(edwards25519.Point).ScalarBaseMult(key).Bytes()
	sig := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	payload := token[3+64:]
	challenge := sha512.Sum512(slices.Concat(sig, public, payload))
	k := must[*edwards25519.Scalar](t)(edwards25519.NewScalar().SetUniformBytes(challenge[:]))
	sig = append(sig, edwards25519.NewScalar().MultiplyAdd(k, key, r).Bytes()...)
	return slices.Concat(token[:3], sig, payload)
}

// Strangers can make as many records as they like: they push out each other's,
// and never one that was taken for good.
func TestEarlyRecordsAreBounded(t *testing.T) {
	c := newCast(t)
	chain := c.chain(c.grant(), 4)
	var r grant.Revocations
	r.Add(c.revocation(c.node, chain[2]), nil)
	early := c.revocation(c.granteeOwner, chain[3])
	r.AddEarly(early)
	for i := range 5000 {
		flood := early
		flood.Issuer = crypto.DID(fmt.Sprint("did:key:", i))
		r.AddEarly(flood)
	}
	if _, _, revoked := r.Revoked(chain); !revoked {
		t.Error("a revocation un-happened")
	}
	if !r.AddEarly(early) {
		t.Error("more early records are remembered than should be")
	}
}

// SPDX-License-Identifier: Apache-2.0

package grant_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// cast is everybody who stands in a chain, each with a key made from its name.
type cast struct {
	t                                                                                 testing.TB
	dataset, owner, node, granteeOwner, granteeNode, workerOwner, workerNode, mallory *crypto.Identity
}

func newCast(t testing.TB) *cast {
	return &cast{
		t: t, dataset: identity(t, "data set"), owner: identity(t, "owner"), node: identity(t, "node"),
		granteeOwner: identity(t, "grantee's owner"), granteeNode: identity(t, "grantee's node"),
		workerOwner: identity(t, "worker's owner"), workerNode: identity(t, "worker's node"),
		mallory: identity(t, "mallory"),
	}
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

func nonce(name string) []byte {
	sum := sha256.Sum256([]byte("nonce " + name))
	return sum[:12]
}

// grant is an ordinary grant on files.
func (c *cast) grant() grant.Grant {
	return grant.Grant{
		Dataset: c.dataset.DID(), Audience: c.granteeOwner.DID(), Paths: []string{"photos/", "taxes/2026.pdf"},
		Purpose: grant.Purposes["family"], Until: start.Add(30 * 24 * time.Hour),
	}
}

// chain is a whole chain under g, of n links.
func (c *cast) chain(g grant.Grant, n int) grant.Chain {
	c.t.Helper()
	ok := must[*ucan.Delegation](c.t)
	chain := grant.Chain{
		ok(grant.Birth(c.dataset, c.owner.DID(), nonce("birth"))),
		ok(grant.AppointNode(c.owner, c.dataset.DID(), c.node.DID(), start, nonce("node"))),
		ok(grant.Issue(c.node, g, nonce("grant"))),
	}
	below := []*crypto.Identity{c.granteeOwner, c.granteeNode, c.workerOwner, c.workerNode}
	for i := 0; len(chain) < n; i++ {
		chain = append(chain, ok(grant.PassOn(below[i], chain, below[i+1].DID(), g.Until, nil, nonce("pass"))))
	}
	return chain[:n]
}

// claims are those of link i of an ordinary chain, to be bent and signed anew.
func claims(d *ucan.Delegation) ucan.DelegationClaims {
	return ucan.DelegationClaims{
		Audience: d.Audience, Subject: d.Subject, Command: d.Command, Policy: d.Policy,
		Nonce: d.Nonce, Meta: d.Meta, NotBefore: d.NotBefore, Expires: d.Expires,
	}
}

func readArgs() grant.ReadArgs {
	return grant.ReadArgs{
		Paths: []string{"photos/lyon/"}, Purpose: grant.Purposes["family"], Seq: 1,
		HPKE: make([]byte, crypto.PublicReceiveKeySize),
	}
}

func recordArgs() grant.ReadArgs {
	return grant.ReadArgs{
		Columns: []string{"start", "kwh/sum"}, Rows: []string{grant.AllRows}, From: 1767225600, To: 1798761600,
		Period: 3, Purpose: grant.Purposes["optimisation"], HPKE: make([]byte, crypto.PublicReceiveKeySize),
	}
}

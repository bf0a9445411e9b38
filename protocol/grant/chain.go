// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// Chain is a run of delegations from a data set down, root first:
//
//	0  data set → owner             cmd /, no expiry
//	1  owner → node                 cmd /, at most NodeLinkLife
//	2  node → grantee's owner       the grant: one command, an expiry
//	3  grantee's owner → their node
//	4  their node → a worker's owner
//	5  worker's owner → worker's node
//
// What the owner calls "the grant" is link 2.
type Chain []*ucan.Delegation

// Places in a [Chain].
const (
	LinkBirth = 0 // data set → owner
	LinkNode  = 1 // owner → node
	LinkGrant = 2 // node → grantee's owner

	// MaxLinks is the length of the longest chain.
	MaxLinks = 6
)

// NodeLinkLife is how long an owner lets a node act before the link is renewed.
const NodeLinkLife = 90 * 24 * time.Hour

func roleName(link int) string {
	names := [...]string{
		"data set → owner", "owner → node", "node → grantee's owner",
		"grantee's owner → grantee's node", "grantee's node → worker's owner", "worker's owner → worker's node",
	}
	if link < 0 || link >= len(names) {
		return "beyond the last role"
	}
	return names[link]
}

// DecodeChain decodes delegations that arrived, root first, verifies their
// signatures and checks them as [CheckChain] does, and each as
// [CheckDelegation] does.
func DecodeChain(tokens [][]byte) (Chain, error) {
	if len(tokens) == 0 || len(tokens) > MaxLinks {
		return nil, outside(len(tokens), RuleLinks, "%d links, from 1 to %d", len(tokens), MaxLinks)
	}
	chain := make(Chain, len(tokens))
	for i, token := range tokens {
		d, err := ucan.DecodeDelegation(token)
		if err != nil {
			return nil, fmt.Errorf("decode link %d (%s): %w", i, roleName(i), err)
		}
		if err := checkDelegation(i, d); err != nil {
			return nil, err
		}
		chain[i] = d
	}
	return chain, CheckChain(chain)
}

// Tokens are the chain's delegations as they travel.
func (c Chain) Tokens() [][]byte {
	tokens := make([][]byte, len(c))
	for i, d := range c {
		tokens[i] = d.Bytes()
	}
	return tokens
}

// Dataset is the data set the chain is about, or "" for an empty chain.
func (c Chain) Dataset() crypto.DID {
	if len(c) == 0 {
		return ""
	}
	return c[0].Subject
}

// Grant reads the chain's link 2; see [Parse].
func (c Chain) Grant() (Grant, error) {
	if len(c) <= LinkGrant {
		return Grant{}, outside(len(c), RuleLinks, "%d links hold no grant", len(c))
	}
	return Parse(c[LinkGrant])
}

// Ends is the earliest expiry in the chain; ok is false if nothing ends it.
func (c Chain) Ends() (end time.Time, ok bool) {
	for _, d := range c {
		if d.Expires == nil {
			continue
		}
		if t := time.Unix(*d.Expires, 0).UTC(); !ok || t.Before(end) {
			end, ok = t, true
		}
	}
	return end, ok
}

// CheckChain says whether a chain keeps to the profile by its shape: its links
// follow each other without a powerline, a repetition or a circle, and each
// may do what its place allows. A part of a chain from the root down passes
// too; so does an expired one. It does not look into policies:
// [CheckDelegation] does. The error is a *[ProfileError].
func CheckChain(chain Chain) error {
	if err := checkLinks(chain); err != nil {
		return err
	}
	for i, d := range chain {
		if err := checkRole(i, d); err != nil {
			return err
		}
	}
	return nil
}

func checkLinks(chain Chain) error {
	if len(chain) == 0 || len(chain) > MaxLinks {
		return outside(len(chain), RuleLinks, "%d links, from 1 to %d", len(chain), MaxLinks)
	}
	root := chain[0]
	for i, d := range chain {
		if d.Subject == "" {
			return outside(i, RuleSubject, "a powerline")
		}
		if d.Subject != root.Issuer {
			return outside(i, RuleSubject, "it is about %s, the chain about %s", d.Subject.Short(), root.Issuer.Short())
		}
		if i > 0 && d.Issuer != chain[i-1].Audience {
			return outside(i, RuleLinks, "issued by %s, not by the audience of the link above", d.Issuer.Short())
		}
		if err := checkCircle(chain, i); err != nil {
			return err
		}
		if i > 0 && !chain[i-1].Command.Covers(d.Command) {
			return outside(i, RuleCommand, "%s is not covered by %s above", d.Command, chain[i-1].Command)
		}
	}
	return nil
}

// checkCircle refuses an audience that stands above already, and so also a
// delegation that does.
func checkCircle(chain Chain, i int) error {
	for _, above := range chain[:i+1] {
		if above.Issuer == chain[i].Audience {
			return outside(i, RuleLinks, "its audience %s issued a link above", chain[i].Audience.Short())
		}
	}
	return nil
}

func checkRole(i int, d *ucan.Delegation) error {
	switch i {
	case LinkBirth:
		return checkBirth(d)
	case LinkNode:
		return checkNodeLink(d)
	}
	if d.Expires == nil {
		return outside(i, RuleExpiry, "no expiry")
	}
	if schema, ok := SchemaOf(d.Command); !ok || !schema.Grantable {
		return outside(i, RuleCommand, "%s is not delegated to third parties", d.Command)
	}
	return nil
}

func checkBirth(d *ucan.Delegation) error {
	if d.Command != CommandAll {
		return outside(LinkBirth, RuleCommand, "%s, not /", d.Command)
	}
	if d.Expires != nil || d.NotBefore != nil {
		return outside(LinkBirth, RuleExpiry, "bounded in time")
	}
	return nil
}

func checkNodeLink(d *ucan.Delegation) error {
	if d.Command != CommandAll {
		return outside(LinkNode, RuleCommand, "%s, not /", d.Command)
	}
	if d.Expires == nil || d.NotBefore == nil {
		return outside(LinkNode, RuleExpiry, "no beginning or no expiry")
	}
	if life := *d.Expires - *d.NotBefore; life < 0 || life > int64(NodeLinkLife/time.Second) {
		return outside(LinkNode, RuleExpiry, "a life of %d s, at most %v", life, NodeLinkLife)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"time"

	"github.com/ipfs/go-cid"
	"github.com/traboule/traboule/crypto"
)

// MaxProofs is how many delegations one invocation may name.
const MaxProofs = 64

// Proofs finds the delegation that a CID names, among those that were brought
// or are kept; ok is false if there is none.
type Proofs func(cid.Cid) (d *Delegation, ok bool)

// CheckChain says whether inv's proofs, as of at, let its issuer use its
// command on its subject with its arguments. It is the four steps
// [ResolveProofs], [CheckAlignment], [CheckTime] and [CheckPolicies]; a caller
// that must look between them takes them one by one.
//
// It does not check that the audience is the one who asks, that nobody revoked
// a proof, that the invocation was not seen before, nor what the arguments
// mean.
func CheckChain(inv *Invocation, proofs Proofs, at time.Time) error {
	chain, err := ResolveProofs(inv, proofs)
	if err != nil {
		return err
	}
	if err := CheckAlignment(inv, chain); err != nil {
		return err
	}
	if err := CheckTime(inv, chain, at); err != nil {
		return err
	}
	return CheckPolicies(inv, chain)
}

// ResolveProofs finds inv's proofs, root first, each by its verified CID. It
// refuses more than [MaxProofs], a CID named twice, and a delegation found
// under another's CID.
func ResolveProofs(inv *Invocation, proofs Proofs) ([]*Delegation, error) {
	if len(inv.Proofs) > MaxProofs {
		return nil, refuse(InvalidClaim, "%d proofs, at most %d", len(inv.Proofs), MaxProofs)
	}
	chain := make([]*Delegation, len(inv.Proofs))
	for i, id := range inv.Proofs {
		for j := range i {
			if inv.Proofs[j].Equals(id) {
				return nil, refuseProof(InvalidClaim, i, "named before, as proof %d", j)
			}
		}
		d, ok := proofs(id)
		if !ok || d == nil {
			return nil, refuseProof(UnavailableProof, i, "find %s: not brought", id)
		}
		if !d.CID().Equals(id) {
			return nil, refuseProof(UnavailableProof, i, "find %s: what was found is %s", id, d.CID())
		}
		chain[i] = d
	}
	return chain, nil
}

// CheckAlignment says whether chain, root first, leads from inv's subject to
// its issuer: the root is issued by the subject about itself, each delegation
// speaks to the issuer of the next and the last to the issuer of inv, all are
// about inv's subject (or, below the root, a powerline), and each covers the
// command of the next. Without any proof, the issuer must be the subject.
func CheckAlignment(inv *Invocation, chain []*Delegation) error {
	if len(chain) == 0 {
		if inv.Issuer != inv.Subject {
			return refuse(InvalidClaim, "no proof, and the issuer is not the subject")
		}
		return nil
	}
	for i, d := range chain {
		user, command := inv.Issuer, inv.Command
		if i+1 < len(chain) {
			user, command = chain[i+1].Issuer, chain[i+1].Command
		}
		if err := checkSubject(i, d, inv.Subject); err != nil {
			return err
		}
		if d.Audience != user {
			return refuseProof(InvalidAudience, i, "it speaks to %s and is used by %s", d.Audience.Short(), user.Short())
		}
		if !d.Command.Covers(command) {
			return refuseProof(InvalidCommand, i, "%s does not cover %s", d.Command, command)
		}
	}
	return nil
}

func checkSubject(i int, d *Delegation, subject crypto.DID) error {
	if d.Subject == "" && i > 0 {
		return nil // a powerline takes the subject above it, which is the same
	}
	if d.Subject == "" {
		return refuseProof(InvalidClaim, i, "a powerline with nothing above it")
	}
	if d.Subject != subject {
		return refuseProof(InvalidSubject, i, "it is about %s and used for %s", d.Subject.Short(), subject.Short())
	}
	if i == 0 && d.Issuer != subject {
		return refuseProof(InvalidSubject, i, "the root is issued by %s, not by its subject", d.Issuer.Short())
	}
	return nil
}

// CheckTime says whether at lies within the bounds of inv and of every
// delegation in chain. Bounds are whole seconds and belong to the time within
// them: a token that expires at 100 is good until 101 begins.
func CheckTime(inv *Invocation, chain []*Delegation, at time.Time) error {
	now := at.Unix()
	for i, d := range chain {
		if d.NotBefore != nil && now < *d.NotBefore {
			return refuseProof(TooEarly, i, "it begins at %d, now is %d", *d.NotBefore, now)
		}
		if d.Expires != nil && now > *d.Expires {
			return refuseProof(Expired, i, "it ended with %d, now is %d", *d.Expires, now)
		}
	}
	if inv.Expires != nil && now > *inv.Expires {
		return refuse(Expired, "it ended with %d, now is %d", *inv.Expires, now)
	}
	return nil
}

// CheckPolicies says whether the policy of every delegation in chain allows
// inv's arguments.
func CheckPolicies(inv *Invocation, chain []*Delegation) error {
	args := inv.Args.Value()
	for i, d := range chain {
		if err := d.Policy.Match(args); err != nil {
			return &Error{MatchError, i, err}
		}
	}
	return nil
}

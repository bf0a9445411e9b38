// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/traboule/traboule/crypto"
)

// CommandRevoke is the command of a revocation record.
const CommandRevoke Command = "/ucan/revoke"

// Revocation says that Target, and whatever was passed on under it, is over
// for ever. It is a record: anybody may bring it, at any time, any number of
// times.
type Revocation struct {
	Issuer crypto.DID
	Target cid.Cid
	Path   []cid.Cid // delegations, root first, that the issuer says join it to the target; may be empty
	Record *Invocation
}

// Revoke signs, as s, a record that target is over. path may name the
// delegations that lead, root first, to target. Since repeating a record has
// no effect, nonce may be empty.
func Revoke(s crypto.Signer, target cid.Cid, path []cid.Cid, nonce []byte) (*Invocation, error) {
	args := MakeMap(map[string]Value{"ucan": Link(target), "pth": linksClaim(path)})
	inv, err := Invoke(s, InvocationClaims{
		Subject: s.DID(), Command: CommandRevoke, Args: args, Nonce: nonce,
	})
	if err != nil {
		return nil, fmt.Errorf("revoke %s: %w", target, err)
	}
	if _, err := ParseRevocation(inv); err != nil {
		return nil, fmt.Errorf("revoke %s: %w", target, err)
	}
	return inv, nil
}

// ParseRevocation reads a revocation out of a decoded invocation: its command
// is [CommandRevoke], its subject its issuer, it names no proofs, and its
// arguments are the target ("ucan") and at most a path ("pth"). Expiry and
// audience are not looked at: what was revoked stays revoked, whoever brings
// the record and when. The error is an [*Error], InvalidClaim.
func ParseRevocation(inv *Invocation) (Revocation, error) {
	r, err := parseRevocation(inv)
	if err != nil {
		return Revocation{}, refuse(InvalidClaim, "read a revocation: %w", err)
	}
	return r, nil
}

func parseRevocation(inv *Invocation) (Revocation, error) {
	switch {
	case inv.Command != CommandRevoke:
		return Revocation{}, fmt.Errorf("its command is %s", inv.Command)
	case inv.Subject != inv.Issuer:
		return Revocation{}, errors.New("its subject is not its issuer")
	case len(inv.Proofs) != 0:
		return Revocation{}, errors.New("it names proofs")
	}
	c := claims{m: inv.Args}
	target, ok := tokenLink(c.required("ucan"))
	if !ok {
		c.fail("ucan", errNoTokenLink)
	}
	var path []cid.Cid
	if _, ok := c.m.Get("pth"); ok {
		path = c.links("pth")
	}
	if err := c.finish(); err != nil {
		return Revocation{}, errors.Unwrap(err)
	}
	if len(path) > MaxProofs {
		return Revocation{}, fmt.Errorf("a path of %d, at most %d", len(path), MaxProofs)
	}
	return Revocation{Issuer: inv.Issuer, Target: target, Path: path, Record: inv}, nil
}

// Counts says whether the revocation's issuer may revoke its target: it issued
// the target itself, or an ancestor of it in witnessed.
//
// witnessed is the chain, root first, under which the target is being used (as
// [CheckAlignment] passed it), or what was kept of it; the target may have
// others below it there. It is not a path of the revoker's choosing: whoever
// holds a delegation can sign one back to its giver and so appear above it.
func (r Revocation) Counts(witnessed []*Delegation) bool {
	for i, d := range witnessed {
		if d.CID().Equals(r.Target) {
			return d.Issuer == r.Issuer || r.isAncestor(witnessed[:i+1])
		}
	}
	return false
}

// isAncestor says whether the issuer is one of path's, path being whole: from
// its subject to the target without a gap.
func (r Revocation) isAncestor(path []*Delegation) bool {
	found := false
	for i, d := range path {
		if checkSubject(i, d, path[0].Subject) != nil {
			return false
		}
		if i > 0 && (path[i-1].Audience != d.Issuer || !path[i-1].Command.Covers(d.Command)) {
			return false
		}
		found = found || d.Issuer == r.Issuer
	}
	return found
}

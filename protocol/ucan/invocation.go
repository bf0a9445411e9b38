// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/traboule/traboule/crypto"
)

// Invocation is a token by which Issuer asks that Command be done on Subject
// with Args, showing by Proofs that it may ask. One that [DecodeInvocation] or
// [Invoke] returned was decoded in full and its signature verified; that its
// proofs prove anything, only [CheckChain] says. Nobody changes it.
type Invocation struct {
	Issuer, Subject crypto.DID
	Audience        crypto.DID // who is to do it; "" when absent: the subject
	Command         Command
	Args            Map
	Proofs          []cid.Cid // delegations, root first
	Nonce           []byte
	Meta            Map      // nil when absent; never decides validity
	IssuedAt        *int64   // Unix seconds; nil when absent
	Expires         *int64   // Unix seconds, the last one valid; nil: never
	Cause           *cid.Cid // what this answers; nil when absent

	sealed
}

// String names the invocation by its CID: the rest of a token is no affair of a
// log's.
func (inv *Invocation) String() string { return "invocation " + inv.CID().String() }

// GoString is String, for %#v.
func (inv *Invocation) GoString() string { return inv.String() }

// DecodeInvocation reads an invocation of at most [MaxInvocationSize] bytes
// and verifies its signature. The error is an [*Error]: TooLarge, Malformed,
// InvalidClaim or InvalidSignature.
func DecodeInvocation(b []byte) (*Invocation, error) {
	e, err := openEnvelope(b, MaxInvocationSize, tagInvocation)
	if err != nil {
		return nil, err
	}
	c := &claims{m: e.claims}
	inv := &Invocation{
		Issuer:   c.did("iss"),
		Subject:  c.did("sub"),
		Audience: c.optionalDID("aud"),
		Command:  c.command("cmd"),
		Args:     c.dict("args"),
		Proofs:   c.links("prf"),
		Nonce:    c.bytes("nonce"),
		Meta:     c.optionalDict("meta"),
		IssuedAt: c.optionalTime("iat"),
		Expires:  c.time("exp"),
		Cause:    c.optionalLink("cause"),
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if inv.sealed, err = e.verify(inv.Issuer); err != nil {
		return nil, err
	}
	return inv, nil
}

// InvocationClaims is what a new invocation says; its issuer is the signer.
type InvocationClaims struct {
	Subject  crypto.DID
	Audience crypto.DID // "": absent
	Command  Command
	Args     Map       // nil: empty
	Proofs   []cid.Cid // root first
	Nonce    []byte
	Meta     Map      // nil: none
	IssuedAt *int64   // Unix seconds; nil: absent
	Expires  *int64   // Unix seconds; nil: never
	Cause    *cid.Cid // nil: absent
}

func (c InvocationClaims) fields(issuer crypto.DID) Map {
	fields := map[string]Value{
		"iss":   String(string(issuer)),
		"sub":   String(string(c.Subject)),
		"cmd":   String(string(c.Command)),
		"args":  c.Args.Value(),
		"prf":   linksClaim(c.Proofs),
		"nonce": Bytes(c.Nonce),
		"exp":   timeClaim(c.Expires),
	}
	if c.Audience != "" {
		fields["aud"] = String(string(c.Audience))
	}
	if c.Meta != nil {
		fields["meta"] = c.Meta.Value()
	}
	if c.IssuedAt != nil {
		fields["iat"] = Int(*c.IssuedAt)
	}
	if c.Cause != nil {
		fields["cause"] = Link(*c.Cause)
	}
	return MakeMap(fields)
}

// Invoke signs c as s. What it returns has been read back as a receiver would,
// so it fails on claims that nobody would accept.
func Invoke(s crypto.Signer, c InvocationClaims) (*Invocation, error) {
	token, err := seal(s, tagInvocation, c.fields(s.DID()))
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", c.Command, err)
	}
	inv, err := DecodeInvocation(token)
	if err != nil {
		return nil, fmt.Errorf("invoke %s: %w", c.Command, err)
	}
	return inv, nil
}

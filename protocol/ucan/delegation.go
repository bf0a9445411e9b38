// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"fmt"

	"github.com/traboule/traboule/crypto"
)

// Delegation is a token by which Issuer lets Audience use Command on Subject
// within Policy. One that [DecodeDelegation] or [Delegate] returned was
// decoded in full and its signature verified; nobody changes it.
type Delegation struct {
	Issuer, Audience crypto.DID
	Subject          crypto.DID // "" when null: a powerline, for whatever subject lies above it
	Command          Command
	Policy           Policy
	Nonce            []byte
	Meta             Map    // nil when absent; never decides validity
	NotBefore        *int64 // Unix seconds; nil: from ever
	Expires          *int64 // Unix seconds, the last one valid; nil: never

	sealed
}

// String names the delegation by its CID: the rest of a token is no affair of a
// log's.
func (d *Delegation) String() string { return "delegation " + d.CID().String() }

// GoString is String, for %#v.
func (d *Delegation) GoString() string { return d.String() }

// DecodeDelegation reads a delegation of at most [MaxTokenSize] bytes and
// verifies its signature. The error is an [*Error]: TooLarge, Malformed,
// InvalidClaim or InvalidSignature.
func DecodeDelegation(b []byte) (*Delegation, error) {
	e, err := openEnvelope(b, MaxTokenSize, tagDelegation)
	if err != nil {
		return nil, err
	}
	c := &claims{m: e.claims}
	d := &Delegation{
		Issuer:    c.did("iss"),
		Audience:  c.did("aud"),
		Subject:   c.didOrNull("sub"),
		Command:   c.command("cmd"),
		Policy:    c.policy("pol"),
		Nonce:     c.bytes("nonce"),
		Meta:      c.optionalDict("meta"),
		NotBefore: c.optionalTime("nbf"),
		Expires:   c.time("exp"),
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if d.sealed, err = e.verify(d.Issuer); err != nil {
		return nil, err
	}
	return d, nil
}

// DelegationClaims is what a new delegation says; its issuer is the signer.
type DelegationClaims struct {
	Audience  crypto.DID
	Subject   crypto.DID // "": a powerline
	Command   Command
	Policy    Policy
	Nonce     []byte // makes the token, and so its CID, the only one of its kind; 12 random bytes do
	Meta      Map    // nil: none
	NotBefore *int64 // Unix seconds; nil: from ever
	Expires   *int64 // Unix seconds; nil: never
}

func (c DelegationClaims) fields(issuer crypto.DID) Map {
	fields := map[string]Value{
		"iss":   String(string(issuer)),
		"aud":   String(string(c.Audience)),
		"sub":   Null(),
		"cmd":   String(string(c.Command)),
		"pol":   c.Policy.Value(),
		"nonce": Bytes(c.Nonce),
		"exp":   timeClaim(c.Expires),
	}
	if c.Subject != "" {
		fields["sub"] = String(string(c.Subject))
	}
	if c.Meta != nil {
		fields["meta"] = c.Meta.Value()
	}
	if c.NotBefore != nil {
		fields["nbf"] = Int(*c.NotBefore)
	}
	return MakeMap(fields)
}

// Delegate signs c as s. What it returns has been read back as a receiver
// would, so it fails on claims that nobody would accept.
func Delegate(s crypto.Signer, c DelegationClaims) (*Delegation, error) {
	token, err := seal(s, tagDelegation, c.fields(s.DID()))
	if err != nil {
		return nil, fmt.Errorf("delegate %s: %w", c.Command, err)
	}
	d, err := DecodeDelegation(token)
	if err != nil {
		return nil, fmt.Errorf("delegate %s: %w", c.Command, err)
	}
	return d, nil
}

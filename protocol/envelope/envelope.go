// SPDX-License-Identifier: Apache-2.0

// Package envelope seals a head for one grantee: signed by the node that
// serves it, readable only by the holder of one receive key, and bound to the
// grant, the version and the audience that it was made for, so that it can lie
// with anybody and be replayed to nobody.
//
// It knows neither what a head says nor how envelopes travel. The ways in are
// [Seal], [Parse] and [Envelope.Open]; the normative page is protocol/spec/envelope.md.
package envelope

import (
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
)

// Limits, in bytes.
const (
	MaxHead     = 2 << 10
	MaxEnvelope = 8 << 10
)

const (
	format = 1
	suite  = 1 // HPKE MLKEM768-X25519, HKDF-SHA256, ChaCha20-Poly1305
	label  = "traboule/v1/envelope\x00"
)

// Errors of [Parse] and [Open].
var (
	ErrMalformed = errors.New("not a sealed head")
	ErrSuite     = errors.New("sealed with a suite that is not known here")
	ErrOther     = errors.New("sealed for another grant or audience")
	ErrSealed    = errors.New("it does not open with this key")
)

// Binding is what a sealed head is bound to.
type Binding struct {
	Dataset    crypto.DID
	Grant      cid.Cid // the delegation that the owner calls the grant
	Generation uint64
	Sequence   uint64
	Audience   crypto.DID // the node that may open it
}

// Envelope is a sealed head whose signature was verified.
type Envelope struct {
	Binding
	Signer crypto.DID // the node that made it
	sealed []byte
}

type wireBinding struct {
	_          struct{} `cbor:",toarray"`
	Format     uint64
	Suite      uint64
	Dataset    string
	Grant      []byte
	Generation uint64
	Sequence   uint64
	Audience   string
}

type wireEnvelope struct {
	_         struct{} `cbor:",toarray"`
	Binding   []byte
	Sealed    []byte
	Signer    string
	Signature []byte
}

func (b Binding) encode() []byte {
	return canonical.MustMarshal(wireBinding{
		Format: format, Suite: suite, Dataset: string(b.Dataset), Grant: b.Grant.Bytes(),
		Generation: b.Generation, Sequence: b.Sequence, Audience: string(b.Audience),
	})
}

// Seal seals head for the holder of key and signs the envelope as node.
func Seal(node crypto.Signer, b Binding, key crypto.PublicReceiveKey, head []byte) ([]byte, error) {
	if len(head) > MaxHead {
		return nil, fmt.Errorf("seal a head: %d bytes, at most %d", len(head), MaxHead)
	}
	binding := b.encode()
	sealed, err := crypto.SealTo(key, append([]byte(label), binding...), head)
	if err != nil {
		return nil, fmt.Errorf("seal a head: %w", err)
	}
	signature, err := node.Sign(signed(binding, sealed))
	if err != nil {
		return nil, fmt.Errorf("seal a head: %w", err)
	}
	return canonical.MustMarshal(wireEnvelope{
		Binding: binding, Sealed: sealed, Signer: string(node.DID()), Signature: signature,
	}), nil
}

func signed(binding, sealed []byte) []byte {
	return append([]byte(label), canonical.MustMarshal([][]byte{binding, sealed})...)
}

// Parse reads an envelope and verifies its signature. Whether the signer may
// speak for the data set is for the caller to say.
func Parse(b []byte) (Envelope, error) {
	if len(b) > MaxEnvelope {
		return Envelope{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	var w wireEnvelope
	if err := canonical.Unmarshal(b, &w); err != nil {
		return Envelope{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	signer, err := crypto.ParseDID(w.Signer)
	if err != nil {
		return Envelope{}, fmt.Errorf("%w: signer: %w", ErrMalformed, err)
	}
	if err := crypto.Verify(signer, signed(w.Binding, w.Sealed), w.Signature); err != nil {
		return Envelope{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	binding, err := parseBinding(w.Binding)
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{Binding: binding, Signer: signer, sealed: w.Sealed}, nil
}

func parseBinding(b []byte) (Binding, error) {
	var w wireBinding
	if err := canonical.Unmarshal(b, &w); err != nil {
		return Binding{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if w.Format != format || w.Suite != suite {
		return Binding{}, fmt.Errorf("%w: format %d, suite %d", ErrSuite, w.Format, w.Suite)
	}
	dataset, err := crypto.ParseDID(w.Dataset)
	if err != nil {
		return Binding{}, fmt.Errorf("%w: data set: %w", ErrMalformed, err)
	}
	audience, err := crypto.ParseDID(w.Audience)
	if err != nil {
		return Binding{}, fmt.Errorf("%w: audience: %w", ErrMalformed, err)
	}
	grant, err := cid.Cast(w.Grant)
	if err != nil {
		return Binding{}, fmt.Errorf("%w: grant: %w", ErrMalformed, err)
	}
	return Binding{Dataset: dataset, Grant: grant, Generation: w.Generation, Sequence: w.Sequence, Audience: audience}, nil
}

// For says whether the envelope was made for this audience under this grant.
func (e Envelope) For(dataset crypto.DID, grant cid.Cid, audience crypto.DID) error {
	if e.Dataset != dataset || !e.Grant.Equals(grant) || e.Audience != audience {
		return ErrOther
	}
	return nil
}

// Open returns the head.
func (e Envelope) Open(key *crypto.ReceiveKey) ([]byte, error) {
	head, err := key.Open(append([]byte(label), e.Binding.encode()...), e.sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	return head, nil
}

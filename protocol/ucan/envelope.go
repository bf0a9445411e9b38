// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"crypto/sha256"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/traboule/traboule/crypto"
)

// Limits on a token's bytes.
const (
	// MaxTokenSize is the largest delegation.
	MaxTokenSize = 16 << 10
	// MaxInvocationSize is the largest invocation; its arguments may carry
	// keys of more than a kilobyte.
	MaxInvocationSize = 32 << 10
)

const (
	tagDelegation = "ucan/dlg@1.0.0"
	tagInvocation = "ucan/inv@1.0.0"

	// varsig says how the signature was made: varsig version 1, EdDSA on the
	// curve of Ed25519 (0xed, 0xed), SHA-512 (0x13), of DAG-CBOR (0x71).
	varsig = "\x34\x01\xed\x01\xed\x01\x13\x71"
)

// Token is an envelope's bytes as they travel, in their one encoding.
type Token []byte

// sealed is what every checked token keeps of its envelope.
type sealed struct {
	token  string
	digest [32]byte // of the part of token that the signature covers
	id     cid.Cid
}

// CID names the token: version 1, DAG-CBOR, SHA2-256. It is undefined for a
// token that was neither decoded nor signed here.
func (s *sealed) CID() cid.Cid { return s.id }

// Bytes is a copy of the token as it travels.
func (s *sealed) Bytes() Token { return Token(s.token) }

// PayloadDigest is the SHA2-256 of the signed bytes. Two tokens that say the
// same under different signatures share it.
func (s *sealed) PayloadDigest() [32]byte { return s.digest }

// cidPrefix begins the CID of every token: version 1, DAG-CBOR, SHA2-256, 32.
const cidPrefix = "\x01\x71\x12\x20"

func tokenCID(token []byte) (cid.Cid, error) {
	sum := sha256.Sum256(token)
	return cid.Cast(append([]byte(cidPrefix), sum[:]...))
}

// envelope is a token that was taken apart but not yet believed. Its slices
// are the caller's memory, its texts a copy.
type envelope struct {
	raw       []byte
	token     string
	signature []byte
	signed    []byte // the part of raw that the signature covers
	claims    Map
}

// openEnvelope takes [signature, {"h": varsig, tag: claims}] apart. The bytes
// were all read, and were canonical, when it returns without error.
func openEnvelope(b []byte, limit int, tag string) (*envelope, error) {
	if len(b) > limit {
		return nil, refuse(TooLarge, "%d bytes, at most %d", len(b), limit)
	}
	e := &envelope{raw: b, token: string(b)}
	payload, err := e.split()
	if err == nil {
		err = e.unwrap(payload, tag)
	}
	if err != nil {
		return nil, &Error{Malformed, NoProof, err}
	}
	return e, nil
}

func (e *envelope) split() (payload Value, err error) {
	d := decoder{src: e.token, depth: 1}
	major, n, err := d.head()
	if err != nil {
		return Value{}, err
	}
	if major != majorList || n != 2 {
		return Value{}, d.bad("an envelope is a list of two")
	}
	signature, err := d.value()
	if err != nil {
		return Value{}, err
	}
	if signature.kind != KindBytes {
		return Value{}, d.bad("a signature is a byte string")
	}
	e.signature = e.raw[d.pos-len(signature.str) : d.pos]
	e.signed = e.raw[d.pos:]
	if payload, err = d.value(); err != nil {
		return Value{}, err
	}
	if d.pos != len(d.src) {
		return Value{}, d.bad("%d trailing bytes", len(d.src)-d.pos)
	}
	return payload, nil
}

func (e *envelope) unwrap(payload Value, tag string) error {
	m := payload.dict
	if len(m) != 2 || m[0].Key != "h" {
		return fmt.Errorf("read the signed payload: it is a map of a header and one tag")
	}
	if h := m[0].Value; h.kind != KindBytes || h.str != varsig {
		return fmt.Errorf("read the signed payload: its header is not that of Ed25519 over DAG-CBOR")
	}
	if m[1].Key != tag || m[1].Value.kind != KindMap {
		return fmt.Errorf("read the signed payload: it holds no %s", tag)
	}
	e.claims = m[1].Value.dict
	return nil
}

// verify checks that issuer signed the envelope, and names it.
func (e *envelope) verify(issuer crypto.DID) (sealed, error) {
	if err := crypto.Verify(issuer, e.signed, e.signature); err != nil {
		return sealed{}, refuse(InvalidSignature, "verify as %s: %w", issuer.Short(), err)
	}
	id, err := tokenCID(e.raw)
	if err != nil {
		return sealed{}, &Error{Malformed, NoProof, fmt.Errorf("name the token: %w", err)}
	}
	return sealed{token: e.token, digest: sha256.Sum256(e.signed), id: id}, nil
}

// seal signs claims under tag.
func seal(s crypto.Signer, tag string, claims Map) (Token, error) {
	payload := Map{{"h", Bytes([]byte(varsig))}, {tag, claims.Value()}}
	signed, err := EncodeValue(payload.Value())
	if err != nil {
		return nil, err
	}
	signature, err := s.Sign(signed)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", s.DID().Short(), err)
	}
	token := appendHead(nil, majorList, 2)
	token = append(appendHead(token, majorBytes, uint64(len(signature))), signature...)
	return append(token, signed...), nil
}

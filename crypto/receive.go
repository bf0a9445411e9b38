// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"fmt"
)

// PublicReceiveKeySize is the length of a [PublicReceiveKey] in bytes: an
// ML-KEM-768 encapsulation key and an X25519 key.
const PublicReceiveKeySize = 1216

// SealOverhead is how many bytes [SealTo] adds to a plaintext: the
// encapsulated key (1,120) and the tag (16).
const SealOverhead = 1120 + 16

// Errors of receiving.
var (
	ErrBadReceiveKey = errors.New("not an ML-KEM-768 and X25519 public key")
	ErrNotForUs      = errors.New("sealed for another key or another purpose, or damaged")
)

// ReceiveKey opens what was sealed to its public half: HPKE (RFC 9180) in
// base mode with ML-KEM-768 + X25519, HKDF-SHA256 and ChaCha20-Poly1305. It
// prints nothing and may be used by many goroutines.
type ReceiveKey struct {
	private
	key hidden[hpke.PrivateKey]
}

// PublicReceiveKey is the public half of a [ReceiveKey], 1,216 bytes.
type PublicReceiveKey []byte

func receiveKeyFrom(seed []byte) (*ReceiveKey, error) {
	key, err := hpke.MLKEM768X25519().DeriveKeyPair(seed)
	if err != nil {
		return nil, fmt.Errorf("derive a receive key: %w", err)
	}
	return &ReceiveKey{key: hide(key)}, nil
}

// Public returns the key to publish.
func (k *ReceiveKey) Public() PublicReceiveKey { return k.key().PublicKey().Bytes() }

// Open returns the plaintext of what [SealTo] made for this key and the same
// info, or [ErrNotForUs].
func (k *ReceiveKey) Open(info, sealed []byte) ([]byte, error) {
	plain, err := hpke.Open(k.key(), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, sealed)
	if err != nil {
		return nil, ErrNotForUs
	}
	return plain, nil
}

// ParsePublicReceiveKey checks a published key and returns a copy of it.
func ParsePublicReceiveKey(b []byte) (PublicReceiveKey, error) {
	if len(b) != PublicReceiveKeySize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadReceiveKey, len(b))
	}
	key, err := hpke.MLKEM768X25519().NewPublicKey(b)
	if err != nil {
		return nil, ErrBadReceiveKey
	}
	return key.Bytes(), nil
}

// Hash is the SHA-256 of the key, by which a contact link names it.
func (p PublicReceiveKey) Hash() [32]byte { return sha256.Sum256(p) }

// SealTo encrypts plaintext so that only the holder of pub's private half can
// read it, and only when it gives the same info. Each call makes other bytes.
// It does not say who sealed: whoever needs that signs the result.
func SealTo(pub PublicReceiveKey, info, plaintext []byte) ([]byte, error) {
	key, err := hpke.MLKEM768X25519().NewPublicKey(pub)
	if err != nil {
		return nil, ErrBadReceiveKey
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), info, plaintext)
}

// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"filippo.io/edwards25519"
	"github.com/mr-tron/base58"
)

// DID names a party or a data set by its Ed25519 public key, as a did:key in
// its one canonical spelling ("did:key:z6Mk…", 56 bytes). A DID made by
// [ParseDID] or [DIDFromPublicKey] is valid; the zero value names nobody.
type DID string

const (
	didPrefix = "did:key:z"
	didLength = 56
)

// ed25519-pub in the multicodec table, as an unsigned varint.
var ed25519Codec = [2]byte{0xed, 0x01}

// Errors of [ParseDID] and [Verify].
var (
	ErrBadDID       = errors.New("not a canonical Ed25519 did:key")
	ErrBadSignature = errors.New("signature does not verify")
)

// ParseDID accepts exactly one spelling of an Ed25519 key: base58btc
// multibase, multicodec ed25519-pub, 32 bytes that are the canonical encoding
// of a point outside the small-order subgroup (with a small-order key one
// signature fits many messages).
func ParseDID(s string) (DID, error) {
	// Of this length a number has one spelling, as it begins with no zero digit:
	// the codec's first byte is not zero.
	if len(s) != didLength || !strings.HasPrefix(s, didPrefix) {
		return "", ErrBadDID
	}
	if did, ok := knownDIDs.find(s); ok {
		return did, nil
	}
	raw, err := base58.Decode(s[len(didPrefix):])
	if err != nil || len(raw) != 2+ed25519.PublicKeySize || raw[0] != ed25519Codec[0] || raw[1] != ed25519Codec[1] {
		return "", ErrBadDID
	}
	if err := checkPublicKey(raw[2:]); err != nil {
		return "", err
	}
	return knownDIDs.keep(s), nil
}

// DIDFromPublicKey names the holder of a 32-byte Ed25519 public key.
func DIDFromPublicKey(key []byte) (DID, error) {
	if err := checkPublicKey(key); err != nil {
		return "", err
	}
	raw := append(ed25519Codec[:], key...)
	return DID(didPrefix + base58.Encode(raw)), nil
}

// checkPublicKey accepts the canonical encoding of a point of the curve that
// is not of small order.
func checkPublicKey(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return ErrBadDID
	}
	y := [ed25519.PublicKeySize]byte(key)
	y[31] &= 0x7f
	if !belowP(&y) {
		return fmt.Errorf("%w: non-canonical point", ErrBadDID)
	}
	if slices.Contains(smallOrder[:], y) {
		return fmt.Errorf("%w: small-order key", ErrBadDID)
	}
	if _, err := new(edwards25519.Point).SetBytes(key); err != nil {
		return fmt.Errorf("%w: not a point of the curve", ErrBadDID)
	}
	return nil
}

// smallOrder holds the y of the eight points whose order divides 8, with the
// sign bit clear: orders 1, 2, 4, 8 and 8. With it set they are the other
// three, and the second spellings of the two points with x = 0 (the only ones
// below p; Chalkias et al., "Taming the many EdDSAs", table 1).
var smallOrder = [5][ed25519.PublicKeySize]byte{
	{0: 0x01},
	{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
}

// belowP tells whether little-endian y < p = 2^255 - 19.
func belowP(y *[ed25519.PublicKeySize]byte) bool {
	if y[0] < 0xed || y[31] != 0x7f {
		return true
	}
	for _, b := range y[1:31] {
		if b != 0xff {
			return true
		}
	}
	return false
}

// PublicKey returns the 32-byte Ed25519 key that d spells, or nil if d is not
// a valid DID.
func (d DID) PublicKey() ed25519.PublicKey {
	if !strings.HasPrefix(string(d), didPrefix) {
		return nil
	}
	raw, err := base58.Decode(string(d[len(didPrefix):]))
	if err != nil || len(raw) != 2+ed25519.PublicKeySize {
		return nil
	}
	return ed25519.PublicKey(raw[2:])
}

// Short is a spelling for people: the last eight characters, after an ellipsis.
func (d DID) Short() string {
	if len(d) < 8 {
		return string(d)
	}
	return "…" + string(d[len(d)-8:])
}

// Verify returns nil if sig is d's Ed25519 signature (RFC 8032) of message,
// and [ErrBadSignature] otherwise.
func Verify(d DID, message, sig []byte) error {
	key := d.PublicKey()
	if key == nil {
		return ErrBadDID
	}
	if len(sig) != ed25519.SignatureSize || !ed25519.Verify(key, message, sig) {
		return ErrBadSignature
	}
	return nil
}

// A Signer signs for one DID without showing its key. It may be called by
// many goroutines.
type Signer interface {
	DID() DID
	Sign(message []byte) ([]byte, error)
}

// Identity is a key pair that names a party or a data set. Its private half
// does not leave this package: it prints as its DID, by whatever verb.
type Identity struct {
	did DID
	key hidden[ed25519.PrivateKey]
}

// NewIdentity makes a key pair from 32 bytes of rand.
func NewIdentity(rand io.Reader) (*Identity, error) {
	var seed [ed25519.SeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("make an identity: %w", err)
	}
	return identityFromSeed(seed[:])
}

func identityFromSeed(seed []byte) (*Identity, error) {
	key := ed25519.NewKeyFromSeed(seed)
	did, err := DIDFromPublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Identity{did: did, key: hide(key)}, nil
}

// DID names the identity.
func (i *Identity) DID() DID { return i.did }

// Sign returns the 64-byte Ed25519 signature of message.
func (i *Identity) Sign(message []byte) ([]byte, error) {
	return ed25519.Sign(i.key(), message), nil
}

// Derive returns 32 secret bytes that only this identity's holder can make,
// others for every name (HKDF-SHA256 of the seed). They tell nothing of the
// key: for a library that insists on secret bytes of its own.
func (i *Identity) Derive(name string) [32]byte {
	return derive(i.key().Seed(), labelIdentity, []byte(name))
}

// Format prints the DID under every verb, so that a printed identity shows
// no key.
func (i Identity) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, string(i.did)) }

// String is the DID.
func (i Identity) String() string { return string(i.did) }

// GoString is the DID.
func (i Identity) GoString() string { return string(i.did) }

// MarshalJSON is the DID as a JSON string.
func (i Identity) MarshalJSON() ([]byte, error) { return json.Marshal(string(i.did)) }

// LogValue is the DID in a log.
func (i Identity) LogValue() slog.Value { return slog.StringValue(string(i.did)) }

// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"fmt"

	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/crypto/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/traboule/traboule/crypto"
)

// Key is the identity of a node: it signs, and it makes secret bytes for
// libraries that insist on some. *crypto.Identity is one.
type Key interface {
	crypto.Signer

	// Derive returns secret bytes that tell nothing of the key.
	Derive(label string) [32]byte
}

// The label of the bytes from which QUIC makes its stateless reset and token
// keys.
const quicLabel = "p2p: libp2p private key bytes"

// privateKey is a [Key] as libp2p wants one. It holds no key: libp2p signs
// through it and reads derived bytes.
type privateKey struct {
	key    Key
	public libcrypto.PubKey
}

func adaptKey(key Key) (*privateKey, error) {
	if key == nil {
		return nil, errors.New("no identity given")
	}
	public, err := libcrypto.UnmarshalEd25519PublicKey(key.DID().PublicKey())
	if err != nil {
		return nil, fmt.Errorf("identity %q: %w", key.DID(), err)
	}
	return &privateKey{key: key, public: public}, nil
}

// Sign signs with the node's key.
func (k *privateKey) Sign(message []byte) ([]byte, error) { return k.key.Sign(message) }

// GetPublic returns the node's public key.
func (k *privateKey) GetPublic() libcrypto.PubKey { return k.public }

// Type is Ed25519.
func (k *privateKey) Type() pb.KeyType { return pb.KeyType_Ed25519 }

// Raw returns derived bytes and never the key: QUIC derives its stateless
// reset and token keys from them.
func (k *privateKey) Raw() ([]byte, error) {
	derived := k.key.Derive(quicLabel)
	return derived[:], nil
}

// Equals says whether other is the private key of the same identity, for all
// that can be seen of it: its public key.
func (k *privateKey) Equals(other libcrypto.Key) bool {
	private, ok := other.(libcrypto.PrivKey)
	if !ok || private.Type() != pb.KeyType_Ed25519 {
		return false
	}
	mine, err1 := k.public.Raw()
	theirs, err2 := private.GetPublic().Raw()
	return err1 == nil && err2 == nil && subtle.ConstantTimeCompare(mine, theirs) == 1
}

// peerID spells a DID as libp2p does: the identity multihash of the public key.
func peerID(did crypto.DID) (peer.ID, error) {
	valid, err := crypto.ParseDID(string(did))
	if err != nil {
		return "", fmt.Errorf("peer %q: %w", did, err)
	}
	public, err := libcrypto.UnmarshalEd25519PublicKey(valid.PublicKey())
	if err != nil {
		return "", fmt.Errorf("peer %q: %w", did, err)
	}
	return peer.IDFromPublicKey(public)
}

// didOf spells a libp2p peer as a DID; only those with an Ed25519 key have one.
func didOf(id peer.ID) (crypto.DID, error) {
	public, err := id.ExtractPublicKey()
	if err != nil {
		return "", fmt.Errorf("peer %s has no DID: %w", id, err)
	}
	return didOfKey(public)
}

// peerOf names who proved to be at the other end of a connection.
func peerOf(c network.Conn) (crypto.DID, error) {
	public := c.RemotePublicKey()
	if public == nil {
		return "", fmt.Errorf("peer %s proved no key", c.RemotePeer())
	}
	return didOfKey(public)
}

func didOfKey(public libcrypto.PubKey) (crypto.DID, error) {
	if public.Type() != pb.KeyType_Ed25519 {
		return "", fmt.Errorf("a %s key has no DID", public.Type())
	}
	raw, err := public.Raw()
	if err != nil {
		return "", err
	}
	if len(raw) != ed25519.PublicKeySize {
		return "", crypto.ErrBadDID
	}
	return crypto.DIDFromPublicKey(raw)
}

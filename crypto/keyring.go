// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Errors of keyrings, their files and kits.
var (
	ErrErased       = errors.New("erased: its key was destroyed")
	ErrUnknownScope = errors.New("no such scope")
	ErrNoWords      = errors.New("the keyring has no recovery words yet")
	ErrNoSlot       = errors.New("the keyring has no slot of this kind")
	ErrWrongSecret  = errors.New("wrong passphrase, keyfile or words")
	ErrDamaged      = errors.New("damaged")
	ErrBadWords     = errors.New("not 24 valid recovery words")
	ErrBadSecret    = errors.New("unsuitable secret")
	ErrBadArgon     = errors.New("Argon2id parameters out of bounds")
)

// Keyring holds the private and symmetric keys of one vault and uses them on
// the caller's behalf: no key ever comes out, but in the sealed form of
// [Keyring.Encode] and [Keyring.SealKit].
//
// It prints nothing and may be used by many goroutines. What changes it
// changes memory only: the caller encodes it again and writes that down.
type Keyring struct {
	private
	*keys
}

type keys struct {
	owner, node *Identity
	receive     *ReceiveKey
	tagKey      [32]byte
	indexName   [32]byte
	indexValue  [32]byte

	mu      sync.RWMutex
	ring    ring // what is kept; ring.Scopes is empty, scopes holds them
	scopes  map[Scope]*scopeKeys
	erased  map[[16]byte]bool
	master  [32]byte
	slots   []slot
	version uint64
	argon   Argon
}

// NewKeyring makes the keys of a new vault from rand: owner, node, receive
// key, index, journal. It has no slot yet: give it words and a passphrase
// before encoding it.
func NewKeyring(rand io.Reader) (*Keyring, error) {
	r := ring{}
	if _, err := io.ReadFull(rand, r.Vault[:]); err != nil {
		return nil, fmt.Errorf("make a keyring: %w", err)
	}
	for _, key := range []*[32]byte{&r.Owner, &r.Node, &r.Receive, &r.Index, &r.Journal} {
		if _, err := io.ReadFull(rand, key[:]); err != nil {
			return nil, fmt.Errorf("make a keyring: %w", err)
		}
	}
	node := scopeKeys{Name: NodeScope}
	if _, err := io.ReadFull(rand, node.Key[:]); err != nil {
		return nil, fmt.Errorf("make a keyring: %w", err)
	}
	r.Scopes = []scopeKeys{node}
	master, err := draw(rand)
	if err != nil {
		return nil, fmt.Errorf("make a keyring: %w", err)
	}
	return newKeyring(r, master)
}

// newKeyring puts a checked ring to work.
func newKeyring(r ring, master [32]byte) (*Keyring, error) {
	owner, err := identityFromSeed(r.Owner[:])
	if err != nil {
		return nil, fmt.Errorf("owner key: %w", err)
	}
	node, err := identityFromSeed(r.Node[:])
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	receive, err := receiveKeyFrom(r.Receive[:])
	if err != nil {
		return nil, err
	}
	k := &keys{
		owner: owner, node: node, receive: receive, master: master,
		tagKey:     derive(r.Journal[:], labelScopeTag),
		indexName:  derive(r.Index[:], labelIndexName),
		indexValue: derive(r.Index[:], labelIndexValue),
		scopes:     make(map[Scope]*scopeKeys),
		erased:     make(map[[16]byte]bool),
	}
	for _, s := range r.Scopes {
		k.scopes[s.Name] = &s
	}
	for _, tag := range r.Erased {
		k.erased[tag] = true
	}
	r.Scopes, r.Erased = nil, nil
	k.ring = r
	return &Keyring{keys: k}, nil
}

// Owner is the owner's identity.
func (k *Keyring) Owner() *Identity { return k.owner }

// Node is the node's identity.
func (k *Keyring) Node() *Identity { return k.node }

// Receive is the key for what others seal to this vault's owner.
func (k *Keyring) Receive() *ReceiveKey { return k.receive }

// VaultID is a random number that tells vaults apart; it is not secret.
func (k *Keyring) VaultID() [16]byte { return k.ring.Vault }

// RecoveryPublic is the public half of the key that the recovery words
// derive, or nil before [Keyring.NewWords].
func (k *Keyring) RecoveryPublic() PublicReceiveKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return append(PublicReceiveKey(nil), k.ring.Recovery...)
}

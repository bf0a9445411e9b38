// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// A sealed body begins with the id of its key, so that what an erased scope
// left behind is told from what its successor of the same name sealed.
const bodyIDSize = 8

// SealBody encrypts a journal body under the scope's key, bound to aad.
func (k *Keyring) SealBody(s Scope, aad, plaintext []byte) ([]byte, error) {
	keys, err := k.bodyKeys(s)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(rand.Reader, keys.key, frame(keys.id[:], aad), plaintext)
	if err != nil {
		return nil, fmt.Errorf("seal a body: %w", err)
	}
	return append(keys.id[:], sealed...), nil
}

// OpenBody undoes [Keyring.SealBody]. The errors are [ErrErased] when the key
// was destroyed, [ErrUnknownScope] when there never was one, [ErrDamaged]
// when the bytes or aad are not those that were sealed.
func (k *Keyring) OpenBody(s Scope, aad, sealed []byte) ([]byte, error) {
	keys, err := k.bodyKeys(s)
	if err != nil {
		return nil, err
	}
	if len(sealed) < bodyIDSize+sealOverhead {
		return nil, fmt.Errorf("open a body of %d bytes: %w", len(sealed), ErrDamaged)
	}
	if !bytes.Equal(sealed[:bodyIDSize], keys.id[:]) && k.WasErased(k.ScopeTag(s)) {
		return nil, ErrErased
	}
	plain, ok := open(keys.key, frame(sealed[:bodyIDSize], aad), sealed[bodyIDSize:])
	if !ok {
		return nil, fmt.Errorf("open a body: %w", ErrDamaged)
	}
	return plain, nil
}

// bodyKeys are what a scope's key gives for bodies: derived once, since a
// journal has many, and wiped with it.
type bodyKeys struct {
	id  [bodyIDSize]byte
	key [32]byte
}

func (k *Keyring) bodyKeys(s Scope) (bodyKeys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, err := k.find(s)
	if err != nil {
		return bodyKeys{}, err
	}
	if found.body == nil {
		id := derive(found.Key[:], labelBodyID)
		found.body = &bodyKeys{id: [bodyIDSize]byte(id[:]), key: derive(found.Key[:], labelBody)}
	}
	return *found.body, nil
}

// IndexName turns the parts of a name into 16 bytes that tell nothing of
// them (HMAC-SHA-256): the same parts always give the same bytes.
func (k *Keyring) IndexName(parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, k.indexName[:])
	mac.Write(frame(nil, parts...))
	return mac.Sum(nil)[:16]
}

// SealIndex encrypts an index value, bound to the key it is stored under.
// The result is never empty.
func (k *Keyring) SealIndex(key, value []byte) []byte {
	sealed, err := seal(rand.Reader, k.indexValue, key, value)
	if err != nil {
		panic("crypto: " + err.Error()) // crypto/rand does not fail
	}
	return sealed
}

// OpenIndex undoes [Keyring.SealIndex], or returns [ErrDamaged].
func (k *Keyring) OpenIndex(key, sealed []byte) ([]byte, error) {
	value, ok := open(k.indexValue, key, sealed)
	if !ok {
		return nil, fmt.Errorf("open an index value: %w", ErrDamaged)
	}
	return value, nil
}

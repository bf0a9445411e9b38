// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto/canonical"
)

// ring is what a keyring file and a kit hold in their sealed part. Secrets of
// 32 bytes from which all others are derived, so that each has one use.
type ring struct {
	Vault    [16]byte    `cbor:"vault"`
	Owner    [32]byte    `cbor:"owner"`
	Node     [32]byte    `cbor:"node"`
	Receive  [32]byte    `cbor:"receive"`
	Index    [32]byte    `cbor:"index"`
	Journal  [32]byte    `cbor:"journal"`
	KitMAC   []byte      `cbor:"kitmac,omitempty"`   // 32 bytes, once there are words
	Recovery []byte      `cbor:"recovery,omitempty"` // public key, once there are words
	Scopes   []scopeKeys `cbor:"scopes"`             // by name, ascending
	Erased   [][16]byte  `cbor:"erased"`             // tags, ascending
	Line     []byte      `cbor:"line,omitempty"`     // of kits; none is the vault's first
	Before   []ancestor  `cbor:"before,omitempty"`   // the lines that it comes from, oldest first
}

type scopeKeys struct {
	Name    Scope    `cbor:"name"`
	Key     [32]byte `cbor:"key"`
	Dataset []byte   `cbor:"dataset,omitempty"` // 32 bytes: the data set secret
	Birth   []byte   `cbor:"birth,omitempty"`   // the data set key's seed, sealed to the recovery key

	body *bodyKeys // made of Key when first needed
}

// snapshot is the ring with its lists in order; k.mu is held.
func (k *keys) snapshot() ring {
	r := k.ring
	r.Scopes = make([]scopeKeys, 0, len(k.scopes))
	for _, s := range k.scopes {
		r.Scopes = append(r.Scopes, *s)
	}
	slices.SortFunc(r.Scopes, func(a, b scopeKeys) int { return cmp.Compare(a.Name, b.Name) })
	r.Erased = make([][16]byte, 0, len(k.erased))
	for tag := range k.erased {
		r.Erased = append(r.Erased, tag)
	}
	slices.SortFunc(r.Erased, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return r
}

// parseRing reads a ring that came out of a seal. What is wrong with it is a
// fault of whoever wrote it, but it is checked all the same.
func parseRing(b []byte) (ring, error) {
	var r ring
	if err := canonical.Unmarshal(b, &r); err != nil {
		return r, errors.New("not an encoded keyring") // the cause may quote keys
	}
	if err := r.check(); err != nil {
		return r, err
	}
	return r, nil
}

func (r *ring) check() error {
	if (r.Recovery == nil) != (r.KitMAC == nil) || (r.KitMAC != nil && len(r.KitMAC) != 32) {
		return errors.New("half a recovery key")
	}
	if r.Recovery != nil {
		if _, err := ParsePublicReceiveKey(r.Recovery); err != nil {
			return fmt.Errorf("recovery key: %w", err)
		}
	}
	if err := r.checkLines(); err != nil {
		return err
	}
	for i, s := range r.Scopes {
		if i > 0 && r.Scopes[i-1].Name >= s.Name {
			return errors.New("scopes out of order")
		}
		if err := s.check(); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(r.Scopes, func(s scopeKeys) bool { return s.Name == NodeScope }) {
		return errors.New("no node scope")
	}
	for i := 1; i < len(r.Erased); i++ {
		if bytes.Compare(r.Erased[i-1][:], r.Erased[i][:]) >= 0 {
			return errors.New("erased tags out of order")
		}
	}
	return nil
}

func (s *scopeKeys) check() error {
	if err := s.Name.check(); err != nil {
		return err
	}
	wantSecret, wantBirth := 0, 0
	if s.Name.ofDataset() {
		wantSecret, wantBirth = 32, 32+SealOverhead
	}
	if len(s.Dataset) != wantSecret || len(s.Birth) != wantBirth {
		return errors.New("keys that do not suit their scope")
	}
	return nil
}

// wipe overwrites the keys, as far as the garbage collector made no copies.
func (s *scopeKeys) wipe() {
	clear(s.Key[:])
	clear(s.Dataset)
	clear(s.Birth)
	if s.body != nil {
		*s.body = bodyKeys{}
	}
}

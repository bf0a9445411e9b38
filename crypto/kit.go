// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto/canonical"
)

// MaxKit is the largest recovery kit in bytes.
const MaxKit = 256 << 20

const kitMagic = "TRBKITS"

type kitHeader struct {
	Vault    [16]byte `cbor:"vault"`
	Version  uint64   `cbor:"version"`
	Recovery [32]byte `cbor:"recovery"` // SHA-256 of the recovery public key
	Line     []byte   `cbor:"line,omitempty"`
	At       uint64   `cbor:"at,omitempty"`
}

type kitContent struct {
	Ring  []byte `cbor:"ring"`
	State []byte `cbor:"state"`
}

// SealKit makes the recovery kit: all keys and state (opaque to this
// package), sealed to the recovery key. It takes no secret, so it can be
// renewed at every change. The kit is also authenticated under a key that the
// words derive: who merely knows the recovery public key cannot make one. It
// says at which place in the journal the last change stood that is in it.
func (k *Keyring) SealKit(state []byte, at uint64) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.ring.Recovery == nil {
		return nil, fmt.Errorf("seal a recovery kit: %w", ErrNoWords)
	}
	pub := PublicReceiveKey(k.ring.Recovery)
	file, err := bind(kitMagic, kitHeader{k.ring.Vault, k.version, pub.Hash(), k.ring.Line, at})
	if err != nil {
		return nil, fmt.Errorf("seal a recovery kit: %w", err)
	}
	sealed, err := k.sealKitContent(pub, frame([]byte(labelKit), file), state)
	if err != nil {
		return nil, fmt.Errorf("seal a recovery kit: %w", err)
	}
	file = append(file, sealed...)
	file = finish(append(file, kitMAC(k.ring.KitMAC, file)...))
	if len(file) > MaxKit {
		return nil, fmt.Errorf("seal a recovery kit of %d bytes: more than %d", len(file), MaxKit)
	}
	return file, nil
}

func (k *keys) sealKitContent(pub PublicReceiveKey, info, state []byte) ([]byte, error) {
	ring, err := canonical.Marshal(k.snapshot())
	if err != nil {
		return nil, err
	}
	defer clear(ring)
	if state == nil {
		state = []byte{}
	}
	plain, err := canonical.Marshal(kitContent{ring, state})
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return SealTo(pub, info, plain)
}

func kitMAC(key, file []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(file)
	return mac.Sum(nil)
}

// CheckKit says whether a kit is whole, without opening it: [ErrDamaged], or
// nil and the version of the keyring when it was made.
func CheckKit(kit []byte) (version uint64, err error) {
	h, _, _, err := takeKitApart(kit)
	return h.Version, err
}

// Errors of [Keyring.MayReplaceKit].
var (
	ErrNoKit    = errors.New("it is not a recovery kit of this vault")
	ErrNewerKit = errors.New("it is a recovery kit with newer keys")
)

// MayReplaceKit tells whether a kit that lies somewhere may give way to one
// made now: if it was made of this vault and one made now holds all that it
// does, or if it is damaged and opens nothing any more. The errors are
// [ErrNoKit] and [ErrNewerKit], which one that a later program may have made is
// too.
func (k *Keyring) MayReplaceKit(kit []byte) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	h, _, _, err := takeKitApart(kit)
	switch {
	case bytes.HasPrefix(kit, []byte(kitMagic)) && errors.Is(err, errLater):
		return ErrNewerKit
	case err != nil && bytes.HasPrefix(kit, []byte(kitMagic)):
		return nil
	case err != nil || h.Vault != k.ring.Vault:
		return ErrNoKit
	case !k.supersedes(h):
		return ErrNewerKit
	}
	return nil
}

func takeKitApart(kit []byte) (h kitHeader, e envelope, mac []byte, err error) {
	e, err = takeApart(kitMagic, kit, MaxKit, &h)
	if err != nil {
		return kitHeader{}, e, nil, fmt.Errorf("read a recovery kit: %w", err)
	}
	cut := len(e.sealed) - sha256.Size
	if cut < SealOverhead {
		return kitHeader{}, e, nil, fmt.Errorf("read a recovery kit: %w: too short", ErrDamaged)
	}
	e.sealed, mac = e.sealed[:cut], e.sealed[cut:]
	return h, e, mac, nil
}

// OpenKit brings a keyring and the state back from a kit. The keyring has a
// new master key and one slot, that of the words: set a passphrase. The
// errors are [ErrBadWords], [ErrWrongSecret] and [ErrDamaged].
func OpenKit(words string, kit []byte) (*Keyring, []byte, error) {
	r, err := recover24(words)
	if err != nil {
		return nil, nil, fmt.Errorf("open a recovery kit: %w", err)
	}
	h, e, mac, err := takeKitApart(kit)
	if err != nil {
		return nil, nil, err
	}
	if h.Recovery != r.key.Public().Hash() {
		return nil, nil, fmt.Errorf("open a recovery kit: %w: it was made for other words", ErrWrongSecret)
	}
	macKey := r.mac()
	signed := kit[:len(e.bound)+len(e.sealed)]
	if !hmac.Equal(mac, kitMAC(macKey[:], signed)) {
		return nil, nil, fmt.Errorf("open a recovery kit: %w: not made by a holder of the words' keys", ErrDamaged)
	}
	k, state, err := r.openKit(h, e)
	if err != nil {
		return nil, nil, fmt.Errorf("open a recovery kit: %w: %w", ErrDamaged, err)
	}
	return k, state, nil
}

func (r *recovery) openKit(h kitHeader, e envelope) (*Keyring, []byte, error) {
	plain, err := r.key.Open(frame([]byte(labelKit), e.bound), e.sealed)
	if err != nil {
		return nil, nil, err
	}
	defer clear(plain)
	var content kitContent
	if err := canonical.Unmarshal(plain, &content); err != nil {
		return nil, nil, errors.New("not an encoded kit") // the cause may quote keys
	}
	defer clear(content.Ring)
	kept, err := parseRing(content.Ring)
	if err != nil {
		return nil, nil, err
	}
	if kept.Vault != h.Vault || !bytes.Equal(kept.Line, h.Line) || PublicReceiveKey(kept.Recovery).Hash() != h.Recovery {
		return nil, nil, errors.New("the keys are not those that the header names")
	}
	master, err := draw(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	k, err := newKeyring(kept, master)
	if err != nil {
		return nil, nil, err
	}
	k.version = h.Version
	if err := k.branch(h.At, rand.Reader); err != nil {
		return nil, nil, err
	}
	return k, content.State, k.adopt(r, rand.Reader)
}

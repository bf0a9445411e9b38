// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/traboule/traboule/crypto/canonical"
)

// MaxKeyringFile is the largest keyring file in bytes; it has room for ten
// thousand data sets.
const MaxKeyringFile = 16 << 20

const keyringMagic = "TRBKEYS"

type keyringHeader struct {
	Vault   [16]byte `cbor:"vault"`
	Version uint64   `cbor:"version"`
	Slots   []slot   `cbor:"slots"`
}

// Encode returns the keyring as a file: the slots in the clear, all keys
// sealed under the master key and bound to everything before them. Each call
// raises the version, so that of two copies the newer wins; write the same
// bytes twice, not two encodings.
func (k *Keyring) Encode(rand io.Reader) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.slots) == 0 {
		return nil, fmt.Errorf("encode a keyring that nothing could open: %w", ErrNoSlot)
	}
	file, err := bind(keyringMagic, keyringHeader{k.ring.Vault, k.version + 1, k.slots})
	if err != nil {
		return nil, fmt.Errorf("encode a keyring: %w", err)
	}
	plain, err := canonical.Marshal(k.snapshot())
	if err != nil {
		return nil, fmt.Errorf("encode a keyring: %w", err)
	}
	defer clear(plain)
	body, err := seal(rand, derive(k.master[:], labelKeyring, k.ring.Vault[:]), file, plain)
	if err != nil {
		return nil, fmt.Errorf("seal a keyring: %w", err)
	}
	if file = finish(append(file, body...)); len(file) > MaxKeyringFile {
		return nil, fmt.Errorf("encode a keyring of %d bytes: more than %d", len(file), MaxKeyringFile)
	}
	k.version++
	return file, nil
}

// Locked is a keyring file that was read and not opened. Until then nothing
// says that its version and vault are true, only that no bit flipped by
// itself.
type Locked struct {
	private
	header keyringHeader
	file   envelope
}

// ParseKeyring reads a keyring file. The error is [ErrDamaged] or
// [ErrBadArgon], with a reason.
func ParseKeyring(b []byte) (*Locked, error) {
	l := &Locked{}
	e, err := takeApart(keyringMagic, slices.Clone(b), MaxKeyringFile, &l.header)
	if err != nil {
		return nil, fmt.Errorf("read a keyring file: %w", err)
	}
	l.file = e
	for i, sl := range l.header.Slots {
		if err := sl.check(); err != nil {
			return nil, fmt.Errorf("read a keyring file: %w: %w", ErrDamaged, err)
		}
		if i > 0 && l.header.Slots[i-1].Kind >= sl.Kind {
			return nil, fmt.Errorf("read a keyring file: %w: slots out of order", ErrDamaged)
		}
	}
	return l, nil
}

// VaultID is the vault whose keys these are.
func (l *Locked) VaultID() [16]byte { return l.header.Vault }

// Version counts the encodings: the newer copy has the higher one.
func (l *Locked) Version() uint64 { return l.header.Version }

// Unlock opens the keyring. The errors are [ErrNoSlot] when no secret of this
// kind opens it, [ErrBadSecret] or [ErrBadWords] when this cannot be one,
// [ErrWrongSecret], and [ErrDamaged] when the secret was right and the rest
// is not what was written.
func (l *Locked) Unlock(s Secret) (*Keyring, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("unlock the keyring: %w", err)
	}
	i := slices.IndexFunc(l.header.Slots, func(sl slot) bool { return sl.Kind == s.data().kind })
	if i < 0 {
		return nil, fmt.Errorf("unlock the keyring: %w", ErrNoSlot)
	}
	master, ok := l.header.Slots[i].unlock(l.header.Vault, s)
	if !ok {
		return nil, fmt.Errorf("unlock the keyring: %w", ErrWrongSecret)
	}
	k, err := l.open(master)
	if err != nil {
		return nil, fmt.Errorf("unlock the keyring: %w: %w", ErrDamaged, err)
	}
	return k, nil
}

func (l *Locked) open(master [32]byte) (*Keyring, error) {
	key := derive(master[:], labelKeyring, l.header.Vault[:])
	plain, ok := open(key, l.file.bound, l.file.sealed)
	if !ok {
		return nil, fmt.Errorf("the sealed part does not open")
	}
	defer clear(plain)
	r, err := parseRing(plain)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(r.Vault[:], l.header.Vault[:]) {
		return nil, fmt.Errorf("two vault ids")
	}
	k, err := newKeyring(r, master)
	if err != nil {
		return nil, err
	}
	k.version, k.slots = l.header.Version, slices.Clone(l.header.Slots)
	return k, nil
}

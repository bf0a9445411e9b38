// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The kinds of slot, as written in a keyring file. A keyring has at most one
// of each.
const (
	slotPassphrase uint8 = 1
	slotKeyfile    uint8 = 2
	slotWords      uint8 = 3
)

// A slot holds the master key, sealed under a key that one secret derives.
type slot struct {
	Kind   uint8    `cbor:"kind"`
	Salt   [16]byte `cbor:"salt"`
	Memory uint32   `cbor:"memory,omitempty"` // KiB; this and the next two for a passphrase only
	Time   uint32   `cbor:"time,omitempty"`
	Lanes  uint8    `cbor:"lanes,omitempty"`
	Sealed []byte   `cbor:"sealed"` // 72 bytes
}

// Argon are the parameters of Argon2id (RFC 9106) by which a passphrase is
// made expensive to guess. The zero value means 64 MiB, 3 passes, 4 threads.
type Argon struct {
	MemoryKiB uint32 // 1 MiB to 1 GiB
	Time      uint32 // passes, 1 to 16
	Threads   uint8  // 1 to 16
}

var defaultArgon = Argon{MemoryKiB: 64 << 10, Time: 3, Threads: 4}

func (a Argon) check() error {
	if a.MemoryKiB < 1<<10 || a.MemoryKiB > 1<<20 || a.Time < 1 || a.Time > 16 || a.Threads < 1 || a.Threads > 16 {
		return fmt.Errorf("%w: %d KiB, %d passes, %d threads", ErrBadArgon, a.MemoryKiB, a.Time, a.Threads)
	}
	return nil
}

// Bounds of secrets in bytes.
const (
	MaxPassphrase = 1024
	MinKeyfile    = 32
	MaxKeyfile    = 64 << 10
)

// Secret is what unlocks a keyring: a [Passphrase], a [Keyfile] or [Words].
type Secret struct {
	private
	data hidden[secretData]
}

type secretData struct {
	kind  uint8
	bytes []byte
}

// Passphrase is what a person typed, UTF-8. Its spelling of accents does not
// matter (it is normalised to NFC), everything else does.
func Passphrase(p []byte) Secret {
	return Secret{data: hide(secretData{slotPassphrase, norm.NFC.Bytes(p)})}
}

// Keyfile is the content of a file of at least [MinKeyfile] random bytes,
// with which a node may open itself.
func Keyfile(content []byte) Secret {
	return Secret{data: hide(secretData{slotKeyfile, slices.Clone(content)})}
}

// Words are the 24 recovery words.
func Words(words string) Secret {
	d := secretData{kind: slotWords}
	if r, err := recover24(words); err == nil {
		d.bytes = r.entropy()
	}
	return Secret{data: hide(d)}
}

func (s Secret) check() error {
	if s.data == nil {
		return fmt.Errorf("%w: none given", ErrBadSecret)
	}
	d := s.data()
	n := len(d.bytes)
	switch d.kind {
	case slotPassphrase:
		if n == 0 || n > MaxPassphrase || !utf8.Valid(d.bytes) {
			return fmt.Errorf("%w: a passphrase is 1 to %d bytes of UTF-8", ErrBadSecret, MaxPassphrase)
		}
	case slotKeyfile:
		if n < MinKeyfile || n > MaxKeyfile {
			return fmt.Errorf("%w: a keyfile is %d to %d bytes", ErrBadSecret, MinKeyfile, MaxKeyfile)
		}
	case slotWords:
		if n == 0 {
			return ErrBadWords
		}
	}
	return nil
}

// wrapping derives the key that seals the master key in sl. s suits it.
func (sl *slot) wrapping(s Secret) [32]byte {
	secret := s.data().bytes
	switch sl.Kind {
	case slotPassphrase:
		stretched := argon2.IDKey(secret, sl.Salt[:], sl.Time, sl.Memory, sl.Lanes, 32)
		return derive(stretched, labelPassphrase, sl.Salt[:])
	case slotKeyfile:
		return derive(secret, labelKeyfile, sl.Salt[:])
	default:
		return derive(secret, labelWords, sl.Salt[:])
	}
}

// aad binds a slot's content to everything else in it and to its vault.
func (sl *slot) aad(vault [16]byte) []byte {
	params := binary.BigEndian.AppendUint32([]byte{sl.Kind}, sl.Memory)
	params = binary.BigEndian.AppendUint32(params, sl.Time)
	return frame(vault[:], append(params, sl.Lanes), sl.Salt[:])
}

func (sl *slot) check() error {
	if len(sl.Sealed) != 32+sealOverhead {
		return fmt.Errorf("slot with %d bytes", len(sl.Sealed))
	}
	argon := Argon{sl.Memory, sl.Time, sl.Lanes}
	switch {
	case sl.Kind == slotPassphrase:
		return argon.check()
	case sl.Kind != slotKeyfile && sl.Kind != slotWords:
		return fmt.Errorf("slot of unknown kind %d", sl.Kind)
	case argon != Argon{}:
		return fmt.Errorf("%w: in a slot of kind %d", ErrBadArgon, sl.Kind)
	}
	return nil
}

func (sl *slot) unlock(vault [16]byte, s Secret) (master [32]byte, ok bool) {
	plain, ok := open(sl.wrapping(s), sl.aad(vault), sl.Sealed)
	if !ok || len(plain) != 32 {
		return master, false
	}
	return [32]byte(plain), true
}

// setSlot replaces the slot of this kind, or adds it; k.mu is held.
func (k *keys) setSlot(kind uint8, s Secret, a Argon, rand io.Reader) error {
	sl := slot{Kind: kind, Memory: a.MemoryKiB, Time: a.Time, Lanes: a.Threads}
	if _, err := io.ReadFull(rand, sl.Salt[:]); err != nil {
		return fmt.Errorf("draw a salt: %w", err)
	}
	var err error
	sl.Sealed, err = seal(rand, sl.wrapping(s), sl.aad(k.ring.Vault), k.master[:])
	if err != nil {
		return fmt.Errorf("seal a slot: %w", err)
	}
	k.dropSlot(kind)
	k.slots = append(k.slots, sl)
	slices.SortFunc(k.slots, func(a, b slot) int { return int(a.Kind) - int(b.Kind) })
	return nil
}

func (k *keys) dropSlot(kind uint8) {
	k.slots = slices.DeleteFunc(k.slots, func(sl slot) bool { return sl.Kind == kind })
}

// UseArgon sets the parameters for passphrases set from now on. Tests ask
// for little, a strong machine may ask for more than the default.
func (k *Keyring) UseArgon(a Argon) error {
	if a != (Argon{}) {
		if err := a.check(); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.argon = a
	return nil
}

// KeepSecrets remembers which secrets open the keyring; back makes it those
// again, for a change that could not be stored.
func (k *Keyring) KeepSecrets() (back func()) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	kept := slices.Clone(k.slots)
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.slots = slices.Clone(kept)
	}
}

// SetPassphrase makes this the passphrase, instead of the one before, which
// goes on opening files that were encoded earlier.
func (k *Keyring) SetPassphrase(new []byte, rand io.Reader) error {
	s := Passphrase(new)
	if err := s.check(); err != nil {
		return fmt.Errorf("set a passphrase: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	argon := k.argon
	if argon == (Argon{}) {
		argon = defaultArgon
	}
	return k.setSlot(slotPassphrase, s, argon, rand)
}

// SetKeyfile lets a file of this content open the keyring, instead of the
// one before.
func (k *Keyring) SetKeyfile(content []byte, rand io.Reader) error {
	s := Keyfile(content)
	if err := s.check(); err != nil {
		return fmt.Errorf("set a keyfile: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.setSlot(slotKeyfile, s, Argon{}, rand)
}

// RemoveKeyfile takes the keyfile's way in away, if there is one.
func (k *Keyring) RemoveKeyfile() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropSlot(slotKeyfile)
}

// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"errors"
	"io"
)

// Errors of keyrings.
var (
	ErrErased       = errors.New("erased: its key was destroyed")
	ErrUnknownScope = errors.New("no such scope")
	ErrNoWords      = errors.New("the keyring has no recovery words yet")
	ErrNoSlot       = errors.New("the keyring has no way in of this kind")
	ErrWrongSecret  = errors.New("wrong passphrase, keyfile or words")
	ErrDamaged      = errors.New("damaged")
	ErrBadWords     = errors.New("not 24 valid recovery words")
	ErrBadSecret    = errors.New("unsuitable secret")
)

// Argon are the parameters of Argon2id; the zero value means 64 MiB, 3
// passes, 4 threads.
type Argon struct {
	MemoryKiB uint32
	Time      uint32
	Threads   uint8
}

// Keyring holds all keys of a vault.
type Keyring struct{ private }

// NewKeyring makes the keys of a new vault. Call NewWords before NewDataset.
func NewKeyring(rand io.Reader) (*Keyring, error)                                  { panic("not yet") }
func (k *Keyring) Owner() *Identity                                                { panic("not yet") }
func (k *Keyring) Node() *Identity                                                 { panic("not yet") }
func (k *Keyring) Receive() *ReceiveKey                                            { panic("not yet") }
func (k *Keyring) VaultID() [16]byte                                               { panic("not yet") }
func (k *Keyring) UseArgon(a Argon) error                                          { panic("not yet") }
func (k *Keyring) NewDataset(rand io.Reader) (did DID, birth *Identity, err error) { panic("not yet") }
func (k *Keyring) AddScope(s Scope, rand io.Reader) error                          { panic("not yet") }
func (k *Keyring) HasScope(s Scope) bool                                           { panic("not yet") }
func (k *Keyring) Erase(s Scope) error                                             { panic("not yet") }
func (k *Keyring) Scopes() []Scope                                                 { panic("not yet") }
func (k *Keyring) ScopeTag(s Scope) [16]byte                                       { panic("not yet") }
func (k *Keyring) SealBody(s Scope, aad, plaintext []byte) ([]byte, error)         { panic("not yet") }
func (k *Keyring) OpenBody(s Scope, aad, sealed []byte) ([]byte, error)            { panic("not yet") }
func (k *Keyring) Sealer(dataset DID, view string, generation uint64) (*Sealer, error) {
	panic("not yet")
}
func (k *Keyring) PageKey(dataset DID) ([32]byte, error)             { panic("not yet") }
func (k *Keyring) IndexName(parts ...[]byte) []byte                  { panic("not yet") }
func (k *Keyring) SealIndex(key, value []byte) []byte                { panic("not yet") }
func (k *Keyring) OpenIndex(key, sealed []byte) ([]byte, error)      { panic("not yet") }
func (k *Keyring) RecoveryPublic() PublicReceiveKey                  { panic("not yet") }
func (k *Keyring) SealKit(state []byte) ([]byte, error)              { panic("not yet") }
func OpenKit(words string, kit []byte) (*Keyring, []byte, error)     { panic("not yet") }
func (k *Keyring) Encode(rand io.Reader) ([]byte, error)             { panic("not yet") }
func (k *Keyring) SetPassphrase(new []byte, rand io.Reader) error    { panic("not yet") }
func (k *Keyring) SetKeyfile(content []byte, rand io.Reader) error   { panic("not yet") }
func (k *Keyring) RemoveKeyfile()                                    { panic("not yet") }
func (k *Keyring) NewWords(rand io.Reader) (words string, err error) { panic("not yet") }

// Secret is what unlocks a keyring.
type Secret struct{ private }

func Passphrase(p []byte) Secret    { panic("not yet") }
func Keyfile(content []byte) Secret { panic("not yet") }
func Words(words string) Secret     { panic("not yet") }

// Locked is a keyring file that was read and not unlocked.
type Locked struct{ private }

func ParseKeyring(b []byte) (*Locked, error)        { panic("not yet") }
func (l *Locked) Unlock(s Secret) (*Keyring, error) { panic("not yet") }
func (l *Locked) VaultID() [16]byte                 { panic("not yet") }
func (l *Locked) Version() uint64                   { panic("not yet") }

// CheckWords says whether words are 24 recovery words with a right checksum.
func CheckWords(words string) error { panic("not yet") }

// ConfirmWords says whether typed are the words at positions (from 1).
func ConfirmWords(words string, positions []int, typed []string) error { panic("not yet") }

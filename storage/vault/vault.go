// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/disk"
)

// Errors of a vault.
var (
	ErrNoVault    = errors.New("no vault here")
	ErrUnfinished = errors.New("its creation was interrupted: create it again, nothing was in it")
	ErrExists     = errors.New("there is a vault already")
	ErrVaultBusy  = errors.New("another process has the vault open")
	ErrKeyring    = errors.New("both copies of the keyring are damaged: restore from the recovery kit")
	ErrSecret     = crypto.ErrWrongSecret
)

// Options of a vault; the zero value is right.
type Options struct {
	FS      disk.FS          // default disk.OS
	Now     func() time.Time // default time.Now
	Rand    io.Reader        // default crypto/rand.Reader
	Keep    int              // versions kept of a data set; default 10
	Workers int              // goroutines that seal while adding; default one per core
	Reserve int64            // bytes kept free on the disk; default 32 MiB, negative for none

	// Birth is called once for each new data set, with the key pair that is
	// its DID. The key signs what it must and is then forgotten; the facts
	// become durable together with the data set. Default: no facts.
	Birth func(birth crypto.Signer) ([]Fact, error)
}

// Report says what Open found.
type Report struct {
	Healed    []string // what was made good from a second copy, in words
	Suspended string   // why grants are suspended until Confirm; "" when they are not
	Blocks    *blocks.Report
	Dropped   int64 // bytes of a journal entry that was never acknowledged
}

// Vault is an open vault. Many goroutines may call it.
type Vault struct{}

// Create makes a vault in dir, which must be missing, empty, or the left-over
// of a creation that was interrupted. k needs a way in (SetPassphrase) and
// recovery words (NewWords).
func Create(dir string, k *crypto.Keyring, opt Options) (*Vault, error) {
	return nil, errors.ErrUnsupported
}

// Open unlocks the vault in dir.
func Open(dir string, secret crypto.Secret, opt Options) (*Vault, *Report, error) {
	return nil, nil, errors.ErrUnsupported
}

// Close ends all and lets another process open the vault. Calls that are
// under way must have returned.
func (v *Vault) Close() error { return nil }

// Keyring is the vault's keys. After changing them call SaveKeyring.
func (v *Vault) Keyring() *crypto.Keyring { return nil }

// SaveKeyring writes both copies of the keyring and returns when they are
// durable.
func (v *Vault) SaveKeyring() error { return errors.ErrUnsupported }

// ChangePassphrase replaces the passphrase, durably.
func (v *Vault) ChangePassphrase(new []byte) error { return errors.ErrUnsupported }

// Blocks is the ciphertext, for transfer.
func (v *Vault) Blocks() *blocks.Store { return nil }

// Dir is the vault's folder.
func (v *Vault) Dir() string { return "" }

// Incarnation is the high half of every new sequence number.
func (v *Vault) Incarnation() uint32 { return 0 }

// Suspended says why no grant may be honoured until Confirm, or "".
func (v *Vault) Suspended() string { return "" }

// Confirm ends the suspension: the owner has looked at the grants.
func (v *Vault) Confirm(ctx context.Context) error { return errors.ErrUnsupported }

// SaveMark remembers how far the journal has come, so that an older copy of it
// is noticed. The node calls it after a revocation.
func (v *Vault) SaveMark() error { return errors.ErrUnsupported }

// Damage is one thing that Check found wrong.
type Damage struct {
	Where  string // "keyring.b", "pack 00000003 at 1024", "photos, version 4"
	Why    string
	Lost   string // what cannot be read because of it; "" for nothing
	WayOut string
}

// Check reads everything and says what is wrong.
func (v *Vault) Check(ctx context.Context, progress func(done, total int64)) ([]Damage, error) {
	return nil, errors.ErrUnsupported
}

// Repair opens a vault that Open refuses, mends what can be mended and says
// what is lost. The vault must not be open.
func Repair(ctx context.Context, dir string, secret crypto.Secret, opt Options) ([]Damage, error) {
	return nil, errors.ErrUnsupported
}

// SaveKit writes the recovery kit: the keys and the state, sealed to the
// recovery words. Content is not in it.
func (v *Vault) SaveKit(w io.Writer) error { return errors.ErrUnsupported }

// Restore makes a vault in dir from a kit; dir may hold the old packs folder.
func Restore(kit io.Reader, words, dir string, passphrase []byte, opt Options) (*Vault, error) {
	return nil, errors.ErrUnsupported
}

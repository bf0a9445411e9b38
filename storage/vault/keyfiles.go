// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage/disk"
)

// Bounds on files that are read whole.
const (
	maxKeyring = 256 << 20
	maxMark    = 4 << 10
)

// keyringCopy is one of the two files.
type keyringCopy struct {
	name   string
	raw    []byte
	locked *crypto.Locked
	why    error // why it is of no use
}

func (v *Vault) readKeyrings() []keyringCopy {
	list := []keyringCopy{{name: keyringA}, {name: keyringB}}
	for i := range list {
		c := &list[i]
		if c.raw, c.why = disk.ReadFile(v.opt.FS, v.path(c.name), maxKeyring); c.why != nil {
			continue
		}
		c.locked, c.why = crypto.ParseKeyring(c.raw)
	}
	// The newer first: a crash between the two writes leaves an older one.
	if list[1].locked != nil && (list[0].locked == nil || list[1].locked.Version() > list[0].locked.Version()) {
		list[0], list[1] = list[1], list[0]
	}
	return list
}

// unlock opens the newest sound copy of the keyring and makes the other equal.
func (v *Vault) unlock(secret crypto.Secret, r *Report) error {
	list := v.readKeyrings()
	ring, i, err := unlockNewest(list, secret)
	if err != nil {
		return err
	}
	v.ring = ring
	return v.heal(&list[i], &list[1-i], r)
}

// unlockNewest unlocks the newest sound copy, and says which it was. Only
// damage lets an older one speak: it would take a passphrase that was
// replaced, and lacks the newest keys.
func unlockNewest(list []keyringCopy, secret crypto.Secret) (*crypto.Keyring, int, error) {
	for i := range list {
		c := &list[i]
		if c.locked == nil {
			continue
		}
		ring, err := c.locked.Unlock(secret)
		if err == nil {
			return ring, i, nil
		}
		if c.why = err; !errors.Is(err, crypto.ErrDamaged) {
			break
		}
	}
	return nil, 0, keyringError(list)
}

// keyringError tells a wrong secret from damage: a copy that is sound and does
// not unlock speaks for the former.
func keyringError(list []keyringCopy) error {
	for _, c := range list {
		if errors.Is(c.why, crypto.ErrWrongSecret) || errors.Is(c.why, crypto.ErrNoSlot) || errors.Is(c.why, crypto.ErrBadWords) ||
			errors.Is(c.why, crypto.ErrBadSecret) {
			return c.why
		}
	}
	return fmt.Errorf("%w (%s: %w; %s: %w)", ErrKeyring, list[0].name, list[0].why, list[1].name, list[1].why)
}

// heal makes the other copy equal to the good one, unless it is the newer.
func (v *Vault) heal(good, other *keyringCopy, r *Report) error {
	newer := other.locked != nil && other.locked.Version() > good.locked.Version()
	if newer || bytes.Equal(good.raw, other.raw) {
		return nil
	}
	if err := disk.WriteFileAtomic(v.opt.FS, v.path(other.name), good.raw, 0o600); err != nil {
		if disk.IsFull(err) {
			return nil // one good copy is enough to open a vault on a full disk
		}
		return fmt.Errorf("heal the keyring's copy: %w", err)
	}
	r.Healed = append(r.Healed, Healing{KeyringCopied, Args{"file": other.name, "other": good.name}})
	return nil
}

// SaveKeyring writes both copies of the keyring and returns when they are
// durable.
func (v *Vault) SaveKeyring() error {
	v.files.Lock()
	defer v.files.Unlock()
	return v.writeKeyring()
}

// saveOwed writes the keyring if the last attempt failed.
func (v *Vault) saveOwed() error {
	v.files.Lock()
	defer v.files.Unlock()
	if !v.owed {
		return nil
	}
	return v.writeKeyring()
}

func (v *Vault) writeKeyring() error {
	v.owed = true
	raw, err := v.ring.Encode(v.opt.Rand)
	if err != nil {
		return fmt.Errorf("save the keyring: %w", err)
	}
	for _, name := range []string{keyringA, keyringB} {
		if err := disk.WriteFileAtomic(v.opt.FS, v.path(name), raw, 0o600); err != nil {
			return fmt.Errorf("save the keyring: %w", err)
		}
	}
	v.owed = false
	return nil
}

// ChangePassphrase replaces the passphrase, durably. After an error the one
// before stays.
func (v *Vault) ChangePassphrase(new []byte) error {
	v.keys.Lock()
	defer v.keys.Unlock()
	back := v.ring.KeepSecrets()
	if err := v.ring.SetPassphrase(new, v.opt.Rand); err != nil {
		return fmt.Errorf("change the passphrase: %w", err)
	}
	err := v.SaveKeyring()
	if err == nil {
		return nil
	}
	back()
	// One of the files may have the new one already. If it cannot be replaced
	// now either, it is owed.
	return errors.Join(fmt.Errorf("change the passphrase: %w", err), v.SaveKeyring())
}

// catchUp writes what lags behind, as far as a full disk lets it.
func (v *Vault) catchUp() error {
	if err := v.saveOwed(); err != nil && !disk.IsFull(err) {
		return errors.Join(err, v.mark())
	}
	return v.mark()
}

// markFile says how far the journal had come; sealed, so that nobody else can
// make one. Older truths than it are noticed.
type markFile struct {
	Seq   uint64   `cbor:"seq"`
	Chain [32]byte `cbor:"chain"`
}

const markAAD = "traboule/v1/mark"

// SaveMark remembers how far the journal has come, so that an older copy of it
// is noticed. The node calls it after a revocation.
func (v *Vault) SaveMark() error {
	v.files.Lock()
	defer v.files.Unlock()
	var m markFile
	m.Seq, m.Chain = v.log.Head()
	sealed, err := v.ring.SealBody(crypto.NodeScope, []byte(markAAD), encode(m))
	if err != nil {
		return fmt.Errorf("save the mark: %w", err)
	}
	for _, name := range []string{markA, markB} {
		if err := disk.WriteFileAtomic(v.opt.FS, v.path(name), sealed, 0o600); err != nil {
			return fmt.Errorf("save the mark: %w", err)
		}
	}
	v.saveWitness(sealed)
	return nil
}

// saveWitness keeps a copy of the mark outside of the vault. It is an extra:
// where it cannot be written, a lagging one harms nothing.
func (v *Vault) saveWitness(sealed []byte) {
	if v.opt.Witness == "" || v.opt.FS.MkdirAll(v.opt.Witness, 0o700) != nil {
		return
	}
	_ = disk.WriteFileAtomic(v.opt.FS, v.witness(), sealed, 0o600)
}

func (v *Vault) witness() string {
	id := v.ring.VaultID()
	return filepath.Join(v.opt.Witness, hex.EncodeToString(id[:])+".mark")
}

// mark is SaveMark after something that is durable already: a full disk is no
// reason to call it failed. The mark then lags, which is harmless.
func (v *Vault) mark() error {
	if err := v.SaveMark(); err != nil && !disk.IsFull(err) {
		return err
	}
	return nil
}

// readMark returns the newer of the two marks. doubt is set when there is
// none: then nobody can tell whether the journal is the newest.
func (v *Vault) readMark(r *Report) (best markFile, doubt Suspension) {
	found := 0
	if v.opt.Witness != "" {
		if m, err := v.readMarkAt(v.witness()); err == nil {
			best = m
		}
	}
	for _, name := range []string{markA, markB} {
		m, err := v.readMarkFile(name)
		if err != nil {
			r.Healed = append(r.Healed, Healing{MarkRenewed, Args{"file": name}})
			continue
		}
		found++
		if m.Seq >= best.Seq {
			best = m
		}
	}
	if found == 0 {
		return markFile{}, NoMark
	}
	return best, ""
}

func (v *Vault) readMarkFile(name string) (m markFile, err error) { return v.readMarkAt(v.path(name)) }

func (v *Vault) readMarkAt(path string) (m markFile, err error) {
	sealed, err := disk.ReadFile(v.opt.FS, path, maxMark)
	if err != nil {
		return m, err
	}
	plain, err := v.ring.OpenBody(crypto.NodeScope, []byte(markAAD), sealed)
	if err != nil {
		return m, err
	}
	return m, canonical.Unmarshal(plain, &m)
}

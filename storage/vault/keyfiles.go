// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"errors"
	"fmt"

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
	for i := range list {
		c := &list[i]
		if c.locked == nil {
			continue
		}
		ring, err := c.locked.Unlock(secret)
		if err != nil {
			c.why = err
			continue
		}
		v.ring = ring
		return v.heal(c, &list[1-i], r)
	}
	return keyringError(list)
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

func (v *Vault) heal(good, other *keyringCopy, r *Report) error {
	if bytes.Equal(good.raw, other.raw) {
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
	raw, err := v.ring.Encode(v.opt.Rand)
	if err != nil {
		return fmt.Errorf("save the keyring: %w", err)
	}
	for _, name := range []string{keyringA, keyringB} {
		if err := disk.WriteFileAtomic(v.opt.FS, v.path(name), raw, 0o600); err != nil {
			return fmt.Errorf("save the keyring: %w", err)
		}
	}
	return nil
}

// ChangePassphrase replaces the passphrase, durably.
func (v *Vault) ChangePassphrase(new []byte) error {
	if err := v.ring.SetPassphrase(new, v.opt.Rand); err != nil {
		return fmt.Errorf("change the passphrase: %w", err)
	}
	return v.SaveKeyring()
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
	return nil
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

func (v *Vault) readMarkFile(name string) (m markFile, err error) {
	sealed, err := disk.ReadFile(v.opt.FS, v.path(name), maxMark)
	if err != nil {
		return m, err
	}
	plain, err := v.ring.OpenBody(crypto.NodeScope, []byte(markAAD), sealed)
	if err != nil {
		return m, err
	}
	return m, canonical.Unmarshal(plain, &m)
}

// SPDX-License-Identifier: Apache-2.0

package vault

import "github.com/traboule/traboule/crypto"

// CheckSecret tells whether secret opens this vault, as whoever wants to change
// the passphrase must show. The error is [ErrSecret] if it does not.
func (v *Vault) CheckSecret(secret crypto.Secret) error {
	_, _, err := unlockNewest(v.readKeyrings(), secret)
	return err
}

// Entries is how many entries the journal has had so far.
func (v *Vault) Entries() uint64 {
	seq, _ := v.log.Head()
	return seq
}

// Rest lets go of what an idle vault does not need, if nobody has needed it
// since the last call of Rest.
func (v *Vault) Rest() error { return v.index.Rest() }

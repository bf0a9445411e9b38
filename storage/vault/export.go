// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"

	"github.com/traboule/traboule/crypto"
)

// ExportOptions of [Vault.Export].
type ExportOptions struct {
	Path      string // only this file, or this folder and all below; "" for all
	Version   uint64 // a sequence number; 0 for the latest
	Overwrite bool   // replace files that exist
	Progress  func(Progress)
}

// Export writes the files of a version below the folder to, which is made when
// it is missing. It never writes outside of it.
func (v *Vault) Export(ctx context.Context, did crypto.DID, to string, opt ExportOptions) error {
	return errors.ErrUnsupported
}

// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"

	"github.com/traboule/traboule/crypto"
)

// PageSource returns the ciphertext of a page, appended to dst. Walkers check
// it against the name.
type PageSource func(name crypto.BlockName, dst []byte) ([]byte, error)

// Walk gives fn every entry of h's manifest in path order, a long file in
// parts. fn must not keep the slices.
func Walk(ctx context.Context, h Head, src PageSource, fn func(Entry) error) error {
	return errors.ErrUnsupported
}

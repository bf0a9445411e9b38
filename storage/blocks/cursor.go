// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"errors"
	"fmt"
)

// Cursor is a place in the packs up to which [Store.CheckSome] has come. The
// zero value is the beginning.
type Cursor struct {
	Pack   uint32
	Offset int64
}

// CheckSome checks a share of the packs.
func (s *Store) CheckSome(ctx context.Context, from Cursor, budget int64) (next Cursor, found []Damage, err error) {
	return from, nil, fmt.Errorf("check: %w", errors.ErrUnsupported)
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"errors"
	"fmt"
)

// CompactOptions say what [Store.Compact] does; the zero value is right.
type CompactOptions struct {
	// Percent of a pack that must be dead before it is rewritten: default 25,
	// at most 100. A pack with nothing alive in it always goes.
	Percent int
	// All rewrites also the pack appended to.
	All bool
	// Progress, when not nil, hears how many bytes of how many are done.
	Progress func(done, total int64)
}

// CompactResult says what [Store.Compact] did.
type CompactResult struct {
	Packs   int      // rewritten and removed
	Freed   int64    // bytes of pack files given back, less those newly written
	Copied  int64    // bytes of live blocks that were copied
	Skipped []Damage // what kept a pack from being removed: it is damaged
}

// Compact gives the space of deleted blocks back.
func (s *Store) Compact(ctx context.Context, opt CompactOptions) (CompactResult, error) {
	return CompactResult{}, fmt.Errorf("compact: %w", errors.ErrUnsupported)
}

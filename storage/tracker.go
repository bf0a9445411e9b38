// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"errors"

	"github.com/traboule/traboule/crypto"
)

// Tracker follows a manifest of which pages are still missing.
type Tracker struct{}

// NewTracker follows the manifest of h.
func NewTracker(h Head) *Tracker { return &Tracker{} }

// Wants lists the pages needed next, at most max.
func (t *Tracker) Wants(max int) []crypto.BlockName { return nil }

// Add takes one wanted page.
func (t *Tracker) Add(name crypto.BlockName, ciphertext []byte) error { return errors.ErrUnsupported }

// Done tells whether every page was added.
func (t *Tracker) Done() bool { return false }

// Blocks lists the data blocks, each once, in the order of their first use.
func (t *Tracker) Blocks() []crypto.BlockName { return nil }

// Pages lists the pages that were added, parents first.
func (t *Tracker) Pages() []crypto.BlockName { return nil }

// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	lineSize = 16
	// maxLines bounds how many lines back a keyring knows where it comes from.
	maxLines = 64
)

// A line is one life of a vault: versions of the keyring and places in the
// journal count on in it. Whoever puts a vault back begins another, since the
// one before may have gone on elsewhere, or have gone further than is known:
//
//	A ──1──2──3──4──5──   kits of A up to 3 may give way to those of B;
//	         └─4──5──     4 and 5 may not, though B counts as far
//
// The first line of a vault has no id.
type ancestor struct {
	Line    []byte `cbor:"line,omitempty"`
	Version uint64 `cbor:"version"` // the keyring's where the next line begins
	At      uint64 `cbor:"at"`      // and the place in the journal
}

func (a ancestor) check() error {
	if len(a.Line) != 0 && len(a.Line) != lineSize {
		return fmt.Errorf("a line of %d bytes", len(a.Line))
	}
	return nil
}

// holds tells whether all that a kit of some line holds is in this one.
func (a ancestor) holds(kit kitHeader) bool {
	return bytes.Equal(a.Line, kit.Line) && kit.Version <= a.Version && kit.At <= a.At
}

// Branch begins a new line, as whoever goes on from an older copy of the vault
// must, where the journal has come to place at.
func (k *Keyring) Branch(at uint64, rand io.Reader) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.branch(at, rand)
}

func (k *keys) branch(at uint64, rand io.Reader) error {
	line := make([]byte, lineSize)
	if _, err := io.ReadFull(rand, line); err != nil {
		return fmt.Errorf("begin a line of kits: %w", err)
	}
	before := append(slices.Clone(k.ring.Before), ancestor{k.ring.Line, k.version, at})
	k.ring.Line, k.ring.Before = line, before[max(0, len(before)-maxLines):]
	return nil
}

// supersedes tells whether a kit made now holds all that another does.
func (k *keys) supersedes(kit kitHeader) bool {
	if bytes.Equal(k.ring.Line, kit.Line) {
		return kit.Version <= k.version
	}
	return slices.ContainsFunc(k.ring.Before, func(a ancestor) bool { return a.holds(kit) })
}

func (r *ring) checkLines() error {
	if len(r.Before) > maxLines || (len(r.Line) == 0) != (len(r.Before) == 0) {
		return errors.New("lines that do not suit each other")
	}
	for _, a := range append([]ancestor{{Line: r.Line}}, r.Before...) {
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
)

// sealedHead is what binds a head that leaves in a file to its purpose.
const sealedHead = "traboule/v1/car-head"

// Content is a version as ciphertext: what may lie with anybody.
type Content struct {
	SignedHead
	Sealed []byte             // the signed head, sealed under the data set's scope
	Blocks []crypto.BlockName // each once: the description, then each page before what it names
	Size   int64              // bytes of them
}

// Content lists the blocks of a version (0 for the latest; a sequence number).
// [ErrMissing] when not all of them are here.
func (v *Vault) Content(ctx context.Context, did crypto.DID, version uint64) (Content, error) {
	c, err := v.content(ctx, did, version)
	if errors.Is(err, blocks.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return Content{}, fmt.Errorf("list the blocks of %s: %w", did.Short(), err)
	}
	return c, nil
}

func (v *Vault) content(ctx context.Context, did crypto.DID, version uint64) (c Content, err error) {
	if c.SignedHead, err = v.version(did, version); err != nil {
		return c, err
	}
	d, err := v.find(did)
	if err != nil {
		return c, err
	}
	if c.Sealed, err = v.ring.SealBody(d.scope(), []byte(sealedHead), c.Bytes); err != nil {
		return c, err
	}
	seen := names{}
	add := func(name crypto.BlockName) error {
		if seen.has(name) {
			return nil
		}
		size, ok := v.store.Size(name)
		if !ok {
			return fmt.Errorf("block %v: %w", name, blocks.ErrNotFound)
		}
		seen[name] = struct{}{}
		c.Blocks, c.Size = append(c.Blocks, name), c.Size+int64(size)
		return nil
	}
	return c, v.listed(ctx, c.Head, add)
}

// listed gives add the name of every block below a head, a page before what
// it names.
func (v *Vault) listed(ctx context.Context, h storage.Head, add func(crypto.BlockName) error) error {
	var first error
	note := func(name crypto.BlockName) {
		if err := add(name); err != nil && first == nil {
			first = err
		}
	}
	if !h.Description.IsZero() {
		note(h.Description.Name)
	}
	enter := func(name crypto.BlockName) bool {
		note(name)
		return first == nil
	}
	err := storage.WalkPages(ctx, h, v.store.Get, enter, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			note(r.Name)
		}
		return first
	})
	return errors.Join(first, err)
}

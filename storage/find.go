// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// ErrNoEntry means that a manifest has nothing of a path.
var ErrNoEntry = errors.New("nothing of that path")

// Find returns the entry of a path, a long file in one, and reads no pages but
// those on the way to it. It does not check the counts, which takes them all.
// The errors are [ErrNoEntry], and [ErrTooLarge] for a file of more than
// atMost bytes.
func Find(ctx context.Context, h Head, src PageSource, path string, atMost uint64) (Entry, error) {
	f := finder{walker: walker{ctx: ctx, head: h, src: src}, path: []byte(path), atMost: atMost}
	if err := f.page(h.Root, -1, nil); err != nil {
		return Entry{}, err
	}
	if len(f.found.Path) == 0 {
		return Entry{}, ErrNoEntry
	}
	if !f.found.Last() {
		return Entry{}, fmt.Errorf("%w: the file's last blocks are missing", ErrBadPage)
	}
	return f.found, nil
}

type finder struct {
	walker
	path   []byte
	atMost uint64
	found  Entry
}

// page looks into the children between whose keys the path can be.
func (f *finder) page(ref Ref, level int, first *key) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	p, err := f.read(ref)
	if err != nil {
		return err
	}
	if err := p.fits(level, first); err != nil {
		return err
	}
	for i, c := range p.children {
		if i+1 < len(p.children) && compareKeys(p.children[i+1].key.path, p.children[i+1].key.first, f.path, 0) <= 0 {
			continue
		}
		if bytes.Compare(c.key.path, f.path) > 0 {
			break
		}
		if err := f.page(c.ref, p.level-1, &c.key); err != nil {
			return err
		}
	}
	for _, e := range p.entries {
		if bytes.Equal(e.Path, f.path) {
			if err := f.part(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// part joins a part to those before.
func (f *finder) part(e Entry) error {
	if e.Size > f.atMost {
		return fmt.Errorf("%w: a file of %d bytes", ErrTooLarge, e.Size)
	}
	if err := follows(f.prev, e, f.started); err != nil {
		return fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	blocks := append(f.found.Blocks, e.Blocks...)
	f.prev, f.started, f.found = e, true, e
	f.found.First, f.found.Blocks = 0, blocks
	return nil
}

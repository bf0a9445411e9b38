// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"fmt"

	"github.com/traboule/traboule/crypto"
)

// PageSource returns the ciphertext of a page, appended to dst. Walkers check
// it against the name.
type PageSource func(name crypto.BlockName, dst []byte) ([]byte, error)

// Walk gives fn every entry of h's manifest in path order, a long file in
// parts. It holds one page per level. Whatever the pages say, the work is
// bounded by their number and every page is read once: order, depth, sizes and
// the head's counts are checked on the way, so that an error can come after
// entries were given out. fn may keep the slices.
func Walk(ctx context.Context, h Head, src PageSource, fn func(Entry) error) error {
	return WalkPages(ctx, h, src, nil, fn)
}

// WalkPages is [Walk] with a look at the pages: enter is asked for each before
// it is read, and one that it declines is left out with all below (then the
// counts are not checked).
func WalkPages(ctx context.Context, h Head, src PageSource, enter func(crypto.BlockName) bool, fn func(Entry) error) error {
	w := walker{ctx: ctx, head: h, src: src, enter: enter, fn: fn}
	if err := w.page(h.Root, -1, nil); err != nil {
		return err
	}
	if w.declined {
		return nil
	}
	if w.started && !w.prev.Last() {
		return fmt.Errorf("%w: the last file's blocks are missing", ErrBadPage)
	}
	if w.counts != h.Counts {
		return fmt.Errorf("%w: found %+v, not %+v", ErrCounts, w.counts, h.Counts)
	}
	return nil
}

type walker struct {
	ctx      context.Context
	head     Head
	src      PageSource
	enter    func(crypto.BlockName) bool
	fn       func(Entry) error
	counts   Counts
	prev     Entry
	started  bool
	declined bool
	buf      []byte
}

// page walks the tree below ref. level is what the parent says, -1 for the
// root; first is the key that the parent gives.
func (w *walker) page(ref Ref, level int, first *key) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.enter != nil && !w.enter(ref.Name) {
		w.declined = true
		return nil
	}
	p, err := w.read(ref)
	if err != nil {
		return err
	}
	if err := p.fits(level, first); err != nil {
		return err
	}
	for _, c := range p.children {
		if w.started && w.prev.key().compare(c.key) >= 0 {
			return fmt.Errorf("%w: pages out of order", ErrBadPage)
		}
		if err := w.page(c.ref, p.level-1, &c.key); err != nil {
			return err
		}
	}
	for _, e := range p.entries {
		if err := w.entry(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) read(ref Ref) (*page, error) {
	var err error
	if w.buf, err = w.src(ref.Name, w.buf[:0]); err != nil {
		return nil, fmt.Errorf("read manifest page %s: %w", ref.Name, err)
	}
	p, err := openPage(w.head.Dataset, ref, w.buf)
	if err != nil {
		return nil, fmt.Errorf("read manifest page %s: %w", ref.Name, err)
	}
	return p, nil
}

// fits checks a page against what its parent says of it; level -1 is the root.
func (p *page) fits(level int, first *key) error {
	if level < 0 {
		return nil
	}
	if p.level != level {
		return fmt.Errorf("%w: level %d where %d belongs", ErrBadPage, p.level, level)
	}
	if p.level == 0 && len(p.entries) == 0 {
		return fmt.Errorf("%w: empty", ErrBadPage)
	}
	if p.firstKey().compare(*first) != 0 {
		return fmt.Errorf("%w: it does not start where its parent says", ErrBadPage)
	}
	return nil
}

func (w *walker) entry(e Entry) error {
	if w.declined { // parts may be missing, so they cannot be checked
		return w.fn(e)
	}
	if err := follows(w.prev, e, w.started); err != nil {
		return fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	if !w.counts.add(e) || !w.counts.within(w.head.Counts) {
		return fmt.Errorf("%w: more than %+v", ErrCounts, w.head.Counts)
	}
	w.prev, w.started = e, true
	return w.fn(e)
}

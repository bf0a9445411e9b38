// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"

	"github.com/traboule/traboule/crypto"
)

// Tracker tells a receiver which pages of a manifest it needs next, level by
// level from the root, and in the end which data blocks. It checks every page
// as [Walk] does, but for the joints of long files over pages, which are
// Walk's. It is for one goroutine.
type Tracker struct {
	head    Head
	level   []wanted // the pages of one level, in order
	place   map[crypto.BlockName]int
	missing int
	scan    int // all before it are there
	depth   int // what the level's pages must say; -1 for the root
	counts  Counts
	pages   []crypto.BlockName
	blocks  []Ref
}

type wanted struct {
	ref   Ref
	first *key // what the parent says; nil for the root
	until *key // where the next page starts; nil for none
	page  *page
}

// NewTracker follows the manifest of h.
func NewTracker(h Head) *Tracker {
	t := &Tracker{head: h, depth: -1}
	t.descend([]wanted{{ref: h.Root}})
	return t
}

// Wants lists the pages needed next, at most max of them, in order. It is
// empty when the tracker is done.
func (t *Tracker) Wants(max int) []crypto.BlockName {
	for t.scan < len(t.level) && t.level[t.scan].page != nil {
		t.scan++
	}
	var names []crypto.BlockName
	for _, w := range t.level[t.scan:] {
		if len(names) == max {
			break
		}
		if w.page == nil {
			names = append(names, w.ref.Name)
		}
	}
	return names
}

// Add takes one page of this level. A page that was not wanted, or was added
// before, is refused.
func (t *Tracker) Add(name crypto.BlockName, ciphertext []byte) error {
	i, ok := t.place[name]
	if !ok || t.level[i].page != nil {
		return fmt.Errorf("%w: %s was not wanted", ErrBadPage, name)
	}
	w := &t.level[i]
	p, err := openPage(t.head.Dataset, w.ref, ciphertext)
	if err != nil {
		return fmt.Errorf("take manifest page %s: %w", name, err)
	}
	if err := p.fits(t.depth, w.first); err != nil {
		return fmt.Errorf("take manifest page %s: %w", name, err)
	}
	if last, ok := p.lastKey(); ok && w.until != nil && last.compare(*w.until) >= 0 {
		return fmt.Errorf("take manifest page %s: %w: it runs into the next", name, ErrBadPage)
	}
	for _, e := range p.entries {
		if !t.counts.add(e) || !t.counts.within(t.head.Counts) {
			return fmt.Errorf("take manifest page %s: %w: more than %+v", name, ErrCounts, t.head.Counts)
		}
	}
	w.page = p
	t.missing--
	if t.missing > 0 {
		return nil
	}
	return t.next()
}

func (p *page) lastKey() (key, bool) {
	switch {
	case len(p.children) > 0:
		return p.children[len(p.children)-1].key, true
	case len(p.entries) > 0:
		return p.entries[len(p.entries)-1].key(), true
	}
	return key{}, false
}

// next goes down one level, or ends.
func (t *Tracker) next() error {
	if t.level[0].page.level == 0 {
		return t.finish()
	}
	depth := t.level[0].page.level - 1
	var below []wanted
	for _, w := range t.level {
		t.pages = append(t.pages, w.ref.Name)
		for i, c := range w.page.children {
			until := w.until
			if i+1 < len(w.page.children) {
				until = &w.page.children[i+1].key
			}
			below = append(below, wanted{ref: c.ref, first: &c.key, until: until})
		}
	}
	c := t.head.Counts
	if n := uint64(len(below)); n > 1 && n > c.Files+c.Folders+c.Blocks {
		return fmt.Errorf("%w: more pages than entries", ErrCounts)
	}
	t.depth = depth
	return t.descend(below)
}

func (t *Tracker) descend(level []wanted) error {
	t.level, t.scan, t.missing = level, 0, len(level)
	t.place = make(map[crypto.BlockName]int, len(level))
	for i, w := range level {
		if _, twice := t.place[w.ref.Name]; twice {
			return fmt.Errorf("%w: a page stands twice in the tree", ErrBadPage)
		}
		t.place[w.ref.Name] = i
	}
	return nil
}

func (t *Tracker) finish() error {
	if t.counts != t.head.Counts {
		return fmt.Errorf("%w: found %+v, not %+v", ErrCounts, t.counts, t.head.Counts)
	}
	seen := make(map[crypto.BlockName]struct{})
	for _, w := range t.level {
		t.pages = append(t.pages, w.ref.Name)
		for _, e := range w.page.entries {
			for _, r := range e.Blocks {
				if _, have := seen[r.Name]; !have {
					seen[r.Name] = struct{}{}
					t.blocks = append(t.blocks, r)
				}
			}
		}
	}
	t.level, t.place = nil, nil
	return nil
}

// Done tells whether every page was added.
func (t *Tracker) Done() bool { return t.level == nil }

// Blocks lists the data blocks, each once, in the order of their first use;
// nothing before the tracker is done.
func (t *Tracker) Blocks() []crypto.BlockName {
	names := make([]crypto.BlockName, len(t.blocks))
	for i, r := range t.blocks {
		names[i] = r.Name
	}
	return names
}

// Refs is Blocks with the keys that the manifest gives.
func (t *Tracker) Refs() []Ref { return t.blocks }

// Pages lists the manifest's pages, parents first; complete when the tracker
// is done.
func (t *Tracker) Pages() []crypto.BlockName { return t.pages }

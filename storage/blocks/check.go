// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/traboule/traboule/storage/disk"
)

// Check reads all packs, hashes every block and returns what is damaged, also
// in what nobody needs any more. Blocks that turn out damaged are taken out of
// service, also for the next Open, so that they can be put again. progress,
// which may be nil, hears how many bytes of how many are done. The store stays
// usable meanwhile; what is put after the beginning is not checked. The error
// is that of ctx.
func (s *Store) Check(ctx context.Context, progress func(done, total int64)) ([]Damage, error) {
	packs := s.sizes()
	c := &check{Store: s}
	var total int64
	for _, size := range packs {
		total += size
	}
	var done int64
	for _, number := range slices.Sorted(maps.Keys(packs)) {
		size := packs[number]
		for at := (Cursor{number, 0}); at.Pack == number && at.Offset < size; {
			if err := ctx.Err(); err != nil {
				return c.found, fmt.Errorf("check blocks: %w", err)
			}
			before := at.Offset
			at = c.share(ctx, at, size, size)
			done += min(at.Offset, size) - before
			if progress != nil {
				progress(done, total)
			}
		}
	}
	s.rememberDoubts()
	return c.found, nil
}

// CheckSome is [Store.Check] a share at a time: it checks about budget bytes
// (at least one entry, at most one entry more) from a cursor on and returns
// where to go on. Begin with the zero Cursor; when the zero Cursor comes back
// a round is over. What stood in the packs when a round began and was not
// deleted has been read when it is over, whatever was compacted meanwhile. The
// error is that of ctx; next and found are right then too.
func (s *Store) CheckSome(ctx context.Context, from Cursor, budget int64) (next Cursor, found []Damage, err error) {
	c := &check{Store: s}
	for next = s.standing(from); next != (Cursor{}) && budget > 0; next = s.standing(next) {
		if err = ctx.Err(); err != nil {
			err = fmt.Errorf("check blocks: %w", err)
			break
		}
		before := next
		next = c.share(ctx, next, s.sizes()[next.Pack], budget)
		budget -= max(next.Offset-before.Offset, entryHeader)
	}
	if len(c.found) > 0 {
		s.rememberDoubts()
	}
	return next, c.found, err
}

func (s *Store) sizes() map[uint32]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.packs)
}

// standing is the first place at or after a cursor where there is something to
// check, or the zero Cursor.
func (s *Store) standing(from Cursor) Cursor {
	packs := s.sizes()
	for _, number := range slices.Sorted(maps.Keys(packs)) {
		switch {
		case number == from.Pack && from.Offset < packs[number]:
			return from
		case number > from.Pack:
			return Cursor{Pack: number}
		}
	}
	return Cursor{}
}

func (s *Store) rememberDoubts() {
	s.appending.Lock()
	defer s.appending.Unlock()
	s.saveDoubts()
}

// check is one call of Check or CheckSome.
type check struct {
	*Store
	found []Damage
}

// share checks about budget bytes of one pack, compares them with the blocks
// that should be there, and returns where the next share begins. size is how
// far the pack had come when it was asked. The headers are read from the
// beginning: after a power cut a cursor may point into the middle of an entry.
func (c *check) share(ctx context.Context, from Cursor, size, budget int64) (next Cursor) {
	var found []Damage
	sound := map[place]bool{}
	end := size
	err := c.handles.with(from.Pack, func(f disk.File) (err error) {
		sc := &scanner{r: f, number: from.Pack, size: size, verify: true, since: from.Offset}
		sc.pause = func(off int64) bool {
			return off > from.Offset && (off-from.Offset >= budget || ctx.Err() != nil)
		}
		sc.damage = func(d Damage) {
			if d.Offset >= from.Offset { // the rest was told of by the share before
				found = append(found, d)
			}
		}
		sc.good = func(e entry) { sound[place{from.Pack, uint32(e.off), uint32(e.size)}] = true }
		if end, err = sc.scan(0); err != nil || sc.paused || end == size {
			return err
		}
		found = append(found, Damage{Pack: from.Pack, Offset: end, Why: fmt.Sprintf("no entry in %d bytes", size-end)})
		end = size
		return nil
	})
	if _, there := c.sizes()[from.Pack]; !there { // compacted away meanwhile
		return Cursor{Pack: from.Pack + 1}
	}
	if err != nil {
		found, end = append(found, Damage{Pack: from.Pack, Offset: from.Offset, Why: err.Error()}), size
	}
	c.found = append(c.found, found...)
	c.compare(from, end, sound)
	return Cursor{from.Pack, end}
}

// compare reads the blocks that should stand in a share and were not found there.
func (c *check) compare(from Cursor, end int64, sound map[place]bool) {
	c.mu.Lock()
	var doubtful []move
	for name, p := range c.at {
		if p.pack == from.Pack && int64(p.off) >= from.Offset && int64(p.off) < end && !sound[p] {
			doubtful = append(doubtful, move{name: name, from: p})
		}
	}
	c.mu.Unlock()
	for _, m := range doubtful {
		if _, err := c.Get(m.name, nil); err == nil {
			continue // its header is damaged, it is not: as good as reported
		}
		known := func(d Damage) bool { return d.Pack == m.from.pack && d.Offset == int64(m.from.off) }
		if !slices.ContainsFunc(c.found, known) {
			c.found = append(c.found, Damage{Pack: m.from.pack, Offset: int64(m.from.off), Name: m.name, Why: "the block cannot be read"})
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// rewrite takes one pack away: copy, sync, retire, sync, remove. When it stops
// half-way, what was copied is served from the new place.
func (c *compaction) rewrite(ctx context.Context, u usage) error {
	list, damage := c.walk(u)
	if damage != nil && !c.opt.Damaged {
		c.res.Skipped = append(c.res.Skipped, damage...)
		return c.copyMarks(u.pack) // the rot may be in one of them; they still stand here, too
	}
	err := c.copyAll(ctx, u.pack, list)
	if e := c.settle(); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	left := c.leave(u.pack)
	if left != nil && !c.opt.Damaged {
		c.res.Skipped = append(c.res.Skipped, left...)
		return nil
	}
	c.res.Lost = append(append(c.res.Lost, damage...), left...)
	return c.retire(u)
}

// walk lists the entries of a pack, without the data.
func (c *compaction) walk(u usage) (list []entry, damage []Damage) {
	note := func(off int64, why string) { damage = append(damage, Damage{Pack: u.pack, Offset: off, Why: why}) }
	err := c.handles.with(u.pack, func(f disk.File) error {
		sc := &scanner{r: f, number: u.pack, size: u.size}
		sc.good = func(e entry) { list = append(list, e) }
		sc.damage = func(d Damage) { damage = append(damage, d) }
		end, err := sc.scan(0)
		if err == nil && end < u.size {
			note(end, fmt.Sprintf("no entry in %d bytes", u.size-end))
		}
		return err
	})
	if err != nil {
		note(0, err.Error())
	}
	return list, damage
}

// copyAll writes again what of a pack still counts.
func (c *compaction) copyAll(ctx context.Context, pack uint32, list []entry) error {
	var older []crypto.BlockName
	for _, e := range list {
		if err := errors.Join(ctx.Err(), c.usable()); err != nil {
			return err
		}
		if e.kind == kindBlock && c.prove(pack, e.name) {
			older = append(older, e.name)
		}
	}
	for _, name := range append(c.living(pack), older...) {
		if err := errors.Join(ctx.Err(), c.usable()); err != nil {
			return err
		}
		if err := c.copyBlock(pack, name); err != nil {
			return err
		}
	}
	return c.copyMarks(pack)
}

// prove reads a block of which this pack has a copy that is not served. What
// is served may be a copy that a power cut has torn: then Get turns to this
// one, and it lives here. Or the copy here was torn, and an older one is
// served: that has to be written again, since there may be a deletion between
// them.
func (c *compaction) prove(pack uint32, name crypto.BlockName) (older bool) {
	if p, err := c.find(name); err != nil || p.pack == pack {
		return false
	}
	c.buf, _ = c.Get(name, c.buf[:0])
	p, err := c.find(name)
	return err == nil && p.pack < pack
}

// living lists the blocks that are served from a pack, as they stand in it.
func (c *compaction) living(pack uint32) []crypto.BlockName {
	c.mu.Lock()
	var here []move
	for name, p := range c.at {
		if p.pack == pack {
			here = append(here, move{name: name, from: p})
		}
	}
	c.mu.Unlock()
	slices.SortFunc(here, func(a, b move) int { return cmp.Compare(a.from.off, b.from.off) })
	names := make([]crypto.BlockName, len(here))
	for i, m := range here {
		names[i] = m.name
	}
	return names
}

// copyBlock writes a block again. One that cannot be read stays where it is.
func (c *compaction) copyBlock(pack uint32, name crypto.BlockName) error {
	b, err := c.Get(name, c.buf[:0])
	if err != nil {
		return nil
	}
	c.buf = b
	c.appending.Lock()
	defer c.appending.Unlock()
	from, err := c.find(name)
	if err != nil || from.pack > pack { // deleted meanwhile, or a later copy was found to be sound
		return nil
	}
	err = c.write(kindBlock, name, b, func(into uint32, e entry) {
		c.bury(name, into)
		c.copied = append(c.copied, move{name, from, place{into, uint32(e.off), uint32(e.size)}})
	})
	if from.pack == pack {
		c.progress(from.end())
	}
	return err
}

// copyMarks repeats the deletions and retirements that are still needed.
func (c *compaction) copyMarks(pack uint32) error {
	c.appending.Lock()
	defer c.appending.Unlock()
	c.mu.Lock()
	var deleted []crypto.BlockName
	for name := range c.graves {
		if c.matters(name, pack) {
			deleted = append(deleted, name)
		}
	}
	retired := slices.DeleteFunc(slices.Clone(c.retired), func(n span) bool { return n.by != pack })
	c.mu.Unlock()
	for _, name := range deleted {
		if err := c.write(kindDeletion, name, nil, c.learn); err != nil {
			return err
		}
	}
	for _, n := range retired {
		if err := c.write(kindRetirement, n.name(), nil, c.learn); err != nil {
			return err
		}
	}
	return nil
}

// write appends an entry. The caller holds appending.
func (c *compaction) write(kind uint32, name crypto.BlockName, data []byte, learn func(uint32, entry)) error {
	before := c.last
	if err := c.appendAs(kind, name, data, learn); err != nil {
		return err
	}
	if c.last != before {
		c.wrote += packHeader
	}
	c.wrote += entryHeader + int64(len(data))
	if kind == kindBlock {
		c.res.Copied += entryHeader + int64(len(data))
	}
	return nil
}

// move is a block that has been copied. Until the copy is known to be durable
// the block is served from where it was, whatever becomes of the copy.
type move struct {
	name     crypto.BlockName
	from, to place
}

// settle makes the copies durable and has them served.
func (c *compaction) settle() error {
	if err := c.Sync(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settleMoves()
	return nil
}

// settleMoves has copies served from their new place. All are durable. The
// saved locations need that too: nobody scans again what they cover.
func (s *Store) settleMoves() {
	for _, m := range s.copied {
		if s.at[m.name] == m.from {
			s.at[m.name] = m.to
			s.exhume(m.name, m.to.pack)
			s.bury(m.name, m.from.pack)
		}
	}
	s.copied = s.copied[:0]
}

// leave says what still keeps a pack. When nothing does, nothing will.
func (c *compaction) leave(pack uint32) (left []Damage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.bad {
		if d.Pack == pack {
			left = append(left, d)
		}
	}
	for name, p := range c.at {
		if p.pack == pack {
			left = append(left, Damage{Pack: pack, Offset: int64(p.off), Name: name, Why: "the block cannot be read"})
		}
	}
	if left == nil || c.opt.Damaged {
		c.leaving = pack
	}
	return left
}

// retire removes a pack that nothing needs.
func (c *compaction) retire(u usage) error {
	if err := c.sayRetired(u.pack); err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.packs, u.pack)
	delete(c.hashed, u.pack)
	c.forget(u.pack)
	c.mu.Unlock()
	err := c.fs.Remove(packName(c.dir, u.pack))
	c.handles.drop(u.pack)
	if err != nil {
		return err // the next Open removes it
	}
	c.removed += u.size
	c.res.Packs++
	return nil
}

// sayRetired makes it durable that the pack is not missed.
func (c *compaction) sayRetired(pack uint32) error {
	c.appending.Lock()
	c.mu.Lock()
	n := c.retired.around(pack)
	c.mu.Unlock()
	err := c.write(kindRetirement, n.name(), nil, c.learn)
	c.appending.Unlock()
	if err != nil {
		return err
	}
	return c.Sync()
}

// forget gives up what is lost with a damaged pack.
func (c *compaction) forget(pack uint32) {
	if !c.opt.Damaged {
		return
	}
	for name, d := range c.bad {
		if d.Pack == pack {
			delete(c.bad, name)
		}
	}
	for name, p := range c.at {
		if p.pack == pack {
			delete(c.at, name)
		}
	}
}

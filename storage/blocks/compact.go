// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
)

// CompactOptions say what [Store.Compact] does; the zero value is right for
// housekeeping.
type CompactOptions struct {
	// Percent of a pack that must be dead for it to be rewritten: default 25,
	// from 1 to 100. A pack with nothing alive goes whatever this says.
	Percent int
	// All rewrites every pack that holds a dead block, the one appended to
	// too: afterwards no ciphertext of a deleted block is left, but in damaged
	// packs. For erasing.
	All bool
	// Damaged takes damaged packs away too, when all that can be read in them
	// has been copied. What is known to be lost with them is listed, and
	// forgotten. For repairs, when nobody hopes for these packs any more.
	Damaged bool
	// Progress, when not nil, hears how many bytes of packs, of how many, are
	// done.
	Progress func(done, total int64)
}

// CompactResult says what [Store.Compact] did.
type CompactResult struct {
	Packs   int      // taken away
	Freed   int64    // bytes by which the packs together are smaller now; less than 0 when it stopped at the first
	Copied  int64    // bytes of live blocks that were written again, headers too
	Skipped []Damage // what kept packs from being taken away: they are damaged
	Lost    []Damage // what went with damaged packs, with the option Damaged
}

// Compact gives the space of deleted blocks back. Each pack in which enough is
// dead goes: what is alive in it is hashed and written again at the end of the
// last pack, made durable, and only when an entry saying that the old pack is
// retired is durable too is its file removed. A block is thus on the disk
// twice before it is there once, and after any crash all that was there is,
// and nothing that was deleted; the room is free, durably, when Compact
// returns.
//
// A damaged pack stays, since somebody may still rescue what is in it; the
// result says so. Put again what is damaged, and it can go; a place where no
// entry can be read keeps its pack until [CompactOptions].Damaged is set.
//
// Others may use the store meanwhile; a second Compact waits for the first.
// When ctx ends it returns within a block and a Sync, and nothing that it did
// was in vain. It needs room for what is alive in one pack and may take it
// from the reserve, but for a sixteenth; when there is not even that the error
// is one that disk.IsFull recognises, and packs that ask for less are done.
func (s *Store) Compact(ctx context.Context, opt CompactOptions) (CompactResult, error) {
	s.compacting.Lock()
	defer s.compacting.Unlock()
	c := &compaction{Store: s, opt: opt}
	err := c.run(ctx)
	s.tidy()
	if c.res.Packs > 0 {
		if e := s.fs.SyncDir(s.dir); err == nil {
			err = e
		}
	}
	c.res.Freed = c.removed - c.wrote
	if err != nil {
		return c.res, fmt.Errorf("compact blocks in %s: %w", s.dir, err)
	}
	return c.res, nil
}

// compaction is one call of Compact.
type compaction struct {
	*Store
	opt CompactOptions
	res CompactResult

	done, total    int64
	removed, wrote int64
	buf            []byte
}

func (c *compaction) run(ctx context.Context) error {
	todo, err := c.plan()
	if err = errors.Join(c.usable(), err); err != nil {
		return err
	}
	for _, u := range todo {
		c.total += u.size
	}
	for len(todo) > 0 {
		i, err := c.fitting(todo)
		if err != nil {
			return err
		}
		if err := c.rewrite(ctx, todo[i]); err != nil {
			return err
		}
		c.done += todo[i].size
		c.progress(0)
		todo = slices.Delete(todo, i, i+1)
	}
	return nil
}

func (c *compaction) progress(in int64) {
	if c.opt.Progress != nil {
		c.opt.Progress(c.done+in, c.total)
	}
}

// plan chooses packs, the oldest first: what was deleted in it lets go of the
// deletion in a later one. The pack appended to is closed if it is among them.
func (c *compaction) plan() ([]usage, error) {
	c.appending.Lock()
	defer c.appending.Unlock()
	c.mu.Lock()
	packs := c.usage()
	c.mu.Unlock()
	var todo []usage
	for _, number := range slices.Sorted(maps.Keys(packs)) {
		u := packs[number]
		if !c.wanted(u) {
			continue
		}
		if u.damage != nil && !c.opt.Damaged {
			c.res.Skipped = append(c.res.Skipped, *u.damage)
			continue
		}
		todo = append(todo, *u)
	}
	if n := len(todo); n > 0 && c.file != nil && todo[n-1].pack == c.last {
		return todo, c.closePack()
	}
	return todo, nil
}

func (c *compaction) wanted(u *usage) bool {
	switch {
	case c.file != nil && u.pack == c.last && !c.opt.All:
		return false
	case c.opt.All && u.dying, c.opt.Damaged && u.damage != nil:
		return true
	case u.alive == 0:
		return u.pack != c.last || c.file == nil
	}
	percent := max(cmp.Or(c.opt.Percent, 25), 1)
	return u.dead()*100 >= int64(percent)*(u.size-packHeader)
}

// fitting is the first pack for which there is room.
func (c *compaction) fitting(todo []usage) (int, error) {
	free, err := c.fs.FreeBytes(c.dir)
	if err != nil {
		return 0, err
	}
	need := func(u usage) uint64 {
		return uint64(u.alive + packHeader + 2*entryHeader + c.Store.opt.Reserve/16)
	}
	if i := slices.IndexFunc(todo, func(u usage) bool { return need(u) <= free }); i >= 0 {
		return i, nil
	}
	least := slices.MinFunc(todo, func(a, b usage) int { return cmp.Compare(a.alive, b.alive) })
	return 0, fmt.Errorf("pack %08d takes %d bytes to rewrite, %d are free: %w", least.pack, need(least), free, syscall.ENOSPC)
}

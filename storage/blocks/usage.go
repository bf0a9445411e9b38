// SPDX-License-Identifier: Apache-2.0

package blocks

// usage is what of a pack is still needed.
type usage struct {
	pack   uint32
	size   int64
	alive  int64   // bytes of entries that have to stand somewhere
	dying  bool    // it holds bytes of a block that are not served
	damage *Damage // a block in it that cannot be had back
}

// dead is how many bytes compaction would take back.
func (u usage) dead() int64 { return max(0, u.size-packHeader-u.alive) }

// usage goes through all packs.
func (s *Store) usage() map[uint32]*usage {
	packs := make(map[uint32]*usage, len(s.packs))
	for number, size := range s.packs {
		packs[number] = &usage{pack: number, size: size}
	}
	for _, p := range s.at {
		packs[p.pack].alive += entryHeader + int64(p.size)
	}
	for _, n := range s.retired {
		if u := packs[n.by]; u != nil {
			u.alive += entryHeader
		}
	}
	for name, g := range s.graves {
		if u := packs[g.by]; u != nil && s.matters(name, g.by) {
			u.alive += entryHeader
		}
		for _, pack := range g.in {
			if u := packs[pack]; u != nil {
				u.dying = true
			}
		}
	}
	for _, d := range s.bad {
		if u := packs[d.Pack]; u != nil {
			u.damage = &d
		}
	}
	return packs
}

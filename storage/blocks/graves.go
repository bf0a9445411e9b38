// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"slices"

	"github.com/traboule/traboule/crypto"
)

// grave remembers the bytes of a name that stand in the packs without being
// served: of a deleted block, or further copies of one that is there. While
// any stand, the entry that deletes the name has to stand too, or a scan would
// bring the block back.
type grave struct {
	by uint32   // the pack with the deletion; 0 when a block came after it
	in []uint32 // packs with such bytes
}

// bury notes that a pack holds bytes of a name that are not served.
func (s *Store) bury(name crypto.BlockName, pack uint32) {
	g := s.graves[name]
	if !slices.Contains(g.in, pack) {
		g.in = append(g.in, pack)
		s.graves[name] = g
	}
}

// exhume notes that the bytes in a pack are those that are served.
func (s *Store) exhume(name crypto.BlockName, pack uint32) {
	g, ok := s.graves[name]
	if !ok {
		return
	}
	g.in = slices.DeleteFunc(g.in, func(p uint32) bool { return p == pack })
	s.graves[name] = g
	if len(g.in) == 0 && g.by == 0 {
		delete(s.graves, name)
	}
}

// matters tells whether the deletion in pack by has to be kept when that pack
// goes: bytes that it speaks of stand elsewhere.
func (s *Store) matters(name crypto.BlockName, by uint32) bool {
	g := s.graves[name]
	return g.by == by && slices.ContainsFunc(g.in, func(p uint32) bool { return p != by && !s.retired.has(p) })
}

// tidy forgets the graves whose bytes are gone with their packs.
func (s *Store) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = 0
	s.tidyGraves()
}

func (s *Store) tidyGraves() {
	for name, g := range s.graves {
		g.in = slices.DeleteFunc(g.in, s.retired.has)
		if len(g.in) == 0 {
			delete(s.graves, name)
		} else {
			s.graves[name] = g
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// Check reads all packs, hashes every block and returns what is damaged, also
// in what nobody needs any more. Blocks that turn out damaged are taken out of
// service, also for the next Open, so that they can be put again. progress, which may be nil, hears
// how many bytes of how many are done. The store stays usable meanwhile; what
// is put after the beginning is not checked. The error is that of ctx.
func (s *Store) Check(ctx context.Context, progress func(done, total int64)) ([]Damage, error) {
	s.mu.Lock()
	packs := maps.Clone(s.packs)
	inPack := map[uint32][]crypto.BlockName{}
	for name, p := range s.at {
		inPack[p.pack] = append(inPack[p.pack], name)
	}
	s.mu.Unlock()
	var total, done int64
	for _, size := range packs {
		total += size
	}
	var found []Damage
	for _, number := range slices.Sorted(maps.Keys(packs)) {
		if err := ctx.Err(); err != nil {
			return found, fmt.Errorf("check blocks: %w", err)
		}
		found = append(found, s.checkPack(number, packs[number], inPack[number])...)
		done += packs[number]
		if progress != nil {
			progress(done, total)
		}
	}
	s.appending.Lock()
	defer s.appending.Unlock()
	s.saveDoubts()
	return found, nil
}

// checkPack scans one pack and compares it with the blocks that should be in it.
func (s *Store) checkPack(number uint32, size int64, names []crypto.BlockName) (found []Damage) {
	report := func(d Damage) { found = append(found, d) }
	sound := map[place]bool{}
	err := s.handles.with(number, func(f disk.File) error {
		sc := &scanner{r: f, number: number, size: size, verify: true, damage: report}
		sc.good = func(e entry) { sound[place{number, uint32(e.off), uint32(e.size)}] = true }
		end, err := sc.scan(packHeader)
		if err == nil && end < size {
			report(Damage{Pack: number, Offset: end, Why: fmt.Sprintf("no entry in %d bytes", size-end)})
		}
		return err
	})
	if err != nil {
		report(Damage{Pack: number, Why: err.Error()})
	}
	for _, name := range names {
		s.mu.Lock()
		p, ok := s.at[name]
		s.mu.Unlock()
		if !ok || p.pack != number || sound[p] {
			continue
		}
		if _, err := s.Get(name, nil); err == nil {
			continue // its header is damaged, it is not: as good as reported
		}
		if !slices.ContainsFunc(found, func(d Damage) bool { return d.Offset == int64(p.off) }) {
			report(Damage{Pack: number, Offset: int64(p.off), Name: name, Why: "the block cannot be read"})
		}
	}
	return found
}

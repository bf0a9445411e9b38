// SPDX-License-Identifier: Apache-2.0

package blocks

import "github.com/traboule/traboule/crypto"

// hashed remembers of large blocks that they were hashed where they lie, on
// their way in or out, by this process: a bit for each 64 KiB of a pack in
// which the entry of a block of that size begins (no two can). The zero value
// remembers nothing.
type hashed map[uint32][]uint64

const hashedGrain = 64 << 10

func (h hashed) bit(p place) (word int, mask uint64) {
	slot := p.off / hashedGrain
	return int(slot / 64), 1 << (slot % 64)
}

func (h hashed) has(p place) bool {
	word, mask := h.bit(p)
	bits := h[p.pack]
	return p.size >= hashedGrain && word < len(bits) && bits[word]&mask != 0
}

func (h hashed) add(p place) {
	if p.size < hashedGrain {
		return
	}
	word, mask := h.bit(p)
	for len(h[p.pack]) <= word {
		h[p.pack] = append(h[p.pack], 0)
	}
	h[p.pack][word] |= mask
}

// GetToSend is [Store.Get] for bytes that are hashed again where they arrive.
// A large block that this process has hashed since it was opened, in the place
// where it lies, is not hashed once more: what has rotted since is found by
// who gets it. Then [Store.HashAgain] is due.
func (s *Store) GetToSend(name crypto.BlockName, dst []byte) ([]byte, error) {
	return s.get(name, dst, s.wasHashed)
}

// HashAgain forgets what was hashed: somebody may have got wrong bytes.
func (s *Store) HashAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.hashed)
}

func (s *Store) wasHashed(p place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hashed.has(p)
}

func (s *Store) noteHashed(p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashed.add(p)
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/traboule/traboule/crypto"
)

// span is a run of packs that compaction has taken away for good, and the pack
// with the entry that says so. Numbers are never given again.
type span struct{ from, to, by uint32 }

// spans do not overlap and are in order.
type spans []span

// has tells whether a pack is retired.
func (r spans) has(pack uint32) bool {
	_, ok := slices.BinarySearchFunc(r, pack, func(s span, pack uint32) int {
		switch {
		case s.to < pack:
			return -1
		case s.from > pack:
			return 1
		}
		return 0
	})
	return ok
}

// add takes over what an entry says, and forgets what it says again.
func (r spans) add(n span) spans {
	r = slices.DeleteFunc(r, func(o span) bool {
		overlap := o.from <= n.to && n.from <= o.to
		if overlap {
			n.from, n.to = min(n.from, o.from), max(n.to, o.to)
		}
		return overlap
	})
	at, _ := slices.BinarySearchFunc(r, n, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	return slices.Insert(r, at, n)
}

// around is the longest run that is retired when pack is: one entry for it
// says again what those for its neighbours say.
func (r spans) around(pack uint32) span {
	n := span{from: pack, to: pack}
	for _, o := range r {
		if o.to == pack-1 {
			n.from = o.from
		}
		if o.from == pack+1 {
			n.to = o.to
		}
	}
	return n
}

// name is what an entry that retires packs has in place of a block's name.
func (n span) name() (name crypto.BlockName) {
	binary.BigEndian.PutUint32(name[:], n.from)
	binary.BigEndian.PutUint32(name[4:], n.to)
	return name
}

// spanOf reads a name that span.name has made.
func spanOf(name crypto.BlockName, by uint32) (span, bool) {
	n := span{binary.BigEndian.Uint32(name[:]), binary.BigEndian.Uint32(name[4:]), by}
	return n, 0 < n.from && n.from <= n.to && n.name() == name
}

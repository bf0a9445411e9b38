// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// page is what a system writes out as one; a longer write may be torn between.
const page = 4096

// The two folders that a path can begin at.
const (
	absoluteRoot = 1
	relativeRoot = 2
)

// state is a disk at one moment: what processes see, what is durable, and what
// is on its way from the one to the other.
type state struct {
	nodes map[int]*inode // by number; also those without a name
	names []nameChange   // not durable yet, in order
	next  int            // number of the next inode
}

type inode struct {
	id      int
	folder  bool
	entries map[string]*inode // of a folder, as processes see it
	sure    map[string]*inode // of a folder, as a power cut leaves it for certain
	data    content           // of a file, as processes see it
	durable content
	pending []write // not durable yet, in order
}

// nameChange sets or (node nil) removes one name; a rename is two with one id.
type nameChange struct {
	id   int
	up   *inode
	name string
	node *inode
}

// write is data at off, or (data nil) a cut or zeros up to off.
type write struct {
	off  int64
	data []byte
}

// content is bytes that two inodes may share until one of them changes.
type content struct {
	b      []byte
	shared bool
}

func (c *content) share() content {
	c.shared = true
	return *c
}

func (c *content) apply(w write) {
	if w.data == nil && w.off <= int64(len(c.b)) {
		c.b = c.b[:w.off:w.off]
		return
	}
	end := w.off + int64(len(w.data))
	if grow := end - int64(len(c.b)); grow > 0 {
		if c.shared {
			c.b, c.shared = slices.Clip(c.b), false
		}
		was := len(c.b)
		c.b = slices.Grow(c.b, int(grow))[:end]
		clear(c.b[was:])
	} else if c.shared && len(w.data) > 0 {
		c.b, c.shared = slices.Clone(c.b), false
	}
	copy(c.b[w.off:], w.data)
}

func newState() *state {
	s := &state{nodes: map[int]*inode{}, next: 1}
	s.add(&inode{folder: true, entries: map[string]*inode{}, sure: map[string]*inode{}})
	s.add(&inode{folder: true, entries: map[string]*inode{}, sure: map[string]*inode{}})
	return s
}

func (s *state) add(n *inode) *inode {
	n.id = s.next
	s.nodes[n.id] = n
	s.next++
	return n
}

func (n *inode) size() int64           { return int64(len(n.data.b)) }
func (n *inode) info(name string) info { return info{name, n.size(), n.folder} }

func set(names map[string]*inode, name string, n *inode) {
	if n == nil {
		delete(names, name)
	} else {
		names[name] = n
	}
}

// opKind numbers the changes.
type opKind int

const (
	opMake opKind = iota
	opRename
	opRemove
	opWrite
	opCut
	opSync
	opSyncDir
)

// op is one change of a disk. It names inodes by number, so that it can be
// made again on a copy.
type op struct {
	kind   opKind
	node   int
	parent int // of a name: the folder
	name   string
	to     int // of a rename
	toName string
	folder bool // opMake
	off    int64
	data   []byte
}

func (s *state) apply(o op) {
	n := s.nodes[o.node]
	switch o.kind {
	case opMake:
		n = s.add(&inode{folder: o.folder})
		if o.folder {
			n.entries, n.sure = map[string]*inode{}, map[string]*inode{}
		}
		s.name(nameChange{up: s.nodes[o.parent], name: o.name, node: n})
	case opRename:
		s.name(nameChange{up: s.nodes[o.parent], name: o.name}, nameChange{up: s.nodes[o.to], name: o.toName, node: n})
	case opRemove:
		s.name(nameChange{up: s.nodes[o.parent], name: o.name})
	case opWrite, opCut:
		w := write{o.off, o.data}
		n.pending = append(n.pending, w)
		n.data.apply(w)
	case opSync:
		for _, w := range n.pending {
			n.durable.apply(w)
		}
		n.pending = nil
	case opSyncDir:
		s.syncNames(n)
	}
}

// name changes names for the processes; the power cut may undo it.
func (s *state) name(changes ...nameChange) {
	id := 0
	if len(s.names) > 0 {
		id = s.names[len(s.names)-1].id + 1
	}
	for _, c := range changes {
		c.id = id
		set(c.up.entries, c.name, c.node)
		s.names = append(s.names, c)
	}
}

func (s *state) syncNames(folder *inode) {
	var rest []nameChange
	for _, c := range s.names {
		if c.up == folder {
			set(folder.sure, c.name, c.node)
		} else {
			rest = append(rest, c)
		}
	}
	s.names = rest
}

// Crash cuts the power and returns the disk as the next start finds it:
// everything durable, and of the rest what chance wrote out (see [Disk]). The
// disk itself is left as it is, so that one run can be cut many times.
func (d *Disk) Crash(rng *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{state: d.state.crash(rng), room: -1, locked: map[string]bool{}}
}

// crash is one power cut on its way.
type crash struct {
	*state
	rng    *rand.Rand
	names  map[*inode]map[string]*inode // of the folders, after it
	copies map[*inode]*inode
}

func (s *state) crash(rng *rand.Rand) *state {
	c := &crash{newState(), rng, map[*inode]map[string]*inode{}, map[*inode]*inode{}}
	odds := luck(rng)
	kept := map[int]bool{}
	for _, ch := range s.names {
		if _, decided := kept[ch.id]; !decided {
			kept[ch.id] = rng.Float64() < odds
		}
		if kept[ch.id] {
			set(c.of(ch.up), ch.name, ch.node)
		}
	}
	for _, root := range []int{absoluteRoot, relativeRoot} {
		c.copies[s.nodes[root]] = c.nodes[root]
		c.fill(s.nodes[root])
	}
	return c.state
}

// luck is the share of changes that survive one power cut: of some cuts all,
// of some none.
func luck(rng *rand.Rand) float64 {
	return min(1, max(0, 1.4*rng.Float64()-0.2))
}

func (c *crash) of(folder *inode) map[string]*inode {
	if c.names[folder] == nil {
		c.names[folder] = maps.Clone(folder.sure)
	}
	return c.names[folder]
}

// fill copies what is left of a folder. The order is fixed, for the seed's sake.
func (c *crash) fill(folder *inode) {
	after := c.copies[folder]
	names := c.of(folder)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := c.copy(names[name])
		after.entries[name], after.sure[name] = n, n
	}
}

func (c *crash) copy(n *inode) *inode {
	if done := c.copies[n]; done != nil {
		return done
	}
	if n.folder {
		c.copies[n] = c.add(&inode{folder: true, entries: map[string]*inode{}, sure: map[string]*inode{}})
		c.fill(n)
		return c.copies[n]
	}
	left := n.durable.share()
	odds := luck(c.rng)
	for _, w := range n.pending {
		if c.rng.Float64() < odds {
			for _, part := range w.tear(c.rng) {
				left.apply(part)
			}
		}
	}
	c.copies[n] = c.add(&inode{data: left.share(), durable: left.share()})
	return c.copies[n]
}

// tear says what of one write came onto the disk: all, a front, a front and
// zeros, or some of its pages.
func (w write) tear(rng *rand.Rand) []write {
	if len(w.data) == 0 || rng.IntN(2) == 0 {
		return []write{w}
	}
	at := rng.IntN(len(w.data))
	switch rng.IntN(3) {
	case 0:
		return []write{{w.off, w.data[:at:at]}}
	case 1:
		torn := slices.Clone(w.data)
		clear(torn[at:])
		return []write{{w.off, torn}}
	default:
		return w.somePages(rng)
	}
}

func (w write) somePages(rng *rand.Rand) (some []write) {
	for at := int64(0); at < int64(len(w.data)); {
		end := min(int64(len(w.data)), at+page-(w.off+at)%page)
		if rng.IntN(2) == 0 {
			some = append(some, write{w.off + at, w.data[at:end:end]})
		}
		at = end
	}
	return some
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// Errors of a [Store].
var (
	ErrNotFound  = errors.New("no such block")
	ErrWrongName = errors.New("the bytes do not match the block's name")
	ErrTooLarge  = errors.New("block too large")
	ErrBroken    = errors.New("an earlier write failed; open the blocks again")
	ErrClosed    = errors.New("the blocks are closed")
)

// Options of [Open]; the zero value is right for a vault.
type Options struct {
	PackSize   int64 // a pack that has reached this size is closed; default 64 MiB, at most 1 GiB
	Reserve    int64 // bytes that Put leaves free on the disk; default 32 MiB, negative for none
	MaxHandles int   // packs held open for reading; default 64
}

func (o Options) withDefaults() Options {
	return Options{
		PackSize:   min(cmp.Or(o.PackSize, 64<<20), 1<<30),
		Reserve:    max(cmp.Or(o.Reserve, 32<<20), 0),
		MaxHandles: cmp.Or(o.MaxHandles, 64),
	}
}

// Damage is one place of a pack that does not hold what it should.
type Damage struct {
	Pack   uint32
	Offset int64            // of the entry; 0 for the whole pack or its header
	Name   crypto.BlockName // zero when not even that is known
	Why    string
}

// DamagedError is returned for a block that was put but cannot be had back.
type DamagedError struct{ Damage }

// Error names the pack and the offset.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("block %v in pack %08d at %d: %s", e.Name, e.Pack, e.Offset, e.Why)
}

// Stats counts what a [Store] holds.
type Stats struct {
	Blocks int   // live blocks
	Bytes  int64 // their ciphertext
	Packs  int
	Size   int64 // all pack files together
	Dead   int64 // bytes of them that compaction could take back
}

// Reserve is how many bytes Put leaves free on the disk.
func (s *Store) Reserve() int64 { return s.opt.Reserve }

// Store is an open block store. Many goroutines may call it.
type Store struct {
	fs      disk.FS
	dir     string
	opt     Options
	handles *handles

	// One goroutine at a time appends. Taken before mu.
	appending sync.Mutex
	last      uint32    // highest pack number ever seen
	file      disk.File // the pack appended to, number last; nil before the first append
	sync      syncWord  // of that pack
	tabled    int       // appends since the locations were saved
	hurt      bool      // Open found damage
	small     []byte    // a header and what fits behind it, used again

	compacting sync.Mutex // one Compact at a time. Taken before appending

	mu      sync.Mutex
	turn    sync.Cond // broadcast when a Sync is over
	at      map[crypto.BlockName]place
	bad     map[crypto.BlockName]Damage // known, but not to be had back
	graves  map[crypto.BlockName]grave
	packs   map[uint32]int64 // up to the end of the last entry
	retired spans            // packs that were compacted away
	absent  uint32           // a pack whose file is missing, or 0
	leaving uint32           // a pack that nothing needs any more
	copied  []move           // blocks copied by compaction, not served from the new place yet
	hashed  hashed
	written uint64 // appends so far
	synced  uint64 // appends known to be durable
	durable int64  // end of what is durable in the pack appended to
	syncing bool
	broken  error
	closed  bool
}

// Has tells whether a block is there. A block known to be damaged is not.
func (s *Store) Has(name crypto.BlockName) bool {
	_, ok := s.Size(name)
	return ok
}

// Damaged tells whether any block is known to be damaged, by this process or
// one before, and has not been put again.
func (s *Store) Damaged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bad) > 0
}

// Size is the length of a block's ciphertext, and whether it is there.
func (s *Store) Size(name crypto.BlockName) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.at[name]
	return int(p.size), ok
}

// Names gives each block's name and the length of its ciphertext, in no order.
// They are those of the moment when the loop begins; it holds up nobody, who
// may put and delete meanwhile, the loop too. A list takes 36 bytes a block.
func (s *Store) Names() iter.Seq2[crypto.BlockName, int] {
	type named struct {
		name crypto.BlockName
		size uint32
	}
	return func(yield func(crypto.BlockName, int) bool) {
		s.mu.Lock()
		list := make([]named, 0, len(s.at))
		for name, p := range s.at {
			list = append(list, named{name, p.size})
		}
		s.mu.Unlock()
		for _, b := range list {
			if !yield(b.name, int(b.size)) {
				return
			}
		}
	}
}

// Stats counts.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Blocks: len(s.at), Packs: len(s.packs)}
	for _, p := range s.at {
		st.Bytes += int64(p.size)
	}
	for _, u := range s.usage() {
		st.Size += u.size
		st.Dead += u.dead()
	}
	return st
}

// Get appends a block's ciphertext to dst and returns the whole. What it
// returns is the block: it has been hashed. [ErrNotFound] means that the
// store has never heard of it, or that it was deleted; a *[DamagedError] that
// it was put but its bytes are wrong or gone, and a new Put will heal that.
func (s *Store) Get(name crypto.BlockName, dst []byte) ([]byte, error) {
	return s.get(name, dst, untrusted)
}

func untrusted(place) bool { return false }

// get reads a block, and hashes it unless trusted says that this was done.
func (s *Store) get(name crypto.BlockName, dst []byte, trusted func(place) bool) ([]byte, error) {
	for {
		p, err := s.find(name)
		if err != nil {
			return dst, err
		}
		got, why, err := s.read(name, p, dst, trusted)
		switch {
		case err == nil && why == "":
			return got, nil
		case s.moved(name, p): // its pack was compacted away meanwhile
			continue
		case err != nil:
			return dst, fmt.Errorf("read block %v in pack %08d at %d: %w", name, p.pack, p.off, err)
		}
		if !s.fallBack(name, p) {
			return dst, s.condemn(name, p, why)
		}
	}
}

// read appends to dst what stands at a place, or says why that is not the
// block. It hashes it unless trusted says that this was done.
func (s *Store) read(name crypto.BlockName, p place, dst []byte, trusted func(place) bool) (got []byte, why string, err error) {
	start, n := len(dst), 0
	got = slices.Grow(dst, int(p.size))[:start+int(p.size)]
	err = s.handles.with(p.pack, func(f disk.File) (err error) {
		n, err = f.ReadAt(got[start:], int64(p.off)+entryHeader)
		return err
	})
	switch {
	case n == int(p.size) && trusted(p):
		return got, "", nil
	case n == int(p.size) && crypto.NameOf(got[start:]) == name:
		s.noteHashed(p)
		return got, "", nil
	case n == int(p.size):
		return nil, ErrWrongName.Error(), nil
	case err == nil || isEnd(err):
		return nil, "the pack ends before the block does", nil
	}
	return nil, "", err
}

func (s *Store) moved(name crypto.BlockName, from place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[name] != from
}

func (s *Store) find(name crypto.BlockName) (place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return place{}, ErrClosed
	}
	if p, ok := s.at[name]; ok {
		return p, nil
	}
	if d, ok := s.bad[name]; ok {
		return place{}, &DamagedError{d}
	}
	return place{}, fmt.Errorf("block %v: %w", name, ErrNotFound)
}

// fallBack looks for a sound copy of a block that is damaged where it should
// stand: an interrupted compaction, or a Put after a Delete, leaves some. It
// tells whether the block is now served from another place.
func (s *Store) fallBack(name crypto.BlockName, damaged place) bool {
	s.mu.Lock()
	packs := slices.Clone(s.graves[name].in)
	s.mu.Unlock()
	for _, pack := range packs {
		for _, p := range s.copies(name, pack) {
			if _, why, err := s.read(name, p, nil, untrusted); err == nil && why == "" && s.turnTo(name, damaged, p) {
				return true
			}
		}
	}
	return false
}

// copies are the places in a pack where an entry says that a block stands.
func (s *Store) copies(name crypto.BlockName, pack uint32) (found []place) {
	s.mu.Lock()
	size, there := s.packs[pack]
	s.mu.Unlock()
	if !there {
		return nil
	}
	s.handles.with(pack, func(f disk.File) error {
		sc := &scanner{r: f, number: pack, size: size, damage: func(Damage) {}}
		sc.good = func(e entry) {
			if e.kind == kindBlock && e.name == name {
				found = append(found, place{pack, uint32(e.off), uint32(e.size)})
			}
		}
		_, err := sc.scan(packHeader)
		return err
	})
	return found
}

// turnTo has a block served from another place, if it still is from this one,
// or known to be damaged there.
func (s *Store) turnTo(name crypto.BlockName, from, to place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, bad := s.bad[name]; s.at[name] != from && !(bad && d.Pack == from.pack) ||
		to.pack == s.leaving || s.retired.has(to.pack) {
		return false
	}
	delete(s.bad, name)
	s.at[name] = to
	s.exhume(name, to.pack)
	s.bury(name, from.pack)
	return true
}

// condemn takes a damaged block out of service, so that it can be put again.
func (s *Store) condemn(name crypto.BlockName, p place, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := Damage{Pack: p.pack, Offset: int64(p.off), Name: name, Why: why}
	if s.at[name] == p {
		delete(s.at, name)
		s.bad[name] = d
	}
	return &DamagedError{d}
}

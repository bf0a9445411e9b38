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

	mu      sync.Mutex
	turn    sync.Cond // broadcast when a Sync is over
	at      map[crypto.BlockName]place
	bad     map[crypto.BlockName]Damage // known, but not to be had back
	packs   map[uint32]int64            // up to the end of the last entry
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
	for _, size := range s.packs {
		st.Size += size
	}
	for _, p := range s.at {
		st.Bytes += int64(p.size)
	}
	st.Dead = max(0, st.Size-st.Bytes-int64(st.Blocks)*entryHeader-int64(st.Packs)*packHeader)
	return st
}

// Get appends a block's ciphertext to dst and returns the whole. What it
// returns is the block: it has been hashed. [ErrNotFound] means that the
// store has never heard of it, or that it was deleted; a *[DamagedError] that
// it was put but its bytes are wrong or gone, and a new Put will heal that.
func (s *Store) Get(name crypto.BlockName, dst []byte) ([]byte, error) {
	return s.get(name, dst, func(place) bool { return false })
}

// get reads a block, and hashes it unless trusted says that this was done.
func (s *Store) get(name crypto.BlockName, dst []byte, trusted func(place) bool) ([]byte, error) {
	p, err := s.find(name)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = slices.Grow(dst, int(p.size))[:start+int(p.size)]
	n := 0
	err = s.handles.with(p.pack, func(f disk.File) (err error) {
		n, err = f.ReadAt(dst[start:], int64(p.off)+entryHeader)
		return err
	})
	switch {
	case n == int(p.size) && trusted(p):
		return dst, nil
	case n == int(p.size) && crypto.NameOf(dst[start:]) == name:
		s.noteHashed(p)
		return dst, nil
	case n < int(p.size) && err != nil && !isEnd(err):
		return dst[:start], fmt.Errorf("read block %v in pack %08d at %d: %w", name, p.pack, p.off, err)
	case n < int(p.size):
		return dst[:start], s.condemn(name, p, "the pack ends before the block does")
	default:
		return dst[:start], s.condemn(name, p, ErrWrongName.Error())
	}
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

// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/traboule/traboule/crypto"
)

// A page ends, on average, after so many bytes (some 190 entries of small
// files), wherever the keyed hash of an item's key says; and in any case
// before it would grow over MaxPage.
const meanPage = 24 << 10

// Builder writes a manifest from entries in path order. The same entries and
// keys give the same pages, and a changed entry changes only the pages on its
// way to the root. It holds one page per level. It is for one goroutine; after
// an error it is of no more use.
type Builder struct {
	sealer  *crypto.Sealer
	pageKey [32]byte
	put     func(crypto.BlockName, []byte) error
	levels  []*openLevel
	counts  Counts
	prev    Entry
	started bool
	plain   []byte
	sealed  []byte
}

// openLevel is the unfinished page of one level.
type openLevel struct {
	items  []byte
	n      int
	first  key
	last   child // the last item, when this is an upper level
	closed int   // pages finished before
}

// NewBuilder seals pages with s, cuts them with pageKey (see
// [crypto.Keyring.PageKey]) and hands each to put, which must not keep the
// slice.
func NewBuilder(s *crypto.Sealer, pageKey [32]byte, put func(crypto.BlockName, []byte) error) *Builder {
	return &Builder{sealer: s, pageKey: pageKey, put: put}
}

// Add appends an entry. A file may come whole, or in parts whose Blocks are
// multiples of [PartRefs]. It copies what it keeps.
func (b *Builder) Add(e Entry) error {
	if len(e.Blocks) <= PartRefs {
		return b.addPart(e)
	}
	rest := e.Blocks
	for len(rest) > 0 {
		e.Blocks = rest[:min(PartRefs, len(rest))]
		if err := b.addPart(e); err != nil {
			return err
		}
		rest = rest[len(e.Blocks):]
		e.First += PartRefs
	}
	return nil
}

func (b *Builder) addPart(e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	if err := follows(b.prev, e, b.started); err != nil {
		return err
	}
	if !b.counts.add(e) {
		return ErrTooLarge
	}
	b.started = true
	e.Path = append([]byte(nil), e.Path...)
	b.prev = Entry{Path: e.Path, Kind: e.Kind, Mode: e.Mode, ModTime: e.ModTime, Size: e.Size, First: e.First, Blocks: e.Blocks[:len(e.Blocks):len(e.Blocks)]}
	if err := b.push(0, e.key(), encodeEntry(e), child{}); err != nil {
		return err
	}
	b.prev.Blocks = make([]Ref, len(e.Blocks)) // only its length is looked at
	return nil
}

// follows tells whether e may stand directly after prev.
func follows(prev, e Entry, started bool) error {
	if started && !prev.Last() {
		same := compareKeys(prev.Path, 0, e.Path, 0) == 0 && prev.Kind == e.Kind && prev.Mode == e.Mode &&
			prev.ModTime == e.ModTime && prev.Size == e.Size && e.First == prev.First+uint64(len(prev.Blocks))
		if !same {
			return fmt.Errorf("%w: a file's parts do not join", ErrBadEntry)
		}
		return nil
	}
	if e.First != 0 {
		return fmt.Errorf("%w: a part without the file's start", ErrBadEntry)
	}
	if started && prev.key().compare(e.key()) >= 0 {
		return fmt.Errorf("%w: out of order", ErrBadEntry)
	}
	return nil
}

// add counts a part; false when the numbers overflow.
func (c *Counts) add(e Entry) bool {
	var carry uint64
	c.Blocks, carry = bits.Add64(c.Blocks, uint64(len(e.Blocks)), 0)
	if e.First == 0 {
		if e.Kind == Folder {
			c.Folders++
		} else {
			c.Files++
			var over uint64
			c.Bytes, over = bits.Add64(c.Bytes, e.Size, 0)
			carry += over
		}
	}
	return carry == 0
}

// within tells whether no number is larger than in limit.
func (c Counts) within(limit Counts) bool {
	return c.Files <= limit.Files && c.Folders <= limit.Folders && c.Bytes <= limit.Bytes && c.Blocks <= limit.Blocks
}

// push appends an encoded item to a level, and ends the page where it must or
// may end.
func (b *Builder) push(level int, k key, item []byte, c child) error {
	if level >= MaxDepth {
		return ErrTooLarge
	}
	if level == len(b.levels) {
		b.levels = append(b.levels, &openLevel{})
	}
	l := b.levels[level]
	if l.n > 0 && pageHeader+len(l.items)+len(item) > MaxPage {
		if err := b.closePage(level); err != nil {
			return err
		}
	}
	if l.n == 0 {
		l.first = k
	}
	l.items = append(l.items, item...)
	l.n++
	l.last = c
	// Two children at least: every level must be smaller than the one below.
	if (level == 0 || l.n > 1) && b.cutsAfter(level, k, len(item)) {
		return b.closePage(level)
	}
	return nil
}

// cutsAfter is true for one item in meanPage/size, depending on the item's key
// alone, in a way that only the holder of the page key can foresee.
func (b *Builder) cutsAfter(level int, k key, size int) bool {
	mac := hmac.New(sha256.New, b.pageKey[:])
	var head [9]byte
	head[0] = byte(level)
	binary.BigEndian.PutUint64(head[1:], k.first)
	mac.Write(head[:])
	mac.Write(k.path)
	draw := binary.BigEndian.Uint32(mac.Sum(nil))
	return uint64(draw)*meanPage < uint64(size)<<32
}

func (b *Builder) closePage(level int) error {
	l := b.levels[level]
	ref, err := b.seal(level, l)
	if err != nil {
		return err
	}
	c := child{key: l.first, ref: ref}
	l.items, l.n, l.closed = l.items[:0], 0, l.closed+1
	return b.push(level+1, c.key, encodeChild(c), c)
}

func (b *Builder) seal(level int, l *openLevel) (Ref, error) {
	b.plain = append(appendPageHeader(b.plain[:0], level, l.n), l.items...)
	sealed, k, err := b.sealer.Seal(b.sealed[:0], b.plain)
	if err != nil {
		return Ref{}, fmt.Errorf("seal a manifest page: %w", err)
	}
	b.sealed = sealed
	ref := Ref{Name: crypto.NameOf(sealed), Key: k}
	if err := b.put(ref.Name, sealed); err != nil {
		return Ref{}, fmt.Errorf("store a manifest page: %w", err)
	}
	return ref, nil
}

// Finish writes the pages that are left and returns the root page. Without any
// entry that is an empty page.
func (b *Builder) Finish() (Ref, Counts, error) {
	if b.started && !b.prev.Last() {
		return Ref{}, Counts{}, fmt.Errorf("%w: the last file's blocks are missing", ErrBadEntry)
	}
	if len(b.levels) == 0 {
		b.levels = append(b.levels, &openLevel{})
	}
	for level := 0; level < len(b.levels); level++ {
		l := b.levels[level]
		if level > 0 && l.closed == 0 && l.n == 1 {
			return l.last.ref, b.counts, nil // one child needs no parent
		}
		if l.closed == 0 {
			ref, err := b.seal(level, l)
			return ref, b.counts, err
		}
		if l.n > 0 {
			if err := b.closePage(level); err != nil {
				return Ref{}, Counts{}, err
			}
		}
	}
	return Ref{}, Counts{}, ErrTooLarge
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// Put adds a block, unless it is there already. The bytes are hashed first:
// [ErrWrongName] when they are another block's. What was put can be read at
// once, and is durable after the next [Store.Sync]. When the disk is full but
// for the reserve, the error is one that disk.IsFull recognises, and the
// store is as it was.
func (s *Store) Put(ctx context.Context, name crypto.BlockName, ciphertext []byte) (added bool, err error) {
	if s.Has(name) {
		return false, s.usable()
	}
	if len(ciphertext) <= crypto.MaxBlock && crypto.NameOf(ciphertext) != name {
		return false, fmt.Errorf("put block %v: %w", name, ErrWrongName)
	}
	return s.put(ctx, name, ciphertext)
}

// PutHashed is [Store.Put] for a block that the caller has hashed and whose
// name is that hash: bytes that have gone through crypto.NameOf on their way
// here, in this process. A block put under another's name is found damaged
// when it is read.
func (s *Store) PutHashed(ctx context.Context, name crypto.BlockName, ciphertext []byte) (added bool, err error) {
	if s.Has(name) {
		return false, s.usable()
	}
	return s.put(ctx, name, ciphertext)
}

// PutView is [Store.PutHashed] for a page of a view that somebody waits for: so
// that what is stored can be read when the disk is full, it may take half of
// the reserve.
func (s *Store) PutView(ctx context.Context, name crypto.BlockName, ciphertext []byte) (added bool, err error) {
	if s.Has(name) {
		return false, s.usable()
	}
	return s.putLeaving(ctx, s.opt.Reserve/2, name, ciphertext)
}

// Add is [Store.Put] for a block that has no name yet: it is hashed once, not
// by the caller and again by the store.
func (s *Store) Add(ctx context.Context, ciphertext []byte) (name crypto.BlockName, added bool, err error) {
	name = crypto.NameOf(ciphertext)
	added, err = s.put(ctx, name, ciphertext)
	return name, added, err
}

// put adds a block that has been hashed.
func (s *Store) put(ctx context.Context, name crypto.BlockName, ciphertext []byte) (added bool, err error) {
	return s.putLeaving(ctx, s.opt.Reserve, name, ciphertext)
}

// putLeaving adds a block and leaves so many bytes free on the disk.
func (s *Store) putLeaving(ctx context.Context, reserve int64, name crypto.BlockName, ciphertext []byte) (added bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("put block %v: %w", name, err)
	}
	if len(ciphertext) > crypto.MaxBlock {
		return false, fmt.Errorf("put block of %d bytes: %w", len(ciphertext), ErrTooLarge)
	}
	s.appending.Lock()
	defer s.appending.Unlock()
	if s.Has(name) {
		return false, s.usable()
	}
	if err := s.room(len(ciphertext), reserve); err != nil {
		return false, fmt.Errorf("put block %v: %w", name, err)
	}
	if err := s.append(kindBlock, name, ciphertext); err != nil {
		return false, fmt.Errorf("put block %v: %w", name, err)
	}
	return true, nil
}

// Delete marks a block dead: it is not found any more, durably so after the
// next [Store.Sync]. Deleting what is not there is no error. The space is
// taken back by compaction, and until then the ciphertext is on the disk.
// Deleting works when the disk is full but for the reserve.
func (s *Store) Delete(name crypto.BlockName) error {
	s.appending.Lock()
	defer s.appending.Unlock()
	s.mu.Lock()
	_, live := s.at[name]
	_, bad := s.bad[name]
	s.mu.Unlock()
	if !live && !bad {
		return s.usable()
	}
	if err := s.append(kindDeletion, name, nil); err != nil {
		return fmt.Errorf("delete block %v: %w", name, err)
	}
	return nil
}

func (s *Store) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return s.broken
}

func (s *Store) room(n int, reserve int64) error {
	if reserve == 0 {
		return nil
	}
	free, err := s.fs.FreeBytes(s.dir)
	if err != nil {
		return err
	}
	if free < uint64(reserve)+uint64(n)+entryHeader {
		return disk.ErrReserve
	}
	return nil
}

func (s *Store) append(kind uint32, name crypto.BlockName, data []byte) error {
	return s.appendAs(kind, name, data, s.learn)
}

// appendAs writes one entry and has it learnt. A write that fails is cut off
// again; when even that fails nobody can tell where the pack ends, and the
// store is broken.
func (s *Store) appendAs(kind uint32, name crypto.BlockName, data []byte, learn func(uint32, entry)) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.openPack(); err != nil {
		return err
	}
	off := s.end()
	if err := s.writeEntry(off, kind, name, data); err != nil {
		if e := s.file.Truncate(off); e != nil {
			s.fail(fmt.Errorf("%w (%w)", ErrBroken, e))
		}
		return err
	}
	return s.note(entry{kind, name, off, len(data)}, learn)
}

// oneWrite is the most data that is copied behind its header, to save a call.
const oneWrite = 32 << 10

func (s *Store) writeEntry(off int64, kind uint32, name crypto.BlockName, data []byte) error {
	s.small = appendEntryHeader(s.small[:0], s.sync, kind, name, len(data))
	if len(data) <= oneWrite {
		s.small = append(s.small, data...)
		_, err := s.file.WriteAt(s.small, off)
		return err
	}
	if _, err := s.file.WriteAt(s.small, off); err != nil {
		return err
	}
	_, err := s.file.WriteAt(data, off+entryHeader)
	return err
}

func (s *Store) end() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packs[s.last]
}

// note makes an entry at the end of the last pack known, unless a failed fsync
// has cut it off meanwhile.
func (s *Store) note(e entry, learn func(uint32, entry)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	learn(s.last, e)
	if e.kind == kindBlock {
		s.hashed.add(place{s.last, uint32(e.off), uint32(e.size)}) // on its way here
	}
	s.packs[s.last] = e.end()
	s.written++
	s.tabled++
	return nil
}

// learn applies an entry of a pack to what is known.
func (s *Store) learn(pack uint32, e entry) {
	if e.kind == kindRetirement {
		n, _ := spanOf(e.name, pack)
		s.retired = s.retired.add(n)
		return
	}
	if old := s.packOf(e.name); old != 0 {
		s.bury(e.name, old)
	}
	if e.kind == kindDeletion && s.absent != 0 {
		s.bury(e.name, s.absent)
	}
	delete(s.bad, e.name)
	g, dead := s.graves[e.name]
	if e.kind == kindDeletion {
		delete(s.at, e.name)
		g.by, dead = pack, true
	} else {
		s.at[e.name] = place{pack, uint32(e.off), uint32(e.size)}
		g.by = 0
	}
	if dead {
		s.graves[e.name] = g
	}
}

// packOf is the pack with the bytes that stand for a name, sound or damaged,
// or 0.
func (s *Store) packOf(name crypto.BlockName) uint32 {
	if p, ok := s.at[name]; ok {
		return p.pack
	}
	return s.bad[name].Pack
}

func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
	}
}

// openPack sees to it that file is a pack with room.
func (s *Store) openPack() error {
	if s.file != nil && s.end() < s.opt.PackSize {
		return nil
	}
	if s.file != nil {
		if err := s.closePack(); err != nil {
			return err
		}
	}
	var sync syncWord
	rand.Read(sync[:])
	number := s.last + 1
	if err := disk.WriteFileAtomic(s.fs, packName(s.dir, number), encodePackHeader(number, sync), 0o600); err != nil {
		return err
	}
	file, err := s.fs.OpenFile(packName(s.dir, number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	s.file, s.sync, s.last = file, sync, number
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs[number] = packHeader
	s.durable = packHeader
	return nil
}

// closePack makes the pack durable and goes on without one. Only the last
// pack can ever have an unfinished end.
func (s *Store) closePack() error {
	if err := s.Sync(); err != nil {
		return err
	}
	s.waitSync()
	s.file.Close()
	s.file = nil
	s.mu.Lock()
	worth := s.tabled*4 >= len(s.at)
	s.mu.Unlock()
	if worth {
		s.saveTable() // it is disposable, and a full disk is no reason to stop here
	}
	return nil
}

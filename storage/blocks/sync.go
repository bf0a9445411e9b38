// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/traboule/traboule/storage/disk"
)

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// Sync returns when all that was put or deleted before it is durable. Those
// who call it at the same time share one fsync. When the fsync fails, nobody
// can tell what the disk holds: all that waits for it gets the error, and the
// store takes nothing more until it is opened again.
func (s *Store) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target := s.written; s.synced < target; {
		switch {
		case s.broken != nil:
			return fmt.Errorf("sync blocks: %w", s.broken)
		case s.syncing:
			s.turn.Wait()
		default:
			s.lead()
		}
	}
	return nil
}

// lead does the fsync for all. All that is not durable is in the last pack.
func (s *Store) lead() {
	file, upto, end := s.file, s.written, s.packs[s.last]
	s.syncing = true
	s.mu.Unlock()
	err := file.Sync()
	s.mu.Lock()
	s.syncing = false
	if err == nil {
		s.synced, s.durable = upto, end
	} else if s.broken == nil {
		s.broken = fmt.Errorf("%w (%w)", ErrBroken, err)
		s.abandon(file)
	}
	s.turn.Broadcast()
}

// abandon cuts off what a failed fsync left in doubt: the system may show it
// though the disk does not have it, and the next Open would believe it.
func (s *Store) abandon(file disk.File) {
	file.Truncate(s.durable) // best effort: if it fails too there is nothing left to try
	for name, p := range s.at {
		if p.pack == s.last && int64(p.off) >= s.durable {
			delete(s.at, name)
		}
	}
}

func (s *Store) waitSync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.syncing {
		s.turn.Wait()
	}
}

// Close syncs, saves the locations and what is damaged, and closes all files. The store is of no
// use afterwards. An error of the sync is returned; a second Close does
// nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.compacting.Lock() // it ends at its next block
	defer s.compacting.Unlock()
	s.appending.Lock()
	defer s.appending.Unlock()
	err := s.Sync()
	s.waitSync()
	if err == nil && s.tabled > 0 {
		s.saveTable()
	}
	if err == nil {
		s.saveDoubts()
	}
	if s.file != nil {
		s.file.Close()
	}
	s.handles.close()
	return err
}

// saveTable writes the locations. All packs are durable, and nobody appends.
// While anything is known to be damaged nothing is saved, so that the next
// Open finds the damage again and says so again.
func (s *Store) saveTable() error {
	s.mu.Lock()
	if s.hurt || len(s.bad) > 0 {
		s.mu.Unlock()
		return nil
	}
	s.settleMoves()
	s.tidyGraves()
	t := &table{packs: s.packs, retired: s.retired, at: s.at, graves: s.graves}
	b := t.encode()
	s.mu.Unlock()
	err := disk.WriteFileAtomic(s.fs, filepath.Join(s.dir, tableFile), b, 0o600)
	if err == nil {
		s.tabled = 0
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// The doubts are the names of blocks that were found damaged. The saved
// locations and a scan that does not hash would trust them again; so the next
// Open reads each of them before it serves any. It believes nothing else that
// this file says: a wrong or missing one does no harm but to be forgetful.
const (
	doubtsFile  = "doubts"
	doubtsMagic = "TRABDOUT"
	doubtsMax   = 1 << 20 // names; whoever has lost more hears of the rest when they are read
	doubtsLimit = 8 + doubtsMax*32 + sha256.Size
)

var errDoubts = errors.New("not a list of doubts")

func encodeDoubts(names []crypto.BlockName) []byte {
	b := []byte(doubtsMagic)
	for _, name := range names[:min(len(names), doubtsMax)] {
		b = append(b, name[:]...)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decodeDoubts(b []byte) ([]crypto.BlockName, error) {
	cut := len(b) - sha256.Size
	if cut < 8 || string(b[:8]) != doubtsMagic || (cut-8)%32 != 0 || (cut-8)/32 > doubtsMax {
		return nil, errDoubts
	}
	if sum := sha256.Sum256(b[:cut]); !bytes.Equal(sum[:], b[cut:]) {
		return nil, errDoubts
	}
	var names []crypto.BlockName
	for at := 8; at < cut; at += 32 {
		names = append(names, crypto.BlockName(b[at:at+32]))
	}
	return names, nil
}

// saveDoubts writes the names of what is known to be damaged, or takes the
// file away when nothing is. It may fail, as saveTable may: the damage is then
// found again when it is read.
func (s *Store) saveDoubts() error {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.bad))
	s.mu.Unlock()
	file := filepath.Join(s.dir, doubtsFile)
	if len(names) > 0 {
		return disk.WriteFileAtomic(s.fs, file, encodeDoubts(names), 0o600)
	}
	if _, err := s.fs.Stat(file); err != nil {
		return nil
	}
	return s.fs.Remove(file)
}

// recall reads what an earlier process found damaged, and condemns what still
// is. Whoever brought the packs back has it served again.
func (s *Store) recall() {
	b, err := disk.ReadFile(s.fs, filepath.Join(s.dir, doubtsFile), doubtsLimit)
	if err != nil {
		return
	}
	names, err := decodeDoubts(b)
	if err != nil {
		return
	}
	var buf []byte
	for _, name := range names {
		if s.Has(name) {
			buf, _ = s.Get(name, buf[:0])
		}
	}
}

// revive looks for other copies of what Open found damaged.
func (s *Store) revive() {
	for name, d := range maps.Clone(s.bad) {
		s.fallBack(name, place{pack: d.Pack})
	}
}

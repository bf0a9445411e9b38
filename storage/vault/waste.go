// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

// waste is when each block that nothing reaches was first seen to be so, in
// Unix seconds. Without the file, or with a damaged one, the time of grace
// begins anew: no harm comes of it.
type waste map[crypto.BlockName]int64

const (
	wasteFile  = "waste"
	wasteMagic = "TRABWAST"
	wasteMax   = 1 << 20 // names; the rest waits for a later sweep
	wasteEntry = 32 + 8
	wasteLimit = 8 + wasteMax*wasteEntry + sha256.Size
)

var errWaste = errors.New("not a list of waste")

func (w waste) encode() []byte {
	b := make([]byte, 0, 8+len(w)*wasteEntry+sha256.Size)
	b = append(b, wasteMagic...)
	left := wasteMax
	for name, seen := range w {
		if left--; left < 0 {
			break
		}
		b = append(b, name[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(seen))
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func decodeWaste(b []byte) (waste, error) {
	cut := len(b) - sha256.Size
	if cut < 8 || string(b[:8]) != wasteMagic || (cut-8)%wasteEntry != 0 || (cut-8)/wasteEntry > wasteMax {
		return nil, errWaste
	}
	if sum := sha256.Sum256(b[:cut]); !bytes.Equal(sum[:], b[cut:]) {
		return nil, errWaste
	}
	w := make(waste, (cut-8)/wasteEntry)
	for at := 8; at < cut; at += wasteEntry {
		w[crypto.BlockName(b[at:at+32])] = int64(binary.BigEndian.Uint64(b[at+32:]))
	}
	return w, nil
}

func (v *Vault) readWaste() waste {
	b, err := disk.ReadFile(v.opt.FS, v.path(wasteFile), wasteLimit)
	if err != nil {
		return nil
	}
	w, err := decodeWaste(b)
	if err != nil {
		return nil
	}
	return w
}

// saveWaste may fail: see waste.
func (v *Vault) saveWaste(w waste) {
	if len(w) > 0 {
		_ = disk.WriteFileAtomic(v.opt.FS, v.path(wasteFile), w.encode(), 0o600)
	} else if v.exists(wasteFile) {
		_ = v.opt.FS.Remove(v.path(wasteFile))
	}
}

// since is when a block was first seen to be waste: now, if it was not, or if
// the clock has been put back since.
func (w waste) since(name crypto.BlockName, now time.Time) time.Time {
	if seen, ok := w[name]; ok && seen <= now.Unix() {
		return time.Unix(seen, 0)
	}
	return now
}

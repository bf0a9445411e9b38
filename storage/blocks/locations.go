// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto"
)

// The saved map from names to places. It is disposable: without it, or with a
// damaged one, Open scans all packs.
const (
	tableMagic   = "TRABLOCS"
	tableVersion = 1
	tableHeader  = 24 // magic 8, version 4, packs 4, blocks 8
	tablePack    = 12 // number 4, covered size 8
	tableBlock   = 44 // name 32, pack 4, offset 4, size 4
	tableLimit   = 1 << 32
)

// place is where a block's entry stands: 12 bytes, beside the 32 of its name.
type place struct {
	pack uint32
	off  uint32 // of the entry's header
	size uint32 // of the data
}

func (p place) end() int64 { return int64(p.off) + entryHeader + int64(p.size) }

// table is the content of a locations file: the state after the first
// packs[n] bytes of each pack n, in order.
type table struct {
	packs map[uint32]int64
	at    map[crypto.BlockName]place
}

func (t *table) encode() []byte {
	b := make([]byte, 0, tableHeader+tablePack*len(t.packs)+tableBlock*len(t.at)+sha256.Size)
	b = append(b, tableMagic...)
	b = binary.BigEndian.AppendUint32(b, tableVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.packs)))
	b = binary.BigEndian.AppendUint64(b, uint64(len(t.at)))
	for number, size := range t.packs {
		b = binary.BigEndian.AppendUint32(b, number)
		b = binary.BigEndian.AppendUint64(b, uint64(size))
	}
	for name, p := range t.at {
		b = append(b, name[:]...)
		b = binary.BigEndian.AppendUint32(b, p.pack)
		b = binary.BigEndian.AppendUint32(b, p.off)
		b = binary.BigEndian.AppendUint32(b, p.size)
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

var errTable = errors.New("not a table of locations")

func decodeTable(b []byte) (*table, error) {
	if len(b) < tableHeader+sha256.Size || string(b[:8]) != tableMagic {
		return nil, errTable
	}
	body := b[:len(b)-sha256.Size]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], b[len(body):]) {
		return nil, fmt.Errorf("%w: checksum fails", errTable)
	}
	packs, blocks := uint64(binary.BigEndian.Uint32(b[12:])), binary.BigEndian.Uint64(b[16:])
	if binary.BigEndian.Uint32(b[8:]) != tableVersion || blocks > tableLimit/tableBlock ||
		uint64(len(body)) != tableHeader+packs*tablePack+blocks*tableBlock {
		return nil, fmt.Errorf("%w: wrong version or length", errTable)
	}
	t := &table{packs: make(map[uint32]int64, packs), at: make(map[crypto.BlockName]place, blocks)}
	cut := tableHeader + int(packs)*tablePack
	return t, errors.Join(t.readPacks(body[tableHeader:cut]), t.readBlocks(body[cut:]))
}

func (t *table) readPacks(b []byte) error {
	for ; len(b) > 0; b = b[tablePack:] {
		number := binary.BigEndian.Uint32(b)
		size := binary.BigEndian.Uint64(b[4:])
		if _, twice := t.packs[number]; twice || number == 0 || size > 1<<32 {
			return fmt.Errorf("%w: pack %08d", errTable, number)
		}
		t.packs[number] = int64(size)
	}
	return nil
}

func (t *table) readBlocks(b []byte) error {
	for ; len(b) > 0; b = b[tableBlock:] {
		name := crypto.BlockName(b[:32])
		p := place{binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:]), binary.BigEndian.Uint32(b[40:])}
		_, twice := t.at[name]
		if twice || p.off < packHeader || p.size > crypto.MaxBlock || p.end() > t.packs[p.pack] {
			return fmt.Errorf("%w: a block outside its pack", errTable)
		}
		t.at[name] = p
	}
	return nil
}

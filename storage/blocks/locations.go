// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
)

// The saved map from names to places. It is disposable: without it, or with a
// damaged one, Open scans all packs.
const (
	tableMagic   = "TRABLOCS"
	tableVersion = 2  // 1 knew no retired packs and no graves
	tableHeader  = 36 // magic 8, version 4, packs 4, retired 4, blocks 8, graves 8
	tablePack    = 12 // number 4, covered size 8
	tableSpan    = 12 // from 4, to 4, by 4
	tableBlock   = 44 // name 32, pack 4, offset 4, size 4
	tableGrave   = 40 // name 32, pack 4, by 4
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
	packs   map[uint32]int64
	retired spans
	at      map[crypto.BlockName]place
	graves  map[crypto.BlockName]grave
}

func (t *table) encode() []byte {
	graves := 0
	for _, g := range t.graves {
		graves += len(g.in)
	}
	b := make([]byte, 0, tableHeader+tablePack*len(t.packs)+tableSpan*len(t.retired)+
		tableBlock*len(t.at)+tableGrave*graves+sha256.Size)
	b = append(b, tableMagic...)
	b = binary.BigEndian.AppendUint32(b, tableVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.packs)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.retired)))
	b = binary.BigEndian.AppendUint64(b, uint64(len(t.at)))
	b = binary.BigEndian.AppendUint64(b, uint64(graves))
	b = t.appendRows(b)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func (t *table) appendRows(b []byte) []byte {
	for number, size := range t.packs {
		b = binary.BigEndian.AppendUint32(b, number)
		b = binary.BigEndian.AppendUint64(b, uint64(size))
	}
	for _, n := range t.retired {
		b = binary.BigEndian.AppendUint32(b, n.from)
		b = binary.BigEndian.AppendUint32(b, n.to)
		b = binary.BigEndian.AppendUint32(b, n.by)
	}
	for name, p := range t.at {
		b = append(b, name[:]...)
		b = binary.BigEndian.AppendUint32(b, p.pack)
		b = binary.BigEndian.AppendUint32(b, p.off)
		b = binary.BigEndian.AppendUint32(b, p.size)
	}
	for name, g := range t.graves {
		for _, pack := range g.in {
			b = append(b, name[:]...)
			b = binary.BigEndian.AppendUint32(b, pack)
			b = binary.BigEndian.AppendUint32(b, g.by)
		}
	}
	return b
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
	packs, retired := uint64(binary.BigEndian.Uint32(b[12:])), uint64(binary.BigEndian.Uint32(b[16:]))
	blocks, graves := binary.BigEndian.Uint64(b[20:]), binary.BigEndian.Uint64(b[28:])
	if binary.BigEndian.Uint32(b[8:]) != tableVersion || blocks > tableLimit/tableBlock || graves > tableLimit/tableGrave ||
		uint64(len(body)) != tableHeader+packs*tablePack+retired*tableSpan+blocks*tableBlock+graves*tableGrave {
		return nil, fmt.Errorf("%w: wrong version or length", errTable)
	}
	t := &table{
		packs:  make(map[uint32]int64, packs),
		at:     make(map[crypto.BlockName]place, blocks),
		graves: map[crypto.BlockName]grave{},
	}
	body = body[tableHeader:]
	part := func(n uint64) (rows []byte) {
		rows, body = body[:n], body[n:]
		return rows
	}
	return t, errors.Join(t.readPacks(part(packs*tablePack)), t.readRetired(part(retired*tableSpan)),
		t.readBlocks(part(blocks*tableBlock)), t.readGraves(body))
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

func (t *table) readRetired(b []byte) error {
	for ; len(b) > 0; b = b[tableSpan:] {
		n := span{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}
		before := uint32(0)
		if len(t.retired) > 0 {
			before = t.retired[len(t.retired)-1].to
		}
		if n.from <= before || n.to < n.from || n.by <= n.to || t.packs[n.by] == 0 {
			return fmt.Errorf("%w: retired packs %08d to %08d", errTable, n.from, n.to)
		}
		t.retired = append(t.retired, n)
	}
	for number := range t.packs {
		if t.retired.has(number) {
			return fmt.Errorf("%w: pack %08d is retired", errTable, number)
		}
	}
	return nil
}

func (t *table) readGraves(b []byte) error {
	for ; len(b) > 0; b = b[tableGrave:] {
		name := crypto.BlockName(b[:32])
		pack, by := binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:])
		g, more := t.graves[name]
		_, live := t.at[name]
		if t.packs[pack] == 0 || live != (by == 0) || by > 0 && t.packs[by] == 0 ||
			more && g.by != by || slices.Contains(g.in, pack) {
			return fmt.Errorf("%w: a block that is deleted in pack %08d", errTable, by)
		}
		t.graves[name] = grave{by, append(g.in, pack)}
	}
	return nil
}

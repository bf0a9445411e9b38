// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/traboule/traboule/crypto"
)

// The format of a pack file; docs/formats.md says it in words. Numbers are
// big-endian.
const (
	packMagic   = "TRABPACK"
	packVersion = 1
	packHeader  = 28 // magic 8, version 4, number 4, sync word 8, CRC 4

	entryHeader = 52 // sync word 8, kind 4, length 4, name 32, CRC 4

	kindBlock      = 1
	kindDeletion   = 2
	kindRetirement = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// syncWord begins each entry of a pack. It is drawn at random for each pack,
// so that nobody can send a block with something inside that a scan after
// damage would take for an entry.
type syncWord [8]byte

// entry is what one header says, and where it stands.
type entry struct {
	kind uint32
	name crypto.BlockName
	off  int64 // of the header
	size int   // of the data
}

func (e entry) end() int64 { return e.off + entryHeader + int64(e.size) }

func encodePackHeader(number uint32, sync syncWord) []byte {
	b := make([]byte, 0, packHeader)
	b = append(b, packMagic...)
	b = binary.BigEndian.AppendUint32(b, packVersion)
	b = binary.BigEndian.AppendUint32(b, number)
	b = append(b, sync[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var errVersion = errors.New("written by a newer version")

func decodePackHeader(b []byte, number uint32) (syncWord, error) {
	var sync syncWord
	switch {
	case len(b) < packHeader || string(b[:8]) != packMagic:
		return sync, errors.New("no pack header")
	case binary.BigEndian.Uint32(b[24:]) != crc32.Checksum(b[:24], castagnoli):
		return sync, errors.New("pack header fails its check")
	case binary.BigEndian.Uint32(b[8:]) != packVersion:
		return sync, errVersion
	case binary.BigEndian.Uint32(b[12:]) != number:
		return sync, fmt.Errorf("pack header has number %08d", binary.BigEndian.Uint32(b[12:]))
	}
	copy(sync[:], b[16:24])
	return sync, nil
}

func appendEntryHeader(b []byte, sync syncWord, kind uint32, name crypto.BlockName, size int) []byte {
	start := len(b)
	b = append(b, sync[:]...)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = append(b, name[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// decodeEntryHeader says whether b begins with a header that stands at off.
func decodeEntryHeader(b []byte, sync syncWord, off int64) (entry, bool) {
	if len(b) < entryHeader || [8]byte(b) != sync ||
		binary.BigEndian.Uint32(b[48:]) != crc32.Checksum(b[:48], castagnoli) {
		return entry{}, false
	}
	e := entry{kind: binary.BigEndian.Uint32(b[8:]), off: off, size: int(binary.BigEndian.Uint32(b[12:]))}
	copy(e.name[:], b[16:48])
	switch e.kind {
	case kindBlock:
		return e, e.size <= crypto.MaxBlock
	case kindDeletion:
		return e, e.size == 0
	case kindRetirement:
		_, ok := spanOf(e.name, 0)
		return e, ok && e.size == 0
	}
	return e, false
}

func packName(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.pack", number))
}

// packNumber reads the number out of a file name, exactly as packName writes it.
func packNumber(file string) (uint32, bool) {
	digits, ok := strings.CutSuffix(file, ".pack")
	if !ok || len(digits) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n == 0 || fmt.Sprintf("%08d", n) != digits {
		return 0, false
	}
	return uint32(n), true
}

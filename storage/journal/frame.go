// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The format of a segment; docs/formats.md says it in words. Numbers are
// big-endian.
const (
	segmentMagic   = "TRABJRNL"
	segmentVersion = 1
	segmentHeader  = 84 // magic 8, version 4, number 4, vault 16, first 8, chain 32, checkpoint 8, CRC 4

	frameMagic  = "TJFR"
	frameHeader = 24 // magic 4, length 4, count 4, first 8, CRC 4
	frameEnd    = 33 // chain hash 32, a byte 0xff: zero there means never written
	minFrame    = frameHeader + entryHeader + frameEnd

	entryHeader = 34 // length 4, time 8, kind 2, tag 16, length of the public part 4
	maxFrame    = MaxBatch
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands at the beginning of a segment.
type header struct {
	number     uint32
	vault      [16]byte
	first      uint64   // place of the first entry
	chain      [32]byte // chain hash before it
	checkpoint uint64   // place of the last entry that repeats live state; 0 for none
}

func (h header) encode() []byte {
	b := make([]byte, 0, segmentHeader)
	b = append(b, segmentMagic...)
	b = binary.BigEndian.AppendUint32(b, segmentVersion)
	b = binary.BigEndian.AppendUint32(b, h.number)
	b = append(b, h.vault[:]...)
	b = binary.BigEndian.AppendUint64(b, h.first)
	b = append(b, h.chain[:]...)
	b = binary.BigEndian.AppendUint64(b, h.checkpoint)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHeader(b []byte) (header, error) {
	switch {
	case len(b) != segmentHeader || string(b[:8]) != segmentMagic:
		return header{}, errors.New("no segment header")
	case binary.BigEndian.Uint32(b[80:]) != crc32.Checksum(b[:80], castagnoli):
		return header{}, errors.New("segment header fails its check")
	case binary.BigEndian.Uint32(b[8:]) != segmentVersion:
		return header{}, errors.New("segment was written by a newer version")
	}
	h := header{
		number:     binary.BigEndian.Uint32(b[12:]),
		vault:      [16]byte(b[16:32]),
		first:      binary.BigEndian.Uint64(b[32:]),
		chain:      [32]byte(b[40:72]),
		checkpoint: binary.BigEndian.Uint64(b[72:]),
	}
	if h.first == 0 || h.checkpoint != 0 && h.checkpoint < h.first {
		return header{}, errors.New("segment header makes no sense")
	}
	return h, nil
}

// genesis is the chain hash before the first entry of a vault's journal.
func genesis(vault [16]byte) [32]byte {
	return sha256.Sum256(append([]byte("traboule journal 1\x00"), vault[:]...))
}

// next is the chain hash after one entry, over its bytes as stored.
func next(chain [32]byte, stored []byte) [32]byte {
	h := sha256.New()
	h.Write(chain[:])
	h.Write(stored)
	return [32]byte(h.Sum(nil))
}

func appendEntry(b []byte, e Entry) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(entryHeader-4+len(e.Public)+len(e.Body)))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
	b = binary.BigEndian.AppendUint16(b, e.Kind)
	b = append(b, e.Tag[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Public)))
	b = append(b, e.Public...)
	return append(b, e.Body...)
}

// cutEntry splits the stored bytes of one entry off b.
func cutEntry(b []byte) (stored, rest []byte, ok bool) {
	if len(b) < entryHeader {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if n < entryHeader-4 || n > entryHeader-4+MaxEntry || uint64(n)+4 > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n+4], b[n+4:], true
}

// parseEntry reads what cutEntry cut; the parts point into it.
func parseEntry(stored []byte) (Entry, bool) {
	e := Entry{
		Time: int64(binary.BigEndian.Uint64(stored[4:])),
		Kind: binary.BigEndian.Uint16(stored[12:]),
		Tag:  [16]byte(stored[14:30]),
	}
	n := binary.BigEndian.Uint32(stored[30:])
	body := stored[entryHeader:]
	if uint64(n) > uint64(len(body)) {
		return e, false
	}
	e.Public, e.Body = body[:n:n], body[n:]
	return e, true
}

// sealFrame completes a frame whose entries stand behind frameHeader free
// bytes: it fills in the header and adds the chain hash and the end.
func sealFrame(frame []byte, first uint64, count int, chain [32]byte) []byte {
	h := append(frame[:0], frameMagic...)
	h = binary.BigEndian.AppendUint32(h, uint32(len(frame)-frameHeader))
	h = binary.BigEndian.AppendUint32(h, uint32(count))
	h = binary.BigEndian.AppendUint64(h, first)
	binary.BigEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return append(append(frame, chain[:]...), 0xff)
}

// segment reads one segment, frame by frame, and verifies the chain.
type segment struct {
	header
	r     *bufio.Reader
	size  int64
	off   int64    // end of the last good frame
	seq   uint64   // last entry of it
	chain [32]byte // after it
	buf   []byte
}

// errUnfinished is the end of a segment that nobody ever acknowledged.
var errUnfinished = errors.New("unfinished frame")

// openSegment reads the header. It returns an error for one that is not as it
// should be.
func openSegment(r io.ReaderAt, size int64) (*segment, error) {
	s := &segment{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 1<<17), size: size}
	b := make([]byte, segmentHeader)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, fmt.Errorf("no segment header: %w", err)
	}
	h, err := decodeHeader(b)
	if err != nil {
		return nil, err
	}
	s.header, s.off, s.seq, s.chain = h, segmentHeader, h.first-1, h.chain
	return s, nil
}

// frame reads the next frame and calls fn with its entries and the chain hash
// after each, if all of them verify. It returns io.EOF at the end,
// errUnfinished at an end that is short or never written, and else a text that
// says what is damaged. The entries' bytes are valid during the call.
func (s *segment) frame(fn func(Entry, [32]byte) error) error {
	rest := s.size - s.off
	if rest == 0 {
		return io.EOF
	}
	if rest < minFrame {
		return errUnfinished
	}
	head, err := s.read(frameHeader)
	if err != nil {
		return err
	}
	if !soundHeader(head) {
		return s.broken(bytes.Clone(head), rest)
	}
	length, count := int64(binary.BigEndian.Uint32(head[4:])), binary.BigEndian.Uint32(head[8:])
	if first := binary.BigEndian.Uint64(head[12:]); length > maxFrame || first != s.seq+1 || count == 0 {
		return errors.New("frame header makes no sense")
	}
	whole := frameHeader + length + frameEnd
	if rest < whole {
		return errUnfinished
	}
	body, err := s.read(int(length) + frameEnd)
	if err != nil {
		return err
	}
	list, err := s.parse(body, count)
	if err != nil {
		if rest == whole && (body[len(body)-1] == 0 || holed(body, s.off+frameHeader)) {
			return errUnfinished
		}
		return err
	}
	for _, l := range list {
		if err := fn(l.Entry, l.chain); err != nil {
			return &callerError{err}
		}
	}
	last := list[len(list)-1]
	s.off, s.seq, s.chain = s.off+whole, last.Seq, last.chain
	return nil
}

type link struct {
	Entry
	chain [32]byte
}

func (s *segment) parse(body []byte, count uint32) ([]link, error) {
	length := len(body) - frameEnd
	seq, chain, left := s.seq, s.chain, body[:length]
	var list []link
	for range count {
		stored, after, ok := cutEntry(left)
		if !ok {
			return nil, errors.New("entry fails its check")
		}
		e, ok := parseEntry(stored)
		if !ok {
			return nil, errors.New("entry fails its check")
		}
		seq++
		chain, left = next(chain, stored), after
		e.Seq, e.Checkpoint = seq, seq <= s.checkpoint
		list = append(list, link{e, chain})
	}
	if len(left) > 0 || !bytes.Equal(chain[:], body[length:length+32]) || body[length+32] != 0xff {
		return nil, errors.New("chain hash does not match")
	}
	return list, nil
}

// callerError carries an error of fn through, so that it is not taken for
// damage.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }
func (e *callerError) Unwrap() error { return e.err }

// broken tells damage from a write that was cut off before the frame header
// was there whole: then nothing that was acknowledged follows, and some of the
// rest was never written.
func (s *segment) broken(head []byte, rest int64) error {
	damage := errors.New("frame header fails its check")
	if rest > frameHeader+maxFrame+frameEnd {
		return damage
	}
	body, err := s.read(int(rest) - frameHeader)
	if err != nil {
		return err
	}
	all := append(head, body...)
	if len(bytes.Trim(body, "\x00")) == 0 || (beginsUnwritten(all, s.off) || holed(all, s.off)) && !holdsFrame(all) {
		return errUnfinished
	}
	return damage
}

// beginsUnwritten tells whether a frame that stands at off has nothing but zeros
// in the first sector it reaches into, however little of it: what should stand
// there is its magic, and no single wrong bit makes zeros of that.
func beginsUnwritten(b []byte, off int64) bool {
	return len(bytes.Trim(b[:min(len(b), int(sector-off%sector))], "\x00")) == 0
}

// holed tells whether a sector of what stands at off was never written: it has
// only zeros, and too many of them to be the content of an entry.
func holed(b []byte, off int64) bool {
	for len(b) > 0 {
		n := min(len(b), int(sector-off%sector))
		if n >= sector/8 && len(bytes.Trim(b[:n], "\x00")) == 0 {
			return true
		}
		b, off = b[n:], off+int64(n)
	}
	return false
}

// sector is the least that a disk writes as one.
const sector = 512

// holdsFrame tells whether a frame begins anywhere in b: then the damage
// before it is in something that was acknowledged.
func holdsFrame(b []byte) bool {
	for at := 0; ; at++ {
		next := bytes.Index(b[at:], []byte(frameMagic))
		if next < 0 || len(b)-at-next < frameHeader {
			return false
		}
		if at += next; soundHeader(b[at:]) {
			return true
		}
	}
}

func soundHeader(head []byte) bool {
	return string(head[:4]) == frameMagic && binary.BigEndian.Uint32(head[20:]) == crc32.Checksum(head[:20], castagnoli)
}

func (s *segment) read(n int) ([]byte, error) {
	if cap(s.buf) < n {
		s.buf = make([]byte, max(n, 1<<16))
	}
	b := s.buf[:n]
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, readError(err)
	}
	return b, nil
}

func readError(err error) error { return &callerError{fmt.Errorf("read: %w", err)} }

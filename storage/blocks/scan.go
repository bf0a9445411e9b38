// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/traboule/traboule/crypto"
)

// scanner walks over the entries of one pack. Damage does not stop it: it
// looks for the next sync word.
type scanner struct {
	r      io.ReaderAt
	number uint32
	size   int64
	verify bool  // hash the data too,
	since  int64 // from here on

	pause func(off int64) bool // asked at each entry: stop before it? nil for never

	sync   syncWord
	headed bool // the pack's own header is right
	paused bool
	buf    []byte
	good   func(entry)
	damage func(Damage)
}

// scan calls good and damage for what stands from byte from on, and returns
// the end of the last entry. What lies behind it has no entry in it (unless
// the scan was paused there): only the caller can know whether that is a torn
// write or damage. The error is one of
// reading, or errVersion.
func (s *scanner) scan(from int64) (end int64, err error) {
	if err := s.readHeader(); err != nil {
		return 0, err
	}
	off := max(from, packHeader)
	for off < s.size {
		if s.paused = s.pause != nil && s.pause(off); s.paused {
			return off, nil
		}
		next, err := s.step(off)
		if err != nil {
			return 0, fmt.Errorf("read pack %08d at %d: %w", s.number, off, err)
		}
		if next < 0 {
			return off, nil
		}
		off = next
	}
	return min(off, s.size), nil
}

// readHeader finds the pack's sync word, in the header or, when that is
// damaged, before the first entry.
func (s *scanner) readHeader() error {
	b := make([]byte, packHeader+entryHeader)
	n, err := s.r.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read pack %08d: %w", s.number, err)
	}
	b = b[:n]
	s.sync, err = decodePackHeader(b, s.number)
	if errors.Is(err, errVersion) {
		return fmt.Errorf("read pack %08d: %w", s.number, err)
	}
	s.headed = err == nil
	if err != nil {
		s.report(0, crypto.BlockName{}, err.Error())
		if len(b) >= packHeader+8 {
			copy(s.sync[:], b[packHeader:])
		}
	}
	return nil
}

func (s *scanner) report(off int64, name crypto.BlockName, why string) {
	s.damage(Damage{Pack: s.number, Offset: off, Name: name, Why: why})
}

// step deals with what stands at off and returns where to go on, or -1 when
// no entry follows.
func (s *scanner) step(off int64) (int64, error) {
	head, err := s.read(off, min(entryHeader, s.size-off))
	if err != nil {
		return 0, err
	}
	if e, ok := s.decode(head, off); ok {
		return e.end(), s.entry(e)
	}
	next, err := s.find(off + 1)
	if err != nil {
		return 0, err
	}
	end := next
	if next < 0 {
		end = s.size
	}
	if ok, err := s.rescue(off, end); ok || err != nil {
		return end, err
	}
	if next >= 0 {
		s.report(off, crypto.BlockName{}, fmt.Sprintf("no entry in %d bytes", next-off))
	}
	return next, nil
}

// decode says whether a whole entry stands at off. A pack retires only those
// before it.
func (s *scanner) decode(head []byte, off int64) (entry, bool) {
	e, ok := decodeEntryHeader(head, s.sync, off)
	if ok && e.kind == kindRetirement {
		n, _ := spanOf(e.name, s.number)
		ok = n.to < s.number
	}
	return e, ok && e.end() <= s.size
}

func (s *scanner) entry(e entry) error {
	if s.verify && e.off >= s.since && e.kind == kindBlock {
		data, err := s.read(e.off+entryHeader, int64(e.size))
		if err != nil {
			return err
		}
		if crypto.NameOf(data) != e.name {
			s.report(e.off, e.name, "the bytes do not match the block's name")
			return nil
		}
	}
	s.good(e)
	return nil
}

// rescue serves a block whose header is damaged, when the rest of the gap
// hashes to the name that the header gives: then nothing else can be wrong.
func (s *scanner) rescue(off, end int64) (bool, error) {
	size := end - off - entryHeader
	if size < 0 || size > crypto.MaxBlock {
		return false, nil
	}
	b, err := s.read(off, end-off)
	if err != nil {
		return false, err
	}
	name := crypto.BlockName(b[16:48])
	if crypto.NameOf(b[entryHeader:]) != name {
		return false, nil
	}
	s.report(off, crypto.BlockName{}, "entry header fails its check; the block was saved")
	s.good(entry{kindBlock, name, off, int(size)})
	return true, nil
}

// find returns the place of the next whole entry at or after from, or -1.
func (s *scanner) find(from int64) (int64, error) {
	const window = 1 << 20
	for base := from; base+entryHeader <= s.size; base += window {
		b, err := s.read(base, min(window+entryHeader, s.size-base))
		if err != nil {
			return 0, err
		}
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], s.sync[:])
			if i < 0 {
				break
			}
			at += i
			if e, ok := s.decode(b[at:], base+int64(at)); ok {
				return e.off, nil
			}
		}
	}
	return -1, nil
}

func (s *scanner) read(off, n int64) ([]byte, error) {
	if int64(cap(s.buf)) < n {
		s.buf = make([]byte, n)
	}
	b := s.buf[:n]
	if got, err := s.r.ReadAt(b, off); int64(got) < n {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// torn tells whether what lies behind the last entry is the rest of a write
// that never ended (or nothing at all): it is shorter than its header says, or
// begins or ends in space never written. Anything else is damage.
func (s *scanner) torn(end int64) bool {
	rest := s.size - end
	if rest < entryHeader {
		return true
	}
	head, err := s.read(end, entryHeader)
	if err != nil {
		return false
	}
	if _, ok := decodeEntryHeader(head, s.sync, end); ok || blank(head) {
		return true
	}
	tail, err := s.read(s.size-32, 32)
	return err == nil && blank(tail)
}

func blank(b []byte) bool {
	return len(bytes.Trim(b, "\x00")) == 0
}

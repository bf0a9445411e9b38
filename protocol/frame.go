// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Errors of [ReadFrame].
var (
	ErrFrameTooLarge = errors.New("frame is larger than this conversation allows")
	ErrBadFrame      = errors.New("not a frame")
)

// Kind is the first byte of a frame: what its body means in the conversation
// at hand. Kind 0 is [KindRefused] in all of them.
type Kind byte

// KindRefused is the frame that carries a [Refusal], in every conversation.
// It is the last frame of whoever sends it.
const KindRefused Kind = 0

// maxLengthBytes is how many bytes the length before a frame may take: 2^28-1
// is far more than any conversation allows.
const maxLengthBytes = 4

// AppendFrame appends one frame to dst: the length of what follows as an
// unsigned LEB128 varint, the kind, the body.
func AppendFrame(dst []byte, kind Kind, body []byte) []byte {
	dst = AppendFrameHeader(dst, kind, len(body))
	return append(dst, body...)
}

// AppendFrameHeader appends what stands before a body of size bytes, for
// those who write the body themselves.
func AppendFrameHeader(dst []byte, kind Kind, size int) []byte {
	dst = binary.AppendUvarint(dst, uint64(size)+1)
	return append(dst, byte(kind))
}

// WriteFrame writes one frame in one call of Write.
func WriteFrame(w io.Writer, kind Kind, body []byte) error {
	frame := AppendFrame(make([]byte, 0, len(body)+maxLengthBytes+1), kind, body)
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("write frame %d: %w", kind, err)
	}
	return nil
}

// ReadFrame reads one frame whose body has at most limit bytes. The body lies
// in buf if that has the capacity, else in new memory. Nothing is allocated
// before the length was checked, and never much more than has come: a length
// alone costs its sender as much as it costs here.
//
// The error is io.EOF if the stream ended before a frame began, and wraps
// io.ErrUnexpectedEOF if it ended inside, [ErrFrameTooLarge] or [ErrBadFrame]
// (a length that is not in its shortest form, or zero).
func ReadFrame(r *bufio.Reader, limit int, buf []byte) (Kind, []byte, error) {
	size, err := readLength(r)
	if err != nil {
		return 0, nil, err
	}
	if size-1 > limit {
		return 0, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, size-1, limit)
	}
	kind, err := r.ReadByte()
	if err != nil {
		return 0, nil, inside(err)
	}
	body, err := readBody(r, size-1, buf)
	if err != nil {
		return 0, nil, inside(err)
	}
	return Kind(kind), body, nil
}

// firstRoom is the memory that is taken for a body of which nothing came yet.
const firstRoom = 16 << 10

// readBody reads size bytes into buf, or into memory that doubles as they come.
func readBody(r *bufio.Reader, size int, buf []byte) ([]byte, error) {
	body := buf[:0]
	if cap(body) < min(size, firstRoom) {
		body = make([]byte, 0, min(size, firstRoom))
	}
	for {
		have := len(body)
		body = body[:min(size, cap(body))]
		if _, err := io.ReadFull(r, body[have:]); err != nil {
			return nil, err
		}
		if len(body) == size {
			return body, nil
		}
		body = append(make([]byte, 0, min(size, 2*len(body))), body...)
	}
}

// readLength reads the varint: at least 1, at most 28 bits, shortest form.
func readLength(r *bufio.Reader) (int, error) {
	var size int
	for i := range maxLengthBytes {
		b, err := r.ReadByte()
		switch {
		case err != nil && i == 0:
			return 0, err
		case err != nil:
			return 0, inside(err)
		}
		size |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			if b == 0 {
				return 0, fmt.Errorf("%w: empty, or its length is not in shortest form", ErrBadFrame)
			}
			return size, nil
		}
	}
	return 0, fmt.Errorf("%w: its length goes on and on", ErrBadFrame)
}

func inside(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read a frame: %w", err)
}

// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// Cursor is a place in the packs up to which [Store.CheckSome] has come. The
// zero value is the beginning. As a text it can be kept anywhere: one that was
// garbled is refused, and one from before a compaction still serves.
type Cursor struct {
	Pack   uint32
	Offset int64
}

// String is the text of a cursor, as "3:12345:89abcdef": pack, offset, and a
// CRC-32C of what stands before.
func (c Cursor) String() string {
	front := fmt.Sprintf("%d:%d:", c.Pack, c.Offset)
	return fmt.Sprintf("%s%08x", front, crc32.Checksum([]byte(front), castagnoli))
}

// MarshalText is [Cursor.String].
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

var errCursor = errors.New("not a place in the packs")

// UnmarshalText takes exactly what MarshalText gives.
func (c *Cursor) UnmarshalText(text []byte) error {
	var read Cursor
	if len(text) > 64 {
		return errCursor
	}
	if _, err := fmt.Sscanf(string(text), "%d:%d:", &read.Pack, &read.Offset); err != nil || read.String() != string(text) || read.Offset < 0 {
		return fmt.Errorf("%w: %q", errCursor, text)
	}
	*c = read
	return nil
}

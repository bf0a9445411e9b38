// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto/canonical"
)

// The keyring file and the kit have one shape: a magic of 7 bytes and a
// format version, the header's length and the header, sealed bytes, and the
// SHA-256 of all that. The digest is there to tell damage from a wrong
// secret; against a forger the sealed bytes are bound to all before them.
const (
	magicSize     = 7
	formatVersion = 1
	maxHeader     = 4 << 10
	prefixSize    = magicSize + 1 + 4
)

// envelope is such a file, taken apart: bound is magic, version and header.
type envelope struct{ bound, header, sealed []byte }

// bind starts a file: what comes before the sealed bytes.
func bind(magic string, header any) ([]byte, error) {
	h, err := canonical.Marshal(header)
	if err != nil {
		return nil, err
	}
	out := append([]byte(magic), formatVersion)
	out = binary.BigEndian.AppendUint32(out, uint32(len(h)))
	return append(out, h...), nil
}

// finish appends the digest.
func finish(file []byte) []byte {
	sum := sha256.Sum256(file)
	return append(file, sum[:]...)
}

// errLater comes with [ErrDamaged] where it may be no damage.
var errLater = errors.New("not of a format that is known here")

// takeApart checks magic, version, digest and lengths, and reads the header.
func takeApart(magic string, file []byte, limit int, header any) (envelope, error) {
	if len(file) < prefixSize+sha256.Size || len(file) > limit {
		return envelope{}, fmt.Errorf("%w: %d bytes", ErrDamaged, len(file))
	}
	if string(file[:magicSize]) != magic {
		return envelope{}, fmt.Errorf("%w: not such a file", ErrDamaged)
	}
	if v := file[magicSize]; v != formatVersion {
		return envelope{}, fmt.Errorf("%w: %w: format version %d", ErrDamaged, errLater, v)
	}
	rest, digest := file[:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if sum := sha256.Sum256(rest); !bytes.Equal(sum[:], digest) {
		return envelope{}, fmt.Errorf("%w: the digest does not match", ErrDamaged)
	}
	n := int64(binary.BigEndian.Uint32(rest[magicSize+1:]))
	if n > maxHeader || n > int64(len(rest)-prefixSize) {
		return envelope{}, fmt.Errorf("%w: a header of %d bytes", ErrDamaged, n)
	}
	e := envelope{bound: rest[:prefixSize+n], header: rest[prefixSize : prefixSize+n], sealed: rest[prefixSize+n:]}
	if err := canonical.Unmarshal(e.header, header); err != nil {
		return envelope{}, fmt.Errorf("%w: %w: header: %w", ErrDamaged, errLater, err)
	}
	return e, nil
}

// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/zeebo/blake3"
	"golang.org/x/crypto/chacha20poly1305"
)

// suiteChaCha is the one suite there is: BLAKE3 keyed for the block key,
// ChaCha20-Poly1305 (RFC 8439) under a zero nonce for the block.
const suiteChaCha byte = 1

// A block's key is a keyed hash of exactly what it seals, so no key ever
// seals two inputs and the nonce can be zero.
var zeroNonce [chacha20poly1305.NonceSize]byte

var zeros [4096]byte

// Sealer seals the blocks of one data set, view and generation. Within these
// the same plaintext gives the same block, so that it is stored once; nowhere
// else does it look the same. Many goroutines may use one Sealer.
type Sealer struct {
	private
	associated []byte
	hashes     *sync.Pool // of keyed *blake3.Hasher
}

func newSealer(secret [32]byte, dataset DID, view string, generation uint64) *Sealer {
	gen := binary.BigEndian.AppendUint64(nil, generation)
	hashKey := derive(secret[:], labelBlockKey, []byte(view), gen)
	keyed := func() any {
		h, err := blake3.NewKeyed(hashKey[:])
		if err != nil {
			panic("crypto: " + err.Error()) // only for a key of another length
		}
		return h
	}
	return &Sealer{associated: associatedData(suiteChaCha, dataset), hashes: &sync.Pool{New: keyed}}
}

func associatedData(suite byte, dataset DID) []byte {
	ad := make([]byte, 0, 64)
	return append(append(ad, suite), dataset...)
}

// Key returns the key of the block that plaintext becomes, without sealing
// it. plaintext is at most [BlockData] bytes.
func (s *Sealer) Key(plaintext []byte) BlockKey {
	h := s.begin()
	h.Write(plaintext)
	h.Write([]byte{padMarker})
	for rest := paddedSize(len(plaintext)) - len(plaintext) - 1; rest > 0; {
		n := min(rest, len(zeros))
		h.Write(zeros[:n])
		rest -= n
	}
	return s.end(h)
}

// begin hashes the associated data after its length; the padded plaintext is
// the rest of the input, so the two cannot be mistaken for each other.
func (s *Sealer) begin() *blake3.Hasher {
	h := s.hashes.Get().(*blake3.Hasher)
	h.Reset()
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(s.associated)))
	h.Write(length[:])
	h.Write(s.associated)
	return h
}

func (s *Sealer) end(h *blake3.Hasher) (key BlockKey) {
	h.Sum(key[:0])
	s.hashes.Put(h)
	return key
}

// Seal pads and encrypts plaintext (at most [BlockData] bytes), appends the
// block to dst and returns it with its key. A dst with room for [MaxBlock]
// more bytes is not grown; it must not overlap plaintext.
func (s *Sealer) Seal(dst, plaintext []byte) (ciphertext []byte, key BlockKey, err error) {
	if len(plaintext) > BlockData {
		return nil, BlockKey{}, fmt.Errorf("seal a block of %d bytes: %w", len(plaintext), ErrBlockSize)
	}
	size := paddedSize(len(plaintext))
	dst = append(slices.Grow(dst, 1+size+chacha20poly1305.Overhead), suiteChaCha)
	start := len(dst)
	padded := dst[start : start+size]
	n := copy(padded, plaintext)
	padded[n] = padMarker
	clear(padded[n+1:])

	h := s.begin()
	h.Write(padded)
	key = s.end(h)
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, BlockKey{}, fmt.Errorf("seal a block: %w", err)
	}
	return aead.Seal(dst, zeroNonce[:], padded, s.associated), key, nil
}

// OpenBlock appends the plaintext of a block of dataset to dst. The errors
// are [ErrBlockSize], [ErrBlockSuite], [ErrBlockTag] and [ErrBlockPadding].
// dst must not overlap ciphertext.
func OpenBlock(dst []byte, dataset DID, key BlockKey, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < 2+chacha20poly1305.Overhead || len(ciphertext) > MaxBlock {
		return nil, fmt.Errorf("open a block of %d bytes: %w", len(ciphertext), ErrBlockSize)
	}
	suite, sealed := ciphertext[0], ciphertext[1:]
	if suite != suiteChaCha {
		return nil, fmt.Errorf("%w: %d", ErrBlockSuite, suite)
	}
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, fmt.Errorf("open a block: %w", err)
	}
	start := len(dst)
	out, err := aead.Open(dst, zeroNonce[:], sealed, associatedData(suite, dataset))
	if err != nil {
		return nil, ErrBlockTag
	}
	plain, err := unpad(out[start:])
	if err != nil {
		return nil, err
	}
	return out[:start+len(plain)], nil
}

// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// MaxBlock is the largest ciphertext of a block in bytes: suite byte, padded
// plaintext and tag. BlockData is how many plaintext bytes such a block holds;
// one byte marks where the padding starts.
const (
	MaxBlock  = 1 << 20
	BlockData = MaxBlock - 18
)

// Errors of blocks.
var (
	ErrBlockSize    = errors.New("block has an impossible size")
	ErrBlockSuite   = errors.New("block is sealed with a suite that this version does not know")
	ErrBlockTag     = errors.New("block does not open: another key, another data set, or damaged")
	ErrBlockPadding = errors.New("block has bad padding")
	ErrBadBlockName = errors.New("not the name of a block (CIDv1, raw, sha2-256)")
)

// BlockKey opens one block, and no other: it depends on every byte that was
// sealed. It prints nothing, but it can be encoded (manifests hold it).
type BlockKey [32]byte

// Format prints "[secret]" under every verb.
func (BlockKey) Format(s fmt.State, verb rune) { private{}.Format(s, verb) }

// String returns "[secret]".
func (BlockKey) String() string { return redacted }

// GoString returns "[secret]".
func (BlockKey) GoString() string { return redacted }

// MarshalJSON returns "[secret]" as a JSON string.
func (BlockKey) MarshalJSON() ([]byte, error) { return private{}.MarshalJSON() }

// LogValue is "[secret]" in a log.
func (BlockKey) LogValue() slog.Value { return private{}.LogValue() }

// BlockName is the SHA-256 of a block's ciphertext: whoever keeps the block
// can verify it, nobody can recognise its content.
type BlockName [32]byte

// NameOf names a ciphertext.
func NameOf(ciphertext []byte) BlockName { return sha256.Sum256(ciphertext) }

// CID spells the name as CIDv1 with the raw codec and sha2-256.
func (n BlockName) CID() cid.Cid {
	mh, err := multihash.Encode(n[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // only for an unknown code
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// String is the CID's text.
func (n BlockName) String() string { return n.CID().String() }

// BlockNameFromCID accepts what [BlockName.CID] makes and nothing else.
func BlockNameFromCID(c cid.Cid) (BlockName, error) {
	if !c.Defined() {
		return BlockName{}, ErrBadBlockName
	}
	raw := c.Bytes()
	if len(raw) != 36 {
		return BlockName{}, ErrBadBlockName
	}
	name := BlockName(raw[4:])
	if !name.CID().Equals(c) {
		return BlockName{}, fmt.Errorf("%w: %s", ErrBadBlockName, c)
	}
	return name, nil
}

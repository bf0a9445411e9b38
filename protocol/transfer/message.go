// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// ProtocolID names the conversation when a stream is opened.
const ProtocolID = "/traboule/transfer/1.0.0"

// Version is the one that this package speaks.
const Version = 1

// Limits of the messages.
const (
	MaxToken  = 16 << 10 // bytes of an invocation or a proof
	MaxProofs = 6
	MaxHead   = 8 << 10 // bytes of a sealed head
	MaxWant   = 1024    // names in one Want

	maxRequest = (MaxProofs+1)*(MaxToken+3) + 64
	maxHello   = 64
	maxClient  = MaxWant * nameSize // the largest frame of a client that was admitted
	maxServer  = maxSection         // and of the server
	nameSize   = 32
)

// The frames. Those from 16 on are reserved for receipts and subscriptions:
// who gets one in version 1 answers Unsupported.
const (
	kindHello   protocol.Kind = 1
	kindRequest protocol.Kind = 2
	kindAnswer  protocol.Kind = 3
	kindWant    protocol.Kind = 4
	kindBlock   protocol.Kind = 5
	kindMissing protocol.Kind = 6
	kindDone    protocol.Kind = 7
	kindEnd     protocol.Kind = 8

	kindReceiptWindow protocol.Kind = 16
	kindReceipt       protocol.Kind = 17
	kindSubscribe     protocol.Kind = 18
	kindNewHead       protocol.Kind = 19
)

// Errors of the conversation.
var (
	// ErrLied says that the peer broke the protocol: a block that is not the
	// wanted one, a message out of turn or out of bounds.
	ErrLied = errors.New("the peer did not keep to the protocol")
	// ErrWrongBlock is the ErrLied of a block whose bytes are not those that
	// its name says. The server's disk may lie to the server too: one that
	// sees the stream reset hashes what it sends to the next.
	ErrWrongBlock = fmt.Errorf("%w: what came is another block", ErrLied)
	// ErrSlow says that the peer let us wait for too long.
	ErrSlow = errors.New("the peer was silent or slow for too long")
	// ErrNotGranted is what a Passage returns for a block outside the grant.
	ErrNotGranted = errors.New("block is outside the grant")
	// ErrMissing is what a Passage returns for a block that is granted and
	// not here, and what Fetch returns when there were such.
	ErrMissing = errors.New("block is missing at the server")
)

// Request is what a client asks to open.
type Request struct {
	Invocation []byte   // a token, at most MaxToken bytes
	Proofs     [][]byte // its proofs, root first, at most MaxProofs
	// Held is the digest of the newest head that the client has, or nil. If
	// there is nothing newer the answer's head is empty.
	Held []byte
}

type requestBody struct {
	_          struct{} `cbor:",toarray"`
	Version    uint64
	Invocation []byte
	Proofs     [][]byte
	Held       []byte
	Subscribe  bool // reserved: false in version 1
}

type helloBody struct {
	_        struct{} `cbor:",toarray"`
	Versions []uint64
	Clock    int64 // Unix seconds
}

type countBody struct {
	_      struct{} `cbor:",toarray"`
	Blocks uint64
	Bytes  uint64
}

func (r Request) encode() ([]byte, error) {
	b := requestBody{Version: Version, Invocation: r.Invocation, Proofs: r.Proofs, Held: r.Held}
	if b.Proofs == nil {
		b.Proofs = [][]byte{}
	}
	if b.Held == nil {
		b.Held = []byte{}
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	return canonical.Marshal(b)
}

func parseRequest(body []byte) (Request, error) {
	var b requestBody
	if err := canonical.Unmarshal(body, &b); err != nil {
		return Request{}, fmt.Errorf("%w: a request: %w", ErrLied, err)
	}
	if err := b.check(); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrLied, err)
	}
	r := Request{Invocation: b.Invocation, Proofs: b.Proofs}
	if len(b.Held) > 0 {
		r.Held = b.Held
	}
	return r, nil
}

func (b requestBody) check() error {
	switch {
	case b.Version != Version || b.Subscribe:
		return fmt.Errorf("a request of version %d, subscribing %v", b.Version, b.Subscribe)
	case len(b.Invocation) == 0 || len(b.Invocation) > MaxToken:
		return fmt.Errorf("a request with an invocation of %d bytes", len(b.Invocation))
	case b.Proofs == nil || len(b.Proofs) > MaxProofs:
		return fmt.Errorf("a request with %d proofs", len(b.Proofs))
	case b.Held == nil || len(b.Held) != 0 && len(b.Held) != 32:
		return fmt.Errorf("a request that holds a digest of %d bytes", len(b.Held))
	}
	for _, p := range b.Proofs {
		if len(p) == 0 || len(p) > MaxToken {
			return fmt.Errorf("a request with a proof of %d bytes", len(p))
		}
	}
	return nil
}

func parseHello(body []byte) (helloBody, error) {
	var h helloBody
	if err := canonical.Unmarshal(body, &h); err != nil {
		return h, fmt.Errorf("%w: a hello: %w", ErrLied, err)
	}
	if len(h.Versions) == 0 || !slices.IsSorted(h.Versions) || h.Clock < 0 {
		return h, fmt.Errorf("%w: a hello without versions or clock", ErrLied)
	}
	if !slices.Contains(h.Versions, Version) {
		return h, fmt.Errorf("%w: it speaks versions %d, not %d", &protocol.Refusal{Code: protocol.Unsupported}, h.Versions, Version)
	}
	return h, nil
}

func parseCount(body []byte) (countBody, error) {
	var c countBody
	if err := canonical.Unmarshal(body, &c); err != nil {
		return c, fmt.Errorf("%w: a count: %w", ErrLied, err)
	}
	return c, nil
}

// appendWant appends a Want frame for 1 to MaxWant names.
func appendWant(dst []byte, names []crypto.BlockName) []byte {
	dst = protocol.AppendFrameHeader(dst, kindWant, len(names)*nameSize)
	for _, n := range names {
		dst = append(dst, n[:]...)
	}
	return dst
}

// parseWant gives the names in a Want's body to each, until its first error.
func parseWant(body []byte, each func(crypto.BlockName) error) error {
	if len(body) == 0 || len(body)%nameSize != 0 || len(body) > MaxWant*nameSize {
		return fmt.Errorf("%w: a want of %d bytes", ErrLied, len(body))
	}
	for name := range slices.Chunk(body, nameSize) {
		if err := each(crypto.BlockName(name)); err != nil {
			return err
		}
	}
	return nil
}

// A block travels as one section of a CARv1 file: the length of CID and data
// as a varint, the CID, the data. What a client writes down one after the
// other, behind a CAR header, is a CAR file.
const (
	cidSize    = 4 + nameSize
	maxSection = 3 + cidSize + crypto.MaxBlock
)

// cidStart is CIDv1, raw codec, SHA2-256, 32 bytes.
var cidStart = [4]byte{0x01, 0x55, 0x12, 0x20}

// appendBlockHeader appends the frame header and what stands in the section
// before size bytes of ciphertext.
func appendBlockHeader(dst []byte, name crypto.BlockName, size int) []byte {
	section := binary.AppendUvarint(make([]byte, 0, 4), uint64(cidSize+size))
	dst = protocol.AppendFrameHeader(dst, kindBlock, len(section)+cidSize+size)
	dst = append(dst, section...)
	dst = append(dst, cidStart[:]...)
	return append(dst, name[:]...)
}

// parseSection returns the ciphertext in a Block's body, which must say that
// it is the block called name. Whether it is remains to be hashed.
func parseSection(body []byte, name crypto.BlockName) ([]byte, error) {
	size, n := binary.Uvarint(body[:min(len(body), 4)])
	if n <= 0 || n > 1 && body[n-1] == 0 || uint64(len(body)-n) != size {
		return nil, fmt.Errorf("%w: a section of the wrong length", ErrLied)
	}
	rest := body[n:]
	if len(rest) <= cidSize || len(rest) > cidSize+crypto.MaxBlock || [4]byte(rest) != cidStart {
		return nil, fmt.Errorf("%w: a section that holds no block", ErrLied)
	}
	if crypto.BlockName(rest[4:cidSize]) != name {
		return nil, fmt.Errorf("%w: block %s, wanted %s", ErrLied, crypto.BlockName(rest[4:cidSize]), name)
	}
	return rest[cidSize:], nil
}

// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
)

// MaxHead is the longest signed head in bytes.
const MaxHead = 2048

// Errors of heads and manifests.
var (
	ErrBadHead  = errors.New("not a valid head")
	ErrBadPage  = errors.New("not a valid manifest page")
	ErrBadEntry = errors.New("not a valid manifest entry")
	ErrCounts   = errors.New("the manifest does not hold what its head says")
	ErrTooLarge = errors.New("manifest too large")
)

// Ref names a block and holds the key that opens it.
type Ref struct {
	Name crypto.BlockName
	Key  crypto.BlockKey
}

// IsZero tells whether r names nothing.
func (r Ref) IsZero() bool { return r.Name == crypto.BlockName{} }

// Counts says how much a manifest lists. Bytes are plaintext bytes of files;
// Blocks counts the references to data blocks, repeated ones too.
type Counts struct {
	Files, Folders, Bytes, Blocks uint64
}

// Head names one version of a data set, or of a view of it.
type Head struct {
	Dataset     crypto.DID
	View        string // "" for all of it, or what [Paths.View] or [RowsView] returns
	Generation  uint64 // whose keys seal the pages
	Sequence    uint64 // incarnation<<32 | n: a later version has a larger one; see [RowsView]
	Root        Ref    // the manifest's root page
	Description Ref    // a sealed [Description]; zero for none
	Counts      Counts
	Time        int64 // Unix seconds
}

// Incarnation is the high half of the sequence.
func (h Head) Incarnation() uint32 { return uint32(h.Sequence >> 32) }

// SequenceOf joins an incarnation and a version number.
func SequenceOf(incarnation, n uint32) uint64 { return uint64(incarnation)<<32 | uint64(n) }

const headLabel = "traboule/v1/head\x00"

type wireHead struct {
	_           struct{} `cbor:",toarray"`
	Format      uint64
	Dataset     string
	View        string
	Generation  uint64
	Sequence    uint64
	Root        []byte
	Description []byte
	Files       uint64
	Folders     uint64
	Bytes       uint64
	Blocks      uint64
	Time        int64
}

type wireSigned struct {
	_         struct{} `cbor:",toarray"`
	Head      []byte
	Signer    string
	Signature []byte
}

// SignHead encodes h and has s sign it. A head that [ParseHead] would refuse
// is not signed.
func SignHead(s crypto.Signer, h Head) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	w := wireHead{Format: 1, Dataset: string(h.Dataset), View: h.View, Generation: h.Generation, Sequence: h.Sequence,
		Root: appendRef(nil, h.Root), Files: h.Counts.Files, Folders: h.Counts.Folders, Bytes: h.Counts.Bytes,
		Blocks: h.Counts.Blocks, Time: h.Time, Description: []byte{}}
	if !h.Description.IsZero() {
		w.Description = appendRef(nil, h.Description)
	}
	payload := canonical.MustMarshal(w)
	sig, err := s.Sign(append([]byte(headLabel), payload...))
	if err != nil {
		return nil, fmt.Errorf("sign a head: %w", err)
	}
	return canonical.MustMarshal(wireSigned{Head: payload, Signer: string(s.DID()), Signature: sig}), nil
}

// ParseHead reads a signed head and verifies the signature; the caller decides
// whether signer may speak for the data set.
func ParseHead(b []byte) (h Head, signer crypto.DID, err error) {
	if len(b) > MaxHead {
		return Head{}, "", fmt.Errorf("%w: %d bytes", ErrBadHead, len(b))
	}
	var s wireSigned
	if err := canonical.Unmarshal(b, &s); err != nil {
		return Head{}, "", fmt.Errorf("%w: %w", ErrBadHead, err)
	}
	signer, err = crypto.ParseDID(s.Signer)
	if err != nil {
		return Head{}, "", fmt.Errorf("%w: signer: %w", ErrBadHead, err)
	}
	if err := crypto.Verify(signer, append([]byte(headLabel), s.Head...), s.Signature); err != nil {
		return Head{}, "", fmt.Errorf("%w: %w", ErrBadHead, err)
	}
	h, err = decodeHead(s.Head)
	if err != nil {
		return Head{}, "", err
	}
	return h, signer, nil
}

func decodeHead(payload []byte) (Head, error) {
	var w wireHead
	if err := canonical.Unmarshal(payload, &w); err != nil {
		return Head{}, fmt.Errorf("%w: %w", ErrBadHead, err)
	}
	if w.Format != 1 {
		return Head{}, fmt.Errorf("%w: format %d", ErrBadHead, w.Format)
	}
	h := Head{Dataset: crypto.DID(w.Dataset), View: w.View, Generation: w.Generation, Sequence: w.Sequence,
		Counts: Counts{Files: w.Files, Folders: w.Folders, Bytes: w.Bytes, Blocks: w.Blocks}, Time: w.Time}
	if w.Description == nil { // null is another encoding of nothing
		return Head{}, fmt.Errorf("%w: description", ErrBadHead)
	}
	var err error
	if h.Root, err = parseRef(w.Root); err != nil {
		return Head{}, fmt.Errorf("%w: root: %w", ErrBadHead, err)
	}
	if len(w.Description) > 0 {
		if h.Description, err = parseRef(w.Description); err != nil {
			return Head{}, fmt.Errorf("%w: description: %w", ErrBadHead, err)
		}
	}
	return h, h.check()
}

func (h Head) check() error {
	if _, err := crypto.ParseDID(string(h.Dataset)); err != nil {
		return fmt.Errorf("%w: data set: %w", ErrBadHead, err)
	}
	if h.View != "" && !validView(h.View) {
		return fmt.Errorf("%w: view", ErrBadHead)
	}
	if h.Root.IsZero() {
		return fmt.Errorf("%w: no root", ErrBadHead)
	}
	if h.Sequence == 0 || h.Time < 0 {
		return fmt.Errorf("%w: sequence %d, time %d", ErrBadHead, h.Sequence, h.Time)
	}
	if h.Counts.Blocks > h.Counts.Files+h.Counts.Bytes/crypto.BlockData {
		return fmt.Errorf("%w: more blocks than its bytes can fill", ErrBadHead)
	}
	return nil
}

func validView(view string) bool {
	hex, ok := strings.CutPrefix(view, viewPrefix)
	if !ok {
		hex, ok = strings.CutPrefix(view, rowsPrefix)
	}
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

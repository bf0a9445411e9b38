// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"errors"

	"github.com/traboule/traboule/crypto"
)

// A reference is written as the block's binary CID and its key.
const (
	cidSize = 36
	refSize = cidSize + 32
)

// CIDv1, raw, sha2-256, 32 bytes.
var cidPrefix = []byte{0x01, 0x55, 0x12, 0x20}

var errBadRef = errors.New("not a block reference")

func appendRef(dst []byte, r Ref) []byte {
	dst = append(dst, cidPrefix...)
	dst = append(dst, r.Name[:]...)
	return append(dst, r.Key[:]...)
}

func parseRef(b []byte) (Ref, error) {
	if len(b) != refSize || !bytes.HasPrefix(b, cidPrefix) {
		return Ref{}, errBadRef
	}
	r := Ref{Name: crypto.BlockName(b[len(cidPrefix):cidSize]), Key: crypto.BlockKey(b[cidSize:])}
	if r.IsZero() {
		return Ref{}, errBadRef
	}
	return r, nil
}

func parseRefs(b []byte) ([]Ref, error) {
	if len(b)%refSize != 0 {
		return nil, errBadRef
	}
	refs := make([]Ref, len(b)/refSize)
	for i := range refs {
		var err error
		if refs[i], err = parseRef(b[i*refSize : (i+1)*refSize]); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

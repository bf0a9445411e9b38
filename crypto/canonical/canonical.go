// SPDX-License-Identifier: Apache-2.0

// Package canonical gives every value one encoding and every encoding one
// value, so that a digest or a signature over the bytes is one over the
// meaning: deterministic CBOR (RFC 8949 §4.2, map keys ordered shortest first
// as in DAG-CBOR), read back strictly.
//
// It knows nothing of what the values mean. Tokens are not read here: UCAN
// needs links and has a codec of its own in protocol/ucan. The way in is
// [Marshal] and [Unmarshal].
package canonical

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// MaxDepth is how many arrays and maps may lie inside one another.
const MaxDepth = 24

// ErrNotCanonical is returned for bytes that mean something but are not the
// one encoding of it.
var ErrNotCanonical = errors.New("not the canonical encoding")

var encoder, decoder = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	enc := cbor.EncOptions{
		Sort:          cbor.SortLengthFirst,
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertReject,
		InfConvert:    cbor.InfConvertReject,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
	}
	dec := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  1 << 20,
		MaxMapPairs:       1 << 16,
		UTF8:              cbor.UTF8RejectInvalid,
		NaN:               cbor.NaNDecodeForbidden,
		Inf:               cbor.InfDecodeForbidden,
	}
	e, err := enc.EncMode()
	if err != nil {
		panic(err)
	}
	d, err := dec.DecMode()
	if err != nil {
		panic(err)
	}
	return e, d
}

// Marshal encodes v. Struct fields are named by their `cbor` tags; a struct
// with `_ struct{} "cbor:\",toarray\""` becomes an array.
func Marshal(v any) ([]byte, error) { return encoder.Marshal(v) }

// MustMarshal encodes a value whose type cannot fail to encode.
func MustMarshal(v any) []byte {
	data, err := Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("canonical: %T: %v", v, err))
	}
	return data
}

// Unmarshal decodes data into v, a pointer to a value holding its zero value.
// Unknown fields, repeated keys, tags, indefinite lengths, trailing bytes,
// invalid UTF-8 and every encoding but the canonical one are refused. The
// caller bounds the length of data.
func Unmarshal(data []byte, v any) error {
	if err := decoder.Unmarshal(data, v); err != nil {
		return err
	}
	again, err := Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return ErrNotCanonical
	}
	return nil
}

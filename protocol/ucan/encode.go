// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/ipfs/go-cid"
)

// EncodeValue writes v in its one DAG-CBOR encoding, which [DecodeValue] reads.
// It fails on what a token may not carry: an integer beyond ±[MaxInt], a float
// that is no number, a text that is not UTF-8, a link to nothing, and depths
// beyond [MaxDepth].
func EncodeValue(v Value) ([]byte, error) {
	b, err := appendValue(nil, v, 0)
	if err != nil {
		return nil, fmt.Errorf("write DAG-CBOR: %w", err)
	}
	return b, nil
}

func appendHead(b []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(b, major|byte(arg))
	case arg < 1<<8:
		return append(b, major|24, byte(arg))
	case arg < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), arg)
}

func appendValue(b []byte, v Value, depth int) ([]byte, error) {
	switch v.kind {
	case KindNull:
		return append(b, byteNull), nil
	case KindBool:
		return append(b, byteFalse+byte(v.num)), nil
	case KindInt:
		return appendInt(b, int64(v.num))
	case KindFloat:
		return appendFloat(b, math.Float64frombits(v.num))
	case KindString:
		return appendText(b, v.str)
	case KindBytes:
		return append(appendHead(b, majorBytes, uint64(len(v.str))), v.str...), nil
	case KindLink:
		return appendLink(b, v.str)
	}
	if depth++; depth > MaxDepth {
		return nil, fmt.Errorf("deeper than %d", MaxDepth)
	}
	if v.kind == KindList {
		return appendList(b, v.list, depth)
	}
	return appendMap(b, v.dict, depth)
}

func appendInt(b []byte, i int64) ([]byte, error) {
	if i > MaxInt || i < -MaxInt {
		return nil, errors.New("an integer beyond ±(2^53-1)")
	}
	if i < 0 {
		return appendHead(b, majorNegint, uint64(-1-i)), nil
	}
	return appendHead(b, majorUint, uint64(i)), nil
}

func appendFloat(b []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a float that is no number")
	}
	return binary.BigEndian.AppendUint64(append(b, byteFloat), math.Float64bits(f)), nil
}

func appendText(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("a text that is not UTF-8")
	}
	return append(appendHead(b, majorText, uint64(len(s))), s...), nil
}

func appendLink(b []byte, s string) ([]byte, error) {
	if _, err := cid.Cast([]byte(s)); err != nil {
		return nil, fmt.Errorf("a link to no CID: %w", err)
	}
	b = appendHead(b, majorTag, tagLink)
	b = appendHead(b, majorBytes, uint64(len(s)+1))
	return append(append(b, 0), s...), nil
}

func appendList(b []byte, items []Value, depth int) (_ []byte, err error) {
	b = appendHead(b, majorList, uint64(len(items)))
	for _, item := range items {
		if b, err = appendValue(b, item, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendMap(b []byte, entries Map, depth int) (_ []byte, err error) {
	b = appendHead(b, majorMap, uint64(len(entries)))
	for i, e := range entries {
		if i > 0 && compareKeys(entries[i-1].Key, e.Key) >= 0 {
			return nil, errors.New("map keys repeated or out of order")
		}
		if b, err = appendText(b, e.Key); err != nil {
			return nil, err
		}
		if b, err = appendValue(b, e.Value, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

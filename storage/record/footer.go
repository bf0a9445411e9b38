// SPDX-License-Identifier: Apache-2.0

package record

import "errors"

// Parquet says what a file holds in structures of Thrift's compact protocol.
// The general readers of it allocate what a length says, which in bytes from
// outside may be anything: this one reads within a budget. See
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

var errThrift = errors.New("its description is damaged")

// Types of the compact protocol; what Parquet's structures have no use for here
// is refused.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// node is one value; a structure has its fields by number.
type node struct {
	n      int64
	bytes  []byte
	list   []node
	fields map[int16]node
}

func (v node) at(field int16) node  { return v.fields[field] }
func (v node) has(field int16) bool { _, ok := v.fields[field]; return ok }

// thriftReader reads structures.
type thriftReader struct {
	byteReader
	nodes int // that may still come
}

// readThrift reads one structure and says how many bytes it took.
func readThrift(src []byte, nodes int) (node, int, error) {
	r := thriftReader{byteReader{src: src}, nodes}
	v := r.structure(0)
	if r.bad {
		return node{}, 0, errThrift
	}
	return v, len(src) - len(r.src), nil
}

func (r *thriftReader) structure(depth int) node {
	v := node{fields: map[int16]node{}}
	id := int16(0)
	for !r.bad {
		head := r.byte()
		if head == 0 {
			return v
		}
		if head>>4 != 0 {
			id += int16(head >> 4)
		} else {
			id = int16(r.varint())
		}
		if v.has(id) {
			r.bad = true
		}
		v.fields[id] = r.value(head&15, depth+1)
	}
	return v
}

func (r *thriftReader) value(kind byte, depth int) (v node) {
	if r.nodes--; r.nodes < 0 || depth > 12 {
		r.bad = true
		return v
	}
	switch kind {
	case thriftTrue:
		v.n = 1
	case thriftFalse:
	case thriftByte:
		v.n = int64(r.byte())
	case thriftI16, thriftI32, thriftI64:
		v.n = r.varint()
	case thriftBinary:
		v.bytes = r.bytes(r.size())
	case thriftList:
		v.list = r.elements(depth)
	case thriftStruct:
		v = r.structure(depth)
	default:
		r.bad = true
	}
	return v
}

func (r *thriftReader) elements(depth int) (list []node) {
	head := r.byte()
	n := int(head >> 4)
	if n == 15 {
		n = r.size()
	}
	for ; n > 0 && !r.bad; n-- {
		list = append(list, r.value(head&15, depth+1))
	}
	return list
}

func (r *thriftReader) size() int {
	n := r.uvarint()
	if n > uint64(len(r.src)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *thriftReader) byte() byte {
	b := r.bytes(1)
	if r.bad {
		return 0
	}
	return b[0]
}

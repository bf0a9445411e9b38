// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"io"
)

// unpacked undoes the filters of a stream (7.4). Of what is damaged it gives
// what comes before the damage; of a filter it does not know (those of
// pictures) nothing.
func (f *File) unpacked(s *stream) []byte {
	b := s.raw
	filters := f.list(s.dict["Filter"])
	params := f.list(s.dict["DecodeParms"])
	if len(filters) > 4 {
		panic(fault{ErrTooMuch})
	}
	for i, filter := range filters {
		var param dict
		if i < len(params) {
			param, _ = f.get(params[i]).(dict)
		}
		f.spend(len(b))
		switch f.get(filter) {
		case object(name("FlateDecode")), object(name("Fl")):
			b = f.predicted(f.inflate(b), param)
		case object(name("ASCII85Decode")), object(name("A85")):
			b = f.all(ascii85.NewDecoder(bytes.NewReader(ascii85Digits(b))))
		case object(name("ASCIIHexDecode")), object(name("AHx")):
			b = []byte(f.lexer(b, 0).hex())
		default:
			return nil
		}
	}
	return b
}

// list is an array, or what stands in place of an array of one.
func (f *File) list(o object) array {
	switch o := f.get(o).(type) {
	case nil:
		return nil
	case array:
		return o
	default:
		return array{o}
	}
}

func (f *File) inflate(b []byte) []byte {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	return f.all(r)
}

// all reads what a filter gives, paying for each piece before it is kept.
func (f *File) all(r io.Reader) []byte {
	var whole []byte
	piece := make([]byte, 32<<10)
	for {
		n, err := r.Read(piece)
		f.spend(n)
		if len(whole)+n > maxStream {
			panic(fault{ErrTooMuch})
		}
		whole = append(whole, piece[:n]...)
		if err != nil {
			return whole
		}
	}
}

// ascii85Digits leaves out what does not count, and ends where the data do.
func ascii85Digits(b []byte) []byte {
	if i := bytes.IndexByte(b, '~'); i >= 0 {
		b = b[:i]
	}
	var digits []byte
	for _, c := range b {
		if c >= '!' && c <= 'u' || c == 'z' {
			digits = append(digits, c)
		}
	}
	return digits
}

// predicted undoes PNG's row filters (7.4.4.4).
func (f *File) predicted(b []byte, param dict) []byte {
	number := func(key name, otherwise int) int {
		if n, ok := f.get(param[key]).(int); ok {
			return n
		}
		return otherwise
	}
	if number("Predictor", 1) < 10 {
		return b
	}
	bits := number("BitsPerComponent", 8) * number("Colors", 1)
	columns := number("Columns", 1)
	if bits <= 0 || bits > 256 || columns <= 0 || columns > maxStream {
		return nil
	}
	width, step := (columns*bits+7)/8, max(1, bits/8)
	var plain []byte
	above := make([]byte, min(width, len(b)))
	for len(b) > 1 {
		kind, row := b[0], b[1:min(len(b), 1+width)]
		b = b[1+len(row):]
		unfilter(kind, row, above, step)
		plain = append(plain, row...)
		above = row
	}
	return plain
}

// unfilter undoes one row in place (PNG specification, 9.2).
func unfilter(kind byte, row, above []byte, step int) {
	for i := range row {
		var left, up, corner int
		up = int(above[i])
		if i >= step {
			left, corner = int(row[i-step]), int(above[i-step])
		}
		switch kind {
		case 1:
			row[i] += byte(left)
		case 2:
			row[i] += byte(up)
		case 3:
			row[i] += byte((left + up) / 2)
		case 4:
			row[i] += byte(paeth(left, up, corner))
		}
	}
}

func paeth(left, up, corner int) int {
	p := left + up - corner
	a, b, c := distance(p, left), distance(p, up), distance(p, corner)
	switch {
	case a <= b && a <= c:
		return left
	case b <= c:
		return up
	}
	return corner
}

func distance(a, b int) int { return max(a-b, b-a) }

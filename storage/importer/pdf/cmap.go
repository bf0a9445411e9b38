// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"unicode/utf16"
)

// cmap says how codes of a font are cut out of a string, and which characters
// they stand for (9.7.5, 9.10.3).
type cmap struct {
	spaces []span
	chars  map[code]string
	ranges []span
}

// code is a character code with the number of its bytes.
type code struct{ bytes, value int }

type span struct {
	bytes, low, high int
	text             []uint16 // of the first; the last unit counts up
	each             []string // or one for each
}

const maxMapped = 1 << 17

func numeral(s text) code {
	c := code{bytes: len(s)}
	for i := range min(len(s), 4) {
		c.value = c.value<<8 | int(s[i])
	}
	return c
}

func units(s text) []uint16 {
	var u []uint16
	for i := 0; i+1 < len(s) && i < 64; i += 2 {
		u = append(u, uint16(s[i])<<8|uint16(s[i+1]))
	}
	if len(s) == 1 {
		u = []uint16{uint16(s[0])}
	}
	return u
}

// cmap reads a character map; nil for none.
func (f *File) cmap(o object) *cmap {
	s, ok := f.get(o).(*stream)
	if !ok {
		return nil
	}
	m := &cmap{chars: map[code]string{}}
	var args array
	for l := f.lexer(f.unpacked(s), 0); ; {
		l.values = len(args)
		o, more := l.next(0)
		if !more {
			return m
		}
		op, ok := o.(operator)
		if !ok {
			args = append(args, o)
			continue
		}
		m.take(op, args)
		args = nil
	}
}

func (m *cmap) take(op operator, args array) {
	at := func(i int) text { s, _ := args[i].(text); return s }
	if len(m.chars)+len(m.ranges)+len(m.spaces) > maxMapped {
		panic(fault{ErrTooMuch})
	}
	switch op {
	case "endcodespacerange":
		for i := 0; i+1 < len(args); i += 2 {
			low, high := numeral(at(i)), numeral(at(i+1))
			if low.bytes > 0 && low.bytes <= 4 {
				m.spaces = append(m.spaces, span{bytes: low.bytes, low: low.value, high: high.value})
			}
		}
	case "endbfchar":
		for i := 0; i+1 < len(args); i += 2 {
			m.chars[numeral(at(i))] = string(utf16.Decode(units(at(i + 1))))
		}
	case "endbfrange":
		for i := 0; i+2 < len(args); i += 3 {
			low, high := numeral(at(i)), numeral(at(i+1))
			s := span{bytes: low.bytes, low: low.value, high: high.value, text: units(at(i + 2))}
			list, _ := args[i+2].(array)
			for _, o := range list {
				one, _ := o.(text)
				s.each = append(s.each, string(utf16.Decode(units(one))))
			}
			m.ranges = append(m.ranges, s)
		}
	}
}

// length is how many bytes of s are the next code.
func (m *cmap) length(s text, otherwise int) int {
	for n := 1; n <= min(4, len(s)); n++ {
		c := numeral(s[:n])
		for _, space := range m.spaces {
			if space.bytes == n && c.value >= space.low && c.value <= space.high {
				return n
			}
		}
	}
	return min(otherwise, len(s))
}

// means is what a code stands for; ok is false when the map does not say.
func (f *File) means(m *cmap, c code) (s string, ok bool) {
	if s, ok = m.chars[c]; ok {
		return s, true
	}
	for _, r := range m.ranges {
		f.spend(1)
		if r.bytes != c.bytes || c.value < r.low || c.value > r.high {
			continue
		}
		if i := c.value - r.low; i < len(r.each) {
			s = r.each[i]
		} else if n := len(r.text); n > 0 {
			u := append([]uint16(nil), r.text...)
			u[n-1] += uint16(i)
			s = string(utf16.Decode(u))
		}
		m.chars[c] = s
		return s, s != ""
	}
	return "", false
}

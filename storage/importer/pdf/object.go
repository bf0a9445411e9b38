// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"bytes"
	"strconv"
)

// An object is nil, bool, int, float64, text, name, dict, array, ref or *stream
// (ISO 32000-1, 7.3); of content streams also an operator.
type object any

type (
	text     string // a string, as the bytes lie
	name     string // without its slash
	operator string
	dict     map[name]object
	array    []object
	ref      struct{ number, generation int }
)

// stream is a dictionary and the bytes that follow it, as they lie.
type stream struct {
	dict dict
	raw  []byte
}

// Limits of one object.
const (
	maxValues = 200_000
	maxString = 1 << 20
	maxDepth  = 64
)

// closer ends an array or a dictionary.
type closer string

// lexer reads objects out of bytes; every byte it looks at is paid for.
type lexer struct {
	b      []byte
	at     int
	file   *File
	values int // in the object that is read
	paid   int // up to where
}

func (f *File) lexer(b []byte, at int) *lexer { return &lexer{b: b, at: at, paid: at, file: f} }

// pay takes what was read since from the budget.
func (l *lexer) pay() {
	if l.at > l.paid {
		l.file.spend(l.at - l.paid)
	}
	l.paid = l.at
	l.file.spend(perValue)
}

func isSpace(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func (l *lexer) space() {
	for ; l.at < len(l.b); l.at++ {
		if c := l.b[l.at]; c == '%' {
			for l.at < len(l.b) && l.b[l.at] != '\n' && l.b[l.at] != '\r' {
				l.at++
			}
			l.at--
		} else if !isSpace(c) {
			return
		}
	}
}

// word is the run of regular characters that begins here.
func (l *lexer) word() string {
	from := l.at
	for l.at < len(l.b) && !isSpace(l.b[l.at]) && !isDelimiter(l.b[l.at]) {
		l.at++
	}
	return string(l.b[from:min(l.at, from+maxString)])
}

// next reads one object, a closer, or an operator; more is false at the end.
// References are not put together here.
func (l *lexer) next(depth int) (o object, more bool) {
	l.space()
	l.pay()
	if l.at >= len(l.b) {
		return nil, false
	}
	if l.values++; l.values > maxValues || depth > maxDepth {
		panic(fault{ErrTooMuch})
	}
	switch c := l.b[l.at]; c {
	case '/':
		l.at++
		return name(unhashed(l.word())), true
	case '(':
		return l.literal(), true
	case '[':
		l.at++
		return l.array(depth), true
	case ']', '{', '}', ')':
		l.at++
		return closer(c), true
	case '<', '>':
		if l.at+1 < len(l.b) && l.b[l.at+1] == c {
			l.at += 2
			if c == '>' {
				return closer(">>"), true
			}
			return l.dict(depth), true
		}
		if l.at++; c == '>' {
			return closer(">"), true
		}
		return l.hex(), true
	}
	return bare(l.word()), true
}

// bare makes a number, a constant or an operator of a word.
func bare(w string) object {
	switch w {
	case "null":
		return nil
	case "true", "false":
		return w == "true"
	}
	if c := w[0]; c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.' {
		if n, err := strconv.ParseInt(w, 10, 48); err == nil {
			return int(n)
		}
		if x, err := strconv.ParseFloat(w, 64); err == nil {
			return x
		}
	}
	return operator(w)
}

// unhashed undoes #20 in a name.
func unhashed(s string) string {
	if !bytes.Contains([]byte(s), []byte("#")) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '#' && i+2 < len(s) && digit(s[i+1]) >= 0 && digit(s[i+2]) >= 0 {
			b = append(b, byte(digit(s[i+1])<<4|digit(s[i+2])))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func (l *lexer) hex() text {
	var b []byte
	high := -1
	for ; l.at < len(l.b) && l.b[l.at] != '>'; l.at++ {
		switch d := digit(l.b[l.at]); {
		case d < 0:
		case high < 0:
			high = d
		default:
			b, high = append(b, byte(high<<4|d)), -1
		}
		if len(b) > maxString {
			panic(fault{ErrTooMuch})
		}
	}
	l.at = min(l.at+1, len(l.b))
	if high >= 0 {
		b = append(b, byte(high<<4))
	}
	return text(b)
}

// literal reads a string in parentheses, its octal and other escapes undone.
func (l *lexer) literal() text {
	var b []byte
	depth := 0
	for ; l.at < len(l.b); l.at++ {
		c := l.b[l.at]
		switch c {
		case '(':
			if depth++; depth == 1 {
				continue
			}
		case ')':
			if depth--; depth == 0 {
				l.at++
				return text(b)
			}
		case '\\':
			b = l.escape(b)
			continue
		}
		if b = append(b, c); len(b) > maxString {
			panic(fault{ErrTooMuch})
		}
	}
	l.at = len(l.b)
	return text(b)
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}

// escape reads what follows a backslash and stays at its last byte.
func (l *lexer) escape(b []byte) []byte {
	if l.at++; l.at >= len(l.b) {
		return b
	}
	c := l.b[l.at]
	if plain, ok := escapes[c]; ok {
		return append(b, plain)
	}
	switch {
	case c >= '0' && c <= '7':
		n := 0
		for i := 0; i < 3 && l.at < len(l.b) && l.b[l.at] >= '0' && l.b[l.at] <= '7'; i++ {
			n = n<<3 | int(l.b[l.at]-'0')
			l.at++
		}
		l.at--
		return append(b, byte(n))
	case c == '\r':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '\n' {
			l.at++
		}
		return b
	case c == '\n':
		return b
	}
	return append(b, c)
}

func (l *lexer) array(depth int) array {
	a := array{}
	for {
		o, more := l.next(depth + 1)
		if _, end := o.(closer); end || !more {
			return a
		}
		a = append(a, o)
		a = joined(a)
	}
}

// joined makes a reference of "12 0 R" at the end of what was read.
func joined(a array) array {
	n := len(a)
	if n < 3 || a[n-1] != object(operator("R")) {
		return a
	}
	number, ok := a[n-3].(int)
	generation, also := a[n-2].(int)
	if !ok || !also {
		return a
	}
	return append(a[:n-3], ref{number, generation})
}

func (l *lexer) dict(depth int) dict {
	d := dict{}
	var row array // of what stands between the brackets
	for {
		o, more := l.next(depth + 1)
		if _, end := o.(closer); end || !more {
			break
		}
		row = joined(append(row, o))
	}
	for i := 0; i+1 < len(row); i++ {
		if key, ok := row[i].(name); ok {
			d[key] = row[i+1]
			i++
		}
	}
	return d
}

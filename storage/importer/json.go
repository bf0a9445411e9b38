// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep the values of a JSON and the elements of an XML may lie
// in each other.
const MaxDepth = 128

// JSON reads a JSON text piece by piece in constant memory: encoding/json would
// hold an element of any size. It is strict (RFC 8259) but for a byte order
// mark; a text longer than [MaxLine] or a value deeper than [MaxDepth] is
// refused.
//
// A value is read by one call of Object, Array, Scalar, Tree or Skip.
type JSON struct {
	in       io.ReadCloser
	buf      []byte
	pos, end int
	line     int
	stack    []byte // '{' or '[' of each value that is open
	state    jsonState
	text     []byte            // the last text or number
	names    map[string]string // keys that came before: there are few, and each comes often
}

type jsonState uint8

const (
	wantValue jsonState = iota
	wantValueOrEnd
	wantKey
	wantKeyOrEnd
	afterValue
)

// Token is a kind of piece of a JSON text.
type Token byte

// The tokens.
const (
	JSONEnd       Token = 0
	JSONObject    Token = '{'
	JSONObjectEnd Token = '}'
	JSONArray     Token = '['
	JSONArrayEnd  Token = ']'
	JSONKey       Token = 'k'
	JSONString    Token = '"'
	JSONNumber    Token = '0'
	JSONTrue      Token = 't'
	JSONFalse     Token = 'f'
	JSONNull      Token = 'n'
)

// JSON reads the file as JSON, in any encoding that [Source.Text] knows.
func (s *Source) JSON() (*JSON, error) {
	r, err := s.Text()
	if err != nil {
		return nil, err
	}
	return readJSON(r, HeadSize), nil
}

// readJSON reads a text that is UTF-8 already, at most size bytes at a time.
func readJSON(r io.ReadCloser, size int) *JSON {
	return &JSON{in: r, buf: make([]byte, max(size, 16)), line: 1, names: map[string]string{}}
}

// Close ends the reading.
func (j *JSON) Close() error { return j.in.Close() }

// Line is where the reading is, from 1.
func (j *JSON) Line() int { return j.line }

func (j *JSON) wrong(what string) error {
	return Why("json", "line", itoa(j.line), "what", what)
}

// fill reads more; io.EOF at the end.
func (j *JSON) fill() error {
	for range 100 {
		n, err := j.in.Read(j.buf)
		j.pos, j.end = 0, n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// space goes to the next byte that is no white space, without taking it.
func (j *JSON) space() (byte, error) {
	for {
		for ; j.pos < j.end; j.pos++ {
			switch c := j.buf[j.pos]; c {
			case '\n':
				j.line++
			case ' ', '\t', '\r':
			default:
				return c, nil
			}
		}
		if err := j.fill(); err != nil {
			return 0, err
		}
	}
}

// take takes a byte.
func (j *JSON) take() (byte, error) {
	if j.pos == j.end {
		if err := j.fill(); err != nil {
			return 0, j.cut(err)
		}
	}
	j.pos++
	return j.buf[j.pos-1], nil
}

func (j *JSON) cut(err error) error {
	if err == io.EOF {
		return Why("cut", "line", itoa(j.line))
	}
	return err
}

// Next is the next token; [JSONEnd] comes once the text has ended well.
func (j *JSON) Next() (Token, error) {
	for {
		c, err := j.space()
		if err == io.EOF && j.state == afterValue && len(j.stack) == 0 {
			return JSONEnd, nil
		}
		if err != nil {
			return 0, j.cut(err)
		}
		if j.state != afterValue {
			return j.begin(c)
		}
		j.pos++
		switch {
		case len(j.stack) == 0:
			return 0, j.wrong("something follows the end")
		case c == ',' && j.stack[len(j.stack)-1] == '{':
			j.state = wantKey
		case c == ',':
			j.state = wantValue
		default:
			return j.close(c)
		}
	}
}

// close takes the end of an object or an array.
func (j *JSON) close(c byte) (Token, error) {
	top := j.stack[len(j.stack)-1]
	if c != top+2 { // '{' + 2 is '}', '[' + 2 is ']'
		return 0, j.wrong("neither , nor the end")
	}
	j.stack, j.state = j.stack[:len(j.stack)-1], afterValue
	return Token(c), nil
}

// begin reads a token where a key or a value may stand.
func (j *JSON) begin(c byte) (Token, error) {
	j.pos++
	if c == '}' && j.state == wantKeyOrEnd || c == ']' && j.state == wantValueOrEnd {
		return j.close(c)
	}
	if j.state == wantKey || j.state == wantKeyOrEnd {
		return j.key(c)
	}
	j.state = afterValue
	switch {
	case c == '{' || c == '[':
		if len(j.stack) >= MaxDepth {
			return 0, Why("too-deep", "line", itoa(j.line), "limit", itoa(MaxDepth))
		}
		j.stack = append(j.stack, c)
		j.state = wantKeyOrEnd
		if c == '[' {
			j.state = wantValueOrEnd
		}
		return Token(c), nil
	case c == '"':
		return JSONString, j.string()
	case c == '-' || '0' <= c && c <= '9':
		j.pos--
		return JSONNumber, j.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if c == word[0] {
			return Token(c), j.word(word[1:])
		}
	}
	return 0, j.wrong("no value")
}

func (j *JSON) key(c byte) (Token, error) {
	if c != '"' {
		return 0, j.wrong("no name")
	}
	if err := j.string(); err != nil {
		return 0, err
	}
	colon, err := j.space()
	if err != nil {
		return 0, j.cut(err)
	}
	if colon != ':' {
		return 0, j.wrong("no : after a name")
	}
	j.pos++
	j.state = wantValue
	return JSONKey, nil
}

func (j *JSON) word(rest string) error {
	for i := range len(rest) {
		if c, err := j.take(); err != nil || c != rest[i] {
			if err == nil {
				err = j.wrong("no value")
			}
			return err
		}
	}
	return nil
}

// number takes what may stand in a number; its grammar is checked.
func (j *JSON) number() error {
	j.text = j.text[:0]
	for {
		if j.pos == j.end {
			if err := j.fill(); err == io.EOF {
				break
			} else if err != nil {
				return err
			}
		}
		c := j.buf[j.pos]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		if len(j.text) > 400 {
			return j.wrong("a number that long")
		}
		j.text = append(j.text, c)
		j.pos++
	}
	if !goodNumber(j.text) {
		return j.wrong("no number: " + clip(string(j.text)))
	}
	return nil
}

// goodNumber is the grammar of RFC 8259, section 6.
func goodNumber(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("-"))
	digits := func() int {
		n := 0
		for len(b) > 0 && '0' <= b[0] && b[0] <= '9' {
			b, n = b[1:], n+1
		}
		return n
	}
	leadingZero := len(b) > 1 && b[0] == '0' && '0' <= b[1] && b[1] <= '9'
	if digits() == 0 || leadingZero {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		b = b[1:]
		if digits() == 0 {
			return false
		}
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if digits() == 0 {
			return false
		}
	}
	return len(b) == 0
}

// string reads a text behind its first ".
func (j *JSON) string() error {
	j.text = j.text[:0]
	for {
		if j.pos == j.end {
			if err := j.fill(); err != nil {
				return j.cut(err)
			}
		}
		n := plain(j.buf[j.pos:j.end])
		j.text = append(j.text, j.buf[j.pos:j.pos+n]...)
		j.pos += n
		if len(j.text) > MaxLine {
			return Why("line-too-long", "line", itoa(j.line), "limit", itoa(MaxLine))
		}
		if j.pos == j.end {
			continue
		}
		c := j.buf[j.pos]
		j.pos++
		switch {
		case c == '"':
			return nil
		case c < ' ':
			return j.wrong("a line or a control character ends a text")
		}
		if err := j.escape(); err != nil {
			return err
		}
	}
}

// plain is how many bytes stand for themselves in a text.
func plain(b []byte) int {
	for i, c := range b {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(b)
}

const (
	escaped = `"\/bfnrt`
	meant   = "\"\\/\b\f\n\r\t"
)

func (j *JSON) escape() error {
	c, err := j.take()
	if err != nil {
		return err
	}
	if i := bytes.IndexByte([]byte(escaped), c); i >= 0 {
		j.text = append(j.text, meant[i])
		return nil
	}
	if c != 'u' {
		return j.wrong("an escape that is none")
	}
	r, err := j.hex()
	if err != nil {
		return err
	}
	for utf16.IsSurrogate(r) {
		if j.end-j.pos < 2 && !j.more() || j.buf[j.pos] != '\\' || j.buf[j.pos+1] != 'u' {
			r = utf8.RuneError
			break
		}
		j.pos += 2
		low, err := j.hex()
		if err != nil {
			return err
		}
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			r = both
			break
		}
		j.text = utf8.AppendRune(j.text, utf8.RuneError)
		r = low
	}
	j.text = utf8.AppendRune(j.text, r)
	return nil
}

// more moves what is left to the beginning and reads until two bytes are there.
func (j *JSON) more() bool {
	rest := copy(j.buf, j.buf[j.pos:j.end])
	j.pos, j.end = 0, rest
	for range 100 {
		if j.end >= 2 {
			break
		}
		n, err := j.in.Read(j.buf[j.end:])
		j.end += n
		if err != nil {
			break
		}
	}
	return j.end >= 2
}

func (j *JSON) hex() (rune, error) {
	var four [4]byte
	for i := range four {
		c, err := j.take()
		if err != nil {
			return 0, err
		}
		four[i] = c
	}
	n, err := strconv.ParseUint(string(four[:]), 16, 16)
	if err != nil {
		return 0, j.wrong("an escape that is none")
	}
	return rune(n), nil
}

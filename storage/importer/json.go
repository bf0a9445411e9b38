// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"encoding/json"
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
	return readJSON(r), nil
}

func readJSON(r io.ReadCloser) *JSON {
	return &JSON{in: r, buf: make([]byte, HeadSize), line: 1, names: map[string]string{}}
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

// Skip reads over the next value.
func (j *JSON) Skip() error {
	t, err := j.Next()
	if err != nil {
		return err
	}
	return j.leave(t)
}

// leave reads to the end of a value that began with t.
func (j *JSON) leave(t Token) error {
	if t != JSONObject && t != JSONArray {
		return nil
	}
	for depth := len(j.stack); len(j.stack) >= depth; {
		if _, err := j.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Object reads an object: visit gets each name and reads its value; what it
// does not read is skipped. A null is an object without names. Any other value
// is refused.
func (j *JSON) Object(visit func(name string) error) error {
	return j.inside(JSONObject, func(int) error { return visit(j.name()) })
}

// Array reads an array: visit gets the number of each value from 0 and reads
// it; what it does not read is skipped. A null is an empty array. Any other
// value is refused.
func (j *JSON) Array(visit func(i int) error) error {
	return j.inside(JSONArray, visit)
}

func (j *JSON) inside(want Token, visit func(int) error) error {
	t, err := j.Next()
	if err != nil || t == JSONNull {
		return err
	}
	if t != want {
		return j.wrong("an object or an array where the other should be")
	}
	depth := len(j.stack)
	for i := 0; ; i++ {
		more, err := j.another()
		if err != nil || !more {
			return err
		}
		if err := visit(i); err != nil {
			return err
		}
		if j.state == wantValue && len(j.stack) == depth { // visit has not read it
			if err := j.Skip(); err != nil {
				return err
			}
		}
		if len(j.stack) != depth {
			return j.wrong("a value was left open")
		}
	}
}

// another goes to the next value of what is open: behind its name, in an
// object. false is the end.
func (j *JSON) another() (bool, error) {
	c, err := j.space()
	if err != nil {
		return false, j.cut(err)
	}
	object := j.stack[len(j.stack)-1] == '{'
	if j.state == afterValue && c == ',' && !object {
		j.pos++
		j.state = wantValue
		return true, nil
	}
	if object || c == ']' || j.state == afterValue {
		t, err := j.Next()
		return t == JSONKey, err
	}
	j.state = wantValue // the first of an array, which is there
	return true, nil
}

// name is the key just read, of which each spelling is kept once.
func (j *JSON) name() string {
	if s, ok := j.names[string(j.text)]; ok {
		return s
	}
	s := string(j.text)
	if len(j.names) < 1000 && len(s) < 100 {
		j.names[s] = s
	}
	return s
}

// Scalar reads a text, or a number, true or false as it is spelt; "" for null.
// Of an object or an array, which it skips, it tells only the token.
func (j *JSON) Scalar() (string, Token, error) {
	t, err := j.Next()
	if err != nil {
		return "", t, err
	}
	switch t {
	case JSONString, JSONNumber:
		return string(j.text), t, nil
	case JSONTrue:
		return "true", t, nil
	case JSONFalse:
		return "false", t, nil
	}
	return "", t, j.leave(t)
}

// Tree reads a whole value: map[string]any, []any, string, [json.Number], bool
// or nil. It is refused when it holds more than about limit bytes.
func (j *JSON) Tree(limit int) (any, error) {
	t, err := j.Next()
	if err != nil {
		return nil, err
	}
	left := limit
	v, err := j.tree(t, &left)
	if left < 0 {
		err = tooLarge(int64(limit))
	}
	return v, err
}

func (j *JSON) tree(t Token, left *int) (any, error) {
	if *left -= len(j.text) + 32; *left < 0 {
		return nil, ErrStop
	}
	switch t {
	case JSONString:
		return string(j.text), nil
	case JSONNumber:
		return json.Number(j.text), nil
	case JSONTrue, JSONFalse:
		return t == JSONTrue, nil
	case JSONObject:
		return j.treeObject(left)
	case JSONArray:
		return j.treeArray(left)
	}
	return nil, nil
}

func (j *JSON) treeObject(left *int) (any, error) {
	m := map[string]any{}
	*left -= 300 // a map of few
	for {
		t, err := j.Next()
		if err != nil || t == JSONObjectEnd {
			return m, err
		}
		name := j.name()
		*left -= 16 + len(name)
		if t, err = j.Next(); err != nil {
			return nil, err
		}
		if m[name], err = j.tree(t, left); err != nil {
			return nil, err
		}
	}
}

func (j *JSON) treeArray(left *int) (any, error) {
	list := []any{}
	for {
		t, err := j.Next()
		if err != nil || t == JSONArrayEnd {
			return list, err
		}
		v, err := j.tree(t, left)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}

// Finish demands that nothing follows the value that was read.
func (j *JSON) Finish() error {
	t, err := j.Next()
	if err == nil && t != JSONEnd {
		err = j.wrong("something follows the end")
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// MaxLine is the longest line of a text in bytes; also the longest record of a
// CSV, the longest token of an XML, and the longest text of a JSON.
const MaxLine = 1 << 20

// clip is the beginning of a text, to be told. It is a copy, so that it does not
// keep all that the text was cut from.
func clip(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return strings.ToValidUTF8(strings.Clone(s), "\uFFFD")
}

func itoa[N int | int64](n N) string { return strconv.FormatInt(int64(n), 10) }

var (
	utf8Mark     = []byte("\xEF\xBB\xBF")
	littleMark   = []byte("\xFF\xFE")
	bigMark      = []byte("\xFE\xFF")
	littleEndian = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	bigEndian    = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
)

// charsets are the encodings with one byte for a character that files name, by
// their names in small letters without - and _.
var charsets = map[string]*charmap.Charmap{
	"iso88591": charmap.Windows1252, "latin1": charmap.Windows1252, "windows1252": charmap.Windows1252, "cp1252": charmap.Windows1252, "1252": charmap.Windows1252,
	"iso88592": charmap.ISO8859_2, "iso88593": charmap.ISO8859_3, "iso88594": charmap.ISO8859_4, "iso88595": charmap.ISO8859_5,
	"iso88597": charmap.ISO8859_7, "iso88599": charmap.Windows1254, "iso885915": charmap.ISO8859_15, "latin9": charmap.ISO8859_15,
	"windows1250": charmap.Windows1250, "windows1251": charmap.Windows1251, "windows1253": charmap.Windows1253, "windows1254": charmap.Windows1254,
	"windows1257": charmap.Windows1257, "macintosh": charmap.Macintosh, "ibm850": charmap.CodePage850, "cp850": charmap.CodePage850, "ibm437": charmap.CodePage437,
}

// charset finds an encoding by the name that a file gives it; nil for UTF-8
// and for what is not known, which [Source.Text] then finds out by itself.
func charset(name string) *charmap.Charmap {
	return charsets[strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))]
}

// Text reads the file as UTF-8 without a byte order mark: what is UTF-8 or
// UTF-16 with a mark says so; anything else is UTF-8 when it begins so, but for
// less than half of its characters beyond ASCII, and Windows-1252 (of which
// Latin-1 is the better part) where it is not. A NUL refuses the file.
func (s *Source) Text() (io.ReadCloser, error) { return s.TextIn("") }

// TextIn is Text for a file that names its encoding by itself, when that is one
// with a byte for each character and no mark says otherwise. Files are wrong
// about other encodings too often to be believed.
func (s *Source) TextIn(name string) (io.ReadCloser, error) {
	raw, err := s.Open()
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(raw, HeadSize)
	head, err := in.Peek(HeadSize)
	if err != nil && err != io.EOF {
		raw.Close()
		return nil, err
	}
	var r io.Reader
	switch named := charset(name); {
	case bytes.HasPrefix(head, utf8Mark):
		in.Discard(len(utf8Mark))
		r = &mended{in: in}
	case bytes.HasPrefix(head, littleMark), bytes.HasPrefix(head, bigMark), sixteen(head) != nil:
		r = sixteen(head).NewDecoder().Reader(in)
		if bytes.HasPrefix(head, littleMark) || bytes.HasPrefix(head, bigMark) {
			in.Discard(2)
		}
	case named != nil:
		r = named.NewDecoder().Reader(in)
	case !startsUTF8(head) && !mostlyUTF8(head):
		r = charmap.Windows1252.NewDecoder().Reader(in)
	default:
		r = &mended{in: in}
	}
	return &noNUL{Reader: r, Closer: raw}, nil
}

// sixteen says which UTF-16 a text is in, by its mark or by a first character
// that is < or {; nil for none.
func sixteen(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, littleMark), bytes.HasPrefix(head, []byte("<\x00")), bytes.HasPrefix(head, []byte("{\x00")):
		return littleEndian
	case bytes.HasPrefix(head, bigMark), bytes.HasPrefix(head, []byte("\x00<")), bytes.HasPrefix(head, []byte("\x00{")):
		return bigEndian
	}
	return nil
}

// startsUTF8 says whether a beginning is UTF-8; its last character may be cut.
func startsUTF8(head []byte) bool {
	for i := 0; i < utf8.UTFMax && len(head) > 0; i++ {
		if utf8.Valid(head) {
			return true
		}
		if utf8.RuneStart(head[len(head)-1]) {
			return len(head) >= HeadSize/2 && utf8.Valid(head[:len(head)-1])
		}
		head = head[:len(head)-1]
	}
	return len(head) == 0
}

// mostlyUTF8 says whether more characters beyond ASCII are UTF-8 than not: a file
// that is cut within one, or has a line of another, is not all of another.
func mostlyUTF8(head []byte) bool {
	good := 0
	for len(head) > 0 {
		switch r, size := utf8.DecodeRune(head); {
		case r == utf8.RuneError && size <= 1:
			good--
			head = head[1:]
		case size > 1:
			good++
			head = head[size:]
		default:
			head = head[1:]
		}
	}
	return good > 0
}

// mended gives UTF-8 as it is, and each byte that is none as Windows-1252 has
// it: files whose first accent comes late, or that were pasted together.
type mended struct {
	in  *bufio.Reader
	out []byte
}

func (m *mended) Read(p []byte) (int, error) {
	if len(m.out) > 0 {
		n := copy(p, m.out)
		m.out = m.out[n:]
		return n, nil
	}
	head, err := m.in.Peek(max(1, min(m.in.Buffered(), len(p))))
	if len(head) == 0 {
		return 0, err
	}
	if good := validPrefix(head); good > 0 {
		n := copy(p, head[:good])
		m.in.Discard(n)
		return n, nil
	}
	head, _ = m.in.Peek(utf8.UTFMax)
	r, size := utf8.DecodeRune(head)
	if r == utf8.RuneError && size <= 1 {
		r, size = charmap.Windows1252.DecodeByte(head[0]), 1
	}
	m.in.Discard(size)
	m.out = utf8.AppendRune(m.out[:0], r)
	return m.Read(p)
}

// validPrefix is how many bytes at the beginning are whole characters.
func validPrefix(b []byte) int {
	if utf8.Valid(b) {
		return len(b)
	}
	n := 0
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}

// noNUL refuses a text with a NUL.
type noNUL struct {
	io.Reader
	io.Closer
}

func (r *noNUL) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if bytes.IndexByte(p[:n], 0) >= 0 {
		return 0, Why("nul")
	}
	return n, err
}

// text is the beginning of a file as text, or "".
func (h Head) text() string {
	s := &Source{open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(h.Bytes)), nil }}
	r, err := s.Text()
	if err != nil {
		return ""
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	return string(b)
}

// Lines gives each line of a text, numbered from 1, without its end: \n, \r\n or
// a lone \r. It ends with the first error of visit; [ErrStop] ends it well.
func (s *Source) Lines(visit func(number int, line string) error) error {
	r, err := s.Text()
	if err != nil {
		return err
	}
	defer r.Close()
	err = eachLine(bufio.NewReaderSize(r, 32<<10), visit)
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// ErrStop ends a walk before its end, without an error.
var ErrStop = errors.New("enough")

func eachLine(in *bufio.Reader, visit func(int, string) error) error {
	var line []byte
	for number := 1; ; {
		chunk, end := in.Peek(max(1, in.Buffered()))
		if len(chunk) == 0 && end != nil {
			if end == io.EOF && len(line) > 0 {
				end = visit(number, string(line))
			}
			if end == io.EOF {
				return nil
			}
			return end
		}
		at := bytes.IndexAny(chunk, "\r\n")
		if at >= 0 {
			chunk = chunk[:at+1]
		}
		line = append(line, chunk...)
		in.Discard(len(chunk))
		if len(line) > MaxLine {
			return Why("line-too-long", "line", itoa(number), "limit", itoa(MaxLine))
		}
		if at < 0 {
			continue
		}
		if chunk[at] == '\r' {
			if next, _ := in.Peek(1); string(next) == "\n" {
				in.Discard(1)
			}
		}
		if err := visit(number, string(line[:len(line)-1])); err != nil {
			return err
		}
		line, number = line[:0], number+1
	}
}

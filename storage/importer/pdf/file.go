// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Errors of [Open] and of what follows it.
var (
	ErrNotPDF    = errors.New("not a PDF file")
	ErrEncrypted = errors.New("the PDF file is encrypted")
	ErrCut       = errors.New("the PDF file ends too soon")
	ErrDamaged   = errors.New("the PDF file is damaged")
	ErrTooMuch   = errors.New("the PDF file asks for more work or memory than is granted")
)

// MaxSize is how large a file may be, in bytes.
const MaxSize = 32 << 20

const (
	budget     = 64 << 20 // for all work together: one for each byte looked at or unpacked,
	perValue   = 8        // and so much for each value read,
	perObject  = 512      // each object looked up,
	perEntry   = 64       // each entry of a table that ranges fill
	maxStream  = 16 << 20 // bytes of one stream, unpacked
	maxHeld    = 32 << 20 // bytes of object streams kept
	maxObjects = 1 << 18
)

// File is a PDF file. It is for one goroutine.
type File struct {
	ctx     context.Context
	b       []byte
	places  map[int]place
	trailer dict
	left    int            // of the budget
	packs   map[int][]byte // object streams, unpacked
	held    int            // bytes of packs
	busy    map[int]bool   // objects being read, so that none needs itself
}

// place is where an object lies: at an offset, or in an object stream.
type place struct {
	offset int // when pack is 0
	pack   int // the object stream's number
}

// fault is what a panic of this package carries; [File.rescue] ends it.
type fault struct{ err error }

func (f *File) rescue(err *error) {
	switch x := recover().(type) {
	case nil:
	case fault:
		*err = x.err
	default:
		panic(x)
	}
}

// spend pays for n bytes of work.
func (f *File) spend(n int) {
	before := f.left
	if f.left -= n; f.left < 0 {
		panic(fault{ErrTooMuch})
	}
	if before>>16 != f.left>>16 {
		if err := f.ctx.Err(); err != nil {
			panic(fault{err})
		}
	}
}

// Open reads where things lie in a file, whose bytes must not change after. It
// and all that follows end when ctx does.
func Open(ctx context.Context, b []byte) (f *File, err error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooMuch, len(b), MaxSize)
	}
	i := bytes.Index(b[:min(len(b), 1024)], []byte("%PDF-"))
	if i < 0 {
		return nil, ErrNotPDF
	}
	f = &File{ctx: ctx, b: b[i:], left: budget, packs: map[int][]byte{}, busy: map[int]bool{}}
	defer f.rescue(&err)
	f.follow()
	if f.pages() == nil {
		if !bytes.Contains(f.tail(), []byte("%%EOF")) {
			return nil, ErrCut
		}
		f.rebuild()
	}
	if f.trailer["Encrypt"] != nil {
		return nil, ErrEncrypted
	}
	if f.pages() == nil {
		return nil, ErrDamaged
	}
	return f, nil
}

// tail is where a file says that it ends, and where its cross-references are.
func (f *File) tail() []byte { return f.b[max(0, len(f.b)-2048):] }

// pages is the root of the page tree, or nil.
func (f *File) pages() dict {
	if f.trailer["Encrypt"] != nil { // nothing can be said
		return dict{}
	}
	root, _ := f.get(f.trailer["Root"]).(dict)
	pages, _ := f.get(root["Pages"]).(dict)
	return pages
}

// follow reads the cross-references from the end of the file backwards. What
// is wrong there ends it quietly: the objects can be looked for.
func (f *File) follow() {
	f.places, f.trailer = map[int]place{}, dict{}
	tail := f.tail()
	i := bytes.LastIndex(tail, []byte("startxref"))
	if i < 0 {
		return
	}
	at, _ := f.lexer(tail, i+len("startxref")).next(0)
	seen := map[int]bool{}
	for queue := []object{at}; len(queue) > 0; queue = queue[1:] {
		at, ok := queue[0].(int)
		if !ok || at <= 0 || at >= len(f.b) || seen[at] {
			continue
		}
		seen[at] = true
		d := f.section(at)
		for key, value := range d {
			if _, newer := f.trailer[key]; !newer {
				f.trailer[key] = value
			}
		}
		queue = append(queue, d["XRefStm"], d["Prev"])
	}
}

// section reads one cross-reference table or stream and gives its dictionary.
func (f *File) section(at int) dict {
	l := f.lexer(f.b, at)
	l.space()
	if bytes.HasPrefix(l.b[l.at:], []byte("xref")) {
		l.at += len("xref")
		return f.table(l)
	}
	_, o := f.definition(at)
	s, ok := o.(*stream)
	if !ok {
		return nil
	}
	f.crossStream(s)
	return s.dict
}

// table reads "start count" and rows of "offset generation n" (7.5.4).
func (f *File) table(l *lexer) dict {
	for {
		l.values = 0
		o, more := l.next(0)
		if !more || o == object(operator("trailer")) {
			break
		}
		start, ok := o.(int)
		o, _ = l.next(0)
		count, also := o.(int)
		if !ok || !also {
			return nil
		}
		for i := range count {
			l.values = 0
			offset, _ := l.next(0)
			_, _ = l.next(0)
			used, more := l.next(0)
			if !more {
				return nil
			}
			if at, ok := offset.(int); ok && used == object(operator("n")) {
				f.found(start+i, place{offset: at})
			}
		}
	}
	o, _ := l.next(0)
	d, _ := o.(dict)
	return d
}

// found notes where an object lies; the newest word, which comes first, holds.
func (f *File) found(number int, at place) {
	if _, ok := f.places[number]; ok || number <= 0 {
		return
	}
	if len(f.places) >= maxObjects {
		panic(fault{ErrTooMuch})
	}
	f.places[number] = at
}

// crossStream reads the rows of a cross-reference stream (7.5.8).
func (f *File) crossStream(s *stream) {
	b := f.unpacked(s)
	var widths [3]int
	w, _ := s.dict["W"].(array)
	total := 0
	for i := range widths {
		if i < len(w) {
			widths[i], _ = w[i].(int)
		}
		if widths[i] < 0 || widths[i] > 8 {
			return
		}
		total += widths[i]
	}
	index, ok := s.dict["Index"].(array)
	if !ok {
		index = array{0, s.dict["Size"]}
	}
	for ; len(index) >= 2 && total > 0; index = index[2:] {
		start, _ := index[0].(int)
		count, _ := index[1].(int)
		for ; count > 0 && len(b) >= total; start, count = start+1, count-1 {
			f.crossRow(start, b[:total], widths)
			b = b[total:]
		}
	}
}

func (f *File) crossRow(number int, b []byte, widths [3]int) {
	var v [3]int
	for i, n := range widths {
		for range n {
			v[i], b = v[i]<<8|int(b[0]), b[1:]
		}
	}
	if widths[0] == 0 {
		v[0] = 1
	}
	switch {
	case v[0] == 1:
		f.found(number, place{offset: v[1]})
	case v[0] == 2 && v[1] > 0:
		f.found(number, place{pack: v[1]})
	}
}

// rebuild looks for objects and trailers all over the file, for one whose
// cross-references cannot be used.
func (f *File) rebuild() {
	f.spend(len(f.b))
	f.places, f.trailer = map[int]place{}, dict{}
	found := f.beginnings()
	for i := len(found) - 1; i >= 0; i-- { // the last word holds
		f.found(found[i].number, place{offset: found[i].offset})
	}
	for i := len(found) - 1; i >= 0; i-- {
		number, o := f.definition(found[i].offset)
		switch o := o.(type) {
		case *stream:
			f.adopt(number, o)
		case dict:
			if o["Type"] == object(name("Catalog")) && f.trailer["Root"] == nil {
				f.trailer["Root"] = ref{number, 0}
			}
		}
	}
	f.trailers()
}

// beginnings finds each "12 0 obj".
func (f *File) beginnings() (list []packed) {
	isDigit := func(c byte) bool { return c >= '0' && c <= '9' }
	for at := 0; len(list) < maxObjects; at += len("obj") {
		i := bytes.Index(f.b[at:], []byte("obj"))
		if i < 0 {
			break
		}
		at += i
		end := f.back(f.back(f.back(at, isSpace), isDigit), isSpace)
		from := f.back(end, isDigit)
		if number, err := strconv.Atoi(string(f.b[from:end])); err == nil {
			list = append(list, packed{number, from})
		}
	}
	return list
}

// back is where the run of such bytes begins that ends at an offset.
func (f *File) back(at int, such func(byte) bool) int {
	for i := 0; i < 10 && at > 0 && such(f.b[at-1]); i++ {
		at--
	}
	return at
}

// adopt takes what a stream tells about other objects.
func (f *File) adopt(number int, s *stream) {
	switch s.dict["Type"] {
	case object(name("ObjStm")):
		for _, inside := range f.contents(number) {
			f.found(inside.number, place{pack: number})
		}
	case object(name("XRef")):
		for _, key := range []name{"Root", "Encrypt"} {
			if f.trailer[key] == nil && s.dict[key] != nil {
				f.trailer[key] = s.dict[key]
			}
		}
	}
}

// trailers takes the root and what says that a file is encrypted out of the
// trailers that can be found.
func (f *File) trailers() {
	for b, at := f.b, 0; ; {
		i := bytes.Index(b[at:], []byte("trailer"))
		if i < 0 {
			return
		}
		at += i + len("trailer")
		o, _ := f.lexer(b, at).next(0)
		d, _ := o.(dict)
		for _, key := range []name{"Root", "Encrypt"} {
			if d[key] != nil {
				f.trailer[key] = d[key]
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package pdf

import "bytes"

// get follows a reference to what it stands for. What cannot be read is nil, as
// the standard has it (7.3.10).
func (f *File) get(o object) object {
	for range 8 {
		r, ok := o.(ref)
		if !ok {
			return o
		}
		o = f.object(r.number)
	}
	return nil
}

// object reads the object of a number.
func (f *File) object(number int) object {
	p, ok := f.places[number]
	if !ok || f.busy[number] {
		return nil
	}
	f.spend(perObject)
	f.busy[number] = true
	defer delete(f.busy, number)
	if p.pack == 0 {
		found, o := f.definition(p.offset)
		if found != number {
			return nil
		}
		return o
	}
	for _, inside := range f.contents(p.pack) {
		if inside.number == number {
			o, _ := f.lexer(f.packs[p.pack], inside.offset).next(0)
			return o
		}
	}
	return nil
}

// definition reads "12 0 obj …" at an offset.
func (f *File) definition(at int) (number int, o object) {
	if at < 0 || at >= len(f.b) {
		return 0, nil
	}
	l := f.lexer(f.b, at)
	first, _ := l.next(0)
	_, _ = l.next(0)
	word, _ := l.next(0)
	number, ok := first.(int)
	if !ok || word != object(operator("obj")) {
		return 0, nil
	}
	o, _ = l.next(0)
	if n, ok := o.(int); ok { // perhaps a reference alone
		rest := joined(array{n, second(l.next(0)), second(l.next(0))})
		if len(rest) == 1 {
			o = rest[0]
		}
	}
	if d, ok := o.(dict); ok {
		if s := f.streamOf(d, l); s != nil {
			return number, s
		}
	}
	return number, o
}

func second(o object, _ bool) object { return o }

// streamOf reads the bytes behind a dictionary, or nil when none follow. A
// length that does not lead to "endstream" is not believed.
func (f *File) streamOf(d dict, l *lexer) *stream {
	l.space()
	if !bytes.HasPrefix(l.b[l.at:], []byte("stream")) {
		return nil
	}
	b := l.b[l.at+len("stream"):]
	if bytes.HasPrefix(b, []byte("\r\n")) {
		b = b[2:]
	} else if len(b) > 0 && (b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	end := []byte("endstream")
	if n, ok := f.get(d["Length"]).(int); ok && n >= 0 && n <= len(b) {
		if bytes.HasPrefix(bytes.TrimLeft(b[n:min(len(b), n+16)], "\r\n \t"), end) {
			return &stream{d, b[:n]}
		}
	}
	n := bytes.Index(b, end)
	if n < 0 {
		n = len(b)
	}
	f.spend(n)
	return &stream{d, b[:n]}
}

// packed is where an object begins in its object stream.
type packed struct{ number, offset int }

// contents lists the objects of an object stream (7.5.7), unpacking it into
// packs.
func (f *File) contents(number int) []packed {
	b, kept := f.packs[number]
	s, ok := f.definitionOf(number)
	if !ok || s.dict["Type"] != object(name("ObjStm")) {
		return nil
	}
	if !kept {
		b = f.unpacked(s)
		if f.held += len(b); f.held > maxHeld {
			clear(f.packs)
			f.held = len(b)
		}
		f.packs[number] = b
	}
	first, _ := f.get(s.dict["First"]).(int)
	count, _ := f.get(s.dict["N"]).(int)
	var list []packed
	for l := f.lexer(b, 0); count > 0; count-- {
		n, _ := l.next(0)
		offset, more := l.next(0)
		inside, ok := n.(int)
		at, also := offset.(int)
		if !more || !ok || !also || at < 0 || first+at < 0 || first+at > len(b) {
			break
		}
		list = append(list, packed{inside, first + at})
	}
	return list
}

// definitionOf reads a stream that lies in the file itself.
func (f *File) definitionOf(number int) (*stream, bool) {
	p, ok := f.places[number]
	if !ok || p.pack != 0 {
		return nil, false
	}
	found, o := f.definition(p.offset)
	s, ok := o.(*stream)
	return s, ok && found == number
}

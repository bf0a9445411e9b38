// SPDX-License-Identifier: Apache-2.0

package pdf

import "math"

// Limits of pages.
const (
	maxPages  = 200
	maxShown  = 400_000 // glyphs of a page
	maxForms  = 8       // forms within forms
	maxSaved  = 64      // graphics states
	maxErrors = 1 << 12
)

// matrix is a b 0, c d 0, e f 1 (8.3.3).
type matrix [6]float64

func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

var unit = matrix{1, 0, 0, 1, 0, 0}

// state is the part of the graphics state that tells where text goes (9.3).
type state struct {
	place         matrix
	font          *font
	size          float64
	char, word    float64
	scale         float64
	leading, rise float64
}

// painter shows the text of one page.
type painter struct {
	file       *File
	fonts      map[object]*font // of the document, by reference
	state      state
	saved      []state
	text, line matrix
	forms      int
	shown      []shown
	known      int
}

// shown is one piece of text: where it begins and ends, in points from the
// lower left corner of the page, along its own direction.
type shown struct {
	x, y, end, size float64
	turned          bool
	text            string
}

// leaf walks the page tree (7.7.3) in order.
func (f *File) leaf(o object, resources object, depth int, visit func(page dict, resources object) bool) bool {
	d, ok := f.get(o).(dict)
	if !ok || depth > 32 {
		return true
	}
	if r, ok := d["Resources"]; ok {
		resources = r
	}
	kids, ok := f.get(d["Kids"]).(array)
	if !ok {
		return visit(d, resources)
	}
	for _, kid := range kids {
		if !f.leaf(kid, resources, depth+1, visit) {
			return false
		}
	}
	return true
}

// Lines gives the words of each page, line by line from above, words of one
// line from left to right; a gap wider than a space is a tab. Known is the
// share of characters whose meaning the file tells: a font can hide it.
func (f *File) Lines() (pages [][]string, known float64, err error) {
	defer f.rescue(&err)
	fonts := map[object]*font{}
	count, read := 0, 0
	f.leaf(f.pages(), nil, 0, func(page dict, resources object) bool {
		p := &painter{file: f, fonts: fonts, state: state{place: unit, scale: 1}, text: unit, line: unit}
		p.content(f.joinedContent(page["Contents"]), resources)
		pages = append(pages, lines(p.shown))
		count, read = count+len(p.shown), read+p.known
		return len(pages) < maxPages
	})
	if count == 0 {
		return pages, 0, nil
	}
	return pages, float64(read) / float64(count), nil
}

// joinedContent puts the streams of a page behind each other.
func (f *File) joinedContent(o object) []byte {
	var b []byte
	for _, part := range f.list(o) {
		if s, ok := f.get(part).(*stream); ok {
			b = append(append(b, f.unpacked(s)...), '\n')
		}
		if len(b) > maxStream {
			panic(fault{ErrTooMuch})
		}
	}
	return b
}

// content runs the operators of a content stream that have to do with text.
func (p *painter) content(b []byte, resources object) {
	r, _ := p.file.get(resources).(dict)
	var args array
	for l := p.file.lexer(b, 0); ; {
		l.values = len(args)
		o, more := l.next(0)
		if !more {
			return
		}
		op, ok := o.(operator)
		if !ok {
			if args = append(args, o); len(args) > maxErrors {
				args = nil
			}
			continue
		}
		if op == "ID" {
			l.skipImage()
		} else {
			p.do(op, args, r)
		}
		args = args[:0]
	}
}

// skipImage goes behind the bytes of an inline image (8.9.7).
func (l *lexer) skipImage() {
	for ; l.at+2 < len(l.b); l.at++ {
		if isSpace(l.b[l.at]) && l.b[l.at+1] == 'E' && l.b[l.at+2] == 'I' && (l.at+3 == len(l.b) || isSpace(l.b[l.at+3])) {
			l.at += 3
			return
		}
	}
	l.at = len(l.b)
}

func (p *painter) do(op operator, args array, resources dict) {
	n := make([]float64, 6)
	for i := range min(len(args), 6) {
		n[i], _ = number(args[i])
	}
	s := &p.state
	switch op {
	case "q":
		if len(p.saved) < maxSaved {
			p.saved = append(p.saved, *s)
		}
	case "Q":
		if k := len(p.saved); k > 0 {
			*s, p.saved = p.saved[k-1], p.saved[:k-1]
		}
	case "cm":
		s.place = matrix(n).times(s.place)
	case "BT":
		p.text, p.line = unit, unit
	case "Tm":
		p.text, p.line = matrix(n), matrix(n)
	case "Td":
		p.move(n[0], n[1])
	case "TD":
		s.leading = -n[1]
		p.move(n[0], n[1])
	case "T*":
		p.move(0, -s.leading)
	case "Tc":
		s.char = n[0]
	case "Tw":
		s.word = n[0]
	case "Tz":
		s.scale = n[0] / 100
	case "TL":
		s.leading = n[0]
	case "Ts":
		s.rise = n[0]
	default:
		p.show(op, args, n, resources)
	}
}

func (p *painter) show(op operator, args array, n []float64, resources dict) {
	last := object(nil)
	if len(args) > 0 {
		last = args[len(args)-1]
	}
	switch op {
	case "Tf":
		p.state.size, _ = number(last)
		p.state.font = p.choose(args, resources)
	case "\"":
		p.state.word, p.state.char = n[0], n[1]
		fallthrough
	case "'":
		p.move(0, -p.state.leading)
		fallthrough
	case "Tj":
		s, _ := last.(text)
		p.glyphs(s)
	case "TJ":
		list, _ := last.(array)
		for _, o := range list {
			if s, ok := o.(text); ok {
				p.glyphs(s)
			} else if by, ok := number(o); ok {
				p.advance(-by / 1000 * p.state.size * p.state.scale)
			}
		}
	case "Do":
		p.form(last, resources)
	}
}

func (p *painter) move(x, y float64) {
	p.line = matrix{1, 0, 0, 1, x, y}.times(p.line)
	p.text = p.line
}

func (p *painter) advance(x float64) { p.text = matrix{1, 0, 0, 1, x, 0}.times(p.text) }

// choose finds the font of a Tf.
func (p *painter) choose(args array, resources dict) *font {
	if len(args) < 2 {
		return nil
	}
	called, _ := args[len(args)-2].(name)
	fonts, _ := p.file.get(resources["Font"]).(dict)
	at := fonts[called]
	r, ok := at.(ref)
	if !ok {
		return p.file.fontOf(at)
	}
	if p.fonts[r] == nil {
		p.fonts[r] = p.file.fontOf(at)
	}
	return p.fonts[r]
}

// form shows what lies in a form (8.10).
func (p *painter) form(called object, resources dict) {
	key, _ := called.(name)
	forms, _ := p.file.get(resources["XObject"]).(dict)
	s, ok := p.file.get(forms[key]).(*stream)
	if !ok || s.dict["Subtype"] != object(name("Form")) || p.forms >= maxForms {
		return
	}
	before, saved := p.state, p.saved
	p.forms++
	if m := p.file.numbers(s.dict["Matrix"]); len(m) == 6 {
		p.state.place = matrix(m).times(p.state.place)
	}
	own, ok := s.dict["Resources"]
	if !ok {
		own = resources
	}
	p.saved = nil
	p.content(p.file.unpacked(s), own)
	p.state, p.saved = before, saved
	p.forms--
}

// glyphs shows a string and goes on to where it ends.
func (p *painter) glyphs(s text) {
	t := &p.state
	for len(s) > 0 && t.font != nil {
		var g glyph
		p.file.spend(8)
		g, s = p.file.next(t.font, s)
		width := (g.width/1000*t.size + t.char) * t.scale
		if g.space {
			width += t.word * t.scale
		}
		from := matrix{1, 0, 0, 1, 0, t.rise}.times(p.text).times(t.place)
		p.advance(width)
		to := p.text.times(t.place)
		p.put(g, from, to)
	}
}

func (p *painter) put(g glyph, from, to matrix) {
	if g.text == "" {
		g.text = "\uFFFD"
	}
	if g.known {
		p.known++
	}
	if len(p.shown) >= maxShown {
		panic(fault{ErrTooMuch})
	}
	size := p.state.size * math.Hypot(from[2], from[3])
	s := shown{x: from[4], y: from[5], end: to[4], size: math.Abs(size), text: g.text}
	if math.Abs(from[1]) > math.Abs(from[0]) { // written upwards
		s = shown{x: from[5], y: -from[4], end: to[5], size: math.Abs(size), text: g.text, turned: true}
	}
	p.shown = append(p.shown, s)
}

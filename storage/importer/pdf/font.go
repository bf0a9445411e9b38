// SPDX-License-Identifier: Apache-2.0

package pdf

import "strings"

// font is what is needed of a font: how strings are cut into codes, what they
// stand for, and how wide they are in thousandths of the font's size.
type font struct {
	double  bool // codes of two bytes, unless a map says otherwise
	unicode *cmap
	letters [256]string
	widths  map[int]float64
	other   float64 // the width of codes that have none
	fixed   bool    // all letters are as wide
}

// glyph is one code of a string shown.
type glyph struct {
	text  string
	width float64
	space bool // a single byte 32, to which word spacing is added
	known bool // what it stands for
}

// fontOf reads a font dictionary (9.6, 9.7).
func (f *File) fontOf(o object) *font {
	d, _ := f.get(o).(dict)
	t := &font{unicode: f.cmap(d["ToUnicode"]), widths: map[int]float64{}, other: 500}
	if d["Subtype"] == object(name("Type0")) {
		t.double = true
		list := f.list(d["DescendantFonts"])
		if len(list) > 0 {
			below, _ := f.get(list[0]).(dict)
			f.wide(t, below)
		}
		return t
	}
	t.letters = f.alphabet(d["Encoding"])
	base, _ := f.get(d["BaseFont"]).(name)
	t.fixed = strings.HasPrefix(string(base), "Courier")
	first, _ := f.get(d["FirstChar"]).(int)
	scale := 1.0
	if d["Subtype"] == object(name("Type3")) {
		if m := f.numbers(d["FontMatrix"]); len(m) == 6 {
			scale = 1000 * m[0]
		}
	}
	for i, w := range f.numbers(d["Widths"]) {
		t.widths[first+i] = w * scale
	}
	return t
}

// wide reads the widths of a font of many characters (9.7.4.3).
func (f *File) wide(t *font, d dict) {
	t.other = 1000
	if n, ok := number(f.get(d["DW"])); ok {
		t.other = n
	}
	for w := f.list(d["W"]); len(w) >= 2; {
		first, _ := f.get(w[0]).(int)
		if list, ok := f.get(w[1]).(array); ok {
			for i, width := range f.numbers(list) {
				t.widths[first+i] = width
			}
			w = w[2:]
			continue
		}
		if len(w) < 3 {
			return
		}
		last, _ := f.get(w[1]).(int)
		width, _ := number(f.get(w[2]))
		for c := first; c <= last && c < 1<<16; c++ {
			f.spend(perEntry)
			t.widths[c] = width
		}
		w = w[3:]
	}
}

func number(o object) (float64, bool) {
	switch o := o.(type) {
	case int:
		return float64(o), true
	case float64:
		return o, true
	}
	return 0, false
}

func (f *File) numbers(o object) []float64 {
	var list []float64
	a, _ := f.get(o).(array)
	for _, o := range a {
		n, _ := number(f.get(o))
		list = append(list, n)
	}
	return list
}

// next cuts the first code off a string that is not empty.
func (f *File) next(t *font, s text) (glyph, text) {
	n := 1
	if t.double {
		n = 2
	}
	if t.double && t.unicode != nil {
		n = t.unicode.length(s, n)
	}
	n = min(n, len(s))
	c := numeral(s[:n])
	g := glyph{space: n == 1 && s[0] == ' '}
	if t.unicode != nil {
		g.text, g.known = f.means(t.unicode, c)
	}
	if !g.known && !t.double {
		g.text = t.letters[s[0]]
		g.known = g.text != ""
	}
	g.width = t.width(c.value, g.text)
	return g, s[n:]
}

// width is how wide a code is. The fourteen fonts that every reader has may be
// named without their widths (9.6.2.2): those are told by the sort of letter,
// which is near enough to know a space when it comes.
func (t *font) width(c int, text string) float64 {
	if w, ok := t.widths[c]; ok {
		return w
	}
	switch {
	case t.double || len(t.widths) > 0 || text == "":
		return t.other
	case t.fixed:
		return 600
	case strings.Contains(" ijltfrI.,:;!'|()[]-", text):
		return 280
	case strings.Contains("mwMW%@", text):
		return 820
	case text >= "A" && text <= "Z":
		return 680
	}
	return 520
}

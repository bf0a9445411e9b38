// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// glyphs are the names of Latin letters and signs in fonts (Adobe Glyph List),
// each followed by what it stands for. Letters with accents are put together
// from the second list.
const glyphs = `space   nbspace   exclam ! quotedbl " numbersign # dollar $ percent % ampersand & quotesingle ' parenleft (
parenright ) asterisk * plus + comma , hyphen - sfthyphen - minus - period . slash / zero 0 one 1 two 2 three 3 four 4
five 5 six 6 seven 7 eight 8 nine 9 colon : semicolon ; less < equal = greater > question ? at @ bracketleft [
backslash \ bracketright ] asciicircum ^ underscore _ grave ` + "`" + ` braceleft { bar | braceright } asciitilde ~
exclamdown ¡ cent ¢ sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © ordfeminine ª
guillemotleft « logicalnot ¬ registered ® macron ¯ degree ° plusminus ± twosuperior ² threesuperior ³ acute ´ mu µ
paragraph ¶ periodcentered · cedilla ¸ onesuperior ¹ ordmasculine º guillemotright » onequarter ¼ onehalf ½
threequarters ¾ questiondown ¿ multiply × divide ÷ germandbls ß AE Æ ae æ OE Œ oe œ Oslash Ø oslash ø Eth Ð eth ð
Thorn Þ thorn þ dotlessi ı Lslash Ł lslash ł florin ƒ circumflex ˆ tilde ˜ endash – emdash — quoteleft ‘ quoteright ’
quotesinglbase ‚ quotedblleft “ quotedblright ” quotedblbase „ dagger † daggerdbl ‡ bullet • ellipsis …
perthousand ‰ guilsinglleft ‹ guilsinglright › fraction ⁄ Euro € euro € trademark ™ fi fi fl fl ff ff ffi ffi ffl ffl`

var accents = map[string]rune{
	"grave": 0x300, "acute": 0x301, "circumflex": 0x302, "tilde": 0x303, "macron": 0x304, "breve": 0x306,
	"dotaccent": 0x307, "dieresis": 0x308, "ring": 0x30A, "hungarumlaut": 0x30B, "caron": 0x30C, "cedilla": 0x327,
	"ogonek": 0x328,
}

var glyphNames = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	words := strings.Fields(glyphs)
	for i := 2; i < len(words); i += 2 { // but for the two spaces, which Fields eats
		m[words[i]] = words[i+1]
	}
	m["space"], m["nbspace"] = " ", " "
	return m
})

// spelled is what a glyph's name stands for, or "".
func spelled(glyph string) string {
	glyph, _, _ = strings.Cut(glyph, ".") // a.sc
	if s, ok := glyphNames()[glyph]; ok {
		return s
	}
	if len(glyph) == 1 {
		return glyph
	}
	for _, prefix := range []string{"uni", "u"} {
		if digits, ok := strings.CutPrefix(glyph, prefix); ok && len(digits) >= 4 {
			if n, err := strconv.ParseUint(digits[:min(len(digits), 6)], 16, 21); err == nil {
				return string(rune(n))
			}
		}
	}
	if len(glyph) > 1 {
		if accent, ok := accents[glyph[1:]]; ok {
			return norm.NFC.String(glyph[:1] + string(accent))
		}
	}
	return ""
}

// alphabet is what each code of a font of single bytes stands for.
func (f *File) alphabet(encoding object) [256]string {
	var table [256]string
	page := charmap.Windows1252
	o := f.get(encoding)
	d, _ := o.(dict)
	if d != nil {
		o = f.get(d["BaseEncoding"])
	}
	if o == object(name("MacRomanEncoding")) {
		page = charmap.Macintosh
	}
	for code := range table {
		if r := page.DecodeByte(byte(code)); code >= ' ' && r != '\uFFFD' {
			table[code] = string(r)
		}
	}
	code := 0
	for _, o := range f.list(d["Differences"]) {
		switch o := f.get(o).(type) {
		case int:
			code = o
		case name:
			if code >= 0 && code < len(table) {
				table[code] = spelled(string(o))
			}
			code++
		}
	}
	return table
}

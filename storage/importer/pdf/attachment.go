// SPDX-License-Identifier: Apache-2.0

package pdf

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Attachment is a file that lies inside a PDF file.
type Attachment struct {
	Name string // as the file says it, without folders

	file   *File
	stream *stream
}

const maxAttachments = 64

// Attachments lists the files attached to the document, each once: those of
// the name tree (7.7.4), then associated files that are not among them (ISO
// 32000-2, 14.13).
func (f *File) Attachments() (list []Attachment, err error) {
	defer f.rescue(&err)
	root, _ := f.get(f.trailer["Root"]).(dict)
	names, _ := f.get(root["Names"]).(dict)
	seen := map[object]bool{}
	add := func(spec object) {
		d, _ := f.get(spec).(dict)
		files, _ := f.get(d["EF"]).(dict)
		for _, key := range []name{"UF", "F"} {
			at := files[key]
			s, ok := f.get(at).(*stream)
			if !ok {
				continue
			}
			if r, ok := at.(ref); ok && seen[r] || len(list) >= maxAttachments {
				return
			} else if ok {
				seen[r] = true
			}
			list = append(list, Attachment{f.fileName(d), f, s})
			return
		}
	}
	f.leaves(names["EmbeddedFiles"], 0, add)
	for _, spec := range f.list(root["AF"]) {
		add(spec)
	}
	return list, nil
}

// fileName is the name in a file specification (7.11.3).
func (f *File) fileName(d dict) string {
	for _, key := range []name{"UF", "F"} {
		if s, ok := f.get(d[key]).(text); ok && s != "" {
			return baseName(plain(s))
		}
	}
	return ""
}

func baseName(s string) string {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' || s[i] == '\\' {
			return s[i+1:]
		}
	}
	return s
}

// leaves walks a name tree (7.9.6).
func (f *File) leaves(o object, depth int, visit func(object)) {
	d, ok := f.get(o).(dict)
	if !ok || depth > 8 {
		return
	}
	names := f.list(d["Names"])
	for i := 1; i < len(names); i += 2 {
		visit(names[i])
	}
	for _, kid := range f.list(d["Kids"]) {
		f.leaves(kid, depth+1, visit)
	}
}

// Bytes unpacks an attachment.
func (a Attachment) Bytes() (b []byte, err error) {
	defer a.file.rescue(&err)
	return a.file.unpacked(a.stream), nil
}

// plain is a text string as UTF-8 (7.9.2.2): UTF-16 or UTF-8 with a mark, or
// else PDFDocEncoding, which is taken for Latin-1.
func plain(s text) string {
	if len(s) >= 2 && (s[:2] == "\xFE\xFF" || s[:2] == "\xFF\xFE") {
		var u []uint16
		for i := 2; i+1 < len(s); i += 2 {
			high, low := s[i], s[i+1]
			if s[0] == 0xFF {
				high, low = low, high
			}
			u = append(u, uint16(high)<<8|uint16(low))
		}
		return string(utf16.Decode(u))
	}
	if len(s) >= 3 && s[:3] == "\xEF\xBB\xBF" {
		s = s[3:]
	}
	if utf8.ValidString(string(s)) {
		return string(s)
	}
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/xml"
	"io"
	"strings"
)

// root is the first element of an XML file, or nothing.
func (h Head) root() xml.Name {
	if h.noted != nil && h.noted.root != nil {
		return *h.noted.root
	}
	name := rootOf(h.Text)
	if h.noted != nil {
		h.noted.root = &name
	}
	return name
}

func rootOf(text string) xml.Name {
	text = strings.TrimLeft(text, " \t\r\n\uFEFF")
	if !strings.HasPrefix(text, "<") {
		return xml.Name{}
	}
	x := xml.NewDecoder(strings.NewReader(text))
	x.Strict = false
	x.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		t, err := x.Token()
		if err != nil {
			return xml.Name{}
		}
		if start, ok := t.(xml.StartElement); ok {
			return start.Name
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"io"
	"strings"
)

// Outline says where a JSON text has values: for the path of each, written as
// "locations[].latitudeE7", the first scalar there, cut short, or "" when there
// are only objects, arrays and null.
type Outline map[string]string

// Bounds of an outline. Of arrays the first elements are looked at.
const (
	outlinePaths    = 1000
	outlineElements = 8
	outlineDepth    = 8
)

// Outline looks at how a JSON file begins, which may end anywhere. What is no
// JSON has none; neither has a number or a text alone.
func (h Head) Outline() Outline {
	if h.noted != nil && h.noted.outline != nil {
		return h.noted.outline
	}
	o := Outline{}
	if h.noted != nil {
		h.noted.outline = o
	}
	if start := strings.TrimLeft(h.Text, " \t\r\n"); strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[") {
		_ = o.value(readJSON(io.NopCloser(strings.NewReader(h.Text)), HeadSize), "", 0) // its end is where the beginning ends
	}
	return o
}

// Has says whether each path is there.
func (o Outline) Has(paths ...string) bool {
	for _, p := range paths {
		if _, ok := o[p]; !ok {
			return false
		}
	}
	return true
}

// Any says whether one of the paths is there.
func (o Outline) Any(paths ...string) bool {
	for _, p := range paths {
		if _, ok := o[p]; ok {
			return true
		}
	}
	return false
}

// value reads the next value and notes what is in it.
func (o Outline) value(j *JSON, path string, depth int) error {
	first, err := j.space()
	switch {
	case err != nil:
		return err
	case len(o) >= outlinePaths:
		return ErrStop
	case depth == outlineDepth:
		return j.Skip()
	case first == '{':
		o.at(path, "")
		return j.Object(func(name string) error { return o.value(j, strings.TrimPrefix(path+"."+name, "."), depth+1) })
	case first == '[':
		o.at(path, "")
		return j.Array(func(i int) error {
			if i >= outlineElements {
				return j.Skip()
			}
			return o.value(j, path+"[]", depth+1)
		})
	}
	text, _, err := j.Scalar()
	o.at(path, clip(text))
	return err
}

// at notes a value; of several at one path the first that says something counts.
func (o Outline) at(path, text string) {
	if o[path] == "" {
		o[path] = text
	}
}

// startsJSON says whether a file begins as an object or an array does.
func startsJSON(h Head) bool {
	text := strings.TrimSpace(h.Text)
	return text != "" && (text[0] == '{' || text[0] == '[')
}

// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SegmentKind is what one step of a [Selector] does.
type SegmentKind uint8

// The kinds of segment.
const (
	// Field takes a map's value by key: .name or ["any key"]. A key that is
	// not there gives null.
	Field SegmentKind = iota
	// Index takes a list's item or a byte, from the end if negative: [2], [-1].
	Index
	// Slice takes a run of a list or of bytes: [1:3], [2:], [:-1].
	Slice
	// Values takes a map's values as a list, and leaves a list as it is: [].
	Values
)

// Segment is one step of a [Selector].
type Segment struct {
	Kind     SegmentKind
	Name     string // of a Field
	From, To int    // From is an Index's place; a Slice runs from From up to To
	OpenEnd  bool   // a Slice without To
	Optional bool   // gives null where it would fail
}

// Selector is a path into an invocation's arguments. The empty one is ".",
// the whole.
type Selector []Segment

// maxPlace bounds the indices of a selector: no list in a token is longer.
const maxPlace = MaxInvocationSize

// ParseSelector reads the specification's syntax: "." or a dot and segments,
// each with any number of question marks after it.
func ParseSelector(s string) (Selector, error) {
	p := selectorParser{rest: s}
	sel, err := p.parse()
	if err != nil {
		return nil, fmt.Errorf("parse selector %q: %w", s, err)
	}
	return sel, nil
}

type selectorParser struct{ rest string }

func (p *selectorParser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *selectorParser) parse() (Selector, error) {
	if !strings.HasPrefix(p.rest, ".") {
		return nil, errors.New("it does not begin with a dot")
	}
	if p.rest == "." || strings.Trim(p.rest[1:], "?") == "" {
		return Selector{}, nil
	}
	if strings.HasPrefix(p.rest, ".[") {
		p.rest = p.rest[1:]
	}
	var sel Selector
	for p.rest != "" {
		segment, err := p.segment()
		if err != nil {
			return nil, err
		}
		for p.skip("?") {
			segment.Optional = true
		}
		sel = append(sel, segment)
	}
	return sel, nil
}

func (p *selectorParser) segment() (Segment, error) {
	switch {
	case p.skip("[]"):
		return Segment{Kind: Values}, nil
	case strings.HasPrefix(p.rest, `["`):
		return p.quoted()
	case p.skip("["):
		return p.places()
	case p.skip("."):
		n := identLen(p.rest)
		if n == 0 {
			return Segment{}, errors.New("a dot without a field name")
		}
		name := p.rest[:n]
		p.rest = p.rest[n:]
		return Segment{Kind: Field, Name: name}, nil
	}
	return Segment{}, errors.New("neither a dot nor a bracket where a segment begins")
}

// identLen is the length of the field name at the start of s that may follow a
// dot: letters, digits and underscores of ASCII, no digit first.
func identLen(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// quoted reads ["…"], where … is written as in JSON.
func (p *selectorParser) quoted() (Segment, error) {
	end := 2
	for end < len(p.rest) && p.rest[end] != '"' {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(p.rest) || !strings.HasPrefix(p.rest[end:], `"]`) {
		return Segment{}, errors.New("a quoted field name without its end")
	}
	literal := p.rest[1 : end+1]
	p.rest = p.rest[end+2:]
	var name string
	if err := json.Unmarshal([]byte(literal), &name); err != nil {
		return Segment{}, fmt.Errorf("a quoted field name that is no JSON text: %w", err)
	}
	// encoding/json puts U+FFFD where a surrogate has lost its other half.
	if strings.ContainsRune(name, utf8.RuneError) && !strings.ContainsRune(literal, utf8.RuneError) {
		return Segment{}, errors.New("a quoted field name with half a character")
	}
	return Segment{Kind: Field, Name: name}, nil
}

// places reads what follows the bracket of [2], [1:3], [2:] and [:3].
func (p *selectorParser) places() (Segment, error) {
	inside, rest, ok := strings.Cut(p.rest, "]")
	if !ok {
		return Segment{}, errors.New("a bracket that is not closed")
	}
	p.rest = rest
	from, to, isSlice := strings.Cut(inside, ":")
	if !isSlice {
		i, err := parsePlace(from)
		return Segment{Kind: Index, From: i}, err
	}
	if from == "" && to == "" {
		return Segment{}, errors.New("a slice without either end")
	}
	segment := Segment{Kind: Slice, OpenEnd: to == ""}
	var err error
	if from != "" {
		segment.From, err = parsePlace(from)
	}
	if to != "" && err == nil {
		segment.To, err = parsePlace(to)
	}
	return segment, err
}

func parsePlace(s string) (int, error) {
	i, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(i) != s {
		return 0, errors.New("an index that is no plain integer")
	}
	if i > maxPlace || i < -maxPlace {
		return 0, errors.New("an index longer than any list")
	}
	return i, nil
}

// String is the selector in the specification's syntax; [ParseSelector] reads
// it back to the same segments.
func (s Selector) String() string {
	var b strings.Builder
	for i, segment := range s {
		text := segment.text()
		if i == 0 && text[0] != '.' {
			b.WriteByte('.')
		}
		b.WriteString(text)
		if segment.Optional {
			b.WriteByte('?')
		}
	}
	if b.Len() == 0 {
		return "."
	}
	return b.String()
}

func (s Segment) text() string {
	switch s.Kind {
	case Index:
		return fmt.Sprintf("[%d]", s.From)
	case Slice:
		return s.sliceText()
	case Values:
		return "[]"
	}
	if s.Name != "" && identLen(s.Name) == len(s.Name) {
		return "." + s.Name
	}
	quoted, err := json.Marshal(s.Name)
	if err != nil {
		return "[]" // json.Marshal does not fail on a string
	}
	return "[" + string(quoted) + "]"
}

func (s Segment) sliceText() string {
	if s.OpenEnd {
		return fmt.Sprintf("[%d:]", s.From)
	}
	return fmt.Sprintf("[%d:%d]", s.From, s.To)
}

// resolve takes one step from v; ok is false where it cannot be taken.
func (s Segment) resolve(v Value) (_ Value, ok bool) {
	switch s.Kind {
	case Field:
		found, _ := v.dict.Get(s.Name)
		return found, v.kind == KindMap
	case Values:
		return mapValues(v)
	case Index:
		return itemAt(v, s.From)
	}
	return s.slice(v)
}

func mapValues(v Value) (Value, bool) {
	switch v.kind {
	case KindList:
		return v, true
	case KindMap:
		items := make([]Value, len(v.dict))
		for i, e := range v.dict {
			items[i] = e.Value
		}
		return Value{kind: KindList, list: items}, true
	}
	return Value{}, false
}

func itemAt(v Value, i int) (Value, bool) {
	if v.kind != KindList && v.kind != KindBytes {
		return Value{}, false
	}
	if i < 0 {
		i += v.Len()
	}
	if i < 0 || i >= v.Len() {
		return Value{}, false
	}
	if v.kind == KindBytes {
		return Int(int64(v.str[i])), true
	}
	return v.list[i], true
}

func (s Segment) slice(v Value) (Value, bool) {
	n := v.Len()
	from, to := clampPlace(s.From, n), clampPlace(s.To, n)
	if s.OpenEnd {
		to = n
	}
	from = min(from, to)
	switch v.kind {
	case KindList:
		return Value{kind: KindList, list: v.list[from:to:to]}, true
	case KindBytes:
		return Value{kind: KindBytes, str: v.str[from:to]}, true
	}
	return Value{}, false
}

func clampPlace(i, n int) int {
	if i < 0 {
		i += n
	}
	return max(0, min(i, n))
}

// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A template is a sentence cut at its placeholders.
type template []piece

// A piece is literal text, a value, or a choice between two wordings.
type piece struct {
	text      string // literal, when name is empty
	name      string
	format    string // size, number, date, time, span; empty: as it is
	one, many string // the wordings of a choice
	choice    bool
}

var formats = []string{"", "size", "number", "date", "time", "span"}

func parseTemplate(text string) (template, error) {
	var t template
	for text != "" {
		literal, rest, found := strings.Cut(text, "{")
		if literal != "" {
			t = append(t, piece{text: literal})
		}
		if !found {
			return t, nil
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New("a { without its }")
		}
		p, err := parsePlaceholder(inside)
		if err != nil {
			return nil, err
		}
		t, text = append(t, p), after
	}
	return t, nil
}

func parsePlaceholder(inside string) (piece, error) {
	if name, wordings, ok := strings.Cut(inside, "?"); ok {
		one, many, two := strings.Cut(wordings, "|")
		if !two || !isName(name) {
			return piece{}, fmt.Errorf("{%s}: want {name?one|many}", inside)
		}
		return piece{name: name, one: one, many: many, choice: true}, nil
	}
	name, format, _ := strings.Cut(inside, ":")
	if !isName(name) || !slices.Contains(formats, format) {
		return piece{}, fmt.Errorf("{%s}: unknown name or format", inside)
	}
	return piece{name: name, format: format}, nil
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// names lists the values that the sentence needs, each with its format.
// Choices of wording are the language's own affair and do not count: French
// may need one where English does not.
func (t template) names() []string {
	var names []string
	for _, p := range t {
		n := p.name
		if p.format != "" {
			n += ":" + p.format
		}
		if n != "" && !p.choice && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

func (t template) fill(l Lang, args map[string]string) string {
	var b strings.Builder
	for _, p := range t {
		switch value := args[p.name]; {
		case p.name == "":
			b.WriteString(p.text)
		case p.choice && l.singular(value):
			b.WriteString(p.one)
		case p.choice:
			b.WriteString(p.many)
		default:
			b.WriteString(l.format(p.format, value))
		}
	}
	return b.String()
}

// singular follows the CLDR plural rules for whole numbers: French says
// "0 fichier", English "0 files".
func (l Lang) singular(value string) bool {
	return value == "1" || l == French && value == "0"
}

// format writes a value as the language does. A value that is not what the
// format expects stays as it is: a sentence never fails.
func (l Lang) format(format, value string) string {
	switch format {
	case "size", "number":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return value
		}
		if format == "size" {
			return l.Size(n)
		}
		return l.Number(n)
	case "date", "time":
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return value
		}
		if format == "date" {
			return l.Date(at.Local())
		}
		return l.Time(at.Local())
	case "span":
		d, err := time.ParseDuration(value)
		if err != nil {
			return value
		}
		return l.Span(d)
	}
	return value
}

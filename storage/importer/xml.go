// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
)

// XML reads an XML text piece by piece in constant memory. It is tolerant of
// tags that are closed wrongly, knows no entities but XML's own five, ignores
// what the document type says, and refuses one that defines entities, elements
// deeper than [MaxDepth] and tokens longer than [MaxLine].
type XML struct {
	in    io.ReadCloser
	guard *tokenGuard
	d     *xml.Decoder
	depth int
}

// tokenGuard refuses a token that goes on for too long: at how many bytes the
// last one ended, the decoder says.
type tokenGuard struct {
	in        io.Reader
	given, at int64
	err       *Reason
}

func (g *tokenGuard) Read(p []byte) (int, error) {
	if g.given-g.at > MaxLine+HeadSize {
		g.err = Why("line-too-long", "limit", itoa(MaxLine))
		return 0, g.err
	}
	n, err := g.in.Read(p)
	g.given += int64(n)
	return n, err
}

var declared = regexp.MustCompile(`^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// XML reads the file as XML. The encoding it declares is believed when it is
// one with a byte for each character; files that declare UTF-16 and are not are
// read as what they are.
func (s *Source) XML() (*XML, error) {
	name := ""
	if m := declared.FindSubmatch(s.Head.Bytes); m != nil {
		name = string(m[1])
	}
	r, err := s.TextIn(name)
	if err != nil {
		return nil, err
	}
	return xmlOf(r), nil
}

// xmlOf reads XML that is UTF-8 already.
func xmlOf(r io.ReadCloser) *XML {
	g := &tokenGuard{in: r}
	d := xml.NewDecoder(g)
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it is UTF-8 by now
	return &XML{in: r, guard: g, d: d}
}

// Close ends the reading.
func (x *XML) Close() error { return x.in.Close() }

// Line is where the reading is, from 1.
func (x *XML) Line() int {
	line, _ := x.d.InputPos()
	return line
}

// Next is the next start, end or text of an element, valid until the next call;
// io.EOF at the end. Namespaces are the file's business: take Name.Local.
func (x *XML) Next() (xml.Token, error) {
	for {
		t, err := x.d.Token()
		x.guard.at = x.d.InputOffset()
		if err != nil {
			return nil, x.wrong(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if x.depth++; x.depth > MaxDepth {
				return nil, Why("too-deep", "line", itoa(x.Line()), "limit", itoa(MaxDepth))
			}
			return t, nil
		case xml.EndElement:
			x.depth--
			return t, nil
		case xml.CharData:
			return t, nil
		case xml.Directive:
			if strings.Contains(string(t), "<!ENTITY") {
				return nil, Why("xml-entities", "line", itoa(x.Line()))
			}
		}
	}
}

func (x *XML) wrong(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case x.guard.err != nil:
		x.guard.err.Args["line"] = itoa(x.Line())
		return x.guard.err
	case errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF"):
		return Why("cut", "line", itoa(syntax.Line))
	case errors.As(err, &syntax):
		return Why("xml", "line", itoa(syntax.Line), "what", clip(syntax.Msg))
	case strings.HasPrefix(err.Error(), "xml: "): // a version that is not 1.0, for one
		return Why("xml", "line", itoa(x.Line()), "what", clip(strings.TrimPrefix(err.Error(), "xml: ")))
	}
	return err
}

// Start goes to the next start of an element of one of these names, anywhere
// below; io.EOF when there is none.
func (x *XML) Start(names ...string) (xml.StartElement, error) {
	for {
		t, err := x.Next()
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := t.(xml.StartElement); ok {
			for _, name := range names {
				if start.Name.Local == name {
					return start.Copy(), nil
				}
			}
		}
	}
}

// attr is an attribute of an element by its name, without namespace, or "".
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// root goes to the first element.
func (x *XML) root() (xml.StartElement, error) {
	for {
		t, err := x.Next()
		if err == io.EOF {
			err = Why("cut", "line", itoa(x.Line()))
		}
		if err != nil {
			return xml.StartElement{}, err
		}
		if start, ok := t.(xml.StartElement); ok {
			return start.Copy(), nil
		}
	}
}

// eachElement visits the elements of some names of an XML file, at their start.
func (s *Source) eachElement(names []string, visit func(x *XML, start xml.StartElement) error) error {
	x, err := s.XML()
	if err != nil {
		return err
	}
	defer x.Close()
	for {
		start, err := x.Start(names...)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = visit(x, start)
		}
		if err != nil {
			return err
		}
	}
}

// Element is an element with all that is in it, names without namespaces. The
// methods of a nil Element find nothing.
type Element struct {
	Name string
	Line int
	Attr map[string]string
	Text string // its own text, without spaces around it
	Kids []*Element
}

// Tree reads the element that start began, to its end. It is refused when it
// holds more than about limit bytes.
func (x *XML) Tree(start xml.StartElement, limit int) (*Element, error) {
	left := limit
	e, err := x.tree(start, &left)
	if left < 0 {
		err = tooLarge(int64(limit))
	}
	return e, err
}

func (x *XML) tree(start xml.StartElement, left *int) (*Element, error) {
	e := &Element{Name: start.Name.Local, Line: x.Line()}
	*left -= 100 + len(e.Name)
	for _, a := range start.Attr {
		if e.Attr == nil {
			e.Attr = map[string]string{}
		}
		e.Attr[a.Name.Local] = a.Value
		*left -= 50 + len(a.Name.Local) + len(a.Value)
	}
	var text strings.Builder
	for *left >= 0 {
		t, err := x.Next()
		if err == io.EOF {
			err = Why("cut", "line", itoa(x.Line()))
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			kid, err := x.tree(t, left)
			if err != nil {
				return nil, err
			}
			e.Kids = append(e.Kids, kid)
		case xml.EndElement:
			e.Text = strings.TrimSpace(text.String())
			return e, nil
		case xml.CharData:
			*left -= len(t)
			text.Write(t)
		}
	}
	return nil, ErrStop
}

// At is the first element down a path of names, or nil.
func (e *Element) At(path ...string) *Element {
	for _, name := range path {
		if e = e.kid(name); e == nil {
			return nil
		}
	}
	return e
}

func (e *Element) kid(name string) *Element {
	if e == nil {
		return nil
	}
	for _, k := range e.Kids {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// All are the elements of a name directly in it.
func (e *Element) All(name string) (list []*Element) {
	if e == nil {
		return nil
	}
	for _, k := range e.Kids {
		if k.Name == name {
			list = append(list, k)
		}
	}
	return list
}

// Say is the text of the first element down a path of names, or "".
func (e *Element) Say(path ...string) string {
	if e = e.At(path...); e == nil {
		return ""
	}
	return e.Text
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"
)

func utf16Bytes(t testing.TB, order unicode.Endianness, mark unicode.BOMPolicy, s string) []byte {
	t.Helper()
	b, err := unicode.UTF16(order, mark).NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readText(t testing.TB, b []byte) (string, error) {
	t.Helper()
	r, err := Content("x", b, Options{}).Text()
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(iotest.HalfReader(r))
	return string(got), err
}

func TestText(t *testing.T) {
	const want = "Relevé;Index\r\nÉté;1 234,5 €\r\n"
	long := strings.Repeat("only ascii;1\n", 20000)
	for name, b := range map[string][]byte{
		"utf-8":               []byte(want),
		"utf-8 with mark":     append([]byte("\xEF\xBB\xBF"), want...),
		"utf-16 little":       utf16Bytes(t, unicode.LittleEndian, unicode.UseBOM, want),
		"utf-16 big":          utf16Bytes(t, unicode.BigEndian, unicode.UseBOM, want),
		"windows-1252":        []byte("Relev\xe9;Index\r\n\xc9t\xe9;1 234,5 \x80\r\n"),
		"pasted together":     []byte("Relev\xc3\xa9;Index\r\n\xc9t\xe9;1 234,5 \x80\r\n"),
		"one line of 1252":    []byte("Relevé;Index\r\n\xc9té;1 234,5 €\r\n"),
		"late accents, UTF-8": []byte(long + want),
		"late accents, 1252":  []byte(long + "Relev\xe9;Index\r\n\xc9t\xe9;1 234,5 \x80\r\n"),
	} {
		got, err := readText(t, b)
		if name == "pasted together" { // it begins as nothing: Windows-1252 gives the first accent wrongly
			got = strings.Replace(got, "Ã©", "é", 1)
		}
		if got = strings.TrimPrefix(got, long); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := readText(t, []byte("Date;Été\nÉté;1\nÉ")[:20]); err != nil || !strings.HasPrefix(got, "Date;Été\nÉté;1\n") {
		t.Errorf("cut within a character: %q, %v", got, err)
	}
	for _, b := range []string{"a\x00b", long + "a\x00b", "\xFF\xFEa\x00\x00\x00"} {
		if _, err := readText(t, []byte(b)); reason(err) != "nul" {
			t.Errorf("a NUL: %v", err)
		}
	}
}

func reason(err error) string {
	var why *Reason
	if errors.As(err, &why) {
		return why.Code
	}
	return fmt.Sprint(err)
}

func TestLines(t *testing.T) {
	var got []string
	err := Content("x", []byte("a\r\nb\n\nc\rd"), Options{}).Lines(func(n int, line string) error {
		got = append(got, fmt.Sprint(n, line))
		return nil
	})
	if diff := cmp.Diff([]string{"1a", "2b", "3", "4c", "5d"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	endless := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("a\n"), endlessly('x'))), nil
	}
	s := Stream("x", -1, endless, Options{})
	if err := s.Lines(func(int, string) error { return nil }); reason(err) != "line-too-long" {
		t.Errorf("an endless line: %v", err)
	}
}

// endlessly is the same byte for ever.
type endlessly byte

func (e endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestCSV(t *testing.T) {
	in := "\xEF\xBB\xBFDate;Montant;\"a;b\"\r\n\r\n04/11/2009;\u00A01\u202F234,56 ;x \"y\" z;\n"
	c, err := Content("x", []byte(in), Options{}).source(t).CSV(0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		r, err := c.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %q", c.Line(), r))
	}
	want := []string{`1 ["Date" "Montant" "a;b"]`, `3 ["04/11/2009" "1 234,56" "x \"y\" z" ""]`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for head, want := range map[string]rune{"a,b;c\n1,5;2\n1,6;3\n": ';', "a\tb\n1,5\t2\n": '\t', "a,b,c\n1,2,3": ',', "x|y|z\n1|2|3": '|', "none": ','} {
		if got := Separator(head); got != want {
			t.Errorf("%q is separated by %q", head, got)
		}
	}
	endless := func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("a;b\n\"open"), endlessly('\n'))), nil
	}
	c, err = Stream("x", -1, endless, Options{}).CSV(';')
	for err == nil {
		_, err = c.Next()
	}
	if reason(err) != "line-too-long" {
		t.Errorf("a quote that never closes: %v", err)
	}
}

// source looks at the head, as Read does first.
func (s *Source) source(t testing.TB) *Source {
	t.Helper()
	if err := s.look(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestXML(t *testing.T) {
	text := `<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a xmlns="urn:x" k="v&amp;w"><b>é &nbsp; <![CDATA[<&]]></b><b/>tail</a>`
	latin := bytes.ReplaceAll([]byte(strings.Replace(text, "utf-16", "ISO-8859-1", 1)), []byte("é"), []byte("\xe9"))
	for name, in := range map[string][]byte{
		"declared wrongly": []byte(text), "blank line first": []byte("\n" + text), "latin": latin,
		"utf-16": utf16Bytes(t, unicode.LittleEndian, unicode.UseBOM, text), "utf-16 without mark": utf16Bytes(t, unicode.BigEndian, unicode.IgnoreBOM, text),
	} {
		x, err := Content("x", in, Options{}).source(t).XML()
		if err != nil {
			t.Fatal(err)
		}
		start, err := x.Start("a")
		if err != nil {
			t.Fatal(name, err)
		}
		e, err := x.Tree(start, 1<<20)
		if err != nil || e.Attr["k"] != "v&w" || e.Say("b") != "é &nbsp; <&" || len(e.All("b")) != 2 || e.Text != "tail" || e.At("c", "d") != nil {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestXMLRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		in   io.Reader
		want string
	}{
		"entities":       {strings.NewReader(`<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>`), "xml-entities"},
		"deep":           {strings.NewReader(strings.Repeat("<a>", 1000)), "too-deep"},
		"endless text":   {io.MultiReader(strings.NewReader("<a>"), endlessly('x')), "line-too-long"},
		"endless tag":    {io.MultiReader(strings.NewReader("<a "), endlessly(' ')), "line-too-long"},
		"endless spaces": {io.MultiReader(strings.NewReader("<a><![CDATA["), endlessly('<')), "line-too-long"},
		"cut":            {strings.NewReader("<a><b>"), "cut"},
		"large":          {strings.NewReader("<a>" + strings.Repeat("<b/>", 50000)), "too-large"},
	} {
		x, err := Stream("x", -1, func() (io.ReadCloser, error) { return io.NopCloser(tt.in), nil }, Options{}).XML()
		if err != nil {
			t.Fatal(err)
		}
		start, err := x.Start("a")
		if err == nil {
			_, err = x.Tree(start, 4<<20)
		}
		if reason(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("\xEF\xBB\xBFa;b\n\"1\";\xe9"))
	f.Add([]byte("<?xml version=\"1.0\" encoding=\"latin1\"?><a b='c'>&amp;</a>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Content("x", b, Options{}).source(t)
		_ = s.Lines(func(n int, line string) error { return nil })
		if x, err := s.XML(); err == nil {
			if start, err := x.Start("a"); err == nil {
				_, _ = x.Tree(start, 1<<20)
			}
		}
		c, err := s.CSV(0)
		for err == nil {
			_, err = c.Next()
		}
	})
}

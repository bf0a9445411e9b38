// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func jsonOf(r io.Reader) *JSON { return readJSON(io.NopCloser(r), HeadSize) }

// treeOf reads a whole JSON text as encoding/json would.
func treeOf(r io.Reader) (any, error) {
	j := jsonOf(r)
	v, err := j.Tree(1 << 20)
	if err == nil {
		err = j.Finish()
	}
	return v, err
}

// FuzzJSON: what encoding/json takes is taken with the same values, whatever
// the pieces in which it comes, and what it refuses is refused.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,true,null,"é\n\u00e9\ud83d\ude00\ud83d"],"b":{}}`, `[]`, `[1,]`, `{"a" 1}`, `"\x"`, `01`, `-`, `[1}`, `{"a":1,}`, ` 1 2`, `tru`, `"\ud83d\ud83d\ude00"`, "\"\x01\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Count(string(b), "[")+strings.Count(string(b), "{") >= MaxDepth || len(b) > 10000 || !validUTF8(b) {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		var want any
		bad := d.Decode(&want) != nil || !json.Valid(b)
		for _, r := range []io.Reader{strings.NewReader(string(b)), iotest.OneByteReader(strings.NewReader(string(b)))} {
			got, err := treeOf(r)
			if bad != (err != nil) {
				t.Fatalf("%q: refused %v, by encoding/json %v (%v)", b, err != nil, bad, err)
			}
			if !bad && !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: %#v, want %#v", b, got, want)
			}
		}
		j := jsonOf(strings.NewReader(string(b)))
		err := j.Skip()
		if err == nil {
			err = j.Finish()
		}
		if bad != (err != nil) {
			t.Fatalf("%q skipped: %v", b, err)
		}
	})
}

func validUTF8(b []byte) bool { return strings.ToValidUTF8(string(b), "") == string(b) }

func TestJSONWalk(t *testing.T) {
	j := jsonOf(iotest.OneByteReader(strings.NewReader(`{"skip":{"x":[1,{"y":2}]},"list":[{"v":"1"},{"v":2,"w":[]},null],"none":null,"n":"` + "\u00e9" + `"}`)))
	var got []string
	note := func() error {
		s, _, err := j.Scalar()
		got = append(got, s)
		return err
	}
	err := j.Object(func(name string) error {
		switch name {
		case "list":
			return j.Array(func(int) error {
				return j.Object(func(name string) error {
					if name == "v" {
						return note()
					}
					return nil
				})
			})
		case "none":
			return j.Array(func(int) error { t.Error("a null has elements"); return nil })
		case "n":
			return note()
		}
		return nil
	})
	if err == nil {
		err = j.Finish()
	}
	if strings.Join(got, " ") != "1 2 é" || err != nil {
		t.Error(got, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		in   io.Reader
		want string
	}{
		"endless text":   {io.MultiReader(strings.NewReader(`["`), endlessly('x')), "line-too-long"},
		"endless number": {endlessly('1'), "json"},
		"deep":           {endlessly('['), "too-deep"},
		"cut":            {strings.NewReader(`{"a":[1,`), "cut"},
		"nothing":        {strings.NewReader(``), "cut"},
		"large":          {io.MultiReader(strings.NewReader(`[1`), repeat(",1")), "too-large"},
	} {
		if _, err := treeOf(tt.in); reason(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// repeat is the same text for ever.
func repeat(s string) io.Reader { return &repeating{s: s} }

type repeating struct {
	s  string
	at int
}

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.s[r.at]
		r.at = (r.at + 1) % len(r.s)
	}
	return len(p), nil
}

// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/protocol/ucan"
)

func TestParseSelector(t *testing.T) {
	field := func(name string) ucan.Segment { return ucan.Segment{Kind: ucan.Field, Name: name} }
	for _, c := range []struct {
		text  string
		want  ucan.Selector
		again string // "" if as it was
	}{
		{".", ucan.Selector{}, ""},
		{".?", ucan.Selector{}, "."},
		{".foo", ucan.Selector{field("foo")}, ""},
		{".bar0_", ucan.Selector{field("bar0_")}, ""},
		{"._x.Y", ucan.Selector{field("_x"), field("Y")}, ""},
		{`.["."]`, ucan.Selector{field(".")}, ""},
		{`.["foo"]`, ucan.Selector{field("foo")}, ".foo"},
		{`.a["$_*"]["1"]`, ucan.Selector{field("a"), field("$_*"), field("1")}, ""},
		{`.["a\"]b"]`, ucan.Selector{field(`a"]b`)}, ""},
		{`.["é"]`, ucan.Selector{field("é")}, ""},
		{`.["\ud83d\ude00"]`, ucan.Selector{field("😀")}, `.["😀"]`},
		{`.[""]`, ucan.Selector{field("")}, ""},
		{".[]", ucan.Selector{{Kind: ucan.Values}}, ""},
		{".a[].b", ucan.Selector{field("a"), {Kind: ucan.Values}, field("b")}, ""},
		{".[0]", ucan.Selector{{Kind: ucan.Index}}, ""},
		{".to[-1]", ucan.Selector{field("to"), {Kind: ucan.Index, From: -1}}, ""},
		{".[7:11]", ucan.Selector{{Kind: ucan.Slice, From: 7, To: 11}}, ""},
		{".[2:]", ucan.Selector{{Kind: ucan.Slice, From: 2, OpenEnd: true}}, ""},
		{".[:42]", ucan.Selector{{Kind: ucan.Slice, To: 42}}, ".[0:42]"},
		{".[0:-2]", ucan.Selector{{Kind: ucan.Slice, To: -2}}, ""},
		{".foo???", ucan.Selector{{Kind: ucan.Field, Name: "foo", Optional: true}}, ".foo?"},
		{`.["nope"]?.x`, ucan.Selector{{Kind: ucan.Field, Name: "nope", Optional: true}, field("x")}, ".nope?.x"},
	} {
		got, err := ucan.ParseSelector(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
		want := c.again
		if want == "" {
			want = c.text
		}
		if got.String() != want {
			t.Errorf("%s is written %s, want %s", c.text, got, want)
		}
	}
	for _, text := range []string{
		"", "foo", "..", "...", "..a", ".a..b", ".a.", ". a", ".a b", ".1", ".a-b", ".é", "?", ".a.?", ".a.[0]",
		".[", ".]", ".[0", ".[0]]", ".[x]", ".[01]", ".[+1]", ".[-0]", ".[1.5]", ".[ 1]", ".[:]", ".[1:2:3]",
		".[99999999]", ".[99999999999999999999]", `.[""`, `.["a]`, `.["a"`, `.["\x41"]`, `.["\ud83d"]`, `.['a']`,
		`["a"]`, "[0]", ".a|.b", ".*", "$.a", ".a[*]", ".a{}", ".\"a\"",
	} {
		if got, err := ucan.ParseSelector(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestParseCommand(t *testing.T) {
	for _, s := range []string{"/", "/a", "/dataset/read", "/ucan/assert/receipt", "/a-b/c_d/e.f/0"} {
		if c, err := ucan.ParseCommand(s); err != nil || string(c) != s {
			t.Errorf("%s: %q, %v", s, c, err)
		}
	}
	for _, s := range []string{
		"", "a", "//", "/a/", "/a//b", "/A", "/a/../b", "/..", "/.", "/a b", "/a\x00", "/%72", "/é", "/rеad", "/a\\b",
		"/*", " /a", "/a\n", "/" + strings.Repeat("a", 256),
	} {
		if c, err := ucan.ParseCommand(s); err == nil {
			t.Errorf("%q is read as %q", s, c)
		}
	}
}

func TestCommandCovers(t *testing.T) {
	for _, c := range []struct {
		parent, child ucan.Command
		want          bool
	}{
		{"/", "/", true}, {"/", "/a/b", true}, {"/a", "/a", true}, {"/a", "/a/b", true}, {"/a/b", "/a/b/c/d", true},
		{"/a", "/", false}, {"/a", "/ab", false}, {"/a/b", "/a", false}, {"/a/b", "/a/c", false},
		{"/dataset/read", "/dataset/readall", false}, {"", "/a", false}, {"", "", false}, {"/", "", false}, {"/a", "", false},
	} {
		if got := c.parent.Covers(c.child); got != c.want {
			t.Errorf("%q covers %q: %v", c.parent, c.child, got)
		}
	}
}

// TestLikeAgainstRegexp sets our matching beside another's on short random
// patterns and texts, which meet often.
func TestLikeAgainstRegexp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(letters string, n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteByte(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	met := 0
	for range 50_000 {
		pattern, s := word(`ab**\`, 9), word(`ab*\`, 12)
		want := regexp.MustCompile(asRegexp(pattern)).MatchString(s)
		got, steps := ucan.LikeSteps(pattern, s)
		if got != want {
			t.Fatalf("%q like %q: %v, want %v", s, pattern, got, want)
		}
		if limit := 4 * (len(pattern) + len(s) + 1); steps > limit {
			t.Fatalf("%q like %q took %d steps, at most %d", s, pattern, steps, limit)
		}
		if got {
			met++
		}
	}
	t.Logf("%d of 50000 met", met)
}

func asRegexp(pattern string) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '*':
			b.WriteString(`.*`)
		case strings.HasPrefix(pattern[i:], `\*`), strings.HasPrefix(pattern[i:], `\\`):
			i++
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	return b.String() + `$`
}

// SPDX-License-Identifier: Apache-2.0

package grant_test

import (
	"strings"
	"testing"

	"github.com/traboule/traboule/protocol/grant"
)

// pathCases are paths and their one spelling; "!" for none.
var pathCases = []struct{ name, path, want string }{
	{"everything", "", ""},
	{"a name", "cv.pdf", "cv.pdf"},
	{"a name below", "taxes/2026.pdf", "taxes/2026.pdf"},
	{"a prefix", "photos/", "photos/"},
	{"accents in normal form C", "\u00e9t\u00e9/", "\u00e9t\u00e9/"},
	{"accents in normal form D", "e\u0301te\u0301/", "\u00e9t\u00e9/"},
	{"a compatibility character stays", "ﬁn.txt", "ﬁn.txt"},
	{"spaces and dots in names", "..a/b../ .c", "..a/b../ .c"},
	{"a star in a name", "a*b.txt", "a*b.txt"},
	{"a star in a prefix", "a*b/", "!"},
	{"the root", "/", "!"},
	{"an absolute path", "/etc/passwd", "!"},
	{"a segment above", "photos/../taxes/", "!"},
	{"only a segment above", "..", "!"},
	{"a segment above at the end", "photos/..", "!"},
	{"a segment above at the end of a prefix", "photos/../", "!"},
	{"a segment of here", "./photos/", "!"},
	{"a segment of here inside", "photos/./a", "!"},
	{"an empty segment", "photos//a", "!"},
	{"an empty segment at the end", "photos//", "!"},
	{"a percent sign", "photos%2f", "!"},
	{"a percent sign alone", "100%", "!"},
	{"a backslash", `photos\..\taxes`, "!"},
	{"a NUL", "photos/\x00", "!"},
	{"a line feed", "photos/\n", "!"},
	{"an escape", "photos/\x1b[31m", "!"},
	{"a C1 control", "photos/\u0085", "!"},
	{"not UTF-8", "photos/\xff", "!"},
	{"an overlong slash", "photos\xc0\xaf..", "!"},
	{"a surrogate", "photos/\xed\xa0\x80", "!"},
	{"the longest", strings.Repeat("a", grant.MaxPath), strings.Repeat("a", grant.MaxPath)},
	{"too long", strings.Repeat("a", grant.MaxPath+1), "!"},
	{"too long in normal form C", strings.Repeat("\u0958", 85), "!"}, // 3 bytes each become 6
}

func TestCanonicalPath(t *testing.T) {
	for _, c := range pathCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := grant.CanonicalPath(c.path)
			if err != nil {
				got = "!"
			}
			if got != c.want {
				t.Errorf("CanonicalPath(%q) = %q (%v), want %q", c.path, got, err, c.want)
			}
		})
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, c := range pathCases {
		f.Add(c.path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := grant.CanonicalPath(path)
		if err != nil {
			return
		}
		if again, err := grant.CanonicalPath(got); err != nil || again != got {
			t.Errorf("%q becomes %q, and that %q (%v)", path, got, again, err)
		}
		if strings.Contains(got, "//") || strings.HasPrefix(got, "/") || strings.ContainsAny(got, "%\\\x00") || len(got) > grant.MaxPath {
			t.Errorf("%q was let through as %q", path, got)
		}
		for _, s := range strings.Split(got, "/") {
			if s == "." || s == ".." {
				t.Errorf("%q was let through as %q", path, got)
			}
		}
	})
}

func TestInside(t *testing.T) {
	allowed := []string{"photos/", "cv.pdf"}
	for path, want := range map[string]bool{
		"photos/": true, "photos/lyon/": true, "photos/a.jpg": true, "cv.pdf": true,
		"": false, "photos": false, "photos2/": false, "cv.pdf2": false, "cv.pdf/": false, "taxes/": false,
	} {
		if got := grant.Inside(path, allowed); got != want {
			t.Errorf("Inside(%q) = %v, want %v", path, got, want)
		}
	}
	if !grant.Inside("anything", nil) || !grant.Inside("anything", []string{""}) {
		t.Error("no bound bounds")
	}
}

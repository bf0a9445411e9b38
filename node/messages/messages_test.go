// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		name   string
		wanted string
		env    map[string]string
		want   Lang
		bad    bool
	}{
		{"nothing said", "", nil, English, false},
		{"the flag wins", "fr", map[string]string{"TRABOULE_LANG": "en", "LC_ALL": "en_US"}, French, false},
		{"then our variable", "", map[string]string{"TRABOULE_LANG": "fr", "LC_ALL": "en_US"}, French, false},
		{"then LC_ALL", "", map[string]string{"LC_ALL": "fr_FR.UTF-8", "LC_MESSAGES": "en", "LANG": "en"}, French, false},
		{"then LC_MESSAGES", "", map[string]string{"LC_MESSAGES": "fr_CA", "LANG": "en"}, French, false},
		{"then LANG", "", map[string]string{"LANG": "fr"}, French, false},
		{"a tag as in a page", "fr-CH", nil, French, false},
		{"C reads English", "", map[string]string{"LC_ALL": "C", "LANG": "fr_FR"}, English, false},
		{"another locale reads English", "", map[string]string{"LANG": "de_DE"}, English, false},
		{"another language by name is an error, in the locale's", "de", map[string]string{"LANG": "fr_FR"}, French, true},
		{"not a prefix", "french", nil, English, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Choose(tt.wanted, func(name string) string { return tt.env[name] })
			if got != tt.want || (err != nil) != tt.bad {
				t.Fatalf("Choose(%q) = %v, %v; want %v, error %v", tt.wanted, got, err, tt.want, tt.bad)
			}
		})
	}
}

// TestParity: both languages have the same sentences about the same values.
func TestParity(t *testing.T) {
	if diff := cmp.Diff(English.Keys(), French.Keys()); diff != "" {
		t.Fatalf("keys differ (-en +fr):\n%s", diff)
	}
	all := catalogues()
	for _, key := range English.Keys() {
		en, fr := all[English][key], all[French][key]
		if diff := cmp.Diff(en.names(), fr.names()); diff != "" {
			t.Errorf("%s: values differ (-en +fr):\n%s", key, diff)
		}
		if len(en) == 0 && key != "usage.exits-more" || len(fr) == 0 {
			t.Errorf("%s: empty", key)
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(fmt.Sprint(en), -1) {
			if !strings.Contains(fmt.Sprint(fr), flag) {
				t.Errorf("%s: %s is named in English only", key, flag)
			}
		}
	}
}

var code = regexp.MustCompile("`[^`]*`|(?m)^  traboule.*$|^  source.*$|[A-Za-z]+:…")

// TestFrenchTypography: no-break spaces before double punctuation, curved
// apostrophes, no-break spaces inside quotation marks.
func TestFrenchTypography(t *testing.T) {
	faults := regexp.MustCompile(`[ \p{L}\p{N})}»][;!?]| [;:!?]|\p{L}'\p{L}|« |[^\x{00a0}]»|\p{L}:(\s|$)|\.\.\.`)
	for key, tmpl := range catalogues()[French] {
		if strings.HasPrefix(key, "example.") {
			continue
		}
		text := code.ReplaceAllString(source(tmpl), "")
		if found := faults.FindString(text); found != "" {
			t.Errorf("%s: %q in %q", key, found, text)
		}
	}
	if !faults.MatchString("Attention!") || !faults.MatchString("l'autre") || !faults.MatchString("voici :") || faults.MatchString("voici\u00a0:") {
		t.Error("the typography test finds nothing: it proves nothing")
	}
}

// source is the template as it was written, choices resolved both ways.
func source(t template) string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.name == "":
			b.WriteString(p.text)
		case p.choice:
			b.WriteString(p.many)
		default:
			b.WriteString("{}")
		}
	}
	return b.String()
}

func TestText(t *testing.T) {
	catalogue := map[string]template{}
	if err := readFile(catalogue, "a comment\n[a]\n{n:number} {n?file|files}, {b:size}\n\n[b]\ntwo\nlines\n"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		lang Lang
		n, b string
		want string
	}{
		{English, "0", "0", "0 files, 0\u00a0B"},
		{English, "1", "999", "1 file, 999\u00a0B"},
		{English, "1234567", "12400000", "1,234,567 files, 12.4\u00a0MB"},
		{French, "0", "1000", "0 file, 1,00\u00a0ko"},
		{French, "1234567", "12400000", "1\u202f234\u202f567 files, 12,4\u00a0Mo"},
		{English, "many", "-1", "many files, -1"},
		{English, "2", "999999999999", "2 files, 1.00\u00a0TB"},
		{English, "2", "18446744073709551615", "2 files, 18.4\u00a0EB"},
	}
	for _, tt := range tests {
		got := catalogue["a"].fill(tt.lang, map[string]string{"n": tt.n, "b": tt.b})
		if got != tt.want {
			t.Errorf("%s n=%s b=%s: got %q, want %q", tt.lang, tt.n, tt.b, got, tt.want)
		}
	}
	if got := catalogue["b"].fill(English, nil); got != "two\nlines" {
		t.Errorf("two lines: got %q", got)
	}
}

func TestUnknownKeyStillReads(t *testing.T) {
	got := French.Text("of.tomorrow", map[string]string{"b": "x\n", "a": "1"})
	if want := `of.tomorrow a="1" b="x\n"`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestFaultyCatalogues(t *testing.T) {
	for name, text := range map[string]string{
		"twice":          "[a]\nx\n[a]\ny\n",
		"open brace":     "[a]\nx {name\n",
		"unknown format": "[a]\n{name:colour}\n",
		"bad name":       "[a]\n{Na me}\n",
		"one wording":    "[a]\n{n?file}\n",
	} {
		if _, err := readCatalogue(fstest.MapFS{"en/x.txt": {Data: []byte(text)}}, "en"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMoments(t *testing.T) {
	first := time.Date(2026, 3, 1, 14, 5, 0, 0, time.UTC)
	got := []string{English.Date(first), French.Date(first), English.Time(first), French.Time(first), French.Date(first.AddDate(0, 7, 1))}
	want := []string{"1\u00a0March 2026", "1er\u00a0mars 2026", "1\u00a0March 2026, 14:05", "1er\u00a0mars 2026 à 14:05", "2\u00a0octobre 2026"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	spans := map[time.Duration]string{30 * 24 * time.Hour: "30\u00a0jours", time.Hour: "1\u00a0heure", 90 * time.Second: "1\u00a0minute", 1500 * time.Millisecond: "1,5\u00a0s", 12 * time.Second: "12\u00a0s", 0: "0,0\u00a0s"}
	for d, want := range spans {
		if got := French.Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}

// FuzzTemplate: whatever a translator writes is refused or can be filled, and
// what is literal stays as it was.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "{a}", "{a?b|c}", "{a:size}", "x{", "}{"} {
		f.Add(s, "1")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := parseTemplate(text)
		if err != nil {
			return
		}
		got := tmpl.fill(French, map[string]string{"a": value})
		if !slices.Contains([]byte(text), '{') && got != text {
			t.Fatalf("parse and fill %q: got %q", text, got)
		}
	})
}

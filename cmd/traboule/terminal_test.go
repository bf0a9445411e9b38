// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// exitOf reads the exit code of a command that has ended.
func exitOf(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}

func TestClean(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"plain", "holiday photos (2025).jpg", "holiday photos (2025).jpg"},
		{"other scripts", "été—写真—صور", "été—写真—صور"},
		{"no-break space", "Bilan\u00a0: 2025", "Bilan\u00a0: 2025"},
		{"newline", "a\nb", `"a\nb"`},
		{"escape sequence", "\x1b[2J\x1b]0;pwned\a", `"\x1b[2J\x1b]0;pwned\a"`},
		{"8-bit control", "a\u009b31mb", `"a\u009b31mb"`},
		{"carriage return", "real\rfake", `"real\rfake"`},
		{"reversed", "gpj.\u202eexe", `"gpj.\u202eexe"`},
		{"isolates", "a\u2066b\u2069", `"a\u2066b\u2069"`},
		{"zero width", "ad\u200bmin", `"ad\u200bmin"`},
		{"line separator", "a\u2028b", `"a\u2028b"`},
		{"invalid UTF-8", "a\xffb", `"a\xffb"`},
		{"real replacement character", "a\ufffdb", `"a�b"`},
		{"blank at the end", "name ", `"name "`},
		{"looks quoted", `"name"`, `"\"name\""`},
		{"tag characters", "a\U000e0041", `"a\U000e0041"`},
		{"nothing", "", ""},
		{"long", strings.Repeat("a", 2000), strings.Repeat("a", maxShown) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := clean(tt.value); got != tt.want {
				t.Errorf("clean(%q) = %s, want %s", tt.value, got, tt.want)
			}
		})
	}
}

// TestJSONIsHarmless: what --json prints cannot speak to a terminal either, and
// says the same.
func TestJSONIsHarmless(t *testing.T) {
	want := "\x00\x1b[2J\x7f\u0080\u009b31m\u009f été \u00a0\u200b\u202e\u2028\ufeff\ufffd\U000e0041😀\U0010ffff\"\\"
	var out strings.Builder
	if err := (&app{world: world{out: &out}}).showJSON(map[string]string{want: want}); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.String() {
		if r != '\n' && !harmless(r) {
			t.Errorf("%U is printed as it is", r)
		}
	}
	if !strings.Contains(out.String(), `\u009b31m`) || !strings.Contains(out.String(), "été") {
		t.Errorf("printed %s", out.String())
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || got[want] != want {
		t.Errorf("read back %q, %v", got, err)
	}
}

// TestValuesAreMadeHarmless: a sentence cannot carry a value past clean.
func TestValuesAreMadeHarmless(t *testing.T) {
	a := testApp("en")
	shown := a.text("contact.removed", "name", "x\x1b[2Jy")
	if want := `"x\x1b[2Jy" is no longer a contact.`; shown != want {
		t.Errorf("got %q, want %q", shown, want)
	}
	fallback := a.text("of.tomorrow", "name", "x\x1b[2Jy")
	if strings.Contains(fallback, "\x1b") {
		t.Errorf("an unknown key lets %q through", fallback)
	}
}

// FuzzClean: whatever a name holds, what is shown is printable, on one line.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"a", "\x1b[0m", "\u202e", "\xff", "a\nb", `"`, "\u009b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		shown := clean(value)
		if !utf8.ValidString(shown) {
			t.Fatalf("clean(%q) is not UTF-8", value)
		}
		for _, r := range shown {
			if !harmless(r) && r != utf8.RuneError {
				t.Fatalf("clean(%q) lets %U through", value, r)
			}
		}
	})
}

func TestTable(t *testing.T) {
	var b strings.Builder
	tab := table{right: map[int]bool{1: true}}
	tab.row("NAME", "SIZE", "")
	tab.row("写真", "1 kB", "x")
	tab.row("e\u0301te\u0301", "12 kB", "y")
	tab.print(&b)
	want := "NAME   SIZE\n写真   1 kB  x\ne\u0301te\u0301   12 kB  y\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWrap(t *testing.T) {
	text := strings.Repeat("word ", 40) + "\n\n" + strings.Repeat("x", 200)
	for i, line := range strings.Split(wrap(text), "\n") {
		if columns(line) > 80 && strings.Contains(line, " ") {
			t.Errorf("line %d has %d columns", i, columns(line))
		}
	}
	if got := wrap("a\n\nb"); got != "a\n\nb" {
		t.Errorf("wrap keeps paragraphs: got %q", got)
	}
}

func TestParseUntil(t *testing.T) {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.Local)
	good := map[string]time.Duration{
		"12h": 12 * time.Hour, "30d": 30 * 24 * time.Hour, "30j": 30 * 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"2026-09-01": 12 * time.Hour, "2026-09-02": 36 * time.Hour,
	}
	for text, want := range good {
		if got, err := parseUntil(text, now); err != nil || got != want {
			t.Errorf("parseUntil(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "30", "30m", "1.5d", "99999999999w", "60000w", "2026-08-31", "2026-13-01", "tomorrow"} {
		if got, err := parseUntil(text, now); err == nil {
			t.Errorf("parseUntil(%q) = %v, want an error", text, got)
		}
	}
}

func TestParseRate(t *testing.T) {
	good := map[string]int64{"": 0, "1": 1, "500k": 500_000, "2M": 2_000_000, "1G": 1_000_000_000}
	for text, want := range good {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("parseRate(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "k", "1.5M", "9999999999999999999", "9223372036854775807k", "1T"} {
		if got, err := parseRate(text); err == nil {
			t.Errorf("parseRate(%q) = %v, want an error", text, got)
		}
	}
}

func TestPick(t *testing.T) {
	for range 100 {
		places := pick(3, 24)
		if len(places) != 3 || places[0] >= places[1] || places[1] >= places[2] || places[0] < 0 || places[2] > 23 {
			t.Fatalf("pick(3, 24) = %v", places)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
	"golang.org/x/text/width"

	"github.com/traboule/traboule/node"
)

// maxShown bounds a value on a terminal, in characters: no honest name is
// longer, and links are printed apart.
const maxShown = 1024

// clean makes a value that others chose (a file name, a contact's name)
// harmless to a terminal. Anything that could move the cursor, change
// colours, reverse the reading direction, hide, or end the line makes the
// whole value appear quoted, with escapes. So do a blank at either end and a
// leading quotation mark: what is shown without quotes is exactly what it is.
//
// Everything that is printed and was not written by us passes here.
func clean(value string) string {
	if n := utf8.RuneCountInString(value); n > maxShown {
		value = string([]rune(value)[:maxShown]) + "…"
	}
	plain := value == strings.TrimSpace(value) && !strings.HasPrefix(value, `"`) && utf8.ValidString(value)
	for _, r := range value {
		plain = plain && harmless(r)
	}
	if plain {
		return value
	}
	return strconv.Quote(value)
}

// harmless excludes controls, formats (bidirectional marks, zero-width
// characters, tags), line separators, surrogates, private and unassigned
// characters. The two no-break spaces of French are let through.
func harmless(r rune) bool {
	return r != utf8.RuneError && (unicode.IsPrint(r) || r == '\u00a0' || r == '\u202f')
}

func isTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

// table aligns columns for a fixed-width terminal.
type table struct {
	rows  [][]string
	right map[int]bool // columns of figures
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	var widths []int
	for _, r := range t.rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(cell))
		}
	}
	for _, r := range t.rows {
		var b strings.Builder
		for i, cell := range r {
			gap := strings.Repeat(" ", widths[i]-columns(cell))
			if t.right[i] {
				b.WriteString(gap + cell + "  ")
			} else {
				b.WriteString(cell + gap + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// columns is how wide a terminal shows s: East Asian wide characters take two
// columns (Unicode annex 11), combining marks none.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n += 2
		default:
			if !unicode.Is(unicode.Mn, r) {
				n++
			}
		}
	}
	return n
}

// wrap breaks our own texts at 80 columns, between words.
func wrap(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		used := 0
		lines = append(lines, "")
		for _, word := range strings.Split(line, " ") {
			if used > 0 && used+1+columns(word) > 80 {
				lines, used = append(lines, ""), 0
			}
			if used > 0 {
				word = " " + word
			}
			lines[len(lines)-1] += word
			used += columns(word)
		}
	}
	return strings.Join(lines, "\n")
}

// progress shows how far a long operation has come: on a terminal only,
// after two seconds, ten times a second at most.
type progress struct {
	a           *app
	start, last time.Time
	shown       bool
}

const (
	progressAfter = 2 * time.Second
	progressEvery = 100 * time.Millisecond
)

func (a *app) newProgress() *progress { return &progress{a: a, start: a.now()} }

func (p *progress) report(at node.Progress) {
	now := p.a.now()
	if p.a.json || !isTerminal(p.a.err) || now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.shown = now, true
	fmt.Fprint(p.a.err, "\r\x1b[K"+p.line(at, now))
}

func (p *progress) line(at node.Progress, now time.Time) string {
	line := p.a.text("step."+at.Step) + "  " + p.a.lang.Size(uint64(max(at.Done, 0)))
	if at.Total > 0 {
		line += " / " + p.a.lang.Size(uint64(at.Total)) + fmt.Sprintf("  %d %%", 100*at.Done/at.Total)
	}
	if s := now.Sub(p.start).Seconds(); s > 0 && at.Done > 0 {
		line += "  " + p.a.lang.Size(uint64(float64(at.Done)/s)) + "/s"
	}
	return line
}

// clear takes the line away again.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.a.err, "\r\x1b[K")
	}
}

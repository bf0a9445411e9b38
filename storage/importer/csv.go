// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// CSV reads a table of separated values record by record, in any encoding that
// [Source.Text] knows. It is tolerant of quotes where none should be and of
// records of any number of columns. A record longer than [MaxLine] is refused:
// a quote that never closes, for one.
type CSV struct {
	in    io.ReadCloser
	guard *tokenGuard
	r     *csv.Reader
	line  int
}

// CSV reads the file as separated values; sep 0 finds the separator out.
func (s *Source) CSV(sep rune) (*CSV, error) {
	r, err := s.Text()
	if err != nil {
		return nil, err
	}
	if sep == 0 {
		sep = Separator(s.Head.Text)
	}
	g := &tokenGuard{in: r}
	c := csv.NewReader(g)
	c.Comma, c.LazyQuotes, c.FieldsPerRecord = sep, true, -1
	return &CSV{in: r, guard: g, r: c}, nil
}

// Separator finds out what separates the values of a table by how it begins:
// that of ; tab , | which most lines have equally often, and more than once if
// possible.
func Separator(head string) rune {
	best, score := ',', 0
	for _, sep := range []rune{';', '\t', ',', '|'} {
		counts := map[int]int{}
		for i, line := range strings.SplitN(head, "\n", 51) {
			if n := strings.Count(line, string(sep)); n > 0 && i < 50 {
				counts[n]++
			}
		}
		for n, lines := range counts {
			if s := lines*10 + min(n, 9); s > score {
				best, score = sep, s
			}
		}
	}
	return best
}

// Records gives each record of the file as [CSV.Next] does, with the line on which
// it begins; sep 0 finds the separator out. It ends with the first error of visit.
func (s *Source) Records(sep rune, visit func(line int, fields []string) error) error {
	c, err := s.CSV(sep)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		fields, err := c.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = visit(c.Line(), fields)
		}
		if err != nil {
			return err
		}
	}
}

// Close ends the reading.
func (c *CSV) Close() error { return c.in.Close() }

// Line is where the last record began, from 1.
func (c *CSV) Line() int { return c.line }

// Next is the next record that is not an empty line, its values without spaces
// around them and with plain spaces for unbreakable ones; io.EOF at the end.
func (c *CSV) Next() ([]string, error) {
	fields, err := c.r.Read()
	c.guard.at = c.r.InputOffset()
	var wrong *csv.ParseError
	switch {
	case c.guard.err != nil:
		c.guard.err.Args["line"] = itoa(c.line + 1)
		return nil, c.guard.err
	case errors.As(err, &wrong):
		return nil, Why("csv", "line", itoa(wrong.StartLine)).Because(wrong.Err)
	case err != nil:
		return nil, err
	}
	c.line, _ = c.r.FieldPos(0)
	for i, f := range fields {
		fields[i] = Plain(f)
	}
	return fields, nil
}

var plainly = strings.NewReplacer("\u00A0", " ", "\u202F", " ", "\u2009", " ", "\u2007", " ", "\uFEFF", "")

// Plain is a text without spaces around it, and with plain spaces for
// unbreakable and narrow ones.
func Plain(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			s = plainly.Replace(s)
			break
		}
	}
	return strings.TrimSpace(s)
}

func foldAll(r []string) []string {
	folded := make([]string, len(r))
	for i, s := range r {
		folded[i] = Fold(s)
	}
	return folded
}

func valueAt(r []string, i int) string {
	if i >= 0 && i < len(r) {
		return r[i]
	}
	return ""
}

// firstLines are the first lines of a file that are not empty.
func firstLines(h Head, n int) string {
	var lines []string
	for line := range strings.Lines(h.Text) {
		if line = Plain(line); line != "" {
			if lines = append(lines, line); len(lines) == n {
				break
			}
		}
	}
	return strings.Join(lines, "\n")
}

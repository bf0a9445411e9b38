// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"archive/zip"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of a spreadsheet.
const (
	MaxSheet        = 32 << 20  // bytes of the file
	MaxSheetPart    = 128 << 20 // bytes of one of its parts, unpacked
	MaxSheetStrings = 32 << 20  // bytes of its shared texts
	MaxColumns      = 1024
)

// isSheet says whether a file is a spreadsheet of Office Open XML.
func isSheet(h Head) bool { return slices.Contains(h.Members, "xl/workbook.xml") }

// workbook is what the cells of a sheet refer to.
type workbook struct {
	source  *Source
	zip     *zip.Reader
	shared  []string
	dates   []bool // by style: whether a number of it is a date
	from    time.Time
	relates map[string]string
}

// Sheet visits the rows of the first sheet of a spreadsheet (.xlsx) by number,
// from 1, with their cells from column A on: texts as they are, numbers as they
// are spelt, dates as 2006-01-02 or 2006-01-02 15:04:05. A formula is what it
// came to last. Empty rows may be missing.
func (s *Source) Sheet(visit func(row int, cells []string) error) error {
	z, err := s.Zip(MaxSheet)
	if err != nil {
		return err
	}
	w := &workbook{source: s, zip: z, from: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC), relates: map[string]string{}}
	target, err := w.open()
	if err != nil {
		return err
	}
	return w.rows(target, visit)
}

// part reads a member of the spreadsheet as XML; io.EOF ends visit's reading
// well. A part that is not there is no error.
func (w *workbook) part(name string, visit func(x *XML) error) error {
	i := slices.IndexFunc(w.zip.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	if w.zip.File[i].UncompressedSize64 > MaxSheetPart {
		return tooLarge(MaxSheetPart)
	}
	m := w.source.member(w.zip.File[i])
	m.ctx, m.Progress = w.source.ctx, nil
	x, err := m.XML()
	if err != nil {
		return err
	}
	defer x.Close()
	for {
		if err := visit(x); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// open reads everything but the sheet, and finds that.
func (w *workbook) open() (sheet string, err error) {
	err = w.part("xl/_rels/workbook.xml.rels", func(x *XML) error {
		e, err := x.Start("Relationship")
		w.relates[attr(e, "Id")] = attr(e, "Target")
		return err
	})
	if err != nil {
		return "", err
	}
	id := ""
	err = w.part("xl/workbook.xml", func(x *XML) error {
		e, err := x.Start("workbookPr", "sheet")
		switch {
		case e.Name.Local == "workbookPr" && (attr(e, "date1904") == "1" || attr(e, "date1904") == "true"):
			w.from = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
		case e.Name.Local == "sheet" && id == "":
			id = attr(e, "id")
		}
		return err
	})
	if err == nil {
		err = w.styles()
	}
	if err == nil {
		err = w.texts()
	}
	sheet = "xl/worksheets/sheet1.xml"
	if target := w.relates[id]; target != "" {
		sheet = path.Join("xl", target)
		if strings.HasPrefix(target, "/") {
			sheet = target[1:]
		}
	}
	return sheet, err
}

// styles finds out which styles make dates of numbers.
func (w *workbook) styles() error {
	custom := map[string]bool{}
	inCells := false
	return w.part("xl/styles.xml", func(x *XML) error {
		e, err := x.Start("numFmt", "cellXfs", "cellStyles", "cellStyleXfs", "xf")
		switch e.Name.Local {
		case "numFmt":
			custom[attr(e, "numFmtId")] = isDateFormat(attr(e, "formatCode"))
		case "xf":
			if inCells && len(w.dates) < 1<<16 {
				id := attr(e, "numFmtId")
				n := num(id)
				w.dates = append(w.dates, custom[id] || 14 <= n && n <= 22 || 45 <= n && n <= 47)
			}
		default:
			inCells = e.Name.Local == "cellXfs"
		}
		return err
	})
}

// apart is what stands for itself in a number format: texts in quotes, what is in
// brackets, the character behind a backslash, and the word for any number.
var apart = regexp.MustCompile(`"[^"]*"?|\[[^\]]*\]?|[\\_*].|general|standard`)

// isDateFormat says whether a number format shows days, months or hours: it has
// their letters, in English or French.
func isDateFormat(code string) bool {
	return strings.ContainsAny(apart.ReplaceAllString(strings.ToLower(code), ""), "ydjahm")
}

// texts reads the shared texts.
func (w *workbook) texts() error {
	left := MaxSheetStrings
	return w.part("xl/sharedStrings.xml", func(x *XML) error {
		start, err := x.Start("si")
		if err != nil {
			return err
		}
		e, err := x.Tree(start, MaxLine)
		if err != nil {
			return err
		}
		text := e.plainText()
		if left -= len(text) + 32; left < 0 {
			return tooLarge(MaxSheetStrings)
		}
		w.shared = append(w.shared, text)
		return nil
	})
}

// plainText is the text of a shared or inline string: its own, or that of its
// runs, without how they are read aloud.
func (e *Element) plainText() string {
	var b strings.Builder
	b.WriteString(e.Say("t"))
	for _, run := range e.All("r") {
		b.WriteString(run.Say("t"))
	}
	return b.String()
}

// rows visits the rows of a sheet.
func (w *workbook) rows(sheet string, visit func(int, []string) error) error {
	number := 0
	return w.part(sheet, func(x *XML) error {
		start, err := x.Start("row")
		if err != nil {
			return err
		}
		row, err := x.Tree(start, 4*MaxLine)
		if err != nil {
			return err
		}
		if n := num(row.Attr["r"]); n > 0 {
			number = n
		} else {
			number++
		}
		cells, err := w.cells(row)
		if err != nil || len(cells) == 0 {
			return err
		}
		return visit(number, cells)
	})
}

func (w *workbook) cells(row *Element) (cells []string, err error) {
	at := -1
	for _, c := range row.All("c") {
		if at++; c.Attr["r"] != "" {
			at = column(c.Attr["r"])
		}
		if at < 0 || at >= MaxColumns {
			return nil, Why("too-many-columns", "line", itoa(row.Line))
		}
		text := w.cell(c)
		if text == "" {
			continue
		}
		for len(cells) <= at {
			cells = append(cells, "")
		}
		cells[at] = text
	}
	return cells, nil
}

// column reads "AB12" as 27; -1 for what is none.
func column(ref string) int {
	n := 0
	for _, c := range ref {
		if c < 'A' || c > 'Z' {
			break
		}
		if n = n*26 + int(c-'A') + 1; n > 1<<20 {
			return -1
		}
	}
	return n - 1
}

func (w *workbook) cell(c *Element) string {
	v := c.Say("v")
	switch c.Attr["t"] {
	case "s":
		if i, err := strconv.Atoi(v); err == nil && i >= 0 && i < len(w.shared) {
			return w.shared[i]
		}
		return ""
	case "inlineStr":
		if is := c.At("is"); is != nil {
			return is.plainText()
		}
		return ""
	case "", "n":
		if style := num(c.Attr["s"]); v != "" && style < len(w.dates) && w.dates[style] {
			return w.date(v)
		}
	case "d":
		return strings.Replace(v, "T", " ", 1)
	case "e":
		return ""
	}
	return v
}

// date spells a number of days, with a time when it has one.
func (w *workbook) date(v string) string {
	days, err := strconv.ParseFloat(v, 64)
	if err != nil || days < 0 || days > 2958466 { // the year 10000
		return v
	}
	whole := int(days)
	seconds := int((days-float64(whole))*86400 + 0.5)
	t := w.from.AddDate(0, 0, whole).Add(time.Duration(seconds) * time.Second)
	if seconds == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.DateTime)
}

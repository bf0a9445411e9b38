// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
)

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func TestDrawBars(t *testing.T) {
	got := drawBars([]bar{{"jan", 6, true}, {"feb", 0, false}, {"mar", 12, true}}, 40, plain)
	want := `12 ┤            █████ 
   ┤            █████ 
   ┤            █████ 
   ┤            █████ 
   ┤            █████ 
   ┤            █████ 
   ┤█████       █████ 
   ┤█████       █████ 
   ┤█████       █████ 
   ┤█████       █████ 
   ┤█████       █████ 
 0 ┤█████       █████ 
   └──────────────────
    jan            mar
`
	if got != want {
		t.Errorf("drawn as\n%s\nwant\n%s", got, want)
	}
}

// Debits hang below the line, and a bar is never drawn outside the picture.
func TestDrawNegative(t *testing.T) {
	got := drawBars([]bar{{"a", -10, true}, {"b", 10, true}}, 20, plain)
	lines := strings.Split(got, "\n")
	if !strings.HasPrefix(lines[0], " 10 ┤      █") || !strings.HasPrefix(lines[11], "-10 ┤█████ ") {
		t.Errorf("drawn as\n%s", got)
	}
	if strings.Count(got, "█████") != 12 {
		t.Errorf("not as long below as above:\n%s", got)
	}
}

// The picture is XML, whatever the names.
func TestDrawSVG(t *testing.T) {
	d := xml.NewDecoder(strings.NewReader(string(drawSVG("a < b & \"c\"", []bar{{"<1>", -3, true}, {"2", 1.5, true}, {"3", 0, false}}, plain))))
	bars := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "title" {
			bars++
		}
	}
	if bars != 2 {
		t.Errorf("%d bars with a name, want 2", bars)
	}
	if strings.Contains(drawBars(nil, 80, plain), "NaN") || strings.Contains(string(drawSVG("", nil, plain)), "NaN") {
		t.Error("nothing is drawn as NaN")
	}
}

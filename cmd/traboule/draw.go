// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// bar is one bucket of a picture: its name on the axis, and its height. A
// bucket of which nothing is known has no height.
type bar struct {
	name  string
	value float64
	known bool
}

// Sizes of the picture on a terminal, in characters.
const (
	plotHeight = 12
	plotMost   = 120 // bars; more are drawn as SVG only
)

// eighths fill a character from below.
var eighths = []rune(" ▁▂▃▄▅▆▇█")

// drawBars draws bars side by side, scaled to width characters, with the range
// on the left and the first and last name below. Negative values hang below
// the zero line.
func drawBars(bars []bar, width int, number func(float64) string) string {
	low, high := rangeOf(bars)
	margin := max(utf8.RuneCountInString(number(high)), utf8.RuneCountInString(number(low)))
	each := max(1, (width-margin-2)/max(1, len(bars)))
	each = min(each, 6)
	var out strings.Builder
	step := (high - low) / plotHeight
	zero := int(-low/step + 1e-9) // the line whose bottom is at 0, or just below
	for line := plotHeight - 1; line >= 0; line-- {
		bottom := low + float64(line)*step
		label := ""
		switch {
		case line == plotHeight-1:
			label = number(high)
		case line == 0:
			label = number(low)
		case line == zero:
			label = "0"
		}
		fmt.Fprintf(&out, "%*s ┤", margin, label)
		for _, b := range bars {
			cell := fill(b, bottom, step)
			gap := ""
			if each > 1 {
				gap = " "
			}
			out.WriteString(strings.Repeat(string(cell), max(1, each-1)) + gap)
		}
		out.WriteString("\n")
	}
	fmt.Fprintf(&out, "%*s └%s\n", margin, "", strings.Repeat("─", each*len(bars)))
	if len(bars) > 0 {
		first, last := bars[0].name, bars[len(bars)-1].name
		if len(bars) == 1 {
			last = ""
		}
		space := max(1, each*len(bars)-utf8.RuneCountInString(first)-utf8.RuneCountInString(last))
		fmt.Fprintf(&out, "%*s  %s\n", margin, "", strings.TrimRight(first+strings.Repeat(" ", space)+last, " "))
	}
	return out.String()
}

// fill is the character of a bar in the line whose bottom is given.
func fill(b bar, bottom, step float64) rune {
	switch {
	case !b.known || step == 0:
		return ' '
	case b.value >= 0 && bottom+step > step/1e6:
		part := (b.value - max(bottom, 0)) / step
		return eighths[clamp(int(math.Round(part*8)), 0, 8)]
	case b.value < 0 && bottom < 0 && b.value <= bottom+step/2:
		return '█'
	}
	return ' '
}

func clamp(n, low, high int) int { return max(low, min(n, high)) }

// rangeOf is the span of the values, with zero in it.
func rangeOf(bars []bar) (low, high float64) {
	for _, b := range bars {
		if b.known {
			low, high = min(low, b.value), max(high, b.value)
		}
	}
	if low == high {
		high = 1
	}
	return low, high
}

// drawSVG draws the same bars as a picture of its own, 960 by 320 units, with
// a title for each bar that a reader shows under the pointer.
func drawSVG(title string, bars []bar, number func(float64) string) []byte {
	const width, height, left, top, bottom = 960.0, 320.0, 80.0, 40.0, 40.0
	low, high := rangeOf(bars)
	y := func(v float64) float64 { return top + (high-v)/(high-low)*(height-top-bottom) }
	var out bytes.Buffer
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor)
		_ = xml.EscapeText(&out, []byte(s)) // a buffer takes all
		out.WriteString("</text>\n")
	}
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height)
	out.WriteString("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	text(left, top/2, "start", title)
	text(left-6, y(high)+4, "end", number(high))
	if low < 0 {
		text(left-6, y(low)+4, "end", number(low))
	}
	text(left-6, y(0)+4, "end", "0")
	fmt.Fprintf(&out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#888888\"/>\n", left, width-10, y(0), y(0))
	each := (width - left - 10) / float64(max(1, len(bars)))
	for i, b := range bars {
		if !b.known {
			continue
		}
		above, below := y(max(b.value, 0)), y(min(b.value, 0))
		fmt.Fprintf(&out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"#2a6f97\"><title>", left+float64(i)*each, above, max(each*0.85, 0.3), below-above)
		_ = xml.EscapeText(&out, []byte(b.name+": "+number(b.value)))
		out.WriteString("</title></rect>\n")
	}
	if len(bars) > 0 {
		text(left, height-bottom/2, "start", bars[0].name)
	}
	if len(bars) > 1 {
		text(width-10, height-bottom/2, "end", bars[len(bars)-1].name)
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

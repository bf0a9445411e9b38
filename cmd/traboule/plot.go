// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// terminalWidth is for what is drawn with characters.
const terminalWidth = 100

func (a *app) plotCommand() *cobra.Command {
	q := node.QueryRequest{Format: "table", Draw: true}
	var column, svg string
	c := a.command("plot NAME", "plot", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		q.Name = args[0]
		if column != "" {
			q.Columns = []string{column}
		}
		var lines bytes.Buffer
		r, err := parts(cmd.Context(), a, node.Query, q, false, func(b []byte) error { _, err := lines.Write(b); return err })
		if err != nil {
			return err
		}
		rows, err := tableRows(&lines)
		if err != nil {
			return err
		}
		return a.plot(r, rows, svg)
	})
	f := c.Flags()
	f.StringVar(&column, "column", "", a.flag("plot", "column"))
	f.StringArrayVar(&q.Where, "where", nil, a.flag("view", "where"))
	f.StringVar(&q.From, "from", "", a.flag("view", "from"))
	f.StringVar(&q.To, "to", "", a.flag("view", "to"))
	f.StringVar(&q.By, "by", "", a.flag("plot", "by"))
	f.StringVar(&svg, "svg", "", a.flag("plot", "svg"))
	return c
}

// drawing is what --json says of a picture, whose bars are the rows.
type drawing struct {
	node.QueryResult
	Values [][]string `json:"values"` // of each row, as CSV has them
	Path   string     `json:"path,omitempty"`
}

// plot draws the first column of numbers over the time.
func (a *app) plot(r node.QueryResult, rows [][]string, svg string) error {
	title, bars, err := a.bars(r, rows, mostGap)
	if err == nil && len(bars) > plotMost && svg == "" {
		title, bars, err = a.bars(r, rows, 1)
	}
	if err != nil {
		return err
	}
	there := slices.ContainsFunc(bars, func(b bar) bool { return b.known })
	if there && svg != "" {
		if err := writeNew(svg, drawSVG(title, bars, a.figure)); err != nil {
			return err
		}
	} else if there && len(bars) > plotMost && !a.json {
		return problem.New(problem.Usage, "plot.too-many", "n", strconv.Itoa(len(bars)))
	} else if !there {
		svg = ""
	}
	return a.show(drawing{r, append([][]string{}, rows...), svg}, func() {
		switch {
		case !there:
			a.say("plot.empty", "name", r.Name)
		case svg != "":
			a.say("plot.done", "path", svg, "n", strconv.Itoa(len(bars)))
		default:
			fmt.Fprintln(a.out, title)
			fmt.Fprint(a.out, drawBars(bars, terminalWidth, a.figure))
		}
	})
}

// bars are the rows of a picture, and what stands above it; of more than mostGap
// empty buckets in a row only one. Amounts of several currencies have no common
// height.
func (a *app) bars(r node.QueryResult, rows [][]string, mostGap int) (title string, bars []bar, err error) {
	when := slices.IndexFunc(r.Columns, func(c node.Column) bool { return c.Name == r.Begins })
	at := slices.IndexFunc(r.Columns, isNumber)
	if when < 0 || at < 0 {
		return "", nil, problem.New(problem.Usage, "plot.nothing", "name", r.Name)
	}
	shown := r.Columns[at]
	if in := slices.IndexFunc(r.Columns, func(c node.Column) bool { return c.Name == shown.Currency }); in >= 0 && len(rows) > 0 {
		if shown.Currency, err = theCurrency(r.Columns[in].Name, rows, in); err != nil {
			return "", nil, err
		}
	}
	s := sheetOf(r, rows)
	var last time.Time
	for _, row := range rows {
		value, err := strconv.ParseFloat(row[at], 64)
		begins, _ := time.Parse(time.RFC3339Nano, row[when]) // of a day: no time, and then its text tells
		if day, err := time.Parse(time.DateOnly, row[when]); err == nil {
			begins = day
		}
		bars = append(bars, gaps(last, begins, r, mostGap)...)
		last = begins
		bars = append(bars, bar{name: a.cell(s, r.Columns[when], row[when]), value: value, known: err == nil})
	}
	return a.text("plot.title", "name", r.Name, "what", a.heading(shown)), bars, nil
}

// theCurrency is the one that all rows are in.
func theCurrency(field string, rows [][]string, at int) (string, error) {
	var all, choices []string
	for _, row := range rows {
		if !slices.Contains(all, row[at]) {
			all = append(all, row[at])
			if row[at] != "" {
				choices = append(choices, field+"="+row[at])
			}
		}
	}
	if len(all) > 1 {
		return "", problem.New(problem.Usage, "plot.currencies", "possible", strings.Join(choices, ", "))
	}
	return all[0], nil
}

// mostGap is how many empty buckets are drawn one by one, where there is room.
const mostGap = 24

// gaps are the buckets between two that have rows, so that the time that lies
// between is seen: of a bar nothing is known.
func gaps(last, next time.Time, r node.QueryResult, most int) (list []bar) {
	zone, err := time.LoadLocation(r.Zone)
	if last.IsZero() || r.By == "" || err != nil {
		return nil
	}
	if c := slices.IndexFunc(r.Columns, func(c node.Column) bool { return c.Name == r.Begins }); r.Columns[c].Type == "instant" {
		last, next = last.In(zone), next.In(zone)
	}
	for b := after(last, r.By); b.Before(next); b = after(b, r.By) {
		if list = append(list, bar{}); len(list) > most {
			return list[:1]
		}
	}
	return list
}

// after is when the next bucket begins, give or take what a zone does to half
// an hour.
func after(t time.Time, by string) time.Time {
	switch by {
	case "half-hour":
		return t.Add(30 * time.Minute)
	case "hour":
		return t.Add(time.Hour)
	case "day":
		return t.AddDate(0, 0, 1)
	case "month":
		return t.AddDate(0, 1, 0)
	}
	return t.AddDate(1, 0, 0)
}

// figure is a number to four digits, or to the unit if it has more before the
// point.
func (a *app) figure(v float64) string {
	digits := 3
	if m := math.Abs(v); m >= 1 {
		digits = max(0, 3-int(math.Log10(m)))
	} else if m > 0 {
		digits = min(12, 3-int(math.Floor(math.Log10(m))))
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return a.lang.Decimal(text)
}

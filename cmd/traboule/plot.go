// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// terminalWidth is for what is drawn with characters.
const terminalWidth = 100

func (a *app) plotCommand() *cobra.Command {
	var q node.QueryRequest
	var column, svg string
	c := a.command("plot NAME", "plot", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		q.Name, q.Format = args[0], "table"
		if q.By == "" {
			q.By = "month"
		}
		if column != "" {
			q.Columns = []string{column}
		}
		var lines bytes.Buffer
		r, err := parts(cmd.Context(), a, node.Query, q, func(b []byte) error { _, err := lines.Write(b); return err })
		if err != nil {
			return err
		}
		rows, err := tableRows(&lines)
		if err != nil {
			return err
		}
		return a.plot(r, q.By, rows, svg)
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

// plot draws the first column of numbers over the first one, which is time.
func (a *app) plot(r node.QueryResult, by string, rows [][]string, svg string) error {
	at := slices.IndexFunc(r.Columns, func(c node.Column) bool { return c.Type == "decimal" || c.Type == "integer" })
	when := slices.IndexFunc(r.Columns, func(c node.Column) bool { return c.Type == "instant" || c.Type == "day" })
	if at < 0 || when < 0 {
		return problem.New(problem.Usage, "plot.nothing", "name", r.Name)
	}
	var bars []bar
	for _, row := range rows {
		name := row[when]
		if r.Columns[when].Type == "instant" {
			name = wall(name, r.Zone)
		}
		name = shortTime(name, by)
		value, err := strconv.ParseFloat(row[at], 64)
		known := err == nil
		if last := len(bars) - 1; last >= 0 && bars[last].name == name && known { // groups of one bucket
			bars[last].value, bars[last].known = bars[last].value+value, true
			continue
		}
		bars = append(bars, bar{name: name, value: value, known: known})
	}
	title := fmt.Sprintf("%s: %s", r.Name, a.heading(r.Columns[at]))
	number := func(v float64) string {
		return strings.TrimSpace(strconv.FormatFloat(v, 'g', 4, 64))
	}
	if svg != "" {
		if err := writeNew(svg, drawSVG(title, bars, number)); err != nil {
			return err
		}
		a.say("plot.done", "path", svg, "n", strconv.Itoa(len(bars)))
		return nil
	}
	if a.json {
		return a.showJSON(map[string]any{"columns": r.Columns, "rows": rows})
	}
	if len(bars) > plotMost {
		return problem.New(problem.Usage, "plot.too-many", "n", strconv.Itoa(len(bars)))
	}
	fmt.Fprintln(a.out, clean(title))
	fmt.Fprint(a.out, drawBars(bars, terminalWidth, number))
	return nil
}

// shortTime is as much of an instant as a bucket needs.
func shortTime(text, by string) string {
	n := map[string]int{"year": 4, "month": 7, "day": 10}[by]
	if n == 0 || len(text) < n {
		return text
	}
	return text[:n]
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// mostRows is how many rows a person is shown unless they ask for more.
const mostRows = 50

func (a *app) queryCommand() *cobra.Command {
	var q node.QueryRequest
	var csv, parquet bool
	var to string
	c := a.command("query NAME", "query", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		q.Name, q.Format = args[0], "table"
		switch {
		case csv && parquet || a.json && (csv || parquet):
			return problem.New(problem.Usage, "usage.one-format")
		case a.json:
			q.Format = "jsonl"
		case csv:
			q.Format = "csv"
		case parquet:
			q.Format = "parquet"
		case q.Limit == 0:
			q.Limit = mostRows
		}
		if q.Format == "table" && to == "" {
			return a.queryTable(cmd.Context(), q)
		}
		return a.queryTo(cmd.Context(), q, to)
	})
	a.viewFlags(c.Flags(), &q)
	f := c.Flags()
	f.IntVar(&q.Limit, "limit", 0, a.flag("query", "limit"))
	f.BoolVar(&q.Numbers, "rows", false, a.flag("query", "rows"))
	f.BoolVar(&csv, "csv", false, a.flag("query", "csv"))
	f.BoolVar(&parquet, "parquet", false, a.flag("query", "parquet"))
	f.StringVar(&to, "to-file", "", a.flag("query", "to-file"))
	return c
}

// viewFlags are what says which part of records is meant, and how coarse.
func (a *app) viewFlags(f *pflag.FlagSet, q *node.QueryRequest) {
	f.StringSliceVar(&q.Columns, "columns", nil, a.flag("view", "columns"))
	f.StringArrayVar(&q.Where, "where", nil, a.flag("view", "where"))
	f.StringVar(&q.From, "from", "", a.flag("view", "from"))
	f.StringVar(&q.To, "to", "", a.flag("view", "to"))
	f.StringVar(&q.By, "by", "", a.flag("view", "by"))
	f.StringVar(&q.Grid, "grid", "", a.flag("view", "grid"))
}

// parts asks for an answer that comes in parts, and gives each to take.
func parts[Q, R any](ctx context.Context, a *app, op node.Operation[Q, R], request Q, take func([]byte) error) (result R, err error) {
	c, err := a.open(ctx)
	if err != nil {
		return result, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var failed error // of take: perhaps with the last part, when there is nothing left to cancel
	result, err = op.Do(ctx, c, request, func(p node.Progress) {
		if p.Part == nil || failed != nil || ctx.Err() != nil {
			return
		}
		if failed = take(p.Part); failed != nil {
			cancel()
		}
	})
	if failed != nil {
		err = problem.New(problem.Unexpected, "output.not-written").Because(failed)
	}
	if closing := c.close(); err == nil {
		err = closing
	}
	return result, err
}

// queryTo writes rows in a format, to a file or to standard output.
func (a *app) queryTo(ctx context.Context, q node.QueryRequest, to string) error {
	out := a.out
	if to != "" {
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if os.IsExist(err) {
			return problem.New(problem.Exists, "file.exists", "path", to)
		}
		if err != nil {
			return problem.New(problem.Unexpected, "file.not-written", "path", to).Because(err)
		}
		defer f.Close()
		out = f
	}
	r, err := parts(ctx, a, node.Query, q, func(b []byte) error {
		if q.Format == "jsonl" { // parts are whole lines
			b = escapeJSON(b)
		}
		_, err := out.Write(b)
		return err
	})
	if f, ok := out.(*os.File); ok && to != "" && err == nil {
		if syncing := f.Sync(); syncing != nil {
			err = problem.New(problem.Unexpected, "file.not-written", "path", to).Because(syncing)
		}
	}
	if err != nil {
		if to != "" {
			os.Remove(to)
		}
		return err
	}
	if r.More {
		a.tell("query.more", "rows", strconv.Itoa(r.Rows))
	}
	return nil
}

// queryTable shows rows as people read them.
func (a *app) queryTable(ctx context.Context, q node.QueryRequest) error {
	var lines bytes.Buffer
	r, err := parts(ctx, a, node.Query, q, func(b []byte) error { _, err := lines.Write(b); return err })
	if err != nil {
		return err
	}
	rows, err := tableRows(&lines)
	if err != nil {
		return err
	}
	a.printRows(r, rows, q.Numbers)
	if r.More {
		a.tell("query.more", "rows", strconv.Itoa(r.Rows))
	}
	if r.Longer > 0 {
		a.tell("query.longer", "n", strconv.Itoa(r.Longer))
	}
	return nil
}

// printRows prints rows without the columns that are empty in all of them.
func (a *app) printRows(r node.QueryResult, rows [][]string, numbers bool) {
	lines := make([][]string, len(rows)+1)
	t := table{right: map[int]bool{}}
	first := 0
	if numbers {
		first = 1
		lines[0] = append(lines[0], a.text("column.row"))
		for i, row := range rows {
			lines[i+1] = append(lines[i+1], row[0])
		}
	}
	for i, c := range r.Columns {
		at := first + i
		if len(rows) > 0 && !slices.ContainsFunc(rows, func(row []string) bool { return row[at] != "" }) {
			continue
		}
		if c.Type == "decimal" || c.Type == "integer" {
			t.right[len(lines[0])] = true
		}
		lines[0] = append(lines[0], a.heading(c))
		for j, row := range rows {
			text := row[at]
			if c.Type == "instant" {
				text = wall(text, r.Zone)
			}
			lines[j+1] = append(lines[j+1], clean(text))
		}
	}
	for _, line := range lines {
		t.row(line...)
	}
	t.print(a.out)
}

// heading is a column's name, with its unit.
func (a *app) heading(c node.Column) string {
	name := strings.ToUpper(c.Name)
	if c.Unit != "" {
		return name + " " + a.unit(c.Unit)
	}
	return name
}

// wall is an instant as the clock on the wall shows it in a zone.
func wall(text, zone string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	if in, err := time.LoadLocation(zone); err == nil {
		t = t.In(in)
	}
	return strings.TrimSuffix(t.Format("2006-01-02 15:04:05"), ":00")
}

func tableRows(from io.Reader) (rows [][]string, err error) {
	for d := json.NewDecoder(from); ; {
		var row []string
		err := d.Decode(&row)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

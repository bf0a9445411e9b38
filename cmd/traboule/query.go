// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"strconv"

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

// parts asks for an answer that comes in parts, and gives each to take. How
// far it is is shown unless the parts themselves are.
func parts[Q, R any](ctx context.Context, a *app, op node.Operation[Q, R], request Q, shown bool, take func([]byte) error) (result R, err error) {
	c, err := a.open(ctx)
	if err != nil {
		return result, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	far, taken := a.newProgress(), int64(0)
	var failed error // of take: perhaps with the last part, when there is nothing left to cancel
	result, err = op.Do(ctx, c, request, func(p node.Progress) {
		if failed != nil || ctx.Err() != nil {
			return
		}
		if p.Part != nil {
			if failed = take(p.Part); failed != nil {
				cancel()
			}
			taken += int64(len(p.Part))
			p = node.Progress{Step: "rows", Done: taken}
		}
		if !shown {
			far.report(p)
		}
	})
	far.clear()
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
	stdout, _ := a.out.(*os.File)
	shown := to == "" && isTerminal(stdout)
	if shown && q.Format == "parquet" {
		return problem.New(problem.Usage, "output.parquet-shown")
	}
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
	r, err := parts(ctx, a, node.Query, q, shown, func(b []byte) error {
		if q.Format == "jsonl" || shown { // parts are whole lines
			b = escape(b)
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
	if to != "" {
		return a.show(written{r, to}, func() { a.say("query.written", "path", to, "rows", strconv.Itoa(r.Rows)) })
	}
	if r.More {
		a.tell("query.more", "rows", strconv.Itoa(r.Rows))
	}
	return nil
}

// written is what --json says of rows that went to a file.
type written struct {
	node.QueryResult
	Path string `json:"path"`
}

// queryTable shows rows as people read them.
func (a *app) queryTable(ctx context.Context, q node.QueryRequest) error {
	var lines bytes.Buffer
	r, err := parts(ctx, a, node.Query, q, false, func(b []byte) error { _, err := lines.Write(b); return err })
	if err != nil {
		return err
	}
	rows, err := tableRows(&lines)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		a.say("query.empty", "name", r.Name)
		return nil
	}
	s := sheetOf(r, rows)
	s.numbered = q.Numbers
	a.printSheet(s)
	if r.More {
		a.tell("query.more", "rows", strconv.Itoa(r.Rows))
	}
	if r.Longer > 0 {
		a.tell("query.longer", "n", strconv.Itoa(r.Longer))
	}
	return nil
}

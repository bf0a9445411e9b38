// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
)

func (a *app) listCommand() *cobra.Command {
	return a.command("list", "list", with(), func(cmd *cobra.Command, _ []string) error {
		return do(cmd.Context(), a, node.List, node.None{}, a.showList)
	})
}

func (a *app) showList(r node.ListResult) {
	if len(r.Datasets) == 0 {
		a.say("list.empty")
		return
	}
	t := table{right: map[int]bool{2: true, 3: true, 4: true, 5: true}}
	t.row(a.text("column.name"), a.text("column.from"), a.text("column.version"), a.text("column.holds"), a.text("column.size"), a.text("column.grants"), a.text("column.changed"), "")
	for _, d := range r.Datasets {
		t.row(clean(d.Name), a.from(d), u(d.Version), a.holds(d), a.lang.Size(d.Bytes), a.lang.Number(uint64(d.Grants)), a.lang.Time(d.Changed.Local()), a.flaws(d))
	}
	t.print(a.out)
}

// holds is how many files or records a data set has.
func (a *app) holds(d node.Dataset) string {
	if d.Records != nil {
		return a.text("list.rows", "n", strconv.Itoa(d.Records.Rows))
	}
	return a.lang.Number(d.Files)
}

func (a *app) from(d node.Dataset) string {
	if d.From == "" {
		return a.text("list.own")
	}
	return clean(d.From)
}

// flaws says what is not all there.
func (a *app) flaws(d node.Dataset) string {
	if d.Missing {
		return a.text("list.missing")
	}
	if d.Records != nil && !d.Records.Stale.IsZero() {
		return a.text("list.stale", "since", d.Records.Stale.Format(time.RFC3339))
	}
	return ""
}

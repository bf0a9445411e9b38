// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) showCommand() *cobra.Command {
	var q node.ShowRequest
	c := a.command("show NAME", "show", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		q.Name = args[0]
		return do(cmd.Context(), a, node.Show, q, a.showDataset)
	})
	c.Flags().Uint64Var(&q.Version, "version", 0, a.flag("show", "version"))
	c.Flags().StringVar(&q.Path, "path", "", a.flag("show", "path"))
	return c
}

func (a *app) showDataset(r node.ShowResult) {
	t := table{}
	t.row(a.text("label.name"), clean(r.Dataset.Name))
	t.row(a.text("label.dataset"), r.Dataset.Dataset)
	t.row(a.text("label.from"), a.from(r.Dataset))
	if r.Dataset.Source != "" {
		t.row(a.text("label.source"), clean(r.Dataset.Source))
	}
	t.print(a.out)
	if flaw := a.flaws(r.Dataset); flaw != "" {
		fmt.Fprintln(a.out, flaw)
	}
	fmt.Fprintln(a.out)
	if r.Dataset.Records != nil {
		a.showRecords(*r.Dataset.Records)
		return
	}
	a.showVersions(r.Versions)
	fmt.Fprintln(a.out)
	a.showEntries(r.Entries)
}

// showRecords shows what a data set of records holds, and what was done to it.
func (a *app) showRecords(r node.Records) {
	a.say("show.records", "title", a.title(r.Title), "kind", r.Kind, "rows", strconv.Itoa(r.Rows))
	fmt.Fprintln(a.out)
	a.showFields(r.Fields)
	fmt.Fprintln(a.out)
	for _, o := range r.Operations {
		a.showOperation(o)
	}
}

// showFields lists fields with their unit, or else their type.
func (a *app) showFields(fields []node.Column) {
	t := table{}
	for _, f := range fields {
		t.row("  "+f.Name, cmp.Or(a.unit(f.Unit), a.word("type", f.Type)), a.title(f.Title))
	}
	t.print(a.out)
}

func (a *app) showOperation(o node.RecordOperation) {
	what := strings.Join(o.Files, ", ")
	if what == "" {
		what = o.Reason
	}
	if o.Undoes > 0 {
		what = strconv.Itoa(o.Undoes)
	}
	key := "show.operation"
	if o.Undone {
		key = "show.operation-undone"
	}
	a.say(key, "number", strconv.Itoa(o.Number), "time", o.Time.Format(time.RFC3339), "kind", a.word("operation", o.Kind), "what", what,
		"new", strconv.Itoa(o.New), "here", strconv.Itoa(o.Here), "corrected", strconv.Itoa(o.Corrected))
}

func (a *app) showVersions(versions []node.Version) {
	t := table{right: map[int]bool{0: true, 2: true, 3: true}}
	t.row(a.text("column.version"), a.text("column.changed"), a.text("column.files"), a.text("column.size"))
	for _, v := range versions {
		t.row(u(v.Version), a.lang.Time(v.Time.Local()), a.lang.Number(v.Files), a.lang.Size(v.Bytes))
	}
	t.print(a.out)
}

func (a *app) showEntries(entries []node.File) {
	t := table{right: map[int]bool{1: true}}
	for _, e := range entries {
		mode, size, name := fs.FileMode(e.Mode&0o777), a.lang.Size(e.Bytes), clean(e.Path)
		if e.Folder {
			mode, size, name = mode|fs.ModeDir, "", name+"/"
		}
		t.row(mode.String(), size, e.Changed.Local().Format("2006-01-02 15:04"), name)
	}
	t.print(a.out)
}

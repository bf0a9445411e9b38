// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) addCommand() *cobra.Command {
	var q node.AddRequest
	c := a.command("add PATH", "add", with(problem.NotFound, problem.DiskFull, problem.Changed, problem.Exists), func(cmd *cobra.Command, args []string) error {
		var err error
		if q.Path, err = absolute(args[0]); err != nil {
			return err
		}
		if q.Keep < 0 {
			return problem.New(problem.Usage, "usage.flag-value", "flag", "--keep", "value", strconv.Itoa(q.Keep), "help", cmd.CommandPath()+" --help")
		}
		return do(cmd.Context(), a, node.Add, q, a.showAdd)
	})
	f := c.Flags()
	f.StringVar(&q.Name, "name", "", a.flag("add", "name"))
	f.BoolVar(&q.Replace, "replace", false, a.flag("add", "replace"))
	f.BoolVar(&q.DryRun, "dry-run", false, a.flag("add", "dry-run"))
	f.IntVar(&q.Keep, "keep", 0, a.flag("add", "keep"))
	return c
}

func (a *app) showAdd(r node.AddResult) {
	key := "add.done"
	difference := "add.difference"
	switch {
	case r.Unchanged:
		key = "add.unchanged"
	case r.DryRun:
		key, difference = "add.dry-run", "add.difference-dry"
	}
	a.say(key, "name", r.Name, "version", u(r.Version), "files", u(r.Files), "folders", u(r.Folders), "bytes", u(r.Bytes))
	if !r.Unchanged {
		a.say(difference, "added", strconv.Itoa(r.Added), "changed", strconv.Itoa(r.Changed), "removed", strconv.Itoa(r.Removed), "bytes", u(r.NewBytes))
	}
	if len(r.Skipped) > 0 {
		a.say("add.skipped", "n", strconv.Itoa(len(r.Skipped)))
	}
	for _, s := range r.Skipped {
		a.say("add.skip", "path", s.Path, "reason", a.word("skip", s.Reason))
	}
}

// u writes a count for a sentence, which then formats it in its language.
func u(n uint64) string { return strconv.FormatUint(n, 10) }

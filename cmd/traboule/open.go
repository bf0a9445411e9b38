// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) openCommand() *cobra.Command {
	var q node.OpenRequest
	c := a.command("open NAME", "open", with(problem.NotFound, problem.DiskFull, problem.Exists), func(cmd *cobra.Command, args []string) error {
		if q.To == "" {
			return a.missingFlag(cmd, "to")
		}
		var err error
		if q.To, err = absolute(q.To); err != nil {
			return err
		}
		q.Name = args[0]
		return do(cmd.Context(), a, node.Open, q, func(r node.OpenResult) {
			a.say("open.done", "to", r.To, "version", u(r.Version), "files", u(r.Files), "bytes", u(r.Bytes))
			a.say("open.plain")
		})
	})
	f := c.Flags()
	f.Uint64Var(&q.Version, "version", 0, a.flag("open", "version"))
	f.StringVar(&q.Path, "path", "", a.flag("open", "path"))
	f.StringVar(&q.To, "to", "", a.flag("open", "to"))
	return c
}

// missingFlag says that a flag is not optional.
func (a *app) missingFlag(cmd *cobra.Command, flag string) error {
	return problem.New(problem.Usage, "usage.missing-flag", "flag", "--"+flag, "command", cmd.CommandPath(), "help", cmd.CommandPath()+" --help")
}

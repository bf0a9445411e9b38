// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/messages"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) exportCommand() *cobra.Command {
	var to string
	c := a.command("export [NAME]", "export", with(problem.NotFound, problem.Exists), func(cmd *cobra.Command, args []string) error {
		if to == "" {
			return a.missingFlag(cmd, "to")
		}
		folder, err := absolute(to)
		if err != nil {
			return err
		}
		q := node.ExportRequest{To: folder}
		for _, lang := range []messages.Lang{messages.English, messages.French} {
			q.Note += lang.Text("export.readme", nil) + "\n\n"
		}
		if len(args) > 0 {
			q.Name = args[0]
		}
		return do(cmd.Context(), a, node.Export, q, a.showExport)
	})
	c.Flags().StringVar(&to, "to", "", a.flag("export", "to"))
	return c
}

func (a *app) showExport(r node.ExportResult) {
	for _, d := range r.Datasets {
		switch {
		case d.There:
			a.say("export.there", "name", d.Name, "folder", d.Folder)
		case d.Kind != "records":
			a.say("export.files", "name", d.Name, "folder", d.Folder, "files", u(d.Files))
		default:
			a.say("export.rows", "name", d.Name, "folder", d.Folder, "rows", strconv.Itoa(d.Rows))
		}
	}
	a.say("export.done", "to", r.To)
}

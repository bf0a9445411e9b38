// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) undoCommand() *cobra.Command {
	var q node.UndoRequest
	c := a.command("undo NAME", "undo", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		q.Name = args[0]
		return do(cmd.Context(), a, node.Undo, q, func(r node.ChangedRecords) {
			a.say("undo.done", "name", r.Name, "number", strconv.Itoa(r.Operation.Undoes), "before", strconv.Itoa(r.Before), "rows", strconv.Itoa(r.Rows))
		})
	})
	c.Flags().IntVar(&q.Number, "import", 0, a.flag("undo", "import"))
	return c
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) kitCommand() *cobra.Command {
	var q node.KitRequest
	c := a.command("kit", "kit", with(problem.Exists, problem.DiskFull), func(cmd *cobra.Command, _ []string) error {
		if q.To == "" {
			return a.missingFlag(cmd, "to")
		}
		var err error
		if q.To, err = absolute(q.To); err != nil {
			return err
		}
		return do(cmd.Context(), a, node.Kit, q, func(r node.KitResult) {
			a.say("kit.done", "to", r.To, "bytes", strconv.FormatInt(r.Bytes, 10))
		})
	})
	c.Flags().StringVar(&q.To, "to", "", a.flag("kit", "to"))
	return c
}

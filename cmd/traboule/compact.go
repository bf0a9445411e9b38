// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) compactCommand() *cobra.Command {
	var q node.CompactRequest
	c := a.command("compact", "compact", with(problem.DiskFull), func(cmd *cobra.Command, _ []string) error {
		return do(cmd.Context(), a, node.Compact, q, a.showCompact)
	})
	c.Flags().BoolVar(&q.Waste, "waste", false, a.flag("compact", "waste"))
	return c
}

func (a *app) showCompact(r node.CompactResult) {
	size := func(n int64) string { return strconv.FormatInt(n, 10) }
	if r.Freed > 0 {
		a.say("compact.done", "freed", size(r.Freed), "bytes", size(r.Bytes))
	} else {
		a.say("compact.nothing", "bytes", size(r.Bytes))
	}
	if r.Waiting > 0 {
		a.say("compact.waiting", "bytes", size(r.Waiting))
	}
	a.notices(r.Notices)
}

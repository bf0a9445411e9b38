// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) repairCommand() *cobra.Command {
	return a.command("repair", "repair", with(problem.DiskFull), func(cmd *cobra.Command, _ []string) error {
		return do(cmd.Context(), a, node.Repair, node.None{}, a.showRepair)
	})
}

func (a *app) showRepair(r node.RepairResult) {
	if len(r.Mended) == 0 && len(r.Lost) == 0 {
		a.say("repair.nothing")
	}
	a.notices(r.Mended)
	if len(r.Lost) > 0 {
		a.say("repair.lost")
		a.notices(r.Lost)
	}
	if r.Suspended {
		a.say("status.suspended")
	}
}

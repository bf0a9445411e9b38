// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) repairCommand() *cobra.Command {
	return a.command("repair", "repair", with(problem.DiskFull), func(cmd *cobra.Command, _ []string) error {
		return a.repair(cmd)
	})
}

// repair opens the vault itself, since what it mends may keep a node from
// opening it; a running node must be stopped first.
func (a *app) repair(cmd *cobra.Command) error {
	home, err := a.homeDir()
	if err != nil {
		return err
	}
	if client, err := control.Dial(cmd.Context(), home); err == nil {
		client.Close()
		return problem.New(problem.Busy, "repair.running", "home", home)
	}
	secret, err := a.unlockAt(home)
	if err != nil {
		return err
	}
	r, err := node.RepairHome(cmd.Context(), home, secret)
	if err != nil {
		return err
	}
	return a.show(r, func() { a.showRepair(r) })
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

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) repairCommand() *cobra.Command {
	var clock bool
	c := a.command("repair", "repair", with(problem.DiskFull), func(cmd *cobra.Command, _ []string) error {
		return a.repair(cmd, clock)
	})
	c.Flags().BoolVar(&clock, "clock", false, a.flag("repair", "clock"))
	return c
}

// repair opens the vault itself, since what it mends may keep a node from
// opening it; a running node must be stopped first.
func (a *app) repair(cmd *cobra.Command, clock bool) error {
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
	if clock {
		if err := node.LowerClock(cmd.Context(), node.Options{Home: home, Secret: secret}); err != nil {
			return err
		}
		return a.show(node.None{}, func() { a.say("repair.clock") })
	}
	r, err := node.RepairHome(cmd.Context(), node.Options{Home: home, Secret: secret})
	if err != nil {
		return err
	}
	if err := a.show(r, func() { a.showRepair(r) }); err != nil || len(r.Lost) == 0 {
		return err
	}
	a.told = true
	return problem.New(problem.Damaged, "repair.not-all", "n", strconv.Itoa(len(r.Lost)))
}

func (a *app) showRepair(r node.RepairResult) {
	if len(r.Mended)+len(r.Lost)+len(r.Left) == 0 {
		a.say("repair.nothing")
	}
	a.notices(r.Mended)
	if len(r.Lost) > 0 {
		a.say("repair.lost")
		a.notices(r.Lost)
	}
	if len(r.Left) > 0 {
		a.say("repair.left")
		a.notices(r.Left)
	}
	a.suspended(r.SuspendedBy)
}

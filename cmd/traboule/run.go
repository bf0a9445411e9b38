// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) runCommand() *cobra.Command {
	var listen []string
	c := a.command("run", "run", []problem.Kind{problem.NoVault, problem.WrongSecret, problem.Busy, problem.Damaged, problem.WrongClock}, func(cmd *cobra.Command, _ []string) error {
		return a.run(cmd, listen)
	})
	c.Flags().StringArrayVar(&listen, "listen", nil, a.flag("run", "listen"))
	return c
}

// run keeps the node on the network until it is interrupted, which is how it
// is meant to end: exit code 0.
func (a *app) run(cmd *cobra.Command, listen []string) error {
	ctx := cmd.Context()
	home, err := a.homeDir()
	if err != nil {
		return err
	}
	if client, err := control.Dial(ctx, home); err == nil {
		client.Close()
		return problem.New(problem.Busy, "run.already", "home", home)
	}
	n, err := a.openHere(ctx, home, listen)
	if err != nil {
		return err
	}
	err = n.Run(ctx, func(info node.RunInfo) {
		a.show(info, func() { a.showRun(info) })
	})
	if closing := n.Close(); err == nil {
		err = closing
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	a.tell("run.stopped")
	return nil
}

func (a *app) showRun(info node.RunInfo) {
	a.say("run.ready", "home", info.Home)
	for _, address := range info.Addresses {
		a.say("run.address", "address", address)
	}
	a.say("run.stop")
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) carCommand() *cobra.Command {
	var q node.CarRequest
	c := a.command("car NAME FILE", "car", with(problem.NotFound, problem.Exists, problem.DiskFull), func(cmd *cobra.Command, args []string) error {
		var err error
		q.Name = args[0]
		if q.To, err = absolute(args[1]); err != nil {
			return err
		}
		return do(cmd.Context(), a, node.Car, q, func(r node.CarResult) {
			a.say("car.done", "name", r.Name, "version", u(r.Version), "to", r.To, "blocks", strconv.Itoa(r.Blocks), "bytes", strconv.FormatInt(r.Size, 10))
			a.say("car.root", "root", r.Root)
		})
	})
	c.Flags().Uint64Var(&q.Version, "version", 0, a.flag("car", "version"))
	return c
}

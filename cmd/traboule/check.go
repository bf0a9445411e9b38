// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) checkCommand() *cobra.Command {
	return a.command("check", "check", with(), func(cmd *cobra.Command, _ []string) error {
		damaged := 0
		err := do(cmd.Context(), a, node.Check, node.None{}, func(r node.CheckResult) {
			a.say("check.done", "blocks", strconv.FormatInt(r.Blocks, 10), "bytes", strconv.FormatInt(r.Bytes, 10), "entries", u(r.Entries))
			a.notices(r.Damages)
			damaged = len(r.Damages)
		})
		if err == nil && damaged > 0 {
			return problem.New(problem.Damaged, "check.damaged", "n", strconv.Itoa(damaged))
		}
		if err == nil && !a.json {
			a.say("check.sound")
		}
		return err
	})
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) checkCommand() *cobra.Command {
	return a.command("check", "check", with(), func(cmd *cobra.Command, _ []string) error {
		r, err := ask(cmd.Context(), a, node.Check, node.None{})
		if err != nil {
			return err
		}
		if err := a.show(r, func() { a.showCheck(r) }); err != nil || len(r.Damages) == 0 {
			return err
		}
		a.told = true
		return problem.New(problem.Damaged, "check.damaged", "n", strconv.Itoa(len(r.Damages)))
	})
}

func (a *app) showCheck(r node.CheckResult) {
	a.say("check.done", "blocks", strconv.FormatInt(r.Blocks, 10), "bytes", strconv.FormatInt(r.Bytes, 10), "entries", u(r.Entries))
	if !r.LastRead.IsZero() {
		a.say("check.before", "time", r.LastRead.Format(time.RFC3339))
	}
	a.notices(r.Damages)
	a.notices(r.Harmless)
	if len(r.Damages) == 0 {
		a.say("check.sound")
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) removeCommand() *cobra.Command {
	var yes bool
	c := a.command("remove NAME", "remove", with(problem.NotFound, problem.Unconfirmed), func(cmd *cobra.Command, args []string) error {
		if err := a.sure(yes, "ask.remove", args[0]); err != nil {
			return err
		}
		return do(cmd.Context(), a, node.Remove, node.NameRequest{Name: args[0]}, a.showRemove)
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, a.flag("remove", "yes"))
	return c
}

// sure has the person confirm what cannot be undone. A script, which nobody
// can ask, says it with --yes.
func (a *app) sure(yes bool, question, name string) error {
	if yes {
		return nil
	}
	if a.json || !isTerminal(a.in) {
		return problem.New(problem.Unconfirmed, "not-asked")
	}
	agreed, err := a.confirm(question, false, "name", name)
	if err == nil && !agreed {
		err = problem.New(problem.Unconfirmed, "not-done")
	}
	return err
}

func (a *app) showRemove(r node.RemoveResult) {
	if r.Received {
		a.say("remove.received", "name", r.Name)
	} else {
		a.say("remove.own", "name", r.Name)
	}
	if r.Revoked > 0 {
		a.say("remove.revoked", "n", strconv.Itoa(r.Revoked))
	}
	a.notices(r.Notices)
}

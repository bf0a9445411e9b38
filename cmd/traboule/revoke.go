// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) revokeCommand() *cobra.Command {
	return a.command("revoke GRANT", "revoke", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		return do(cmd.Context(), a, node.Revoke, node.NameRequest{Name: args[0]}, a.showRevoke)
	})
}

// showRevoke prints what the node says is true of this revocation, and
// nothing else.
func (a *app) showRevoke(r node.RevokeResult) {
	a.say("revoke.done", "id", r.Grant.ID, "contact", r.Grant.Contact, "name", r.Grant.Name)
	a.notices(r.Notices)
}

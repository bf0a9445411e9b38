// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) cardCommand() *cobra.Command {
	var q node.CardRequest
	c := a.command("card", "card", with(problem.NeedsRun), func(cmd *cobra.Command, _ []string) error {
		switch q.Kind {
		case "person", "service", "holder", "anchor":
		default:
			return problem.New(problem.Usage, "usage.flag-value", "flag", "--kind", "value", q.Kind, "help", cmd.CommandPath()+" --help")
		}
		return do(cmd.Context(), a, node.Card, q, a.showCard)
	})
	c.Flags().StringVar(&q.Name, "name", "", a.flag("card", "name"))
	c.Flags().StringVar(&q.Kind, "kind", "person", a.flag("card", "kind"))
	return c
}

// showCard prints the link on standard output, alone on its line, so that it
// can be piped or copied; what goes with it is said beside.
func (a *app) showCard(r node.CardResult) {
	a.tell("card.link")
	fmt.Fprintln(a.out, r.Link)
	a.tell("card.fingerprint")
	a.tell("card.expires", "expires", r.Expires.Format(time.RFC3339))
}

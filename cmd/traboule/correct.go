// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) correctCommand() *cobra.Command {
	q := node.CorrectRequest{Values: map[string]string{}}
	c := a.command("correct NAME ROW [FIELD=VALUE…]", "correct", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		q.Name, q.Row = args[0], args[1]
		for _, arg := range args[2:] {
			name, value, ok := strings.Cut(arg, "=")
			if !ok {
				return problem.New(problem.Usage, "usage.field-value", "value", arg)
			}
			q.Values[name] = value
		}
		if q.Reason == "" {
			return a.missingFlag(cmd, "reason")
		}
		if q.Delete == (len(q.Values) > 0) {
			return problem.New(problem.Usage, "usage.correct")
		}
		return do(cmd.Context(), a, node.Correct, q, func(r node.ChangedRecords) {
			if r.Operation.Number == 0 {
				a.say("correct.nothing", "row", q.Row)
				return
			}
			key := "correct.done"
			if q.Delete {
				key = "correct.deleted"
			}
			a.say(key, "name", r.Name, "row", q.Row, "number", strconv.Itoa(r.Operation.Number))
		})
	})
	f := c.Flags()
	f.StringVar(&q.Reason, "reason", "", a.flag("correct", "reason"))
	f.BoolVar(&q.Delete, "delete", false, a.flag("correct", "delete"))
	return c
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) refillCommand() *cobra.Command {
	return a.command("refill FILE", "refill", with(problem.NotFound, problem.Invalid, problem.DiskFull), func(cmd *cobra.Command, args []string) error {
		from, err := absolute(args[0])
		if err != nil {
			return err
		}
		return do(cmd.Context(), a, node.RefillFrom, node.RefillRequest{From: from}, a.showRefill)
	})
}

func (a *app) showRefill(r node.RefillResult) {
	for _, d := range r.Datasets {
		key := "refill.whole"
		if d.Missing > 0 {
			key = "refill.missing"
		}
		a.say(key, "name", d.Name, "version", u(d.Version), "blocks", strconv.Itoa(d.Blocks), "bytes", strconv.FormatInt(d.Bytes, 10), "missing", strconv.Itoa(d.Missing))
	}
	if r.Passed > 0 {
		a.say("refill.passed", "blocks", strconv.Itoa(r.Passed))
	}
}

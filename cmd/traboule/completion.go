// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node/problem"
)

func (a *app) completionCommand() *cobra.Command {
	c := a.command("completion SHELL", "completion", nil, func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.out, true)
		case "zsh":
			return root.GenZshCompletion(a.out)
		case "fish":
			return root.GenFishCompletion(a.out, true)
		}
		return problem.New(problem.Usage, "usage.shell", "shell", args[0])
	})
	c.ValidArgs = []string{"bash", "zsh", "fish"}
	return c
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
)

func (a *app) passphraseCommand() *cobra.Command {
	var file string
	c := a.command("passphrase", "passphrase", with(), func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		d, err := a.open(ctx)
		if err != nil {
			return err
		}
		defer d.close()
		current, err := a.passphrase("ask.passphrase")
		if err != nil {
			return err
		}
		secret, err := a.newPassphrase(file)
		if err != nil {
			return err
		}
		result, err := node.Passphrase.Do(ctx, d, node.PassphraseRequest{Current: string(current), New: string(secret)}, nil)
		if err != nil {
			return err
		}
		return a.show(result, func() { a.say("passphrase.done") })
	})
	c.Flags().StringVar(&file, "new-passphrase-file", "", a.flag("passphrase", "new-passphrase-file"))
	return c
}

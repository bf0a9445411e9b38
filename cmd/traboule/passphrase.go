// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
)

func (a *app) passphraseCommand() *cobra.Command {
	var file, wordsFrom string
	c := a.command("passphrase", "passphrase", with(), func(cmd *cobra.Command, _ []string) error {
		return a.changePassphrase(cmd.Context(), file, wordsFrom)
	})
	f := c.Flags()
	f.StringVar(&file, "new-passphrase-file", "", a.flag("passphrase", "new-passphrase-file"))
	f.StringVar(&wordsFrom, "words-from", "", a.flag("passphrase", "words-from"))
	return c
}

// changePassphrase wants the passphrase that holds, or the words for one that
// is forgotten.
func (a *app) changePassphrase(ctx context.Context, file, wordsFrom string) error {
	if wordsFrom != "" {
		words, err := a.readWords(wordsFrom)
		if err != nil {
			return err
		}
		a.words = words
	}
	d, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	q := node.PassphraseRequest{Words: a.words}
	if q.Words == "" {
		current, err := a.passphrase("ask.passphrase")
		if err != nil {
			return err
		}
		q.Current = string(current)
	}
	secret, err := a.newPassphrase(file)
	if err != nil {
		return err
	}
	q.New = string(secret)
	result, err := node.Passphrase.Do(ctx, d, q, nil)
	if err != nil {
		return err
	}
	return a.show(result, func() { a.say("passphrase.done") })
}

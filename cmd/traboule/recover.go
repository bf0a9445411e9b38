// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// maxKit bounds a recovery kit, in bytes.
const maxKit = 256 << 20

func (a *app) recoverCommand() *cobra.Command {
	var b birth
	var wordsFrom string
	c := a.command("recover KIT", "recover", []problem.Kind{problem.WrongSecret, problem.NotFound, problem.Damaged, problem.Exists, problem.DiskFull}, func(cmd *cobra.Command, args []string) error {
		return a.recover(cmd, args[0], wordsFrom, b)
	})
	f := c.Flags()
	f.StringVar(&wordsFrom, "words-from", "", a.flag("recover", "words-from"))
	f.BoolVar(&b.unattended, "unattended", false, a.flag("recover", "unattended"))
	b.weakFlag(f)
	return c
}

func (a *app) recover(cmd *cobra.Command, path, wordsFrom string, b birth) error {
	kit, err := readKit(path)
	if err != nil {
		return err
	}
	words, err := a.readWords(wordsFrom)
	if err != nil {
		return err
	}
	opt, err := a.createOptions(cmd, b)
	if err != nil {
		return err
	}
	created, err := node.Restore(cmd.Context(), node.RestoreOptions{CreateOptions: opt, Kit: kit, Words: words})
	if err != nil {
		return err
	}
	if err := a.keepKeyfile(opt); err != nil {
		return err
	}
	return a.show(created, func() {
		a.say("init.done", "home", created.Home, "owner", created.Owner)
		a.say("recover.done")
	})
}

func readKit(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, problem.New(problem.NotFound, "kit.unreadable", "path", path).Because(err)
	}
	defer f.Close()
	kit, err := io.ReadAll(io.LimitReader(f, maxKit+1))
	if err != nil || len(kit) > maxKit {
		return nil, problem.New(problem.NotFound, "kit.unreadable", "path", path).Because(err)
	}
	return kit, nil
}

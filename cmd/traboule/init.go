// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// birth is what init and recover ask alike.
type birth struct {
	wordsFile      string
	noConfirmWords bool
	unattended     bool
	weak           bool
}

func (a *app) initCommand() *cobra.Command {
	var b birth
	c := a.command("init", "init", []problem.Kind{problem.Exists, problem.DiskFull, problem.Unconfirmed}, func(cmd *cobra.Command, _ []string) error {
		return a.init(cmd, b)
	})
	f := c.Flags()
	f.StringVar(&b.wordsFile, "words-file", "", a.flag("init", "words-file"))
	f.BoolVar(&b.noConfirmWords, "no-confirm-words", false, a.flag("init", "no-confirm-words"))
	f.BoolVar(&b.unattended, "unattended", false, a.flag("init", "unattended"))
	f.BoolVar(&b.weak, "weak-for-tests", false, "")
	f.MarkHidden("weak-for-tests")
	return c
}

func (a *app) init(cmd *cobra.Command, b birth) error {
	opt, err := a.createOptions(cmd, b)
	if err != nil {
		return err
	}
	return a.bear(cmd.Context(), opt, b)
}

// bear makes the node, and hands its words over. The place for the words is
// there before the node is: they are shown once and kept nowhere.
func (a *app) bear(ctx context.Context, opt node.CreateOptions, b birth) error {
	if b.wordsFile == "" && !b.noConfirmWords && (a.json || !isTerminal(a.in)) {
		return problem.New(problem.Usage, "words.no-place")
	}
	if b.wordsFile != "" {
		if err := writeNew(b.wordsFile, nil); err != nil {
			return err
		}
	}
	created, err := node.Create(ctx, opt)
	if err != nil {
		if b.wordsFile != "" {
			os.Remove(b.wordsFile)
		}
		return err
	}
	if err := a.keepKeyfile(opt); err != nil {
		return err
	}
	return a.handOver(created, opt, b)
}

// createOptions asks for all that a new node needs, before anything is made.
func (a *app) createOptions(cmd *cobra.Command, b birth) (node.CreateOptions, error) {
	home, err := a.homeDir()
	if err != nil {
		return node.CreateOptions{}, err
	}
	opt := node.CreateOptions{Home: home, Weak: b.weak}
	if a.passphraseFile == "" && a.passphraseFD < 0 {
		a.tell("init.passphrase", "home", home)
		opt.Passphrase, err = a.newPassphrase("")
	} else if opt.Passphrase, err = a.passphrase("ask.new-passphrase"); err == nil {
		err = longEnough(opt.Passphrase)
	}
	if err != nil {
		return opt, err
	}
	unattended := b.unattended
	if !cmd.Flags().Changed("unattended") {
		if unattended, err = a.confirm("ask.unattended", false); err != nil {
			return opt, err
		}
	}
	if unattended {
		opt.Keyfile = newKeyfile()
	}
	return opt, nil
}

// keepKeyfile lays the key file beside the vault, where the owner allowed it.
func (a *app) keepKeyfile(opt node.CreateOptions) error {
	if opt.Keyfile == nil {
		return nil
	}
	return writeNew(filepath.Join(opt.Home, keyfileName), opt.Keyfile)
}

// handOver gives the words to the owner: to a file, or on the screen, once.
func (a *app) handOver(created node.Created, opt node.CreateOptions, b birth) error {
	if b.wordsFile != "" {
		if err := os.WriteFile(b.wordsFile, []byte(created.Words+"\n"), 0o600); err != nil {
			return problem.New(problem.Unexpected, "file.not-written", "path", b.wordsFile).Because(err)
		}
		created.Words = "" // they are in the file, and nowhere else
	}
	type result struct {
		node.Created
		WordsFile string `json:"words_file,omitempty"`
		Keyfile   bool   `json:"keyfile"`
	}
	return a.show(result{created, b.wordsFile, opt.Keyfile != nil}, func() {
		a.say("init.done", "home", created.Home, "owner", created.Owner)
		if opt.Keyfile != nil {
			a.say("init.keyfile", "path", filepath.Join(opt.Home, keyfileName))
		}
		if b.wordsFile != "" {
			a.say("init.words-in-file", "path", b.wordsFile)
		}
	}, func() error { return a.teachWords(created.Words, b) })
}

// teachWords shows the words and has some of them typed back.
func (a *app) teachWords(words string, b birth) error {
	if words == "" {
		return nil
	}
	fmt.Fprintln(a.out)
	a.say("init.words")
	a.showWords(words)
	if !b.noConfirmWords {
		if err := a.confirmWords(words); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.out)
	a.say("init.next")
	return nil
}

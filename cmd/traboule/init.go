// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// weakForTests, when a build for tests sets it, adds a hidden flag that makes
// a passphrase cheap to try. A release has no such flag.
var weakForTests string

func (b *birth) weakFlag(f *pflag.FlagSet) {
	if weakForTests != "" {
		f.BoolVar(&b.weak, "weak-for-tests", false, "")
		f.MarkHidden("weak-for-tests")
	}
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
	b.weakFlag(f)
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
	before := entries(opt.Home)
	created, err := node.Create(ctx, opt)
	if err != nil {
		if b.wordsFile != "" {
			os.Remove(b.wordsFile)
		}
		return err
	}
	if b.wordsFile != "" {
		if err := fillWords(b.wordsFile, created.Words); err != nil {
			removeNew(opt.Home, before) // a node whose words nobody has is none
			return err
		}
		created.Words = "" // they are in the file, and nowhere else
	}
	if err := a.keepKeyfile(opt); err != nil {
		return err
	}
	return a.handOver(created, opt, b)
}

// fillWords writes the words into their empty file, and returns when they are
// on the disk: nothing else has them.
func fillWords(path, words string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(words + "\n")
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(path)
		return problem.New(problem.Unexpected, "file.not-written", "path", path).Because(err)
	}
	return nil
}

// entries are the names in a folder, none if it is not there.
func entries(folder string) map[string]bool {
	names := map[string]bool{}
	list, _ := os.ReadDir(folder)
	for _, e := range list {
		names[e.Name()] = true
	}
	return names
}

// removeNew takes away what came into a folder since before.
func removeNew(folder string, before map[string]bool) {
	for name := range entries(folder) {
		if !before[name] {
			os.RemoveAll(filepath.Join(folder, name))
		}
	}
	if len(before) == 0 {
		os.Remove(folder) // stays where something else lies in it
	}
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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

// handOver tells that the node is made, and shows the words once if no file
// has them.
func (a *app) handOver(created node.Created, opt node.CreateOptions, b birth) error {
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
			fmt.Fprintln(a.out)
			a.say("init.next")
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

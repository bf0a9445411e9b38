// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

// keyfileName lies in the home folder when the owner let the node open itself.
const keyfileName = "keyfile"

// door is a node to ask: the running one, or one opened in this process.
type door struct {
	node.Caller
	close func() error
}

// open asks the running node if one answers, else opens the vault here.
func (a *app) open(ctx context.Context) (door, error) {
	home, err := a.homeDir()
	if err != nil {
		return door{}, err
	}
	if client, err := control.Dial(ctx, home); err == nil {
		return door{Caller: client, close: client.Close}, nil
	}
	n, err := a.openHere(ctx, home, nil)
	if err != nil {
		return door{}, err
	}
	return door{Caller: n, close: n.Close}, nil
}

// openHere opens the vault in this process.
func (a *app) openHere(ctx context.Context, home string, listen []string) (*node.Node, error) {
	secret, err := a.unlockAt(home)
	if err != nil {
		return nil, err
	}
	return node.OpenHome(ctx, node.Options{Home: home, Secret: secret, Listen: listen, Now: a.now, Version: versionName(), Witness: a.witness()})
}

// unlockAt finds what opens the vault in a folder, if there is one: nobody is
// asked for the passphrase of a vault that is not there.
func (a *app) unlockAt(home string) (node.Secret, error) {
	if entries, err := os.ReadDir(home); errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return node.Secret{}, problem.New(problem.NoVault, "vault.none", "home", home)
	}
	return a.unlock(home)
}

// unlock finds what opens the vault: the recovery words if they were given,
// the passphrase where a flag says, else the key file that lets the node open
// itself, else the person at the terminal.
func (a *app) unlock(home string) (node.Secret, error) {
	if a.words != "" {
		return node.Secret{Words: a.words}, nil
	}
	if a.passphraseFile == "" && a.passphraseFD < 0 {
		key, err := os.ReadFile(filepath.Join(home, keyfileName))
		if err == nil {
			return node.Secret{Keyfile: key}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return node.Secret{}, problem.New(problem.WrongSecret, "keyfile.unreadable", "path", filepath.Join(home, keyfileName)).Because(err)
		}
	}
	passphrase, err := a.passphrase("ask.passphrase")
	return node.Secret{Passphrase: passphrase}, err
}

// newKeyfile makes the bytes of a key file.
func newKeyfile() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	return key
}

// writeNew writes a private file that must not exist yet, durably.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return problem.New(problem.Exists, "file.exists", "path", path)
	}
	if err != nil {
		return problem.New(problem.Unexpected, "file.not-written", "path", path).Because(err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return problem.New(problem.Unexpected, "file.not-written", "path", path).Because(fmt.Errorf("write %s: %w", path, err))
	}
	return nil
}

// witness is where this machine remembers how far a vault had come, apart from
// the vault: $XDG_STATE_HOME/traboule, or ~/.local/state/traboule. Without a
// home folder there is none.
func (a *app) witness() string {
	if state := a.getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "traboule")
	}
	if home := a.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "traboule")
	}
	return ""
}

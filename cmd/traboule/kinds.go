// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) kindsCommand() *cobra.Command {
	var add, remove string
	c := a.command("kinds [KIND]", "kinds", with(problem.NotFound, problem.Invalid, problem.Exists, problem.DiskFull), func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0 && add+remove != "", add != "" && remove != "":
			return problem.New(problem.Usage, "usage.one-kind-thing")
		case add != "":
			return a.addKind(cmd.Context(), add)
		case remove != "":
			return do(cmd.Context(), a, node.KindRemove, node.NameRequest{Name: remove}, func(r node.KindRemoveResult) { a.say("kinds.removed", "kind", r.Kind) })
		case len(args) > 0:
			return a.showOneKind(cmd.Context(), args[0])
		}
		return a.showKinds(cmd.Context())
	})
	c.Flags().StringVar(&add, "add", "", a.flag("kinds", "add"))
	c.Flags().StringVar(&remove, "remove", "", a.flag("kinds", "remove"))
	return c
}

// addKind describes a kind by a file of the person's.
func (a *app) addKind(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return problem.New(problem.NotFound, "file.none", "path", path).Because(err)
	}
	defer f.Close()
	description, err := io.ReadAll(io.LimitReader(f, node.MaxDescription+1))
	if err != nil {
		return problem.New(problem.NotFound, "file.none", "path", path).Because(err)
	}
	return do(ctx, a, node.KindAdd, node.KindAddRequest{Path: path, Description: description}, func(r node.KindAddResult) {
		key := "kinds.added"
		if r.Unchanged {
			key = "kinds.unchanged"
		}
		a.say(key, "kind", r.Kind, "title", a.title(r.Title), "fields", strconv.Itoa(r.Fields))
	})
}

// showKinds lists what is described. For the person's own kinds nobody is asked
// for a passphrase: where the vault is closed they are not in the list.
func (a *app) showKinds(ctx context.Context) error {
	home, err := a.homeDir()
	if err != nil {
		return err
	}
	var own node.KindsResult
	closed := false
	if a.hasVault(home) {
		if closed = !a.opensUnasked(ctx, home); !closed {
			if own, err = ask(ctx, a, node.OwnKinds, node.None{}); err != nil {
				return err
			}
		}
	}
	kinds, err := node.Kinds(own)
	if err != nil {
		return err
	}
	return a.show(map[string]any{"kinds": kinds, "closed": closed}, func() {
		a.listKinds(kinds)
		if closed {
			a.tell("kinds.closed")
		}
	})
}

// hasVault says whether there is anything to open.
func (a *app) hasVault(home string) bool {
	entries, err := os.ReadDir(home)
	return err == nil && len(entries) > 0
}

// opensUnasked says whether the vault can be opened without asking a person.
func (a *app) opensUnasked(ctx context.Context, home string) bool {
	if client, err := control.Dial(ctx, home); err == nil {
		client.Close()
		return true
	}
	_, err := os.Stat(filepath.Join(home, keyfileName))
	return err == nil || a.passphraseFile != "" || a.passphraseFD >= 0
}

// ownKinds are the kinds that the person has described; none without a vault.
func (a *app) ownKinds(ctx context.Context) node.OwnKindsOf {
	return func() (node.KindsResult, error) {
		r, err := ask(ctx, a, node.OwnKinds, node.None{})
		var p *problem.Problem
		if errors.As(err, &p) && p.Kind == problem.NoVault {
			return r, nil
		}
		return r, err
	}
}

// showOneKind describes one kind; as JSON, by the description itself as it was
// written, to be copied and altered.
func (a *app) showOneKind(ctx context.Context, name string) error {
	named := func(k node.KindInfo) bool { return k.Kind == name }
	kinds, err := node.Kinds(node.KindsResult{})
	if err == nil && !slices.ContainsFunc(kinds, named) {
		var own node.KindsResult
		if own, err = a.ownKinds(ctx)(); err == nil {
			kinds, err = node.Kinds(own)
		}
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(kinds, named)
	if i < 0 {
		return problem.New(problem.NotFound, "records.no-kind", "kind", name)
	}
	if a.json {
		_, err := a.out.Write(append(bytes.TrimSpace(escape(kinds[i].Description)), '\n'))
		return err
	}
	a.showKindInfo(kinds[i])
	return nil
}

func (a *app) listKinds(kinds []node.KindInfo) {
	t := table{}
	for _, k := range kinds {
		whose := clean(k.Holder)
		if k.Own {
			whose = a.text("kinds.own")
		}
		t.row(k.Kind, whose, a.title(k.Title))
	}
	t.print(a.out)
}

func (a *app) showKindInfo(k node.KindInfo) {
	fmt.Fprintln(a.out, a.title(k.Title))
	fmt.Fprintln(a.out, wrap(a.title(k.About)))
	fmt.Fprintln(a.out)
	a.showFields(k.Columns)
}

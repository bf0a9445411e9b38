// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

// watchEvery is how often a watched folder is looked at. A file that did not
// change from one look to the next is complete.
const watchEvery = 2 * time.Second

func (a *app) watchCommand() *cobra.Command {
	return a.command("watch FOLDER", "watch", with(problem.NotFound), func(cmd *cobra.Command, args []string) error {
		folder, err := absolute(args[0])
		if err != nil {
			return err
		}
		if at, err := os.Stat(folder); err != nil || !at.IsDir() {
			return problem.New(problem.NotFound, "file.none", "path", folder).Because(err)
		}
		a.tell("watch.watching", "path", folder)
		return a.watch(cmd.Context(), folder, time.Tick(watchEvery))
	})
}

// state is how a file was when it was looked at.
type state struct {
	size    int64
	changed time.Time
}

// watch imports each file of a folder that has rested from one look to the
// next, once for each state it is in, until ctx is done.
func (a *app) watch(ctx context.Context, folder string, look <-chan time.Time) error {
	before, done := map[string]state{}, map[string]state{}
	for {
		now, err := files(folder)
		if err != nil {
			return problem.New(problem.NotFound, "file.none", "path", folder).Because(err)
		}
		for path, s := range now {
			if before[path] != s || done[path] == s {
				continue
			}
			done[path] = s
			if err := a.importWatched(ctx, path); err != nil {
				return err
			}
		}
		before = now
		select {
		case <-ctx.Done():
			return problem.New(problem.Interrupted, "interrupted").Because(ctx.Err())
		case <-look:
		}
	}
}

// files are those below a folder, without what is hidden.
func files(folder string) (map[string]state, error) {
	found := map[string]state{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == folder:
			return err
		case err != nil:
			return nil // gone meanwhile, or not ours to read
		case path != folder && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		if at, err := d.Info(); err == nil {
			found[path] = state{at.Size(), at.ModTime()}
		}
		return nil
	})
	return found, err
}

// importWatched imports one file. Only what would hit the next one too ends the
// watching.
func (a *app) importWatched(ctx context.Context, path string) error {
	r, err := ask(ctx, a, node.Import, node.ImportRequest{Paths: []string{path}})
	if err == nil {
		err = a.show(r, func() { a.showImport(r) })
	}
	if err == nil && r.Stopped != nil {
		err = r.Stopped
	}
	if p := problem.Of(err); p == nil || p.Kind != problem.Usage && p.Kind != problem.Invalid && p.Kind != problem.Exists && p.Kind != problem.NotFound {
		return err
	}
	a.tell("imported.file-refused", "file", filepath.Base(path), "why", a.textOf(problem.Of(err).Key, problem.Of(err).Args))
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node/messages"
	"github.com/traboule/traboule/node/problem"
)

// exits is the one table of exit codes; docs/exit-codes.md shows it, and a
// test compares. Codes are only ever added to.
var exits = []struct {
	code int
	kind problem.Kind
}{
	{0, "ok"},
	{1, problem.Unexpected},
	{2, problem.Usage},
	{3, problem.NoVault},
	{4, problem.WrongSecret},
	{5, problem.Busy},
	{5, problem.NeedsRun},
	{6, problem.NotFound},
	{7, problem.Refused},
	{8, problem.Unreachable},
	{9, problem.Damaged},
	{10, problem.DiskFull},
	{11, problem.WrongClock},
	{12, problem.Changed},
	{13, problem.Exists},
	{14, problem.Invalid},
	{15, problem.Unconfirmed},
	{16, problem.Misbehaviour},
	{130, problem.Interrupted},
}

func exitCode(kind problem.Kind) int {
	for _, e := range exits {
		if e.kind == kind {
			return e.code
		}
	}
	return 1
}

// failure is what --json prints instead of a result.
type failure struct {
	Error struct {
		*problem.Problem
		Message string `json:"message"`
		Exit    int    `json:"exit"`
	} `json:"error"`
}

// report tells how the command ended and returns the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	p := problem.Of(err)
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || p.Kind == problem.Interrupted || p.Kind == problem.Unexpected) {
		p = problem.New(problem.Interrupted, "interrupted")
	}
	message, code := a.sentence(p), exitCode(p.Kind)
	if a.json && a.told {
		return code
	}
	if a.json {
		var f failure
		f.Error.Problem, f.Error.Message, f.Error.Exit = p, message, code
		if err := a.showJSON(f); err != nil {
			return 1
		}
		return code
	}
	fmt.Fprintln(a.err, "traboule: "+message)
	if p.Detail != "" && (p.Kind == problem.Unexpected || !messages.Has(p.Key)) {
		fmt.Fprintln(a.err, "  "+clean(p.Detail))
	}
	return code
}

// sentence is the problem's own, or that of its kind if a newer node speaks.
func (a *app) sentence(p *problem.Problem) string {
	if messages.Has(p.Key) {
		return a.textOf(p.Key, p.Args)
	}
	return a.text("exit." + string(p.Kind))
}

// exitList writes a command's kinds for its annotation.
func exitList(kinds []problem.Kind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, " ")
}

// exitLines are the exit codes that a command's help shows.
func (a *app) exitLines(cmd *cobra.Command) string {
	list := cmd.Annotations["exits"]
	if list == "" {
		return ""
	}
	wanted := strings.Fields("ok usage " + list + " " + string(problem.Interrupted))
	var lines []string
	for _, e := range exits {
		if kind := string(e.kind); slices.Contains(wanted, kind) {
			lines = append(lines, fmt.Sprintf("  %3d  %s", e.code, a.text("exit."+kind)))
		}
	}
	return strings.Join(append(lines, "  "+a.text("usage.exits-more")), "\n")
}

func (a *app) exitCodesCommand() *cobra.Command {
	type row struct {
		Exit    int    `json:"exit"`
		Kind    string `json:"kind"`
		Meaning string `json:"meaning"`
	}
	return a.command("exit-codes", "exit-codes", nil, func(*cobra.Command, []string) error {
		var rows []row
		for _, e := range exits {
			rows = append(rows, row{e.code, string(e.kind), a.text("exit." + string(e.kind))})
		}
		return a.show(map[string][]row{"exit_codes": rows}, func() {
			a.say("exit-codes.title")
			t := table{}
			for _, r := range rows {
				t.row(strconv.Itoa(r.Exit), r.Kind, r.Meaning)
			}
			t.print(a.out)
		})
	})
}

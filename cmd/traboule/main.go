// SPDX-License-Identifier: Apache-2.0

// Command traboule is the whole program: the node that runs at home, and the
// command line that asks it for things.
//
// It knows how to talk with a person at a terminal and with a script: flags,
// prompts, tables, JSON, exit codes, French and English. It does not know how
// anything is done: every command is one call of an operation of package
// node, through the socket of a running node if there is one, else on the
// vault that it opens itself.
//
// The way in is [run]; one file per command.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	noCoreDumps()
	os.Exit(run(os.Args[1:], world{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, now: clock(os.Getenv),
	}))
}

// clockVariable names an environment variable that shifts the clock, as "-1h"
// does. Only a build for tests has one: the linker sets it.
var clockVariable string

// clock is the clock that the program goes by.
func clock(getenv func(string) string) func() time.Time {
	if clockVariable == "" {
		return time.Now
	}
	shift, _ := time.ParseDuration(getenv(clockVariable))
	return func() time.Time { return time.Now().Add(shift) }
}

// world is what lies outside the program.
type world struct {
	in     *os.File
	out    io.Writer
	err    *os.File
	getenv func(string) string
	now    func() time.Time
}

// run carries one command line out and returns its exit code. The first
// interrupt asks the command to stop cleanly; a second one ends the process.
func run(args []string, w world) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	a := newApp(args, w)
	a.interrupted = ctx.Done()
	root := a.root()
	root.SetArgs(args)
	return a.report(ctx, root.ExecuteContext(ctx))
}

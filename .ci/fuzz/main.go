// SPDX-License-Identifier: Apache-2.0

// Command fuzz runs every fuzz target of the module for a while and prints a
// table: the target, how often it was executed, what it found. Each package is
// compiled once; targets run side by side, one worker each, by default as many
// as the machine has cores. A finding is written to testdata/fuzz beside the test, to
// be committed with its mending, and makes the run fail.
//
// Usage: go run ./.ci/fuzz [-time 10s] [-aside N] [-only PATTERN]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// target is one fuzz function, and how its run went.
type target struct {
	folder, name string
	executions   int64
	took         time.Duration
	failure      string // its output, if it found something
}

// aside is how many targets run side by side.
var aside int

func main() {
	each := flag.Duration("time", 10*time.Second, "how long each target runs")
	only := flag.String("only", "", "only targets whose folder and name fit this pattern")
	flag.IntVar(&aside, "aside", runtime.GOMAXPROCS(0), "how many run side by side")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *each, *only); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, each time.Duration, only string) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	targets, err := find(".", pattern)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("no target fits")
	}
	bin, err := os.MkdirTemp("", "traboule-fuzz-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := compile(ctx, bin, targets); err != nil {
		return err
	}
	began := time.Now()
	fuzzAll(ctx, bin, each, targets)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return tell(targets, time.Since(began))
}

var declared = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// find lists the targets in the tree below root.
func find(root string, pattern *regexp.Regexp) (list []*target, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range declared.FindAllStringSubmatch(string(text), -1) {
			t := &target{folder: filepath.ToSlash(filepath.Dir(path)), name: found[1]}
			if pattern.MatchString(t.folder + " " + t.name) {
				list = append(list, t)
			}
		}
		return nil
	})
	return list, err
}

// compile makes one instrumented test binary of each package.
func compile(ctx context.Context, bin string, targets []*target) error {
	done := map[string]bool{}
	for _, t := range targets {
		if done[t.folder] {
			continue
		}
		done[t.folder] = true
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz", ".", "-o", binary(bin, t.folder), "./"+t.folder)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("compile %s: %w\n%s", t.folder, err, out)
		}
	}
	return nil
}

func binary(bin, folder string) string {
	return filepath.Join(bin, strings.ReplaceAll(folder, "/", "-")+".test")
}

// fuzzAll runs the targets, some side by side.
func fuzzAll(ctx context.Context, bin string, each time.Duration, targets []*target) {
	cache := filepath.Join(bin, "cache")
	if own, err := os.UserCacheDir(); err == nil {
		cache = filepath.Join(own, "traboule-fuzz") // what was interesting before is so again
	}
	queue := make(chan *target)
	var workers sync.WaitGroup
	for range aside {
		workers.Go(func() {
			for t := range queue {
				t.fuzz(ctx, binary(bin, t.folder), filepath.Join(cache, t.folder), each)
			}
		})
	}
	for _, t := range targets {
		queue <- t
	}
	close(queue)
	workers.Wait()
}

// fuzz runs one target, once more if its time ran out in a way that the
// testing package takes for a failure.
func (t *target) fuzz(ctx context.Context, binary, cache string, each time.Duration) {
	began := time.Now()
	for try := 0; try < 2 && ctx.Err() == nil; try++ {
		out, err := t.once(ctx, binary, cache, each)
		t.executions += executions(out)
		if err == nil {
			break
		}
		timeRanOut := strings.Contains(out, "context deadline exceeded") && !strings.Contains(out, "Failing input")
		if !timeRanOut || try > 0 {
			t.failure = out
			break
		}
	}
	t.took = time.Since(began)
	fmt.Printf("%-60s %12d executions\n", t.folder+" "+t.name, t.executions)
}

func (t *target) once(ctx context.Context, binary, cache string, each time.Duration) (string, error) {
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^$", "-test.fuzz", "^"+t.name+"$",
		"-test.fuzztime", each.String(), "-test.parallel", "1", "-test.fuzzcachedir", cache,
		"-test.fuzzminimizetime", "1x") // shortening what is interesting would take most of a short run
	cmd.Dir = t.folder
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// least is how often a target is executed at least: one that hangs in its first
// inputs has tried nothing.
const least = 50

var counted = regexp.MustCompile(`execs: (\d+)`)

// executions is the last count that a run printed.
func executions(out string) int64 {
	found := counted.FindAllStringSubmatch(out, -1)
	if len(found) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(found[len(found)-1][1], 10, 64) // the pattern has digits alone
	return n
}

// tell prints the table, and the findings below it.
func tell(targets []*target, took time.Duration) error {
	slices.SortFunc(targets, func(a, b *target) int { return strings.Compare(a.folder+" "+a.name, b.folder+" "+b.name) })
	var all int64
	var failed []string
	fmt.Printf("\n| package | target | executions | seconds | found |\n|---|---|---:|---:|---|\n")
	for _, t := range targets {
		found := "nothing"
		switch {
		case t.failure != "":
			found = "**see below**"
			failed = append(failed, t.folder+" "+t.name)
		case t.executions < least:
			found = "**hardly ran**"
			failed = append(failed, t.folder+" "+t.name)
		}
		all += t.executions
		fmt.Printf("| %s | %s | %d | %.0f | %s |\n", t.folder, t.name, t.executions, t.took.Seconds(), found)
	}
	fmt.Printf("\n%d targets, %d executions, %.0f s\n", len(targets), all, took.Seconds())
	for _, t := range targets {
		if t.failure != "" {
			fmt.Printf("\n== %s %s\n%s\n", t.folder, t.name, t.failure)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("found by %s", strings.Join(failed, ", "))
	}
	return nil
}

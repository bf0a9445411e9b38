// SPDX-License-Identifier: Apache-2.0

// Command soak runs the campaigns of docs/reliability.md in their large form,
// one after another, with one seed, and prints a report: for each campaign its
// tests, its seconds, what it counted and what it found.
//
// What a campaign said is kept in soak/COMMIT/SEED/CAMPAIGN.txt. A campaign that
// passed is not run again with the same seed at the same commit: an interrupted
// run goes on where it was. Of a tree with changes that are not committed
// nothing is known from before: there everything runs. A campaign of which a
// test was skipped has not passed.
//
// Usage: go run ./.ci/soak [-seed N] [-only PATTERN] [-list]
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// campaign is some tests of a package, which TRABOULE_SOAK=1 makes large.
type campaign struct{ name, pkg, tests string }

// campaigns are in the order of how soon they say something. A test at the
// root sees to it that no test with a large form is missing.
var campaigns = []campaign{
	{"blocks", "./storage/blocks", "Histories|Compact"},
	{"powercut-journal", "./storage/journal", "PowerCut"},
	{"powercut-vault", "./storage/vault", "PowerCut"},
	{"checkpoints", "./storage/vault", "Checkpoint"},
	{"model", "./testnet/model", "Histories|PlantedFaults"},
	{"powercut-node", "./node", "PowerCut"},
	{"failures", "./storage/vault", "EachFailure"},
	{"failures-node", "./node", "EachFailure"},
	{"flips", "./storage/vault", "Flips|DamagedHistory"},
	{"kills", "./testnet", "^TestKills$"},
	{"hostile", "./testnet", "Hostile"},
	{"foreign", "./testnet/foreign", "OthersVerify|OthersRead"},
	{"views", "./node/view", "Reference|Nest|Histories|OnSets"},
	{"bombs", "./storage/importer", "^TestBombs$"},
	{"views-granted", "./node", "ViewsAndPolicies"},
}

// passed is the last line of a campaign's file that need not run again.
const passed = "soak: passed in "

func main() {
	seed := flag.Uint64("seed", rand.Uint64(), "where all that is random begins")
	only := flag.String("only", "", "only campaigns whose name fits this pattern")
	list := flag.Bool("list", false, "only say what would run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *seed, *only, *list); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, seed uint64, only string, list bool) error {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	if list {
		for _, c := range chosen {
			fmt.Printf("%-20s TRABOULE_SOAK=1 go test %s -run '%s'\n", c.name, c.pkg, c.tests)
		}
		return nil
	}
	commit, changed := tree(ctx)
	folder := filepath.Join("soak", commit, strconv.FormatUint(seed, 10))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	fmt.Printf("soak of %s with seed %d (again, or on: make soak SEED=%d)\n", commit, seed, seed)
	var done []result
	failed := 0
	for _, c := range chosen {
		r, err := c.run(ctx, seed, filepath.Join(folder, c.name+".txt"), !changed)
		if err != nil {
			return err
		}
		if r.failed > 0 || r.skipped > 0 || r.passed == 0 {
			failed++
		}
		done = append(done, r)
	}
	report(done, seed)
	if failed > 0 {
		return fmt.Errorf("%d campaigns found something, or did not run whole", failed)
	}
	return nil
}

// choose lists the campaigns whose name fits the pattern.
func choose(only string) (chosen []campaign, err error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	for _, c := range campaigns {
		if pattern.MatchString(c.name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no campaign fits")
	}
	return chosen, nil
}

// tree names the commit that is checked out, and says whether there are
// changes beside it. Where git does not know, everything counts as changed.
func tree(ctx context.Context) (commit string, changed bool) {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown", true
	}
	commit = strings.TrimSpace(string(head))
	if status, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output(); err != nil || len(status) > 0 {
		return commit + "-changed", true
	}
	return commit, false
}

// result is what one campaign came to.
type result struct {
	campaign
	passed, failed, skipped int
	took                    time.Duration
	told                    []string // the counts that its tests print
}

// run runs the campaign, unless file says that it passed and resume allows to
// believe that.
func (c campaign) run(ctx context.Context, seed uint64, file string, resume bool) (result, error) {
	if before, err := os.ReadFile(file); resume && err == nil && bytes.Contains(before, []byte(passed)) {
		fmt.Printf("== %s: passed before, see %s\n", c.name, file)
		return c.read(before), nil
	}
	fmt.Printf("== %s: %s -run '%s'\n", c.name, c.pkg, c.tests)
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-timeout", "12h", "-run", c.tests, c.pkg)
	cmd.Env = append(os.Environ(), "TRABOULE_SOAK=1", fmt.Sprint("TRABOULE_SEED=", seed))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return result{}, ctx.Err()
	}
	took := time.Since(began)
	r := c.read(out)
	r.took = took
	if err == nil && r.skipped == 0 {
		out = fmt.Appendf(out, "%s%v\n", passed, took.Round(time.Millisecond))
	}
	if err := os.WriteFile(file, out, 0o644); err != nil {
		return result{}, err
	}
	if err != nil && r.failed == 0 {
		r.failed = 1 // it did not compile, or died
	}
	fmt.Printf("   %d tests passed, %d failed, %d skipped, %.0f s\n", r.passed, r.failed, r.skipped, took.Seconds())
	return r, nil
}

var logged = regexp.MustCompile(`^\s+\w+_test\.go:\d+: (.*\d.*)$`)

// read takes a campaign's output apart.
func (c campaign) read(out []byte) result {
	r := result{campaign: c}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "--- PASS"):
			r.passed++
		case strings.HasPrefix(trimmed, "--- FAIL"):
			r.failed++
		case strings.HasPrefix(trimmed, "--- SKIP"):
			r.skipped++
		case strings.HasPrefix(line, passed):
			r.took, _ = time.ParseDuration(strings.TrimPrefix(line, passed)) // as it was written
		default:
			if said := logged.FindStringSubmatch(line); said != nil {
				r.told = append(r.told, said[1])
			}
		}
	}
	return r
}

func report(done []result, seed uint64) {
	if len(done) == 0 {
		return
	}
	fmt.Printf("\n| campaign | tests | seed | seconds | findings |\n|---|---:|---:|---:|---|\n")
	for _, r := range done {
		found := "none"
		switch {
		case r.failed > 0:
			found = fmt.Sprintf("**%d failed**", r.failed)
		case r.passed == 0:
			found = "**no test ran**"
		case r.skipped > 0:
			found = fmt.Sprintf("**%d skipped**", r.skipped)
		}
		fmt.Printf("| %s | %d | %d | %.0f | %s |\n", r.name, r.passed, seed, r.took.Seconds(), found)
	}
	for _, r := range done {
		if len(r.told) > 0 {
			fmt.Printf("\n%s\n", r.name)
		}
		for _, line := range r.told {
			fmt.Printf("  %s\n", line)
		}
	}
}

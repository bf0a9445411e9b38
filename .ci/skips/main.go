// SPDX-License-Identifier: Apache-2.0

// Command skips runs go test, prints its usual lines, and says every skipped
// test aloud with its reason. When the environment has CI=true, a skip that
// the list of allowed ones does not name makes it fail: a test that did not
// run has proved nothing.
//
// Usage: go run ./.ci/skips ALLOWED [go test flags and packages]
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// event is a line of go test -json (cmd/test2json).
type event struct {
	Action, Package, Test, Output string
}

// run gathers what one run of go test says.
type run struct {
	out   io.Writer
	held  map[string][]string // the output of a test, until it has ended
	skips []skip
}

type skip struct{ pkg, test, reason string }

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: skips ALLOWED [go test flags and packages]")
		os.Exit(2)
	}
	allowed, err := readAllowed(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(2)
	}
	r := &run{out: os.Stdout, held: map[string][]string{}}
	failed := r.test(os.Args[2:])
	if r.tell(allowed, os.Getenv("CI") == "true") || failed {
		os.Exit(1)
	}
}

// readAllowed reads "package test reason…" lines.
func readAllowed(path string) (map[string]bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the allowed skips: %w", err)
	}
	allowed := map[string]bool{}
	for line := range strings.SplitSeq(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 3 && !strings.HasPrefix(line, "#") {
			allowed[fields[0]+" "+fields[1]] = true
		}
	}
	return allowed, nil
}

func (r *run) test(args []string) (failed bool) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		return true
	}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text())
			continue
		}
		r.take(e)
	}
	return cmd.Wait() != nil || lines.Err() != nil
}

// take prints what go test prints without -v: packages, and failed tests.
func (r *run) take(e event) {
	id := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output" && e.Test != "":
		r.held[id] = append(r.held[id], e.Output)
	case e.Action == "output":
		if e.Output != "PASS\n" {
			fmt.Fprint(r.out, e.Output)
		}
	case e.Test != "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
		if e.Action == "fail" {
			fmt.Fprint(r.out, strings.Join(r.held[id], ""))
		}
		if e.Action == "skip" {
			r.skips = append(r.skips, skip{e.Package, e.Test, reason(r.held[id])})
		}
		delete(r.held, id)
	}
}

var place = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// reason is what the test gave to t.Skip.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		if place.MatchString(line) {
			said = append(said, strings.TrimSpace(place.ReplaceAllString(line, "")))
		}
	}
	if len(said) == 0 {
		return "(no reason given)"
	}
	return strings.Join(said, "; ")
}

// tell says the skips aloud, and whether one of them counts as a failure.
func (r *run) tell(allowed map[string]bool, strict bool) (failed bool) {
	if len(r.skips) == 0 {
		fmt.Fprintln(r.out, "skipped: none")
		return false
	}
	fmt.Fprintf(r.out, "skipped: %d\n", len(r.skips))
	for _, s := range r.skips {
		verdict := ""
		if ok := allowed[s.pkg+" "+s.test]; strict && ok {
			verdict = " (allowed)"
		} else if strict {
			verdict, failed = " (NOT ALLOWED in CI)", true
		}
		fmt.Fprintf(r.out, "  %s %s: %s%s\n", s.pkg, s.test, s.reason, verdict)
	}
	return failed
}

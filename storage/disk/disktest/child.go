// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
)

const childEnv = "TRABOULE_TEST_CHILD"

// ChildDir is the folder in which this process, started by [StartChild], has
// to work, or "" when it is no child.
func ChildDir() string { return os.Getenv(childEnv) }

// Child is a copy of the test binary at work, to be killed.
type Child struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

// StartChild runs one test of this test binary again in a process of its own,
// where [ChildDir] is dir. What that test writes to standard output is what it
// acknowledges, line by line.
func StartChild(t testing.TB, test, dir string) *Child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start a child: %v", err)
	}
	return &Child{cmd, bufio.NewScanner(out)}
}

// Kill waits for n lines from the child, kills it with SIGKILL, and returns
// all the lines that it wrote whole.
func (c *Child) Kill(t testing.TB, n int) []string {
	t.Helper()
	var lines []string
	for len(lines) < n && c.out.Scan() {
		lines = append(lines, c.out.Text())
	}
	if len(lines) < n {
		t.Errorf("the child ended by itself after %d of %d lines", len(lines), n)
	}
	c.cmd.Process.Kill()
	for c.out.Scan() {
		lines = append(lines, c.out.Text())
	}
	c.cmd.Wait()
	return lines
}

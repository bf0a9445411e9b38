// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	weakForTests = "yes"
	if os.Getenv("XDG_STATE_HOME") == "" { // nothing is left in the account that runs the tests
		os.Setenv("XDG_STATE_HOME", filepath.Join(os.DevNull, "state"))
	}
	testscript.Main(m, map[string]func(){"traboule": main})
}

// TestScripts runs the pages of testdata/script: the real program, as a
// process, the way a person or a script uses it.
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts("testdata/script"))
}

// scripts are the pages in a folder.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TRABOULE_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("LC_ALL", "C")
			env.Setenv("TZ", "UTC")
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			return os.WriteFile(filepath.Join(env.WorkDir, "secret"), []byte("a passphrase for tests\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsWith, "node": startNode, "var": setVar, "damage": damageFile, "restless": keepWriting,
		},
		Condition: func(name string) (bool, error) {
			if name != "namespaces" {
				return false, fmt.Errorf("there is no condition %s", name)
			}
			return exec.Command("unshare", "-rm", "true").Run() == nil, nil
		},
	}
}

// exitsWith runs a command and compares its exit code: "exits 3 traboule list".
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command [args]")
	}
	want := args[0]
	// The shell of the script has no exit codes: the program itself says it.
	err := ts.Exec(args[1], args[2:]...)
	if got := exitOf(err); got != want {
		ts.Fatalf("%v: exit code %s, want %s", args[1:], got, want)
	}
}

// startNode puts the node of a home folder on the network, waits until it
// says that it is, and stops it at the end of the page: "node alice".
func startNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: node HOME")
	}
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	cmd := exec.Command(filepath.Join(bin, "traboule"), "run", "--home", ts.MkAbs(args[0]), "--passphrase-file", ts.MkAbs("secret"),
		"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1")
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PATH="+ts.Getenv("PATH"))
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			ts.Logf("the node of %s: %v", args[0], err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "on the network") {
		ts.Fatalf("the node of %s does not start: %q, %v", args[0], line, err)
	}
}

// damageFile flips a bit in the middle of the one file that fits a pattern:
// "damage home/keyring.a".
func damageFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage PATTERN")
	}
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%s fits %d files, want 1", args[0], len(found))
	}
	data, err := os.ReadFile(found[0])
	ts.Check(err)
	data[len(data)/2] ^= 0x10
	ts.Check(os.WriteFile(found[0], data, 0o600))
}

// keepWriting appends to a file until the end of the page: "restless FILE".
func keepWriting(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: restless FILE")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	enough, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-enough:
				stopped <- f.Close()
				return
			default:
				if _, err := f.WriteString("more\n"); err != nil {
					stopped <- err
					return
				}
			}
		}
	}()
	ts.Defer(func() {
		close(enough)
		if err := <-stopped; err != nil {
			ts.Logf("write to %s: %v", args[0], err)
		}
	})
}

// setVar sets a variable to what a pattern finds in a file or in stdout:
// "var GRANT stdout 'called (g-[a-z0-9]+)'".
func setVar(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: var NAME FILE PATTERN")
	}
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) != 2 {
		ts.Fatalf("%s: nothing fits %s", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// clockVariable shifts the clock of a node of these tests.
const clockVariable = "TRABOULE_TEST_CLOCK"

// TestMain keeps what nodes remember outside of their folders out of the
// account that runs the tests.
func TestMain(m *testing.M) {
	if os.Getenv(hostileVariable) != "" {
		os.Exit(misbehave())
	}
	state, err := os.MkdirTemp("", "traboule-state-")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_STATE_HOME", state)
	code := m.Run()
	os.RemoveAll(state)
	os.Exit(code)
}

// TestScripts runs the pages of testdata. Every node on them is a process of
// its own; every peer is a libp2p host in this process. What a page may say
// besides the commands of testscript:
//
//	node NAME                   make a node, with a vault in the folder NAME
//	start NAME                  put it on the network, wait until it is
//	quit NAME, crash NAME      end its process: asked politely, or not at all
//	clock NAME SHIFT            from its next start on, its clock is wrong by SHIFT
//	move NAME OTHER             it will start at the address of the other node
//	as NAME COMMAND…            traboule COMMAND…, on that node; it must succeed
//	fails CODE NAME COMMAND…    the same, ending with that exit code
//	until NAME PATTERN COMMAND… the same, again and again until stdout fits
//	meet A B                    A and B become contacts, confirmed
//	var NAME FILE PATTERN       a variable from what a pattern finds
//	same TREE TREE              names, contents, modes and times are the same
//	damage FILE OFFSET          flip one byte; an offset below 0 is from the end
//
// and for those who do not keep to the protocol, see peers_test.go.
func TestScripts(t *testing.T) {
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("LC_ALL", "C")
			env.Setenv("TZ", "UTC")
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			p := &page{nodes: map[string]*process{}, peers: map[string]*peer{}, passed: map[string][][]byte{}}
			env.Values[pageKey{}] = p
			env.Defer(p.end)
			return os.WriteFile(filepath.Join(env.WorkDir, "secret"), []byte(passphrase+"\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node": makeNode, "start": startNode, "quit": quitNode, "crash": crashNode, "clock": setClock, "move": moveTo,
			"as": as, "fails": fails, "until": until, "meet": meet, "var": setVar, "same": same, "damage": damage,
			"peer": makePeer, "ask": ask, "again": askAgain, "bring": bring, "indistinct": indistinct,
		},
	})
}

// build makes the program as it is released, but for a clock that can be
// shifted.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "build", "-ldflags", "-X main.weakForTests=yes -X main.clockVariable="+clockVariable, "-o", bin, "../cmd/traboule")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return bin
}

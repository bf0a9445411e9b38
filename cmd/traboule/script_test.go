// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"traboule": main})
}

// TestScripts runs the pages of testdata/script: the real program, as a
// process, the way a person or a script uses it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TRABOULE_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("LC_ALL", "C")
			env.Setenv("TZ", "UTC")
			return os.WriteFile(filepath.Join(env.WorkDir, "secret"), []byte("a passphrase for tests\n"), 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exitsWith},
	})
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

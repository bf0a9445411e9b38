// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// setup runs the script that installs what is needed, and returns what it says.
func setup(args ...string) (string, error) {
	cmd := exec.Command("bash", append([]string{"setup"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("bash testnet/foreign/setup %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// javascript is the folder with the packages. It is named by the lock file:
// another one is another folder.
var javascript = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile("js/package-lock.json")
	if err != nil {
		return "", err
	}
	return setup("js", filepath.Join(cache, "traboule-foreign", fmt.Sprintf("js-%x", sha256.Sum256(lock))[:19]))
})

// beside puts a program beside the packages that it uses.
func beside(t *testing.T, packages, program string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("js", program))
	must(t, err)
	at := filepath.Join(packages, fmt.Sprintf("%x-%s", sha256.Sum256(text), program))
	must(t, place(at, text))
	return at
}

// place writes a file whose name says its content, in one step.
func place(name string, data []byte) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	part, err := os.CreateTemp(filepath.Dir(name), "part-*")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	return errors.Join(err, part.Close(), os.Rename(part.Name(), name))
}

var python = sync.OnceValues(func() (string, error) { return setup("python") })

// watch reads what only the others read, so that the cache of test results
// knows of it.
func watch(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range append(patterns, "setup") {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("nothing fits %s: %v", pattern, err)
		}
		for _, name := range names {
			if _, err := os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// need is what a program needs to run, or the end of the test.
func need(t *testing.T, installed func() (string, error)) string {
	t.Helper()
	there, err := installed()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("asks nobody: ", err)
	}
	return there
}

// askJS has one of the programs in JavaScript do something and reads its answer.
func askJS[A any](t *testing.T, program, command string, question any) (answer A) {
	t.Helper()
	at := beside(t, need(t, javascript), program)
	watch(t, "js/*")
	input, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, bytes.NewReader(input), "node", at, command)
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return answer
}

// askPython has the second reader do something and reads its answer.
func askPython[A any](t *testing.T, args ...string) (answer A) {
	t.Helper()
	program := need(t, python)
	watch(t, "python/*.py", vectors+"/*.json")
	out := run(t, nil, program, append([]string{"-B", "python/check.py"}, args...)...)
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return answer
}

func run(t *testing.T, stdin *bytes.Reader, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %.100v: %v\n%s", filepath.Base(program), args, err, stderr.String())
	}
	return stdout.Bytes()
}

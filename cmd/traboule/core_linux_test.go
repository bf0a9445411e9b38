// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoCoreDumps looks at a real process that waits for its passphrase: it
// must have given core dumps up before it knows a secret.
func TestNoCoreDumps(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.WriteFile(home+"/keyring.a", nil, 0o600); err != nil { // something to unlock
		t.Fatal(err)
	}
	fifo := home + "/passphrase"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "list", "--home", home, "--passphrase-file", fifo)
	cmd.Args[0] = "traboule" // by this name the test is the program
	allowCoreDumps(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Opening for writing returns when the process has opened it for reading.
	passphrase, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("core dumps are allowed:\n%s", limits)
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		t.Log("running as root, to whom every process belongs: not seen whether the memory is closed to others")
	} else if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 {
		t.Errorf("the process's memory belongs to user %d", owner)
	}
	passphrase.Close()
	cmd.Wait() // an empty passphrase: it refuses
}

// allowCoreDumps lets the processes that this one starts have them, unless
// they give them up.
func allowCoreDumps(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_CORE, &before) })
	if unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: max(before.Max, 1<<20)}) != nil {
		t.Log("core dumps are forbidden here already: only seen that the program does not allow them")
	}
}

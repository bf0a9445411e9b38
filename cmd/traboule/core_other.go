// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package main

import "golang.org/x/sys/unix"

// noCoreDumps keeps keys from being written to a disk when the process dies.
// Where a host forbids that, the program works all the same.
func noCoreDumps() { unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }

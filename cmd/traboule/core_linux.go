// SPDX-License-Identifier: Apache-2.0

package main

import "golang.org/x/sys/unix"

// noCoreDumps keeps keys from being written to a disk when the process dies,
// and other processes of the same user from reading its memory. Where a host
// forbids that, the program works all the same.
func noCoreDumps() {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// SPDX-License-Identifier: Apache-2.0

// Package speed measures what a node does in seconds and bytes, each beside
// the barest program that does the same on the same machine: `make bench`
// prints the table.
//
// The work: D1 is incompressible data in 4 files (256 MiB; 1 GiB with
// TRABOULE_BENCH_FULL=1), D2 is 20,000 files of 1-16 KiB. Everything is
// fsynced before a clock is stopped. It knows the node as its owner does, by
// operations. It does not know the goals: .ci/figures has them.
//
// Beside it run restic, if it is installed, and libp2p as it comes. TestIdleDay
// lets a day pass on a simulated clock.
//
// The way in are the benchmarks; each iteration does the whole work once, so
// run them with -benchtime 1x and a -count.
package speed

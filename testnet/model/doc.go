// SPDX-License-Identifier: Apache-2.0

// Package model checks five nodes of the real program against a page of plain
// Go that says who may read what.
//
//	seed ─► history ─┬─► five nodes: vault, gate, protocols, libp2p; disks that
//	                 │   lose what was not synced, wires that can be cut, clocks
//	                 │                      ║ after each move: the same answers,
//	                 │                      ║ the same contents, the same lists?
//	                 └─► the truth: a few maps
//
// A history is a list of moves, drawn from a seed: data sets come, change and
// go; owners meet, grant, revoke and dismiss; grantees fetch, pass on, withdraw;
// some lie (stolen chains, stolen and repeated invocations, dates put back);
// power is cut, disks are put back from backups, homes are made anew from recovery
// kits, wires are cut, clocks run and stand wrong. The journals get checkpoints
// all the time. One move follows the other, and those that say so overlap
// with the one thing they disturb: a revocation or a power cut in the middle of
// a fetch. There either outcome is right, but what was acknowledged counts, and
// no byte leaves after the revocation returned.
//
// What the truth knows is in truth_test.go. It does not know what is in a
// message, in a journal or in a block. Where it cannot know what the node knows
// (how late the clock mark is, how many seconds a dial took) it allows both
// answers, never a third.
//
// It holds nothing but tests, and nothing imports it. The ways in are
// TestHistories and TestPlantedFaults; a failure prints its seed and the
// shortest history that still fails, as a script to be read.
package model

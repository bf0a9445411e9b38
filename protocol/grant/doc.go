// SPDX-License-Identifier: Apache-2.0

// Package grant says what a grant means here: who may see which view of a data
// set, for what purpose, until when, and how often. It compiles that to a
// signed UCAN delegation and reads it back, and it holds the profile: the
// narrow part of UCAN that every implementation understands the same way.
//
// It knows the roles in a chain of delegations, the commands with their
// arguments, and what takes a delegation back. It does not know the time, who
// is connected, which data sets exist, or what lies in them: that is the gate's
// business (node/access). It keeps nothing on disk and starts nothing.
//
// The way in is [Compile] for what we grant, [Parse] for what we are granted,
// [CheckChain] for a whole chain, and [ParseReadArgs] for what is asked.
package grant

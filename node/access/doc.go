// SPDX-License-Identifier: Apache-2.0

// Package access is the one gate through which every byte of a data set
// leaves. It decides whether an invocation may be answered, and why not: a
// function of the chain it brings, what was revoked, what was seen and used
// before, and the time.
//
// It holds its state in memory, filled from the journal at start, and asks
// neither disk nor index: a stranger cannot make it do either. It does not
// journal, answer, delay or cancel; whoever calls it does, and tells it when
// that failed. It does not know what lies in a data set.
//
// The way in is [New], then [Gate.Check] for each invocation, [Gate.Use] when
// the head to deliver is known, and [Gate.Release] if the delivery could not
// be journaled. The order of its checks is in protocol/spec/tokens.md.
package access

// SPDX-License-Identifier: Apache-2.0

// Package protocol is what two nodes must agree on before they can talk: how
// a stream is cut into frames, how large one may be, the numbers of the
// answers that travel, how a stranger is refused, and how a link is spelled
// as text.
//
// It knows no conversation (each has a package below) and no network: a
// conversation runs over any [Stream]. It does not decide who is a stranger;
// a handler does, and everything it does not explain by a [Refusal] is told
// to the peer as [Denied] and nothing more.
//
// A conversation reads with [ReadFrame], writes with [WriteFrame], puts a
// [Watch] over its stream so that no peer can hold it for ever, and says no
// with [Refuse]. The normative pages are in protocol/spec.
package protocol

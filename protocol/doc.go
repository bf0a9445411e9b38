// SPDX-License-Identifier: Apache-2.0

// Package protocol is what two nodes must agree on before they can talk: how
// a stream is cut into frames, how large one may be, and the numbers of the
// answers that travel.
//
// It knows no conversation (each has a package below) and no network: a
// conversation runs over any [Stream]. The normative pages are in
// protocol/spec.
package protocol

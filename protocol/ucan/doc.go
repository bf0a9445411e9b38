// SPDX-License-Identifier: Apache-2.0

// Package ucan reads, writes and judges UCAN 1.0.0 tokens: signed statements
// by which one party lets another act for a subject (a delegation), asks for
// something now (an invocation), or takes a delegation back for ever (a
// revocation).
//
// It knows the envelope, the chain of proofs and the whole policy language of
// the specification. It accepts one encoding of each token (so that a CID
// names exactly one token), only Ed25519 issuers, and nothing without a bound:
// sizes, depths, numbers and the steps of a policy's evaluation are limited.
//
// It does not know what a command means, what a data set is, who is connected,
// what time it is, which delegations were revoked, or the narrower profile
// that this program grants under. It keeps nothing and starts nothing.
//
// The way in is [DecodeDelegation] and [DecodeInvocation] for what arrives,
// [Delegate], [Invoke] and [Revoke] for what leaves, and [CheckChain] for
// whether an invocation is proved. The normative page is
// protocol/spec/tokens.md.
package ucan

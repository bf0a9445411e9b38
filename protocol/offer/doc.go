// SPDX-License-Identifier: Apache-2.0

// Package offer hands signed things from node to node: a grant to its
// audience, a revocation to whoever it concerns, and the current upper links
// of a chain to those who stand under it.
//
// Participants: the bringer, who opens the stream, and the taker. Goals: a
// "taken" says that what was brought is durable at the taker; bringing it
// twice changes nothing; a stranger learns nothing. Non-goals: it does not
// read tokens (they are bytes here, and whoever takes them checks them), it
// keeps nothing and tries nothing again.
//
//	bringer → Grant{chain, name, addresses} | Revocation{record} | Chain{invocation, proofs}
//	taker   → Taken{} | Links{tokens}         or Refused{code}
//
// One question to a stream, and the taker ends it. The ways in are
// [BringGrant], [BringRevocation], [AskLinks] and [Serve]; a grant also
// travels as text, see [EncodeLink]. The normative page is
// protocol/spec/offer.md.
package offer

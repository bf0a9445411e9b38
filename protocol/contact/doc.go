// SPDX-License-Identifier: Apache-2.0

// Package contact is how two owners come to know each other: the signed
// [Card] that says who an owner is and where its node is, the [Link] that fits
// a QR code and leads to the card, the fingerprint that two people read aloud,
// and the conversation that fetches a card.
//
// Participants: the inviter, who handed out a link, and the guest, who holds
// it. Goals: after the fetch the guest has a card whose every bit was signed
// by the owner and the node that the link names, and the inviter has the
// guest's. Non-goals: it does not say whether the person behind a key is who
// they claim to be (that is what the fingerprint is for), whether a domain is
// theirs, or whether an invitation is still good; and it opens no connection.
//
// The ways in are [SignCard] and [ParseCard], [SignLink] and [ParseLink],
// [Fetch] and [Serve]. The normative page is protocol/spec/contact.md.
package contact

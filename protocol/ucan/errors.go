// SPDX-License-Identifier: Apache-2.0

package ucan

import (
	"errors"
	"fmt"
)

// Kind says what is wrong with a token or a chain. Its names are those of the
// UCAN 1.0.0 fixtures where they have one; its numbers travel and are only
// ever added to.
type Kind uint8

// The kinds of refusal, in the order of protocol/spec/tokens.md.
const (
	// Malformed: the bytes are not the one encoding of an envelope.
	Malformed Kind = 1 + iota
	// TooLarge: longer than the limit for its kind of token.
	TooLarge
	// InvalidSignature: the issuer did not sign this.
	InvalidSignature
	// InvalidClaim: a claim is absent, unknown, or says what it may not.
	InvalidClaim
	// UnavailableProof: a proof is named that was not brought.
	UnavailableProof
	// InvalidAudience: a delegation does not speak to the one who uses it.
	InvalidAudience
	// InvalidSubject: a delegation is about somebody else.
	InvalidSubject
	// InvalidCommand: a delegation does not cover the command under it.
	InvalidCommand
	// TooEarly: used before its first second.
	TooEarly
	// Expired: used after its last second.
	Expired
	// MatchError: a policy does not allow the arguments.
	MatchError
)

var kindNames = [...]string{
	Malformed: "Malformed", TooLarge: "TooLarge", InvalidSignature: "InvalidSignature",
	InvalidClaim: "InvalidClaim", UnavailableProof: "UnavailableProof",
	InvalidAudience: "InvalidAudience", InvalidSubject: "InvalidSubject",
	InvalidCommand: "InvalidCommand", TooEarly: "TooEarly", Expired: "Expired",
	MatchError: "MatchError",
}

// String is the kind's name, as the specification's fixtures spell it.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// NoProof is the Proof of an [Error] that is about the token itself rather
// than about one of its proofs.
const NoProof = -1

// Error is every refusal of this package but a policy's own [MismatchError],
// which it then wraps.
type Error struct {
	Kind  Kind
	Proof int // index in the invocation's proofs, root first, or NoProof
	Cause error
}

// Error says what was judged, the kind of refusal and its cause.
func (e *Error) Error() string {
	if e.Proof == NoProof {
		return fmt.Sprintf("check token: %s: %v", e.Kind, e.Cause)
	}
	return fmt.Sprintf("check proof %d: %s: %v", e.Proof, e.Kind, e.Cause)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf is the kind of the first [Error] in err's tree, or 0 if there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

func refuse(kind Kind, format string, args ...any) error {
	return refuseProof(kind, NoProof, format, args...)
}

func refuseProof(kind Kind, proof int, format string, args ...any) error {
	return &Error{Kind: kind, Proof: proof, Cause: fmt.Errorf(format, args...)}
}

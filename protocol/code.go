// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto/canonical"
)

// Code is why a peer was refused, as it travels. Codes are only ever added
// to. All but [Denied] are for those who presented a signed chain to a data
// set of this node, since they tell that it exists.
type Code uint16

// The codes that travel.
const (
	// Denied is all that a stranger hears.
	Denied Code = 1
	// Expired: the grant, or a link above it, is over since Time.
	Expired Code = 2
	// Revoked: somebody who may ended the grant.
	Revoked Code = 3
	// NotYet: the grant begins at Time.
	NotYet Code = 4
	// Refresh: an upper link of the chain aged; ask for the current ones.
	Refresh Code = 5
	// Clock: the invocation's times do not fit the clock here, which is Time.
	Clock Code = 6
	// Limit: the grant's uses or rate are spent, until Time if it is given.
	Limit Code = 7
	// Busy: too much to do now; again after Time if it is given.
	Busy Code = 8
	// Suspended: the owner paused this grant, or all of them.
	Suspended Code = 9
	// Gone: the data set is no longer here.
	Gone Code = 10
	// Malformed: a message that is not in the specification, or out of turn.
	Malformed Code = 11
	// Unsupported: a message that is reserved and not spoken by this version.
	Unsupported Code = 12
	// Outside: what was wanted is not part of what was granted.
	Outside Code = 13
	// Failed: the fault is here; the same request may succeed later.
	Failed Code = 14
)

var codeNames = [...]string{
	Denied: "denied", Expired: "expired", Revoked: "revoked", NotYet: "not yet valid",
	Refresh: "refresh the chain", Clock: "clocks disagree", Limit: "limit reached", Busy: "busy",
	Suspended: "suspended", Gone: "gone", Malformed: "malformed", Unsupported: "unsupported",
	Outside: "outside the grant", Failed: "failed",
}

// String is the code's name in the specification; codes of later versions
// show their number.
func (c Code) String() string {
	if int(c) < len(codeNames) && codeNames[c] != "" {
		return codeNames[c]
	}
	return fmt.Sprintf("code %d", uint16(c))
}

// Refusal is a no that travels. As an error of a handler it is sent to the
// peer; as an error of a client half it came from the peer.
type Refusal struct {
	Code Code
	// Time says when, for the codes that have a when, in Unix seconds; 0 is
	// none. Denied never has one.
	Time int64
}

// Error names the code, and the time if there is one.
func (r *Refusal) Error() string {
	if r.Time == 0 {
		return "refused: " + r.Code.String()
	}
	return fmt.Sprintf("refused: %s (%s)", r.Code, time.Unix(r.Time, 0).UTC().Format(time.RFC3339))
}

// Is reports whether target is a refusal with the same code, whatever its
// time, so that errors.Is(err, &Refusal{Code: Revoked}) asks for the code.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Code == r.Code
}

// AsRefusal is what may be told to the peer about err: the Refusal that it
// wraps, and Denied for everything else.
func AsRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) && r.Code != Denied && r.Code != 0 {
		return r
	}
	return &Refusal{Code: Denied}
}

type refusalBody struct {
	_    struct{} `cbor:",toarray"`
	Code Code
	Time int64
}

// maxRefusal bounds the body of a KindRefused frame: an array of two integers.
const maxRefusal = 16

// Encode returns the body of a [KindRefused] frame.
func (r *Refusal) Encode() []byte {
	return canonical.MustMarshal(refusalBody{Code: r.Code, Time: r.Time})
}

// ParseRefusal reads the body of a [KindRefused] frame. Codes that this
// version does not know are kept; a Denied that says more is refused.
func ParseRefusal(body []byte) (*Refusal, error) {
	var b refusalBody
	if len(body) > maxRefusal {
		return nil, fmt.Errorf("read a refusal: %w: %d bytes", ErrFrameTooLarge, len(body))
	}
	if err := canonical.Unmarshal(body, &b); err != nil {
		return nil, fmt.Errorf("read a refusal: %w", err)
	}
	if b.Code == 0 || b.Time < 0 || b.Code == Denied && b.Time != 0 {
		return nil, fmt.Errorf("read a refusal: code %d with time %d is none", b.Code, b.Time)
	}
	return &Refusal{Code: b.Code, Time: b.Time}, nil
}

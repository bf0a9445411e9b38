// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// Layer is which rules refused.
type Layer string

// The layers: what no UCAN implementation would allow, what is valid UCAN but
// no grant of ours, and what this node's state forbids.
const (
	LayerUCAN    Layer = "ucan"
	LayerProfile Layer = "profile"
	LayerGate    Layer = "gate"
)

// Denial says that an invocation is not answered. Code and Time are for the
// peer; everything else is for the owner's log.
type Denial struct {
	Code   protocol.Code // Denied for all but the audience of a signed chain to a data set here
	Time   int64         // Unix seconds, for codes that have a when; else 0
	Layer  Layer
	Reason error

	// Audience says that the peer did bring such a chain, and may hear Code.
	Audience bool

	// Grantee is to whom the grant in that chain was given, whoever brings it
	// now. Empty for strangers.
	Grantee crypto.DID
}

// Error says which layer refused, and why: for the owner.
func (d *Denial) Error() string {
	return fmt.Sprintf("deny an invocation (%s, %v): %v", d.Layer, d.Code, d.Reason)
}

// Unwrap is the reason.
func (d *Denial) Unwrap() error { return d.Reason }

// Refusal is what the peer hears.
func (d *Denial) Refusal() *protocol.Refusal {
	return &protocol.Refusal{Code: d.Code, Time: d.Time}
}

// fault is a denial before it is known who may hear it.
type fault struct {
	layer  Layer
	code   protocol.Code
	time   int64
	reason error
}

func deny(layer Layer, format string, args ...any) *fault {
	return tell(layer, protocol.Denied, 0, format, args...)
}

func tell(layer Layer, code protocol.Code, at int64, format string, args ...any) *fault {
	return &fault{layer, code, at, fmt.Errorf(format, args...)}
}

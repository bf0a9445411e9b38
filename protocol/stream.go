// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"io"
	"time"

	"github.com/traboule/traboule/crypto"
)

// Stream is one conversation with one peer, in order and without loss, whose
// other end proved that it is Peer. A libp2p stream is one, and so is a pipe
// in a test.
//
// One goroutine may read while another writes. Close and Reset may be called
// at any time and more than once.
type Stream interface {
	io.Reader
	io.Writer

	// Peer is the node at the other end; the connection proves it.
	Peer() crypto.DID

	// CloseWrite says that nothing more will be sent; reading goes on.
	CloseWrite() error

	// Close ends both directions in good order.
	Close() error

	// Reset drops the stream and what it still had to send, as soon as can be.
	Reset() error

	// SetDeadline bounds all reads and writes, now and later; the zero time
	// lifts the bound.
	SetDeadline(t time.Time) error
}

// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// ErrReset is in the errors of a stream that either side has reset, or whose
// connection is gone.
var ErrReset = errors.New("the stream was cut")

// ErrBusy is in the errors of a stream for which the peer had no place.
var ErrBusy = errors.New("the peer has no place for another stream")

// stream is a libp2p stream as a [protocol.Stream]: Peer is who proved to be
// at the other end of its connection. CloseWrite and SetDeadline are libp2p's.
type stream struct {
	network.Stream
	host *Host
	peer crypto.DID
	over atomic.Bool // Close or Reset was called
}

var _ protocol.Stream = (*stream)(nil)

// Peer names the node at the other end.
func (s *stream) Peer() crypto.DID { return s.peer }

// Read reads; at the end of what the peer sends, the error is io.EOF.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, s.failed("read from", err)
}

// Write queues b for sending; it blocks while the peer takes nothing.
func (s *stream) Write(b []byte) (int, error) {
	n, err := s.Stream.Write(b)
	if err != nil {
		return n, s.failed("write to", err)
	}
	return n, nil
}

// Close ends both directions; what was written still arrives.
func (s *stream) Close() error {
	s.over.Store(true)
	return s.Stream.Close()
}

// Reset drops the stream. On TCP, frames already queued may still leave after
// it has returned, and it may wait for a place in the queue: [Host.Abort]
// gives the harder promise.
func (s *stream) Reset() error {
	s.over.Store(true)
	return s.Stream.Reset()
}

// abandon resets a stream that its handler left open. It resets none that was
// closed: what is still on its way would be lost.
func (s *stream) abandon() {
	if !s.over.Load() {
		_ = s.Reset()
	}
}

// failed says what was tried with whom, and sorts the reasons that libp2p's
// transports spell in their own ways.
func (s *stream) failed(tried string, err error) error {
	var timeout net.Error
	switch {
	case s.host.isClosed():
		err = ErrClosed
	case isBusy(err):
		err = ErrBusy
	case errors.Is(err, network.ErrReset), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		err = ErrReset // QUIC's connections that die of silence too, which call that a timeout
	case errors.As(err, &timeout) && timeout.Timeout():
		err = os.ErrDeadlineExceeded
	}
	return fmt.Errorf("%s %s: %w", tried, s.peer, err)
}

// isBusy says whether the peer cut a stream because it has too many.
func isBusy(err error) bool {
	var cut *network.StreamError
	return errors.As(err, &cut) && cut.Remote && cut.ErrorCode == network.StreamResourceLimitExceeded
}

// Abort ends a stream of this host so that no byte of it, not even one that
// Write has already accepted, is sent once Abort has returned. It closes the
// whole connection; the other streams on it are cut too and have to resume on
// a new one.
//
// Nothing gentler keeps that promise. On TCP, yamux holds up to 64 frames of
// all streams in one queue which Reset joins at the end, and the kernel holds
// more; closing the connection stops the queue's writer, waits for it, and
// (lingering being off) lets the kernel drop what it holds. On QUIC, Reset
// forgets what is queued, but packets that are made already sit in a queue of
// their own, which only closing the connection drains before it returns; what
// follows is the notice of that closing, and stateless resets for packets that
// come later: neither carries a byte of a stream.
func (h *Host) Abort(s protocol.Stream) error {
	own, ok := s.(*stream)
	if !ok || own.host != h {
		return fmt.Errorf("abort a stream with %s: it is not of this host", s.Peer())
	}
	own.over.Store(true)
	if err := own.Conn().Close(); err != nil && !own.Conn().IsClosed() {
		return fmt.Errorf("abort the stream with %s: %w", own.peer, err)
	}
	return nil
}

// ClosePeer closes all connections with a peer, with the promise of
// [Host.Abort] for each of their streams. The peer may connect again.
func (h *Host) ClosePeer(did crypto.DID) error {
	id, err := peerID(did)
	if err != nil {
		return fmt.Errorf("close the connections: %w", err)
	}
	var failed error
	for _, c := range h.libp2p.Network().ConnsToPeer(id) {
		if err := c.Close(); err != nil && !c.IsClosed() {
			failed = errors.Join(failed, fmt.Errorf("close a connection with %s: %w", did, err))
		}
	}
	return failed
}

// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libproto "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// Reasons why [Host.Dial] fails.
var (
	ErrNobodyAnswers = errors.New("nobody answers")
	ErrSomebodyElse  = errors.New("somebody else answers")
	ErrNotSpoken     = errors.New("the peer does not speak this protocol")
)

// Bounds on what one dial takes: cards and links come from others.
const (
	maxAddrs      = 32
	maxAddrLen    = 512              // bytes of text
	dialedAddrTTL = 30 * time.Second // how long libp2p remembers the addresses
	crossedPause  = 500 * time.Millisecond
)

// Dial opens a stream with did for the conversation that id names, over the
// connection that is open, or over a new one to the first of addrs that
// answers and proves to be did. The caller closes the stream.
//
// ctx bounds the dialling, not the stream. The error says which of
// [ErrNobodyAnswers], [ErrSomebodyElse] (with both names), [ErrNotSpoken],
// [ErrReset] (the peer would not talk), [ErrBusy] and [ErrClosed] it is.
func (h *Host) Dial(ctx context.Context, did crypto.DID, addrs []string, id string) (protocol.Stream, error) {
	s, err := h.dial(ctx, did, addrs, id)
	switch {
	case err == nil:
		return s, nil
	case h.isClosed():
		err = ErrClosed
	}
	return nil, fmt.Errorf("dial %s for %s: %w", did, id, err)
}

func (h *Host) dial(ctx context.Context, did crypto.DID, addrs []string, id string) (*stream, error) {
	to, err := target(did, addrs)
	if err != nil {
		return nil, err
	}
	if to.ID == h.libp2p.ID() {
		return nil, errors.New("that is this node itself")
	}
	if err := h.connect(ctx, to); err != nil {
		return nil, err
	}
	s, err := h.open(ctx, to.ID, id)
	gone := errors.Is(err, net.ErrClosed) // the peer has forgotten that connection
	if err != nil && !errors.Is(err, ErrNotSpoken) && !errors.Is(err, ErrBusy) && (h.prune(ctx, to.ID) || gone) {
		if err := h.connect(ctx, to); err != nil {
			return nil, err
		}
		s, err = h.open(ctx, to.ID, id)
	}
	if err != nil {
		return nil, err
	}
	return &stream{Stream: s, host: h, peer: did}, nil
}

// open opens a stream over a connection that is there.
func (h *Host) open(ctx context.Context, to peer.ID, id string) (network.Stream, error) {
	s, err := h.libp2p.NewStream(network.WithNoDial(ctx, "connected already"), to, libproto.ID(id))
	var notSpoken multistream.ErrNotSupported[libproto.ID]
	switch {
	case errors.As(err, &notSpoken):
		return nil, ErrNotSpoken
	case isBusy(err):
		return nil, ErrBusy
	case errors.Is(err, network.ErrReset):
		return nil, ErrReset
	case errors.Is(err, net.ErrClosed):
		return nil, fmt.Errorf("%w: %w", ErrReset, err)
	}
	return s, err
}

// prune closes connections that the peer has closed and libp2p still counts,
// and says whether another try may do better. After an Abort at the other end,
// the first dial finds such a one.
func (h *Host) prune(ctx context.Context, id peer.ID) bool {
	pruned := false
	for _, c := range h.libp2p.Network().ConnsToPeer(id) {
		s, err := c.NewStream(ctx)
		if err == nil {
			_ = s.Reset()
			continue
		}
		if ctx.Err() != nil || errors.Is(err, network.ErrResourceLimitExceeded) {
			return false // the fault is ours, the connection may be well
		}
		_ = c.Close()
		pruned = true
	}
	return pruned || h.libp2p.Network().Connectedness(id) != network.Connected
}

// target reads what a card says of a peer: its name, and addresses which may
// end in /p2p/ and that same name.
func target(did crypto.DID, addrs []string) (peer.AddrInfo, error) {
	id, err := peerID(did)
	if err != nil {
		return peer.AddrInfo{}, err
	}
	if len(addrs) > maxAddrs {
		return peer.AddrInfo{}, fmt.Errorf("%d addresses, at most %d are tried", len(addrs), maxAddrs)
	}
	parsed, err := parseAddrs(addrs)
	if err != nil {
		return peer.AddrInfo{}, err
	}
	to := peer.AddrInfo{ID: id}
	for _, a := range parsed {
		transport, named := peer.SplitAddr(a)
		if named != "" && named != id {
			return peer.AddrInfo{}, fmt.Errorf("address %s is of %s: %w", a, nameOf(named), ErrSomebodyElse)
		}
		if transport != nil {
			to.Addrs = append(to.Addrs, transport)
		}
	}
	return to, nil
}

// connect makes sure of a connection. An earlier failure does not hold it
// back: when to try again is the caller's to say.
func (h *Host) connect(ctx context.Context, to peer.AddrInfo) error {
	if h.libp2p.Network().Connectedness(to.ID) == network.Connected {
		return nil
	}
	if s, ok := h.libp2p.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(to.ID)
	}
	h.libp2p.Peerstore().AddAddrs(to.ID, to.Addrs, dialedAddrTTL)
	err := h.libp2p.Connect(ctx, peer.AddrInfo{ID: to.ID})
	if err != nil && crossed(err) {
		err = h.connectApart(ctx, to.ID)
	}
	if err != nil {
		return explainDial(err, to.Addrs)
	}
	return nil
}

// crossed says whether both ends dialled at the same moment from the ports
// that they listen on: TCP makes one connection of the two (RFC 9293, section
// 3.5), on which each takes itself for the client.
func crossed(err error) bool {
	return strings.Contains(reasons(err), "received unexpected handshake message of type *tls.clientHelloMsg")
}

// connectApart dials again after a moment that is hardly the other end's.
func (h *Host) connectApart(ctx context.Context, id peer.ID) error {
	apart := time.NewTimer(rand.N(crossedPause))
	defer apart.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-apart.C:
	}
	if s, ok := h.libp2p.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(id)
	}
	return h.libp2p.Connect(ctx, peer.AddrInfo{ID: id})
}

// explainDial says who answered, if anybody did.
func explainDial(err error, addrs []ma.Multiaddr) error {
	var other sec.ErrPeerIDMismatch
	if errors.As(err, &other) {
		return fmt.Errorf("%w: %s", ErrSomebodyElse, nameOf(other.Actual))
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w at %s: %s", ErrNobodyAnswers, spell(addrs), reasons(err))
}

// reasons puts what went wrong at each address on one line.
func reasons(err error) string {
	var failed *swarm.DialError
	if !errors.As(err, &failed) || len(failed.DialErrors) == 0 {
		return err.Error()
	}
	var lines []string
	for _, e := range failed.DialErrors {
		lines = append(lines, fmt.Sprintf("%s: %s", e.Address, e.Cause))
	}
	return strings.Join(lines, "; ")
}

func spell(addrs []ma.Multiaddr) string {
	if len(addrs) == 0 {
		return "no address"
	}
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// nameOf is a peer's DID, or libp2p's name for a peer that has none.
func nameOf(id peer.ID) string {
	if did, err := didOf(id); err == nil {
		return string(did)
	}
	return id.String()
}

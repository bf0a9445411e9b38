// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libproto "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/transport/tcpreuse"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// ErrClosed is in every error of a host, and of its streams, after [Host.Close].
var ErrClosed = errors.New("the host is closed")

// Options say who a host is and where it listens. Key is needed; the zero
// value of all else is right for a node that only dials.
type Options struct {
	// Key is the node's identity.
	Key Key

	// Listen holds the multiaddrs to listen on, such as
	// /ip4/0.0.0.0/tcp/4001 and /ip4/0.0.0.0/udp/4001/quic-v1. Port 0 is any
	// free one. None: nobody can dial this host.
	Listen []string

	// PreferTCP dials TCP first and QUIC half a second later, or at once when
	// TCP fails: one TCP stream moves three times what one QUIC stream does.
	// Default: libp2p's order, QUIC first.
	PreferTCP bool

	// Transports replace QUIC-v1 and TCP, for simulated networks.
	Transports []libp2p.Option
}

// Host is one node's end of the network. All methods may be called by many
// goroutines.
type Host struct {
	key    Key
	libp2p host.Host

	ctx    context.Context // ends with Close; handlers get it
	cancel context.CancelFunc

	admitted atomic.Uint64

	mu       sync.Mutex
	closed   bool
	handlers sync.WaitGroup // Add only under mu and while not closed

	closing  sync.Once
	closeErr error
}

// New makes a host that listens on every one of opt.Listen, or fails and
// names the address that it could not have. Connections are accepted from now
// on (libp2p listens when it is made); [Host.Close] stops all that runs.
func New(opt Options) (*Host, error) {
	key, err := adaptKey(opt.Key)
	if err != nil {
		return nil, fmt.Errorf("start the network: %w", err)
	}
	listen, err := parseAddrs(opt.Listen)
	if err != nil {
		return nil, fmt.Errorf("start the network: %w", err)
	}
	settings, err := settings(key, opt)
	if err != nil {
		return nil, fmt.Errorf("start the network: %w", err)
	}
	lib, err := libp2p.New(settings...)
	if err != nil {
		return nil, fmt.Errorf("start the network: %w", err)
	}
	h := &Host{key: opt.Key, libp2p: lib}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for _, a := range listen {
		if err := h.listen(a); err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, err), h.Close())
		}
	}
	return h, nil
}

// listen takes one address at a time, since libp2p is content when any one of
// several succeeds.
func (h *Host) listen(a ma.Multiaddr) error {
	if err := probe(a); err != nil {
		return err
	}
	return h.libp2p.Network().Listen(a)
}

// probe takes a TCP address and lets go of it. libp2p shares ports
// (SO_REUSEPORT) so that it can dial from where it listens; without a probe, a
// second node of the same user would share ours and get half of our peers.
func probe(a ma.Multiaddr) error {
	if _, err := a.ValueForProtocol(ma.P_TCP); err != nil || !tcpreuse.ReuseportIsAvailable() {
		return nil
	}
	l, err := manet.Listen(a)
	if err != nil {
		return err
	}
	return l.Close()
}

func parseAddrs(addrs []string) ([]ma.Multiaddr, error) {
	parsed := make([]ma.Multiaddr, 0, len(addrs))
	for _, s := range addrs {
		if len(s) > maxAddrLen {
			return nil, fmt.Errorf("address of %d bytes, at most %d are read", len(s), maxAddrLen)
		}
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", s, err)
		}
		parsed = append(parsed, a)
	}
	return parsed, nil
}

// DID names the node.
func (h *Host) DID() crypto.DID { return h.key.DID() }

// Addrs returns the multiaddrs that the host listens on, one per interface,
// private ones too: for cards and links that the owner hands out. What
// strangers are told is less.
func (h *Host) Addrs() []string {
	addrs, err := h.libp2p.Network().InterfaceListenAddresses()
	if err != nil {
		addrs = h.libp2p.Network().ListenAddresses()
	}
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// Handle lets f answer the conversation that id names, one goroutine per
// stream, until [Host.Close]. A later f for the same id takes its place.
//
// f decides whether the peer may speak, closes the stream, and returns soon
// after its ctx ends: Close waits for it. A stream that f leaves open is reset.
func (h *Host) Handle(id string, f func(context.Context, protocol.Stream)) {
	h.libp2p.SetStreamHandler(libproto.ID(id), func(s network.Stream) {
		if !h.enter() {
			_ = s.Reset()
			return
		}
		defer h.handlers.Done()
		peer, err := peerOf(s.Conn())
		if err != nil { // a key that no DID names: no conversation is for them
			_ = s.Reset()
			return
		}
		wrapped := &stream{Stream: s, host: h, peer: peer}
		defer wrapped.abandon()
		f(h.ctx, wrapped)
	})
}

// enter counts a handler, unless the host is closed.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.handlers.Add(1)
	return true
}

func (h *Host) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// Protect makes a peer known: its connections are kept when there are too many,
// and it takes none of the places of strangers.
func (h *Host) Protect(did crypto.DID) {
	if id, err := peerID(did); err == nil {
		h.libp2p.ConnManager().Protect(id, protectedTag)
	}
}

// Unprotect takes [Host.Protect] back.
func (h *Host) Unprotect(did crypto.DID) {
	if id, err := peerID(did); err == nil {
		h.libp2p.ConnManager().Unprotect(id, protectedTag)
	}
}

// Admit counts the peer of a stream among those who are known, until release:
// for whoever showed that they may be here, and is no contact.
func (h *Host) Admit(s protocol.Stream) (release func()) {
	id, err := peerID(s.Peer())
	if err != nil {
		return func() {}
	}
	tag := fmt.Sprintf("admitted %d", h.admitted.Add(1))
	h.libp2p.ConnManager().Protect(id, tag)
	return func() { h.libp2p.ConnManager().Unprotect(id, tag) }
}

// Run waits until ctx ends, then closes the host and returns when all has
// stopped.
func (h *Host) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-h.ctx.Done():
	}
	return h.Close()
}

// Close cuts all connections and returns when every handler has returned and
// nothing runs or listens any more. It may be called more than once; not by a
// handler.
func (h *Host) Close() error {
	h.closing.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.cancel()
		if err := h.libp2p.Close(); err != nil {
			h.closeErr = fmt.Errorf("stop the network: %w", err)
		}
		h.handlers.Wait()
	})
	return h.closeErr
}

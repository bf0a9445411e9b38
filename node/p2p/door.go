// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// door is a resource manager that lets strangers have a share of the places
// and no more: what is beyond it stays free for those who are known (see
// [Host.Protect] and [Host.Admit]). Who comes is counted by network while the
// handshake lasts, since nobody has a name before it is over, and after it only
// if they are strangers.
//
//	OpenConnection ─ handshakes ─► SetPeer ─ strangers ─► Done
//	                                  └────── known ────► Done
//
// It counts what comes in; what this node opens itself is its own affair.
type door struct {
	network.ResourceManager
	known func(peer.ID) bool

	mu         sync.Mutex
	handshakes share[netip.Prefix]
	reserve    share[netip.Prefix] // more handshakes, for the networks in homely
	homely     map[netip.Prefix]struct{}
	strangers  share[netip.Prefix]
	streams    share[peer.ID] // of strangers
	rate       *rate.Limiter  // of strangers
}

func newDoor(inside network.ResourceManager, known func(peer.ID) bool) *door {
	return &door{
		ResourceManager: inside, known: known, homely: map[netip.Prefix]struct{}{}, rate: strangerRate(),
		handshakes: share[netip.Prefix]{each: handshakesPerNetwork, all: handshakesInAll},
		reserve:    share[netip.Prefix]{each: handshakesPerNetwork, all: handshakesReserved},
		strangers:  share[netip.Prefix]{each: strangersPerNetwork, all: strangersInAll},
		streams:    share[peer.ID]{each: strangerStreams, all: strangerStreamsInAll},
	}
}

// OpenConnection counts a connection that comes in, until it is Done.
func (d *door) OpenConnection(dir network.Direction, file bool, endpoint ma.Multiaddr) (network.ConnManagementScope, error) {
	if dir != network.DirInbound {
		return d.ResourceManager.OpenConnection(dir, file, endpoint)
	}
	c := &doorConn{door: d, from: networkOf(endpoint)}
	if !c.enter() {
		return nil, fmt.Errorf("too many handshakes under way with %s: %w", c.from, network.ErrResourceLimitExceeded)
	}
	inside, err := d.ResourceManager.OpenConnection(dir, file, endpoint)
	if err != nil {
		c.leave()
		return nil, err
	}
	c.ConnManagementScope = inside
	return c, nil
}

// OpenStream counts a stream that a stranger opens, until it is Done.
func (d *door) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	if dir != network.DirInbound || d.known(p) {
		return d.ResourceManager.OpenStream(p, dir)
	}
	if !d.took(p) {
		return nil, fmt.Errorf("too many streams of strangers: %w", network.ErrResourceLimitExceeded)
	}
	inside, err := d.ResourceManager.OpenStream(p, dir)
	if err != nil {
		d.gave(p)
		return nil, err
	}
	return &doorStream{StreamManagementScope: inside, done: sync.OnceFunc(func() { d.gave(p) })}, nil
}

func (d *door) took(p peer.ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.streams.take(p)
}

func (d *door) gave(p peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.streams.give(p)
}

// doorConn is one connection that came in.
type doorConn struct {
	network.ConnManagementScope
	door *door
	from netip.Prefix
	held *share[netip.Prefix] // where it is counted now, under door.mu; nil: nowhere
}

// SetPeer says that the handshake is over, and with whom it was.
func (c *doorConn) SetPeer(p peer.ID) error {
	if err := c.ConnManagementScope.SetPeer(p); err != nil {
		return err
	}
	if !c.name(c.door.known(p)) {
		return fmt.Errorf("too many strangers: %w", network.ErrResourceLimitExceeded)
	}
	return nil
}

// Done may be called more than once.
func (c *doorConn) Done() {
	c.ConnManagementScope.Done()
	c.leave()
}

func (c *doorConn) enter() bool {
	d := c.door
	d.mu.Lock()
	defer d.mu.Unlock()
	_, homely := d.homely[c.from]
	switch {
	case d.handshakes.take(c.from):
		c.held = &d.handshakes
	case homely && d.reserve.take(c.from):
		c.held = &d.reserve
	}
	return c.held != nil
}

// name moves the connection from the handshakes to the strangers, or to those
// who need no place; it says whether there was one.
func (c *doorConn) name(known bool) bool {
	d := c.door
	d.mu.Lock()
	defer d.mu.Unlock()
	c.release()
	if known {
		if len(d.homely) >= maxHomely {
			clear(d.homely)
		}
		d.homely[c.from] = struct{}{}
		return true
	}
	if !d.rate.Allow(c.from.Addr()) || !d.strangers.take(c.from) {
		return false
	}
	c.held = &d.strangers
	return true
}

func (c *doorConn) leave() {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.release()
}

func (c *doorConn) release() {
	if c.held != nil {
		c.held.give(c.from)
		c.held = nil
	}
}

// doorStream is one stream of a stranger's.
type doorStream struct {
	network.StreamManagementScope
	done func()
}

// Done may be called more than once.
func (s *doorStream) Done() {
	s.StreamManagementScope.Done()
	s.done()
}

// share is so many places in all, and so many for each.
type share[K comparable] struct {
	each, all int
	taken     map[K]int
	total     int
}

func (s *share[K]) take(k K) bool {
	if s.total >= s.all || s.taken[k] >= s.each {
		return false
	}
	if s.taken == nil {
		s.taken = map[K]int{}
	}
	s.taken[k]++
	s.total++
	return true
}

func (s *share[K]) give(k K) {
	s.total--
	if s.taken[k]--; s.taken[k] == 0 {
		delete(s.taken, k)
	}
}

// networkOf is the part of an address that one household has: an IPv4 address,
// or a /56 of IPv6. What has no address is one network, and so is all that
// comes through one relay.
func networkOf(endpoint ma.Multiaddr) netip.Prefix {
	raw, err := manet.ToIP(endpoint)
	if err != nil {
		return netip.Prefix{}
	}
	ip, _ := netip.AddrFromSlice(raw)
	ip, bits := ip.Unmap(), 32
	if ip.Is6() {
		bits = 56
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}

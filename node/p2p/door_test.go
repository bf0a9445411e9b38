// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/traboule/traboule/protocol"
)

// fromNetwork lets a host dial TCP as if it lived elsewhere: each n is a
// network of its own.
func fromNetwork(n int) libp2p.Option {
	from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}
	return libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) {
		return &net.Dialer{LocalAddr: from}, nil
	}))
}

func strangersFrom(t *testing.T, h *Host, from, count int) (in []libhost.Host) {
	t.Helper()
	for range count {
		s := newStranger(t, fromNetwork(from))
		if err := s.Connect(testContext(t), infoOf(h)); err != nil {
			continue
		}
		in = append(in, s)
	}
	return in
}

// eventually waits for something that libp2p does in its own time.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := testContext(t); !done(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(what)
		}
	}
}

func connections(h *Host) int { return len(h.libp2p.Network().Conns()) }

// However many strangers there are, from one network or from many, those who
// are known come in; and when strangers leave, others may come.
func TestStrangersDoNotFillTheHouse(t *testing.T) {
	h, contact := newEchoHost(t, onTCP), newKey(t)
	h.Protect(contact.DID())
	first := strangersFrom(t, h, 1, strangersPerNetwork+4)
	eventually(t, "one network has more than its share, or less", func() bool { return connections(h) == strangersPerNetwork })
	for n := 2; connections(h) < strangersInAll && n < 9; n++ {
		strangersFrom(t, h, n, strangersPerNetwork)
	}
	strangersFrom(t, h, 9, 4)
	eventually(t, "all strangers have more than their share, or less", func() bool { return connections(h) == strangersInAll })

	guest := newHost(t, Options{Key: contact, Transports: []libp2p.Option{fromNetwork(1)}})
	mustEcho(t, mustDial(t, guest, h, echo), "a contact is at home")
	if n := connections(h); n != strangersInAll+1 {
		t.Errorf("%d connections", n)
	}
	_ = first[0].Close()
	eventually(t, "a stranger's place is not given back", func() bool { return connections(h) == strangersInAll })
	strangersFrom(t, h, 9, 1)
	eventually(t, "a place that is free is given to nobody", func() bool { return connections(h) == strangersInAll+1 })
}

// The same over QUIC, where the handshake and the connection are one thing.
func TestStrangersOnQUIC(t *testing.T) {
	h, contact := newEchoHost(t, onQUIC), newKey(t)
	h.Protect(contact.DID())
	for range strangersPerNetwork + 6 {
		_ = newStranger(t).Connect(testContext(t), infoOf(h)) // those who are too many hear of it later
	}
	eventually(t, "one network has more than its share, or less", func() bool { return connections(h) == strangersPerNetwork })
	guest := newHost(t, Options{Key: contact})
	mustEcho(t, mustDial(t, guest, h, echo), "a contact is at home")
	if n := connections(h); n != strangersPerNetwork+1 {
		t.Errorf("%d connections", n)
	}
}

// Whoever is admitted counts as known until they are released.
func TestAdmit(t *testing.T) {
	h := newHost(t, Options{Listen: []string{onTCP}})
	admitted, leave := make(chan func()), make(chan struct{})
	h.Handle(echo, func(_ context.Context, s protocol.Stream) {
		admitted <- h.Admit(s)
		<-leave
		_ = s.Close()
	})
	guest := newHost(t, Options{})
	s := mustDial(t, guest, h, echo)
	if _, err := io.WriteString(s, "x"); err != nil {
		t.Fatal(err)
	}
	release := <-admitted
	id := guest.libp2p.ID()
	if !h.libp2p.ConnManager().IsProtected(id, "") {
		t.Error("who was admitted is a stranger")
	}
	h.Protect(guest.DID())
	release()
	if !h.libp2p.ConnManager().IsProtected(id, "") {
		t.Error("a contact is a stranger when their passage is over")
	}
	h.Unprotect(guest.DID())
	if h.libp2p.ConnManager().IsProtected(id, "") {
		t.Error("still known")
	}
	close(leave)
}

// half opens a TCP connection and says nothing.
func half(t *testing.T, h *Host, from int) net.Conn {
	t.Helper()
	addr, err := ma.StringCast(h.Addrs()[0]).ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(from>>8), byte(from))}}
	c, err := d.DialContext(testContext(t), "tcp", "127.0.0.1:"+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// alive says whether the other end still waits for what is said.
func alive(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	return err == nil || errors.As(err, &timeout) && timeout.Timeout()
}

// Half-open connections take the places of handshakes, and not those kept for
// networks from which somebody known came before.
func TestHalfOpenConnections(t *testing.T) {
	h, contact := newEchoHost(t, onTCP), newKey(t)
	h.Protect(contact.DID())
	dial := func(from int) error {
		guest := newHost(t, Options{Key: contact, Transports: []libp2p.Option{fromNetwork(from)}})
		defer guest.Close()
		s, err := guest.Dial(testContext(t), h.DID(), h.Addrs(), echo)
		if err == nil {
			mustEcho(t, s, "x")
		}
		return err
	}
	if err := dial(1000); err != nil {
		t.Fatal(err)
	}
	waiting := 0
	for i := range handshakesInAll + 8 {
		if alive(t, half(t, h, i/handshakesPerNetwork)) {
			waiting++
		}
	}
	if waiting < handshakesInAll-4 || waiting > handshakesInAll { // the server says its protocol to some
		t.Errorf("%d half-open connections are kept, want %d", waiting, handshakesInAll)
	}
	if err := dial(1001); err == nil {
		t.Error("there is room for another handshake: this test proves nothing")
	}
	if err := dial(1000); err != nil {
		t.Errorf("a contact who was here before: %v", err)
	}
}

// The door counts right whatever happens inside.
func TestDoorGivesBack(t *testing.T) {
	known := peer.ID("known")
	inside := &network.NullResourceManager{}
	d := newDoor(inside, func(p peer.ID) bool { return p == known })
	at := ma.StringCast("/ip4/127.6.7.8/tcp/1") // from where anybody may come as often as they like
	for round := range 3 {
		var open []network.ConnManagementScope
		for i := range handshakesPerNetwork {
			c, err := d.OpenConnection(network.DirInbound, true, at)
			if err != nil {
				t.Fatalf("round %d, handshake %d: %v", round, i, err)
			}
			open = append(open, c)
		}
		if _, err := d.OpenConnection(network.DirInbound, true, at); !errors.Is(err, network.ErrResourceLimitExceeded) {
			t.Fatalf("one handshake too many: %v", err)
		}
		if _, err := d.OpenConnection(network.DirOutbound, true, at); err != nil {
			t.Errorf("our own dial: %v", err)
		}
		for i, c := range open {
			if err := c.SetPeer(peer.ID(fmt.Sprint(i))); err != nil {
				t.Errorf("stranger %d: %v", i, err)
			}
		}
		c, err := d.OpenConnection(network.DirInbound, true, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetPeer("one more"); !errors.Is(err, network.ErrResourceLimitExceeded) {
			t.Errorf("one stranger too many: %v", err)
		}
		for _, c := range append(open, c) {
			c.Done()
			c.Done()
		}
		if d.handshakes.total+d.strangers.total+len(d.handshakes.taken)+len(d.strangers.taken) != 0 {
			t.Fatalf("round %d: places are not given back: %+v %+v", round, d.handshakes, d.strangers)
		}
	}
	var streams []network.StreamManagementScope
	for i := range strangerStreamsInAll {
		s, err := d.OpenStream(peer.ID(fmt.Sprint(i%(strangerStreamsInAll/strangerStreams))), network.DirInbound)
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		streams = append(streams, s)
	}
	if _, err := d.OpenStream("another", network.DirInbound); !errors.Is(err, network.ErrResourceLimitExceeded) {
		t.Errorf("one stream too many: %v", err)
	}
	if _, err := d.OpenStream(known, network.DirInbound); err != nil {
		t.Errorf("a contact's stream: %v", err)
	}
	for _, s := range streams {
		s.Done()
		s.Done()
	}
	if d.streams.total+len(d.streams.taken) != 0 {
		t.Errorf("streams are not given back: %+v", d.streams)
	}
}

// Who shares a contact's address does not keep the contact out by coming and
// going: how often is a bound for strangers alone.
func TestComingAndGoing(t *testing.T) {
	const friend = peer.ID("friend")
	for _, at := range []string{"/ip4/203.0.113.7/tcp/1", "/ip6/2001:db8:1:2::3/udp/1/quic-v1"} {
		d, err := resourceManager(func(p peer.ID) bool { return p == friend })
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		come := func(p peer.ID, dir network.Direction) error {
			c, err := d.OpenConnection(dir, false, ma.StringCast(at))
			if err != nil {
				t.Fatalf("%s: before anybody can know who it is: %v", at, err)
			}
			defer c.Done()
			return c.SetPeer(p)
		}
		in := 0
		for i := range 20 * strangersAtOnce {
			if come(peer.ID(fmt.Sprint(i)), network.DirInbound) == nil {
				in++
			}
		}
		if in < strangersAtOnce || in > strangersAtOnce+20 { // some more as time passes
			t.Errorf("%s: %d strangers came in at once, want %d", at, in, strangersAtOnce)
		}
		for range 2 * strangersAtOnce {
			if err := come(friend, network.DirInbound); err != nil {
				t.Fatalf("%s: the contact: %v", at, err)
			}
			if err := come("somebody whom we dial", network.DirOutbound); err != nil {
				t.Fatalf("%s: our own dial: %v", at, err)
			}
		}
	}
}

func TestNetworkOf(t *testing.T) {
	for a, want := range map[string]string{
		"/ip4/5.6.7.8/tcp/1":                  "5.6.7.8/32",
		"/ip6/2a01:e0a:1:2345::1/udp/1":       "2a01:e0a:1:2300::/56",
		"/ip6/::ffff:5.6.7.8/tcp/1":           "5.6.7.8/32",
		"/dns4/example.org/tcp/1":             "invalid Prefix",
		"/ip4/127.0.0.1/udp/1/quic-v1":        "127.0.0.1/32",
		"/ip6/2a01:e0a:1:23ff:9::7/tcp/65535": "2a01:e0a:1:2300::/56",
	} {
		if got := networkOf(ma.StringCast(a)).String(); got != want {
			t.Errorf("%s is of %s, want %s", a, got, want)
		}
	}
}

// One identity has so many connections, however many hosts it has.
func TestConnectionsOfOnePeer(t *testing.T) {
	h := newEchoHost(t, onTCP)
	key, _, err := libcrypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * peerConnsIn {
		_ = newStranger(t, libp2p.Identity(key)).Connect(testContext(t), infoOf(h)) // beyond the budget it fails, sooner or later
	}
	eventually(t, "one peer has more connections than its share, or fewer", func() bool { return connections(h) == peerConnsIn })
}

// What the table of budgets says is what the resource manager is given.
func TestLimits(t *testing.T) {
	given := limits().ToPartialLimitConfig()
	for what, c := range map[string][2]int64{
		"memory in all":             {int64(given.System.Memory), 96 << 20},
		"memory of one peer":        {int64(given.PeerDefault.Memory), 48 << 20},
		"connections that come in":  {int64(given.System.ConnsInbound), 128},
		"streams that come in":      {int64(given.System.StreamsInbound), 1024},
		"files":                     {int64(given.System.FD), 256},
		"handshakes":                {int64(given.Transient.ConnsInbound), 64 + 32},
		"streams without a name":    {int64(given.Transient.StreamsInbound), 256},
		"streams of one peer":       {int64(given.PeerDefault.StreamsInbound), 32},
		"connections from one peer": {int64(given.PeerDefault.ConnsInbound), 4},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, want %d", what, c[0], c[1])
		}
	}
	if strangersInAll >= connsIn || strangerStreamsInAll >= streamsIn || strangerStreamsInAll*(256<<10) > memoryBudget/2 {
		t.Error("strangers leave too little for those who are known")
	}
}

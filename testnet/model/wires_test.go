// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p"
	libquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/marcopolo/simnet"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"
)

// wires join the endpoints of five homes: each home has an address, 1.0.0.n,
// and as many ports as it wants. A wire takes no time; it can be cut.
type wires struct {
	mu   sync.Mutex
	ends map[netip.AddrPort]*end
	cut  map[[2]int]bool // between two homes, the lower first
	dark map[int]bool    // homes without power
	sent map[[2]int]int  // bytes that left, from and to
}

func newWires() *wires {
	return &wires{ends: map[netip.AddrPort]*end{}, cut: map[[2]int]bool{}, dark: map[int]bool{}, sent: map[[2]int]int{}}
}

// end is one endpoint.
type end struct {
	*simnet.SimConn
	of   *wires
	addr netip.AddrPort
}

func portOf(a net.Addr) netip.AddrPort {
	ap := a.(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// homeAt is whose address this is.
func homeAt(a netip.AddrPort) int { return int(a.Addr().As4()[3]) - 1 }

func pair(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

// listen is an endpoint for quic-go, in the place of a UDP socket.
func (w *wires) listen(_ string, at *net.UDPAddr) (net.PacketConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &end{SimConn: simnet.NewBlockingSimConn(at), of: w, addr: portOf(at)}
	e.SetUpPacketReceiver(w)
	w.ends[e.addr] = e
	return e, nil
}

// WriteTo counts what leaves.
func (e *end) WriteTo(p []byte, to net.Addr) (int, error) {
	w := e.of
	w.mu.Lock()
	from, dest := homeAt(e.addr), homeAt(portOf(to))
	if !w.isCut(from, dest) {
		w.sent[[2]int{from, dest}] += len(p)
	}
	w.mu.Unlock()
	return e.SimConn.WriteTo(p, to)
}

func (e *end) Close() error {
	e.of.mu.Lock()
	if e.of.ends[e.addr] == e {
		delete(e.of.ends, e.addr)
	}
	e.of.mu.Unlock()
	return e.SimConn.Close()
}

// isCut says whether nothing passes; the caller holds mu.
func (w *wires) isCut(a, b int) bool { return w.cut[pair(a, b)] || w.dark[a] || w.dark[b] }

// RecvPacket carries a packet, or loses it.
func (w *wires) RecvPacket(p *simnet.Packet) {
	w.mu.Lock()
	from, to := portOf(p.From), portOf(p.To)
	dest := w.ends[to]
	if w.isCut(homeAt(from), homeAt(to)) {
		dest = nil
	}
	w.mu.Unlock()
	if dest != nil {
		dest.SimConn.RecvPacket(p)
	}
}

func (w *wires) setCut(a, b int, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[pair(a, b)] = cut
}

func (w *wires) setDark(a int, dark bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dark[a] = dark
}

// sentFrom is how many bytes left a home for another.
func (w *wires) sentFrom(a, b int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent[[2]int{a, b}]
}

// source tells quic-go the address that it sends from.
type source struct{ ip net.IP }

func (s *source) PreferredSourceIPForDestination(*net.UDPAddr) (net.IP, error) { return s.ip, nil }

// transports are libp2p's own QUIC, over the wires.
func (w *wires) transports() []libp2p.Option {
	from := &source{}
	return []libp2p.Option{
		libp2p.Transport(libquic.NewTransport),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.QUICReuse(newConnManager,
			quicreuse.OverrideSourceIPSelector(func() (quicreuse.SourceIPSelector, error) { return from, nil }),
			quicreuse.OverrideListenUDP(func(network string, at *net.UDPAddr) (net.PacketConn, error) {
				from.ip = at.IP
				return w.listen(network, at)
			})),
	}
}

// newConnManager makes what libp2p would make, and sees to it that it is closed.
func newConnManager(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
	cm, err := quicreuse.NewConnManager(reset, token, opts...)
	if err != nil {
		return nil, err
	}
	l.Append(fx.StopHook(cm.Close))
	return cm, nil
}

// nobody listens for commands that never come.
type nobody struct {
	once   sync.Once
	closed chan struct{}
}

func newNobody() (net.Listener, error) { return &nobody{closed: make(chan struct{})}, nil }

var errClosed = errors.New("closed")

func (l *nobody) Accept() (net.Conn, error) { <-l.closed; return nil, errClosed }
func (l *nobody) Addr() net.Addr            { return &net.UnixAddr{Name: "nobody", Net: "unix"} }
func (l *nobody) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

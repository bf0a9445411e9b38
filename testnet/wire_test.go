// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	libpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
)

// The frames of a transfer, as its specification numbers them.
const (
	frameRequest = 2
	frameAnswer  = 3
	frameWant    = 4
	frameBlock   = 5
)

// wire is the TCP of one node with a watch in two places: under all encryption,
// at the sockets, where it counts, cuts and holds up; and above it, where it
// reads the frames of each stream.
type wire struct {
	// frame, if set, is told of each whole frame that a stream has carried.
	// starts, if set, is told before the first byte of one is written.
	frame  func(s *wireStream, out bool, kind byte, body []byte)
	starts func(kind byte)
	// stuck is told when a write on a stream or a socket takes this long.
	stuck func()

	mu      sync.Mutex
	sockets map[string]*socket // by remote address
	budget  int64              // bytes that may still be read before all is cut; below 0: no cut
	hold    chan struct{}      // if set, sockets read nothing until it is closed
}

const stuckAfter = 100 * time.Millisecond

func newWire() *wire { return &wire{sockets: map[string]*socket{}, budget: -1} }

// network is for node.Options.
func (w *wire) network(o *p2p.Options) { o.Transports = w.transports() }

func (w *wire) transports() []libp2p.Option {
	return []libp2p.Option{libp2p.Transport(func(u transport.Upgrader, rm network.ResourceManager) (*tcp.TcpTransport, error) {
		return tcp.NewTCPTransport(wireUpgrader{u, w}, rm, nil)
	})}
}

// cutAfter cuts every connection once n more bytes were read.
func (w *wire) cutAfter(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.budget = n
}

// take says how many of n bytes that were read count, and whether to cut.
func (w *wire) take(n int) (int, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.budget < 0 {
		return n, false
	}
	if int64(n) < w.budget {
		w.budget -= int64(n)
		return n, false
	}
	n = int(w.budget)
	w.budget = 0
	return n, true
}

// holdUp stops reading until the channel is closed.
func (w *wire) holdUp(until chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = until
}

func (w *wire) held() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hold == nil {
		free := make(chan struct{})
		close(free)
		return free
	}
	return w.hold
}

func (w *wire) socketOf(remote ma.Multiaddr) *socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sockets[remote.String()]
}

func (w *wire) watched(c manet.Conn) *socket {
	s := &socket{Conn: c, wire: w, remote: c.RemoteMultiaddr().String()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sockets[s.remote] = s
	return s
}

// patiently does what may block, and says when it has for too long.
func (w *wire) patiently(write func()) {
	if w.stuck != nil {
		defer time.AfterFunc(stuckAfter, w.stuck).Stop()
	}
	write()
}

// wireUpgrader puts the watch under and over the encryption, which the
// upgrader makes.
type wireUpgrader struct {
	transport.Upgrader
	wire *wire
}

func (u wireUpgrader) GateMaListener(l manet.Listener) transport.GatedMaListener {
	return u.Upgrader.GateMaListener(socketListener{l, u.wire})
}

func (u wireUpgrader) UpgradeGatedMaListener(t transport.Transport, l transport.GatedMaListener) transport.Listener {
	return connListener{u.Upgrader.UpgradeGatedMaListener(t, l), u.wire}
}

func (u wireUpgrader) Upgrade(ctx context.Context, t transport.Transport, c manet.Conn, dir network.Direction, p libpeer.ID, scope network.ConnManagementScope) (transport.CapableConn, error) {
	s := u.wire.watched(c)
	up, err := u.Upgrader.Upgrade(ctx, t, s, dir, p, scope)
	if err != nil {
		return nil, err
	}
	return &wireConn{up, s}, nil
}

type socketListener struct {
	manet.Listener
	wire *wire
}

func (l socketListener) Accept() (manet.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wire.watched(c), nil
}

type connListener struct {
	transport.Listener
	wire *wire
}

func (l connListener) Accept() (transport.CapableConn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wireConn{c, l.wire.socketOf(c.RemoteMultiaddr())}, nil
}

// socket is a TCP connection as the kernel sees it.
type socket struct {
	manet.Conn
	wire   *wire
	remote string

	mu      sync.Mutex
	written int64
}

func (s *socket) Write(b []byte) (n int, err error) {
	s.wire.patiently(func() { n, err = s.Conn.Write(b) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(n)
	return n, err
}

func (s *socket) sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

func (s *socket) Read(b []byte) (int, error) {
	<-s.wire.held()
	n, err := s.Conn.Read(b)
	n, cut := s.wire.take(n)
	if cut {
		_ = s.Close()
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// SetLinger keeps what the transport asks for reaching the socket.
func (s *socket) SetLinger(sec int) error {
	return s.Conn.(interface{ SetLinger(int) error }).SetLinger(sec)
}

// wireConn is a connection above its encryption.
type wireConn struct {
	transport.CapableConn
	socket *socket
}

func (c *wireConn) Stat() network.ConnStats { return c.CapableConn.(network.ConnStat).Stat() }

func (c *wireConn) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	s, err := c.CapableConn.OpenStream(ctx)
	return c.read(s), err
}

func (c *wireConn) AcceptStream() (network.MuxedStream, error) {
	s, err := c.CapableConn.AcceptStream()
	return c.read(s), err
}

func (c *wireConn) read(s network.MuxedStream) network.MuxedStream {
	if s == nil {
		return nil
	}
	w := &wireStream{MuxedStream: s, socket: c.socket}
	w.in.done = func(kind byte, body []byte) { w.told(false, kind, body) }
	w.out.done = func(kind byte, body []byte) { w.told(true, kind, body) }
	w.out.begun = c.socket.wire.starts
	return w
}

// wireStream is one stream, whose frames are read as they pass.
type wireStream struct {
	network.MuxedStream
	socket  *socket
	in, out frames // each of one goroutine at a time, as reads and writes are
}

func (s *wireStream) told(out bool, kind byte, body []byte) {
	if f := s.socket.wire.frame; f != nil {
		f(s, out, kind, body)
	}
}

func (s *wireStream) Read(b []byte) (int, error) {
	n, err := s.MuxedStream.Read(b)
	s.in.passed(b[:n])
	return n, err
}

func (s *wireStream) Write(b []byte) (n int, err error) {
	s.out.announced(b)
	s.socket.wire.patiently(func() { n, err = s.MuxedStream.Write(b) })
	s.out.passed(b[:n])
	return n, err
}

// frames reads one direction of a stream: lengths as varints, each with that
// many bytes after it. The negotiation before a conversation has the same
// form; its lines begin with a slash.
type frames struct {
	begun  func(kind byte)
	done   func(kind byte, body []byte)
	length []byte
	left   uint64
	body   []byte
}

// keptOfBlock is how much of a block is kept: its name.
const keptOfBlock = 64

func (f *frames) passed(b []byte) {
	for len(b) > 0 {
		if f.left == 0 {
			f.length = append(f.length, b[0])
			b = b[1:]
			if size, n := binary.Uvarint(f.length); n > 0 {
				f.left, f.length, f.body = size, f.length[:0], f.body[:0]
			}
			continue
		}
		part := b[:min(uint64(len(b)), f.left)]
		if len(f.body) == 0 || f.body[0] != frameBlock || len(f.body) < keptOfBlock {
			f.body = append(f.body, part[:min(len(part), 256<<10)]...)
		}
		f.left -= uint64(len(part))
		b = b[len(part):]
		if f.left == 0 && f.body[0] != '/' && f.done != nil {
			f.done(f.body[0], f.body[1:])
		}
	}
}

// announced says which frame begins with what is about to be written, if one
// does.
func (f *frames) announced(b []byte) {
	if f.begun == nil || f.left != 0 || len(f.length) != 0 {
		return
	}
	if _, n := binary.Uvarint(b); n > 0 && n < len(b) && b[n] != '/' {
		f.begun(b[n])
	}
}

// blockName is the name in a Block frame: a length, a CID, the ciphertext.
func blockName(body []byte) crypto.BlockName {
	_, n := binary.Uvarint(body)
	cid := []byte{0x01, 0x55, 0x12, 0x20}
	if n <= 0 || len(body) < n+len(cid)+32 || !bytes.Equal(body[n:n+len(cid)], cid) {
		panic("a block frame is not as its specification says")
	}
	return crypto.BlockName(body[n+len(cid):][:32])
}

// wantedNames are the names in a Want frame.
func wantedNames(body []byte) []crypto.BlockName {
	var names []crypto.BlockName
	for ; len(body) >= 32; body = body[32:] {
		names = append(names, crypto.BlockName(body[:32]))
	}
	return names
}

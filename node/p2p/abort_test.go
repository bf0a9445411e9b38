// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	libquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/quic-go/quic-go"
	"go.uber.org/fx"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// socketWatch stands at the sender's sockets, under all encryption and all
// queues of the program, and sees what is handed to the kernel.
type socketWatch struct {
	mu      sync.Mutex
	total   int
	ended   bool            // the promise holds from here
	notices map[string]bool // the short writes before that
	strays  []string
	reset   []byte           // QUIC: the key of the tokens of stateless resets
	heard   map[[4]byte]bool // QUIC: the connections for which the peer's packets ask
	resets  int              // stateless resets since the promise holds
	want    int              // closes enough when total gets there
	enough  chan struct{}
}

// noticeMax bounds QUIC's notice of closing, in bytes; packets of data are
// longer.
const noticeMax = 100

// saw notes a write. Once ended, a write may only repeat a short one from
// before: QUIC repeats its notice of closing while the peer still speaks, and
// never sends the same bytes twice otherwise. And it may be a stateless reset:
// when that notice is forgotten, packets that still come are answered so.
func (w *socketWatch) saw(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total += len(b)
	if w.enough != nil && w.total >= w.want {
		close(w.enough)
		w.enough = nil
	}
	switch {
	case !w.ended && len(b) <= noticeMax:
		w.notices[string(b)] = true
	case w.ended && w.isReset(b):
		w.resets++
	case w.ended && !w.notices[string(b)]:
		w.strays = append(w.strays, fmt.Sprintf("%d bytes", len(b)))
	}
}

// isReset says whether b is what QUIC sends for a connection it does not know
// (RFC 9000, 10.3): random bytes, and the token of a connection that the peer
// asked for. No packet of data ends in such a token.
func (w *socketWatch) isReset(b []byte) bool {
	const token = 16
	if len(b) != 1+20+4+1+token {
		return false
	}
	for id := range w.heard {
		mac := hmac.New(sha256.New, w.reset)
		mac.Write(id[:])
		if bytes.HasSuffix(b, mac.Sum(nil)[:token]) {
			return true
		}
	}
	return false
}

// hears notes a packet on its way from the peer: the connection it asks for
// follows the first byte of a short header.
func (w *socketWatch) hears(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(b) > 4 && b[0]&0x80 == 0 {
		w.heard[[4]byte(b[1:5])] = true
	}
}

func newSocketWatch() *socketWatch {
	return &socketWatch{notices: make(map[string]bool), heard: make(map[[4]byte]bool)}
}

func (w *socketWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended, w.strays, w.total = false, nil, 0
}

// end is called when Abort has returned.
func (w *socketWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// after is closed when n bytes more have been written.
func (w *socketWatch) after(n int) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want, w.enough = w.total+n, make(chan struct{})
	return w.enough
}

func (w *socketWatch) written() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

func (w *socketWatch) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.strays) > 0 {
		t.Errorf("written after Abort had returned: %s", strings.Join(w.strays, ", "))
	}
}

// watchedTCP is the TCP transport with the watch between it and its sockets,
// dialled and accepted ones.
func watchedTCP(w *socketWatch) []libp2p.Option {
	return []libp2p.Option{libp2p.Transport(func(u transport.Upgrader, rm network.ResourceManager) (*tcp.TcpTransport, error) {
		return tcp.NewTCPTransport(watchedUpgrader{u, w}, rm, nil)
	})}
}

type watchedUpgrader struct {
	transport.Upgrader
	watch *socketWatch
}

func (u watchedUpgrader) GateMaListener(l manet.Listener) transport.GatedMaListener {
	return u.Upgrader.GateMaListener(watchedListener{l, u.watch})
}

func (u watchedUpgrader) Upgrade(ctx context.Context, t transport.Transport, c manet.Conn, dir network.Direction, p peer.ID, scope network.ConnManagementScope) (transport.CapableConn, error) {
	return u.Upgrader.Upgrade(ctx, t, &watchedConn{c, u.watch}, dir, p, scope)
}

type watchedListener struct {
	manet.Listener
	watch *socketWatch
}

func (l watchedListener) Accept() (manet.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{c, l.watch}, nil
}

type watchedConn struct {
	manet.Conn
	watch *socketWatch
}

func (c *watchedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.watch.saw(b[:n])
	return n, err
}

// SetLinger keeps what the transport asks for reaching the socket.
func (c *watchedConn) SetLinger(sec int) error {
	return c.Conn.(interface{ SetLinger(int) error }).SetLinger(sec)
}

// watchedQUIC is the QUIC transport over watched sockets.
func watchedQUIC(w *socketWatch) []libp2p.Option {
	return seenQUIC(w.saw, func(reset quic.StatelessResetKey) { w.reset = reset[:] })
}

// heardQUIC is the QUIC transport of a peer of the one that is watched.
func heardQUIC(w *socketWatch) []libp2p.Option {
	return seenQUIC(w.hears, func(quic.StatelessResetKey) {})
}

func seenQUIC(saw func([]byte), takeKey func(quic.StatelessResetKey)) []libp2p.Option {
	listen := quicreuse.OverrideListenUDP(func(network string, laddr *net.UDPAddr) (net.PacketConn, error) {
		c, err := net.ListenUDP(network, laddr)
		if err != nil {
			return nil, err
		}
		return &watchedPackets{c, saw}, nil
	})
	manager := func(l fx.Lifecycle, reset quic.StatelessResetKey, token quic.TokenGeneratorKey, opts ...quicreuse.Option) (*quicreuse.ConnManager, error) {
		takeKey(reset)
		m, err := quicreuse.NewConnManager(reset, token, opts...)
		if err == nil {
			l.Append(fx.StopHook(m.Close))
		}
		return m, err
	}
	return []libp2p.Option{libp2p.Transport(libquic.NewTransport), libp2p.QUICReuse(manager, listen)}
}

type watchedPackets struct {
	*net.UDPConn
	saw func([]byte)
}

func (c *watchedPackets) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.UDPConn.WriteTo(b, to)
	c.saw(b)
	return n, err
}

func (c *watchedPackets) WriteMsgUDP(b, oob []byte, to *net.UDPAddr) (int, int, error) {
	n, m, err := c.UDPConn.WriteMsgUDP(b, oob, to)
	c.saw(b)
	return n, m, err
}

const flood = "/traboule/test/flood/1.0.0"

// flooder answers every stream with bytes without end and hands the test the
// stream; each finished stream says so.
type flooder struct {
	*Host
	streams  chan protocol.Stream
	finished chan error
}

func newFlooder(t *testing.T, listen string, transports []libp2p.Option) *flooder {
	f := &flooder{
		Host:     newHost(t, Options{Listen: []string{listen}, Transports: transports}),
		streams:  make(chan protocol.Stream, 2),
		finished: make(chan error, 2),
	}
	f.Handle(flood, func(_ context.Context, s protocol.Stream) {
		f.streams <- s
		f.finished <- writeWithoutEnd(s)
	})
	return f
}

func writeWithoutEnd(s protocol.Stream) error {
	chunk := bytes.Repeat([]byte("traboule"), 8<<10)
	for {
		if _, err := s.Write(chunk); err != nil {
			return err
		}
	}
}

// readUntil takes n bytes, says so, and reads on until the stream is cut.
func readUntil(s protocol.Stream, n int64, reached chan<- error) {
	_, err := io.CopyN(io.Discard, s, n)
	reached <- err
	_, _ = io.Copy(io.Discard, s)
}

const tries = 100

func unwatched(*socketWatch) []libp2p.Option { return nil }

// The promise of a revocation, at the sockets of a node that serves two
// floods on one connection: when Abort of the one has returned, nothing more
// is written.
func TestAbortEndsWriting(t *testing.T) {
	for name, try := range map[string]struct {
		listen        string
		watched, peer func(*socketWatch) []libp2p.Option
	}{
		"TCP":  {onTCP, watchedTCP, unwatched},
		"QUIC": {onQUIC, watchedQUIC, heardQUIC},
	} {
		t.Run(name, func(t *testing.T) {
			watch := newSocketWatch()
			server := newFlooder(t, try.listen, try.watched(watch))
			client := newHost(t, Options{Transports: try.peer(watch)})
			var longest time.Duration
			for i := range tries {
				watch.begin()
				took := abortOnce(t, server, client, watch, int64(1+i)<<10)
				longest = max(longest, took)
				watch.check(t)
				if watch.written() < 1<<10 {
					t.Fatalf("the watch saw %d bytes only", watch.written())
				}
			}
			t.Logf("%d tries, longest Abort %v, %d stateless resets", tries, longest, watch.resets)
		})
	}
}

// abortOnce floods the client with two streams, aborts one after n bytes, and
// returns when both floods have ended.
func abortOnce(t *testing.T, server *flooder, client *Host, watch *socketWatch, n int64) time.Duration {
	t.Helper()
	var readers sync.WaitGroup
	reached := make(chan error, 2)
	for range 2 {
		s := mustDial(t, client, server.Host, flood)
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		readers.Go(func() { readUntil(s, n, reached) })
	}
	aborted := <-server.streams
	<-server.streams
	for range 2 {
		if err := <-reached; err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := server.Abort(aborted); err != nil {
		t.Fatal(err)
	}
	watch.end()
	took := time.Since(start)
	for range 2 {
		if err := <-server.finished; !errors.Is(err, ErrReset) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("a flood ended with %v", err)
		}
	}
	readers.Wait()
	if err := server.Abort(aborted); err != nil {
		t.Errorf("abort again: %v", err)
	}
	return took
}

// The watch knows a stateless reset by its token: one for a connection that
// the peer asked for is no stray, one of the same length for another is.
func TestWatchKnowsStatelessResets(t *testing.T) {
	watch := newSocketWatch()
	server := newHost(t, Options{Listen: []string{onQUIC}, Transports: watchedQUIC(watch)})
	_, address, err := manet.DialArgs(server.libp2p.Network().ListenAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	watch.end()
	for _, id := range []string{"seen", "else"} {
		packet := append([]byte("\x40"+id), make([]byte, 60)...)
		if id == "seen" {
			watch.hears(packet)
		}
		answered := watch.after(1)
		if _, err := peer.Write(packet); err != nil {
			t.Fatal(err)
		}
		<-answered
	}
	watch.mu.Lock()
	defer watch.mu.Unlock()
	if watch.resets != 1 || len(watch.strays) != 1 {
		t.Errorf("%d resets and %v strays, want one of each", watch.resets, watch.strays)
	}
}

// A dialler's streams end the same way.
func TestAbortOfADialledStream(t *testing.T) {
	for name, try := range map[string]struct {
		watched, peer func(*socketWatch) []libp2p.Option
	}{
		"TCP":  {watchedTCP, unwatched},
		"QUIC": {watchedQUIC, heardQUIC},
	} {
		t.Run(name, func(t *testing.T) {
			watch := newSocketWatch()
			server := newHost(t, Options{Listen: []string{transportsUnderTest[name]}, Transports: try.peer(watch)})
			reached := make(chan error, 1)
			server.Handle(flood, func(_ context.Context, s protocol.Stream) { readUntil(s, 1<<20, reached) })
			client := newHost(t, Options{Transports: try.watched(watch)})
			s := mustDial(t, client, server, flood)
			finished := make(chan error, 1)
			go func() { finished <- writeWithoutEnd(s) }()
			if err := <-reached; err != nil {
				t.Fatal(err)
			}
			if err := client.Abort(s); err != nil {
				t.Fatal(err)
			}
			watch.end()
			<-finished
			watch.check(t)
		})
	}
}

// ClosePeer ends all streams of a peer, and of no other.
func TestClosePeer(t *testing.T) {
	for name, listen := range transportsUnderTest {
		t.Run(name, func(t *testing.T) {
			server := newEchoHost(t, listen)
			closed, kept := newHost(t, Options{}), newHost(t, Options{})
			first, second := mustDial(t, closed, server, echo), mustDial(t, kept, server, echo)
			for _, s := range []protocol.Stream{first, second} {
				if _, err := io.WriteString(s, "x"); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			if err := server.ClosePeer(closed.DID()); err != nil {
				t.Fatal(err)
			}
			if _, err := first.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
				t.Errorf("the closed peer reads on: %v", err)
			}
			mustEcho(t, second, "still here")
			if err := server.ClosePeer(newKey(t).DID()); err != nil {
				t.Errorf("close an unknown peer: %v", err)
			}
			if err := server.ClosePeer("nobody"); err == nil {
				t.Error("closes what is no DID")
			}
		})
	}
}

type foreignStream struct{ protocol.Stream }

func (foreignStream) Peer() crypto.DID { return "did:key:z6Mk" }

func TestAbortRefusesStreamsOfOthers(t *testing.T) {
	server, client := newEchoHost(t, onTCP), newHost(t, Options{})
	s := mustDial(t, client, server, echo)
	if err := server.Abort(s); err == nil {
		t.Error("aborts another host's stream")
	}
	if err := server.Abort(foreignStream{}); err == nil {
		t.Error("aborts what is no stream of a host")
	}
	mustEcho(t, s, "unharmed")
}

// stallingProxy stands between two TCP nodes. Once stalled it takes no more
// from the dialler, so that bytes pile up in the dialler's queue and kernel.
type stallingProxy struct {
	listener net.Listener
	stalled  atomic.Bool
	idle     chan struct{} // the pump has seen that it is stalled
	resume   chan struct{}
	rest     chan int // how much came after resume
}

func newStallingProxy(t *testing.T, target string) *stallingProxy {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &stallingProxy{listener: l, idle: make(chan struct{}), resume: make(chan struct{}), rest: make(chan int, 1)}
	var running sync.WaitGroup
	running.Go(func() { p.run(target) })
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return p
}

func (p *stallingProxy) run(target string) {
	in, err := p.listener.Accept()
	if err != nil {
		return
	}
	defer in.Close()
	_ = in.(*net.TCPConn).SetReadBuffer(4 << 10)
	out, err := net.Dial("tcp4", target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(in, out) })
	defer back.Wait()
	defer out.Close()
	buf := make([]byte, 1<<10)
	for !p.stalled.Load() {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return
		}
	}
	close(p.idle)
	<-p.resume
	rest, _ := io.ReadAll(in) // until the reset
	p.rest <- len(rest)
}

// With a peer that takes nothing, Abort still returns at once, and what the
// kernel had not sent by then is dropped.
func TestAbortDropsWhatTheKernelHolds(t *testing.T) {
	server := newEchoHost(t, onTCP)
	_, target, err := manet.DialArgs(server.libp2p.Network().ListenAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	proxy := newStallingProxy(t, target)
	addr, err := manet.FromNetAddr(proxy.listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	watch := newSocketWatch()
	client := newHost(t, Options{Transports: watchedTCP(watch)})
	s, err := client.Dial(testContext(t), server.DID(), []string{addr.String()}, echo)
	if err != nil {
		t.Fatal(err)
	}
	proxy.stalled.Store(true)
	if _, err := s.Write([]byte("x")); err != nil { // wakes the pump once more
		t.Fatal(err)
	}
	<-proxy.idle

	const accepted = 200 << 10 // less than a stream's first window: Write takes it all
	before, inKernel := watch.written(), watch.after(32<<10)
	if _, err := s.Write(make([]byte, accepted)); err != nil {
		t.Fatal(err)
	}
	<-inKernel
	start := time.Now()
	if err := client.Abort(s); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("Abort took %v with a peer that takes nothing", took)
	}
	close(proxy.resume)
	arrived, handed := <-proxy.rest, watch.written()-before
	if arrived >= handed {
		t.Errorf("all %d bytes that the kernel held arrived after Abort", arrived)
	}
	t.Logf("of %d bytes accepted, %d went to the kernel and %d arrived", accepted, handed, arrived)
}

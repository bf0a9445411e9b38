// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/libp2p/go-libp2p"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-msgio/pbio"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"
	"github.com/quic-go/quic-go"

	"github.com/traboule/traboule/protocol"
)

// rawIdentify asks as any stranger may, and returns all that is answered.
func rawIdentify(t *testing.T, of *Host) []byte {
	t.Helper()
	stranger := newStranger(t)
	if err := stranger.Connect(testContext(t), infoOf(of)); err != nil {
		t.Fatal(err)
	}
	s, err := stranger.NewStream(testContext(t), of.libp2p.ID(), identify.ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Two nodes on all interfaces tell a stranger the same words, and no address
// of the home.
func TestIdentifyTellsNothingOfTheHome(t *testing.T) {
	for range 2 {
		h := newEchoHost(t, "/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1", "/ip6/::1/tcp/0")
		answer := rawIdentify(t, h)
		for _, text := range h.Addrs() {
			a := ma.StringCast(text)
			if manet.IsPublicAddr(a) {
				continue
			}
			if bytes.Contains(answer, a.Bytes()) {
				t.Errorf("identify contains %s", a)
			}
		}
		said := readIdentify(t, answer)
		if said.GetAgentVersion() != "traboule" || said.GetProtocolVersion() != "traboule/1" {
			t.Errorf("agent %q, protocol %q", said.GetAgentVersion(), said.GetProtocolVersion())
		}
		protocols := slices.Sorted(slices.Values(said.GetProtocols()))
		want := []string{"/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", echo}
		if diff := cmp.Diff(want, protocols); diff != "" {
			t.Errorf("protocols (-want +got):\n%s", diff)
		}
	}
}

// readIdentify merges the messages of one answer and checks their addresses.
func readIdentify(t *testing.T, answer []byte) *pb.Identify {
	t.Helper()
	said := new(pb.Identify)
	r := pbio.NewDelimitedReader(bytes.NewReader(answer), 16<<10)
	for {
		part := new(pb.Identify)
		if err := r.ReadMsg(part); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		said.AgentVersion = firstOf(part.AgentVersion, said.AgentVersion)
		said.ProtocolVersion = firstOf(part.ProtocolVersion, said.ProtocolVersion)
		said.Protocols = append(said.Protocols, part.Protocols...)
		said.ListenAddrs = append(said.ListenAddrs, part.ListenAddrs...)
		if part.SignedPeerRecord != nil {
			said.ListenAddrs = append(said.ListenAddrs, signedAddrs(t, part.SignedPeerRecord)...)
		}
	}
	for _, raw := range said.ListenAddrs {
		a, err := ma.NewMultiaddrBytes(raw)
		if err != nil || !manet.IsPublicAddr(a) {
			t.Errorf("identify tells of %s (%v)", a, err)
		}
	}
	return said
}

func firstOf(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}

func signedAddrs(t *testing.T, envelope []byte) (addrs [][]byte) {
	t.Helper()
	var rec peer.PeerRecord
	if _, err := record.ConsumeTypedEnvelope(envelope, &rec); err != nil {
		t.Fatal(err)
	}
	for _, a := range rec.Addrs {
		addrs = append(addrs, a.Bytes())
	}
	return addrs
}

func TestPublicAddrs(t *testing.T) {
	relayed := "/ip4/5.6.7.8/udp/4001/quic-v1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp/p2p-circuit"
	viaHome := strings.Replace(relayed, "5.6.7.8", "192.168.1.9", 1)
	all := []string{"/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/10.1.2.3/udp/1/quic-v1", "/ip4/100.64.0.1/tcp/1",
		"/ip4/169.254.1.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip6/fd00::1/tcp/1",
		"/ip4/5.6.7.8/tcp/1", "/ip6/2a01:e0a::1/udp/1/quic-v1", relayed, viaHome, "/p2p-circuit"}
	want := []string{"/ip4/5.6.7.8/tcp/1", "/ip6/2a01:e0a::1/udp/1/quic-v1", relayed, viaHome, "/p2p-circuit"}
	var addrs []ma.Multiaddr
	for _, s := range all {
		addrs = append(addrs, ma.StringCast(s))
	}
	var got []string
	for _, a := range publicAddrs(addrs) {
		got = append(got, a.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Cards need the addresses that strangers are not told.
func TestAddrsAreAll(t *testing.T) {
	h := newHost(t, Options{Listen: []string{"/ip4/0.0.0.0/tcp/0", onQUIC}})
	for _, part := range []string{"/ip4/127.0.0.1/tcp/", "/ip4/127.0.0.1/udp/"} {
		if !slices.ContainsFunc(h.Addrs(), func(a string) bool { return strings.HasPrefix(a, part) }) {
			t.Errorf("no %s in %q", part, h.Addrs())
		}
	}
	for _, a := range h.Addrs() {
		if strings.Contains(a, "0.0.0.0") || strings.Contains(a, "/tcp/0") {
			t.Errorf("nobody can dial %s", a)
		}
	}
}

// negotiate dials TCP and asks, before any encryption, for a security protocol.
func negotiate(t *testing.T, h *Host, security string) (net.Conn, error) {
	t.Helper()
	_, addr, err := manet.DialArgs(ma.StringCast(h.Addrs()[0]))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, multistream.SelectProtoOrFail(security, conn)
}

func TestOnlyTLSIsOffered(t *testing.T) {
	h := newEchoHost(t, onTCP)
	for _, security := range []string{noise.ID, "/secio/1.0.0", "/plaintext/2.0.0", "/plaintext/1.0.0"} {
		if _, err := negotiate(t, h, security); !errors.As(err, new(multistream.ErrNotSupported[string])) {
			t.Errorf("asked for %s: %v, want na", security, err)
		}
	}
	if _, err := negotiate(t, h, libp2ptls.ID); err != nil {
		t.Errorf("asked for TLS: %v", err)
	}
	noisy := newStranger(t, libp2p.Security(noise.ID, noise.New))
	if err := noisy.Connect(testContext(t), infoOf(h)); err == nil {
		t.Error("a peer with Noise alone is connected")
	}
}

func strangerTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, _, err := libcrypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := libp2ptls.NewIdentity(key)
	if err != nil {
		t.Fatal(err)
	}
	config, _ := id.ConfigForPeer("")
	return config
}

// A listener on TCP agrees to the hybrid exchange, and to no TLS before 1.3.
func TestPostQuantumAsTCPServer(t *testing.T) {
	h := newEchoHost(t, onTCP)
	conn, err := negotiate(t, h, libp2ptls.ID)
	if err != nil {
		t.Fatal(err)
	}
	config := strangerTLS(t)
	config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(testContext(t)); err != nil {
		t.Fatal(err)
	}
	wantPostQuantum(t, secured.ConnectionState())

	conn, err = negotiate(t, h, libp2ptls.ID)
	if err != nil {
		t.Fatal(err)
	}
	config = strangerTLS(t)
	config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := tls.Client(conn, config).HandshakeContext(testContext(t)); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
}

// A dialler on TCP offers it first, so that a server of plain habits picks it.
func TestPostQuantumAsTCPClient(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	states, config := make(chan tls.ConnectionState, 1), strangerTLS(t)
	go func() {
		defer close(states)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		mux := multistream.NewMultistreamMuxer[string]()
		mux.AddHandler(libp2ptls.ID, nil)
		if _, _, err := mux.Negotiate(conn); err != nil {
			return
		}
		secured := tls.Server(conn, config)
		_ = secured.Handshake() // the client finds somebody else and leaves
		states <- secured.ConnectionState()
	}()
	addr, err := manet.FromNetAddr(listener.Addr())
	if err != nil {
		t.Fatal(err)
	}
	_, err = newHost(t, Options{}).Dial(testContext(t), newKey(t).DID(), []string{addr.String()}, echo)
	wantError(t, err, ErrSomebodyElse)
	wantPostQuantum(t, <-states)
}

func TestPostQuantumOnQUIC(t *testing.T) {
	server, client := newEchoHost(t, onQUIC), newHost(t, Options{})
	mustEcho(t, mustDial(t, client, server, echo), "hello")
	for from, to := range map[*Host]*Host{client: server, server: client} {
		conns := from.libp2p.Network().ConnsToPeer(to.libp2p.ID())
		if len(conns) != 1 {
			t.Fatalf("%d connections", len(conns))
		}
		var conn *quic.Conn
		if !conns[0].As(&conn) {
			t.Fatal("not a QUIC connection")
		}
		wantPostQuantum(t, conn.ConnectionState().TLS)
	}
}

func wantPostQuantum(t *testing.T, state tls.ConnectionState) {
	t.Helper()
	if state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("agreed on curve %d, want 4588 (X25519MLKEM768)", state.CurveID)
	}
	if state.Version != tls.VersionTLS13 {
		t.Errorf("TLS version %x", state.Version)
	}
}

func TestPreferTCP(t *testing.T) {
	server := newEchoHost(t, onQUIC, onTCP)
	for prefer, want := range map[bool]int{true: ma.P_TCP, false: ma.P_QUIC_V1} {
		client := newHost(t, Options{PreferTCP: prefer})
		mustEcho(t, mustDial(t, client, server, echo), "hello")
		conn := client.libp2p.Network().ConnsToPeer(server.libp2p.ID())[0]
		if _, err := conn.RemoteMultiaddr().ValueForProtocol(want); err != nil {
			t.Errorf("PreferTCP %v went to %s", prefer, conn.RemoteMultiaddr())
		}
	}
}

// With QUIC alone, preferring TCP costs nothing.
func TestPreferTCPFallsBack(t *testing.T) {
	ranked := tcpFirst([]ma.Multiaddr{ma.StringCast("/ip4/5.6.7.8/udp/1/quic-v1")})
	if diff := cmp.Diff([]network.AddrDelay{{Addr: ma.StringCast("/ip4/5.6.7.8/udp/1/quic-v1")}}, ranked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	relayed := ma.StringCast("/ip4/5.6.7.8/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp/p2p-circuit")
	ranked = tcpFirst([]ma.Multiaddr{relayed, ma.StringCast("/ip4/5.6.7.8/udp/1/quic-v1"), ma.StringCast("/ip4/5.6.7.8/tcp/1")})
	if len(ranked) != 3 || ranked[0].Addr.String() != "/ip4/5.6.7.8/tcp/1" || ranked[0].Delay != 0 {
		t.Errorf("ranked %v", ranked)
	}
	for _, r := range ranked[1:] {
		if r.Delay < tcpFirstByDelay {
			t.Errorf("%s after %v only", r.Addr, r.Delay)
		}
	}
}

func TestPingIsNotAnswered(t *testing.T) {
	h, stranger := newEchoHost(t, onTCP), newStranger(t)
	if err := stranger.Connect(testContext(t), infoOf(h)); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.NewStream(testContext(t), h.libp2p.ID(), "/ipfs/ping/1.0.0"); err == nil {
		t.Error("ping is answered")
	}
}

// A stranger gets so many streams and no more, a contact more; and they take
// none from others. Who gets none hears that the peer is busy.
func TestStreamBudgets(t *testing.T) {
	for name, listen := range transportsUnderTest {
		for who, budget := range map[string]int{"a stranger": strangerStreams, "a contact": peerStreamsIn} {
			t.Run(name+", "+who, func(t *testing.T) {
				h, key := newHost(t, Options{Listen: []string{listen}}), newKey(t)
				running := make(chan struct{}, 10*budget)
				h.Handle(echo, func(ctx context.Context, s protocol.Stream) {
					running <- struct{}{}
					_, _ = io.Copy(s, s)
				})
				if budget == peerStreamsIn {
					h.Protect(key.DID())
				}
				peer := newHost(t, Options{Key: key})
				if refused := busyStreams(t, peer, h, 2*budget); refused < budget {
					t.Errorf("of %d streams %d were refused", 2*budget, refused)
				}
				if n := len(running); n > budget || n < budget-1 { // identify may still have one
					t.Errorf("%d handlers run for %s, want %d", n, who, budget)
				}
				other := newHost(t, Options{})
				s := mustDial(t, other, h, echo)
				if _, err := io.WriteString(s, "x"); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Read(make([]byte, 1)); err != nil {
					t.Errorf("another peer is kept waiting: %v", err)
				}
			})
		}
	}
}

// busyStreams opens n and counts those for which there is no place.
func busyStreams(t *testing.T, from, to *Host, n int) (refused int) {
	t.Helper()
	for range n {
		s, err := from.Dial(testContext(t), to.DID(), to.Addrs(), echo)
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		if err == nil {
			_, err = s.Read(make([]byte, 1))
		}
		if err != nil {
			wantError(t, err, ErrBusy)
			refused++
		}
	}
	return refused
}

func TestProtect(t *testing.T) {
	h, contact := newHost(t, Options{}), newKey(t).DID()
	id, err := peerID(contact)
	if err != nil {
		t.Fatal(err)
	}
	h.Protect(contact)
	if !h.libp2p.ConnManager().IsProtected(id, "") {
		t.Error("not protected")
	}
	h.Unprotect(contact)
	if h.libp2p.ConnManager().IsProtected(id, "") {
		t.Error("still protected")
	}
	h.Protect("nobody")
}

// libp2p would write the names and addresses of peers to standard error.
func TestLibrariesAreSilent(t *testing.T) {
	if gologshim.Logger("swarm2").Enabled(t.Context(), slog.LevelError) {
		t.Error("libp2p logs errors")
	}
}

// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/libp2p/go-libp2p"
	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	libhost "github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	libproto "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

const (
	onTCP  = "/ip4/127.0.0.1/tcp/0"
	onQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
	echo   = "/traboule/test/echo/1.0.0"
)

// transportsUnderTest names the addresses that tests run over.
var transportsUnderTest = map[string]string{"TCP": onTCP, "QUIC": onQUIC}

func newKey(t testing.TB) *crypto.Identity {
	t.Helper()
	key, err := crypto.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newHost(t testing.TB, opt Options) *Host {
	t.Helper()
	if opt.Key == nil {
		opt.Key = newKey(t)
	}
	h, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

// newEchoHost gives back what it is sent.
func newEchoHost(t testing.TB, listen ...string) *Host {
	t.Helper()
	return newEchoHostOn(t, nil, listen...)
}

func newEchoHostOn(t testing.TB, transports []libp2p.Option, listen ...string) *Host {
	t.Helper()
	h := newHost(t, Options{Listen: listen, Transports: transports})
	h.Handle(echo, func(_ context.Context, s protocol.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	return h
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustDial(t testing.TB, from, to *Host, id string) protocol.Stream {
	t.Helper()
	s, err := from.Dial(testContext(t), to.DID(), to.Addrs(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustEcho sends text and wants it back.
func mustEcho(t testing.TB, s protocol.Stream, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(got)); diff != "" {
		t.Fatalf("echo (-sent +got):\n%s", diff)
	}
}

func TestConversation(t *testing.T) {
	for name, listen := range transportsUnderTest {
		t.Run(name, func(t *testing.T) {
			server := newHost(t, Options{Listen: []string{listen}})
			peers := make(chan crypto.DID, 1)
			server.Handle(echo, func(_ context.Context, s protocol.Stream) {
				peers <- s.Peer()
				_, _ = io.Copy(s, s)
				_ = s.Close()
			})
			client := newHost(t, Options{})
			s := mustDial(t, client, server, echo)
			mustEcho(t, s, strings.Repeat("a passage under the houses ", 10000))
			if got := s.Peer(); got != server.DID() {
				t.Errorf("the dialler's peer is %s, want %s", got, server.DID())
			}
			if got := <-peers; got != client.DID() {
				t.Errorf("the handler's peer is %s, want %s", got, client.DID())
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestAddrsMayNameThePeer(t *testing.T) {
	server := newEchoHost(t, onTCP)
	client := newHost(t, Options{})
	named := fmt.Sprintf("%s/p2p/%s", server.Addrs()[0], server.libp2p.ID())
	s, err := client.Dial(testContext(t), server.DID(), []string{named}, echo)
	if err != nil {
		t.Fatal(err)
	}
	mustEcho(t, s, "hello")

	_, err = client.Dial(testContext(t), newKey(t).DID(), []string{named}, echo)
	if !errors.Is(err, ErrSomebodyElse) || !strings.Contains(err.Error(), string(server.DID())) {
		t.Errorf("dialling an address of another's: %v, want %v and the other's name", err, ErrSomebodyElse)
	}
}

func TestDialErrors(t *testing.T) {
	for name, listen := range transportsUnderTest {
		t.Run(name, func(t *testing.T) {
			server := newEchoHost(t, listen)
			client := newHost(t, Options{})
			wanted := newKey(t).DID()

			_, err := client.Dial(testContext(t), wanted, server.Addrs(), echo)
			wantError(t, err, ErrSomebodyElse, string(wanted), string(server.DID()))

			_, err = client.Dial(testContext(t), server.DID(), server.Addrs(), "/traboule/test/unknown/1.0.0")
			wantError(t, err, ErrNotSpoken, string(server.DID()), "/traboule/test/unknown/1.0.0")

			addrs := server.Addrs()
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			if err := client.ClosePeer(server.DID()); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // QUIC waits for silence
			defer cancel()
			_, err = client.Dial(ctx, server.DID(), addrs, echo)
			wantError(t, err, ErrNobodyAnswers, string(server.DID()), addrs[0])
		})
	}
}

func wantError(t *testing.T, err, want error, parts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func TestDialRefusesNonsense(t *testing.T) {
	h := newHost(t, Options{})
	other := newKey(t).DID()
	for name, try := range map[string]struct {
		did   crypto.DID
		addrs []string
	}{
		"no DID":             {"", nil},
		"another method":     {"did:web:example.org", nil},
		"not a multiaddr":    {other, []string{"127.0.0.1:4001"}},
		"a long address":     {other, []string{"/dns4/" + strings.Repeat("a", maxAddrLen) + "/tcp/1"}},
		"too many addresses": {other, make([]string, maxAddrs+1)},
		"itself":             {h.DID(), []string{"/ip4/127.0.0.1/tcp/1"}},
		"no address":         {other, nil},
	} {
		if s, err := h.Dial(testContext(t), try.did, try.addrs, echo); err == nil {
			t.Errorf("%s: dialled %v", name, s)
		}
	}
}

// A dial that failed a moment ago holds the next one back by nothing.
func TestDialAgainAtOnce(t *testing.T) {
	spare, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", spare.Addr().(*net.TCPAddr).Port)
	if err := spare.Close(); err != nil {
		t.Fatal(err)
	}
	client, key := newHost(t, Options{}), newKey(t)
	_, err = client.Dial(testContext(t), key.DID(), []string{addr}, echo)
	wantError(t, err, ErrNobodyAnswers, addr)

	newHost(t, Options{Key: key, Listen: []string{addr}}).Handle(echo, func(_ context.Context, s protocol.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	s, err := client.Dial(testContext(t), key.DID(), []string{addr}, echo)
	if err != nil {
		t.Fatal(err)
	}
	mustEcho(t, s, "there you are")
}

func TestListenNamesTheAddressItCouldNotHave(t *testing.T) {
	first := newEchoHost(t, onTCP, onQUIC)
	for _, taken := range first.Addrs() {
		h, err := New(Options{Key: newKey(t), Listen: []string{"/ip4/127.0.0.1/tcp/0", taken}})
		if err == nil {
			_ = h.Close()
			t.Errorf("two hosts listen on %s", taken)
			continue
		}
		if !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%q does not say that %s is in use", err, taken)
		}
	}
	for _, bad := range []string{"", "localhost:4001", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/192.0.2.1/tcp/4001"} {
		h, err := New(Options{Key: newKey(t), Listen: []string{bad}})
		if err == nil {
			_ = h.Close()
			t.Errorf("listens on %q", bad)
		} else if !strings.Contains(err.Error(), bad) {
			t.Errorf("%q does not name %q", err, bad)
		}
	}
}

func TestNewNeedsAnIdentity(t *testing.T) {
	if h, err := New(Options{}); err == nil {
		_ = h.Close()
		t.Error("a host without identity")
	}
}

func TestCloseStopsAndWaits(t *testing.T) {
	server := newHost(t, Options{Listen: []string{onTCP, onQUIC}})
	started, finished := make(chan struct{}), make(chan error, 1)
	server.Handle(echo, func(ctx context.Context, s protocol.Stream) {
		close(started)
		<-ctx.Done()
		_, err := s.Read(make([]byte, 1))
		<-server.libp2p.Network().(*swarm.Swarm).Done() // libp2p waits for no handler
		for range 1000 {
			runtime.Gosched()
		}
		finished <- err
	})
	client := newHost(t, Options{})
	s := mustDial(t, client, server, echo)
	if _, err := io.WriteString(s, "!"); err != nil { // opens the stream on QUIC
		t.Fatal(err)
	}
	<-started
	ran := make(chan error, 1)
	go func() { ran <- server.Run(t.Context()) }()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-finished:
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("reading on a closed host: %v, want %v", err, ErrClosed)
		}
	default:
		t.Error("Close returned before the handler did")
	}
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
	if _, err := io.ReadAll(s); !errors.Is(err, ErrReset) {
		t.Errorf("reading from a peer that closed: %v, want %v", err, ErrReset)
	}
	if _, err := server.Dial(t.Context(), client.DID(), nil, echo); !errors.Is(err, ErrClosed) {
		t.Errorf("dialling from a closed host: %v, want %v", err, ErrClosed)
	}
	if err := server.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}

func TestClosedHostIsSaid(t *testing.T) {
	server, client := newEchoHost(t, onTCP), newHost(t, Options{})
	s := mustDial(t, client, server, echo)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("write: %v, want %v", err, ErrClosed)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v, want %v", err, ErrClosed)
	}
}

func TestDeadlineAndReset(t *testing.T) {
	for name, listen := range transportsUnderTest {
		t.Run(name, func(t *testing.T) {
			server, client := newEchoHost(t, listen), newHost(t, Options{})
			s := mustDial(t, client, server, echo)
			one := make([]byte, 1)
			if _, err := s.Write(one); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Read(one); err != nil {
				t.Fatal(err)
			}
			if err := s.SetDeadline(time.Now().Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read after the deadline: %v", err)
			}
			if _, err := s.Write(one); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("write after the deadline: %v", err)
			}
			if err := s.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			mustEcho(t, s, "the bound is lifted")
			s = mustDial(t, client, server, echo)
			for range 2 {
				if err := s.Reset(); err != nil {
					t.Errorf("reset: %v", err)
				}
			}
			if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
				t.Errorf("read after reset: %v, want %v", err, ErrReset)
			}
		})
	}
}

// A handler that returns without closing leaves nobody waiting.
func TestForgottenStreamIsReset(t *testing.T) {
	server, client := newHost(t, Options{Listen: []string{onTCP}}), newHost(t, Options{})
	server.Handle(echo, func(context.Context, protocol.Stream) {})
	s, err := client.Dial(testContext(t), server.DID(), server.Addrs(), echo)
	if err == nil {
		_, err = io.ReadAll(s)
	}
	if !errors.Is(err, ErrReset) { // libp2p may find out while it dials, or later
		t.Errorf("reading what a handler forgot: %v, want %v", err, ErrReset)
	}
}

// A peer whose key has no DID may connect, as all strangers may, but no
// handler hears of it.
func TestPeerWithoutDIDHasNoConversation(t *testing.T) {
	server := newHost(t, Options{Listen: []string{onTCP}})
	server.Handle(echo, func(_ context.Context, s protocol.Stream) { t.Errorf("handled a stream of %s", s.Peer()) })
	key, _, err := libcrypto.GenerateECDSAKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger := newStranger(t, libp2p.Identity(key))
	if err := stranger.Connect(testContext(t), infoOf(server)); err != nil {
		t.Fatal(err)
	}
	s, err := stranger.NewStream(testContext(t), server.libp2p.ID(), libproto.ID(echo))
	if err != nil {
		return // refused even sooner
	}
	if n, err := s.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes (%v), want a reset", n, err)
	}
}

// newStranger is a plain libp2p host, with all that libp2p offers.
func newStranger(t testing.TB, options ...libp2p.Option) libhost.Host {
	t.Helper()
	h, err := libp2p.New(append([]libp2p.Option{libp2p.NoListenAddrs, libp2p.DisableMetrics()}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func infoOf(h *Host) peer.AddrInfo {
	return peer.AddrInfo{ID: h.libp2p.ID(), Addrs: h.libp2p.Network().ListenAddresses()}
}

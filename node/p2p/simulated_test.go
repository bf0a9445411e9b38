// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	libquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
)

func simulated(net *simnet.Simnet) []libp2p.Option {
	const perSecond = 20 * simlibp2p.OneMbps
	return []libp2p.Option{
		libp2p.Transport(libquic.NewTransport),
		libp2p.DisableIdentifyAddressDiscovery(),
		simlibp2p.QUICSimnet(net, simnet.NodeBiDiLinkSettings{
			Downlink: simnet.LinkSettings{BitsPerSecond: perSecond},
			Uplink:   simnet.LinkSettings{BitsPerSecond: perSecond},
		}),
	}
}

// The same host runs on a network that is not there, in time that does not
// pass.
func TestSimulatedNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 40 * time.Millisecond
		net := &simnet.Simnet{LatencyFunc: simnet.StaticLatency(latency)}
		server := newEchoHostOn(t, simulated(net), "/ip4/1.0.0.1/udp/4001/quic-v1")
		client := newHost(t, Options{Listen: []string{"/ip4/1.0.0.2/udp/4001/quic-v1"}, Transports: simulated(net)})
		net.Start()
		defer net.Close()

		start := time.Now()
		mustEcho(t, mustDial(t, client, server, echo), "far away")
		if took := time.Since(start); took < 2*latency || took > time.Second {
			t.Errorf("a handshake and an echo took %v at %v each way", took, latency)
		}
		s := mustDial(t, client, server, echo)
		time.Sleep(24 * time.Hour)
		mustEcho(t, s, "a day later")
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestSilence: a peer that is gone without a word is told apart from one that
// takes too long by a deadline of ours.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut atomic.Bool
		net := &simnet.Simnet{LatencyFunc: func(*simnet.Packet) time.Duration {
			if cut.Load() {
				return 24 * time.Hour
			}
			return time.Millisecond
		}}
		server := newEchoHostOn(t, simulated(net), "/ip4/1.0.0.1/udp/4001/quic-v1")
		client := newHost(t, Options{Listen: []string{"/ip4/1.0.0.2/udp/4001/quic-v1"}, Transports: simulated(net)})
		net.Start()
		defer net.Close()
		s := mustDial(t, client, server, echo)
		mustEcho(t, s, "here")
		s = mustDial(t, client, server, echo)
		if err := s.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after a second: %v", err)
		}
		if err := s.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		cut.Store(true)
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, ErrReset) {
			t.Errorf("after a long silence: %v", err)
		}
		if err := errors.Join(client.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
}

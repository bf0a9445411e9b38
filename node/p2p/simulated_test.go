// SPDX-License-Identifier: Apache-2.0

package p2p

import (
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

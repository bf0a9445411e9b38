// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/gologshim"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// What every node says of itself to whoever connects: the same words, so that
// they tell no two nodes apart.
const (
	userAgent       = "traboule"
	protocolVersion = "traboule/1"
)

// Connections that a home node holds: above the high mark, those of strangers
// are closed down to the low mark. A new one is left alone for the grace time.
const (
	lowConnections  = 16
	highConnections = 32
	graceTime       = 20 * time.Second
	protectedTag    = "contact"
)

// What all connections together may take, and what one peer may. The table of
// budgets is in docs/threats.md.
const (
	memoryBudget = 96 << 20 // bytes
	fileBudget   = 256      // file descriptors
	connsIn      = 128
	streamsIn    = 1024

	peerMemory      = 48 << 20 // bytes: one full yamux window, and room
	peerConns       = 16       // dials count while they run, one per address
	peerConnsIn     = 4
	peerStreams     = 64
	peerStreamsIn   = 32
	tcpFirstByDelay = 500 * time.Millisecond
)

// What all strangers together may take of that, see [door]. A handshake is
// over, one way or the other, after libp2p's 15 seconds, and the naming of a
// stream's conversation after its 10.
const (
	handshakesPerNetwork = 16
	handshakesInAll      = 64
	handshakesReserved   = 32 // for networks from which somebody known came before
	strangersPerNetwork  = 16 // connections
	strangersInAll       = 48
	strangersAtOnce      = 16 // new connections of one network, and then
	strangersPerSecond   = 0.2
	strangerStreams      = 8 // of one
	strangerStreamsInAll = 128

	unnamedConnsIn = handshakesInAll + handshakesReserved
	unnamedStreams = 2 * strangerStreamsInAll
	maxHomely      = 1024
)

// Libraries stay silent: libp2p would name peers and addresses on standard
// error, and quic-go would complain of the kernel's buffer sizes there.
func init() {
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
}

// settings are the libp2p options of a node. Relays, reachability checks and
// hole punching are off; where they come, the options go here.
func settings(key *privateKey, opt Options) ([]libp2p.Option, error) {
	connections, err := connmgr.NewConnManager(lowConnections, highConnections, connmgr.WithGracePeriod(graceTime))
	if err != nil {
		return nil, err
	}
	known := func(p peer.ID) bool { return connections.IsProtected(p, "") }
	resources, err := resourceManager(known)
	if err != nil {
		return nil, err
	}
	options := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.NoListenAddrs, // New listens, one address at a time
		libp2p.Security(libp2ptls.ID, newBulkTLS),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.AddrsFactory(publicAddrs),
		libp2p.UserAgent(userAgent),
		libp2p.ProtocolVersion(protocolVersion),
		libp2p.Ping(false),
		libp2p.DisableRelay(),
		libp2p.ForceReachabilityPrivate(), // sends no AutoNAT probe
		libp2p.ConnectionManager(connections),
		libp2p.ResourceManager(resources),
		libp2p.DisableMetrics(),
	}
	if opt.PreferTCP {
		options = append(options, libp2p.SwarmOpts(swarm.WithDialRanker(tcpFirst)))
	}
	return append(options, transports(opt.Transports)...), nil
}

// resourceManager keeps the budgets. Networks are counted at the door, where
// contacts do not count, and how often they come is too: libp2p's own limits
// would take a contact for the strangers behind the same address.
func resourceManager(known func(peer.ID) bool) (network.ResourceManager, error) {
	anybody := []rcmgr.ConnLimitPerSubnet{{PrefixLength: 0, ConnCount: connsIn}}
	inside, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits()), rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(anybody, anybody), rcmgr.WithConnRateLimiters(&rate.Limiter{}))
	if err != nil {
		return nil, err
	}
	return newDoor(inside, known), nil
}

// strangerRate is how often strangers of one network may come. Programs on this
// computer may at any time.
func strangerRate() *rate.Limiter {
	each := rate.Limit{RPS: strangersPerSecond, Burst: strangersAtOnce}
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8")}, {Prefix: netip.MustParsePrefix("::1/128")},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: each}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: each}},
			GracePeriod:      time.Minute,
		},
	}
}

func transports(others []libp2p.Option) []libp2p.Option {
	if len(others) > 0 {
		return others
	}
	return []libp2p.Option{
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(tcp.NewTCPTransport),
	}
}

func limits() rcmgr.ConcreteLimitConfig {
	defaults := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&defaults)
	ours := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Memory:         memoryBudget,
			Conns:          2 * connsIn,
			ConnsInbound:   connsIn,
			StreamsInbound: streamsIn,
		},
		Transient: rcmgr.ResourceLimits{
			Conns:          2 * unnamedConnsIn,
			ConnsInbound:   unnamedConnsIn,
			StreamsInbound: unnamedStreams,
			FD:             2 * unnamedConnsIn,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Memory:         peerMemory,
			Conns:          peerConns,
			ConnsInbound:   peerConnsIn,
			Streams:        peerStreams,
			StreamsInbound: peerStreamsIn,
		},
	}
	return ours.Build(defaults.Scale(memoryBudget, fileBudget))
}

// publicAddrs is what identify may tell anybody: public addresses and
// addresses through relays. Private ones describe a home.
func publicAddrs(addrs []ma.Multiaddr) []ma.Multiaddr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool {
		_, err := a.ValueForProtocol(ma.P_CIRCUIT)
		return err != nil && !manet.IsPublicAddr(a)
	})
}

// tcpFirst ranks as libp2p does, but with QUIC after TCP.
func tcpFirst(addrs []ma.Multiaddr) []network.AddrDelay {
	var direct, rest []ma.Multiaddr
	for _, a := range addrs {
		_, isTCP := a.ValueForProtocol(ma.P_TCP)
		_, isRelayed := a.ValueForProtocol(ma.P_CIRCUIT)
		if isTCP == nil && isRelayed != nil {
			direct = append(direct, a)
		} else {
			rest = append(rest, a)
		}
	}
	ranked := swarm.DefaultDialRanker(direct)
	for _, r := range swarm.DefaultDialRanker(rest) {
		if len(direct) > 0 {
			r.Delay += tcpFirstByDelay
		}
		ranked = append(ranked, r)
	}
	return ranked
}

// SPDX-License-Identifier: Apache-2.0

// Package p2p carries conversations between nodes: it wraps a libp2p host and
// turns its streams into [protocol.Stream], each with a peer that the
// connection proved.
//
// It knows addresses, connections and their limits. It does not know who is a
// contact, what a conversation says, or what may be answered: strangers are
// let in, on a tight budget, and whoever handles a stream decides. It keeps
// nothing on disk, gives no private address away, and prints nothing.
//
// Connections are QUIC-v1, or TCP with TLS 1.3 and yamux. Noise is absent,
// since it agrees on no key that outlasts quantum computers; WebSocket, WebRTC
// and WebTransport are absent, since no browser is a node; the DHT is absent,
// since it tells everybody who looks for whom.
//
// The way in is [New], then [Host.Handle] and [Host.Dial], then [Host.Run] or
// [Host.Close]. [Host.Abort] and [Host.ClosePeer] are for revocations: once
// they have returned, nothing more is sent.
package p2p

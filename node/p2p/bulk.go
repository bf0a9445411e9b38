// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"bufio"
	"context"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	libproto "github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// What waits below TLS, for each connection: ciphertext to leave together (one
// message of the muxer, sealed), and ciphertext that came together.
const (
	gatherBytes = 66 << 10
	aheadBytes  = 64 << 10
)

// bulkTLS is libp2p's TLS with fewer system calls, which are the larger half
// of what moving data costs. Go's TLS writes each record of 16 KiB by itself;
// here all records of one Write leave together, and what came is read at once.
// The bytes on the line are the same.
type bulkTLS struct{ *libp2ptls.Transport }

func newBulkTLS(id libproto.ID, key crypto.PrivKey, muxers []tptu.StreamMuxer) (*bulkTLS, error) {
	t, err := libp2ptls.New(id, key, muxers)
	if err != nil {
		return nil, err
	}
	return &bulkTLS{t}, nil
}

// SecureInbound is the handshake of whoever was dialled.
func (t *bulkTLS) SecureInbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	below := &gathering{Conn: raw}
	c, err := t.Transport.SecureInbound(ctx, below, p)
	return below.secured(c, err)
}

// SecureOutbound is the handshake of whoever dials.
func (t *bulkTLS) SecureOutbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	below := &gathering{Conn: raw}
	c, err := t.Transport.SecureOutbound(ctx, below, p)
	return below.secured(c, err)
}

// bulkConn is a TLS connection over a gathering one.
type bulkConn struct {
	sec.SecureConn
	below *gathering
}

// Write returns when the system has taken all of b. The muxer calls it, one
// call at a time.
func (c *bulkConn) Write(b []byte) (int, error) {
	c.below.hold()
	n, err := c.SecureConn.Write(b)
	if failed := c.below.release(); failed != nil {
		return 0, failed
	}
	return n, err
}

// gathering is the connection below TLS. Between hold and release what TLS
// writes waits, in its order.
type gathering struct {
	net.Conn
	in *bufio.Reader // nil during the handshake: who fails it costs no memory

	mu      sync.Mutex
	holding bool
	waiting []byte
	failed  error // of a write; records are lost, and none may follow them
}

// secured puts TLS, its handshake done, on top.
func (g *gathering) secured(c sec.SecureConn, err error) (sec.SecureConn, error) {
	if err != nil {
		return nil, err
	}
	g.in = bufio.NewReaderSize(g.Conn, aheadBytes)
	return &bulkConn{c, g}, nil
}

// Read reads ahead.
func (g *gathering) Read(b []byte) (int, error) {
	if g.in == nil {
		return g.Conn.Read(b)
	}
	return g.in.Read(b)
}

func (g *gathering) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding = true
}

func (g *gathering) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding = false
	return g.flush()
}

// Write writes b, or keeps it until release.
func (g *gathering) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting)+len(b) > gatherBytes {
		if err := g.flush(); err != nil {
			return 0, err
		}
	}
	g.waiting = append(g.waiting, b...)
	if !g.holding {
		if err := g.flush(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (g *gathering) flush() error {
	if g.failed == nil && len(g.waiting) > 0 {
		_, g.failed = g.Conn.Write(g.waiting)
		g.waiting = g.waiting[:0]
	}
	return g.failed
}

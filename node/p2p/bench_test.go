// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"context"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/traboule/traboule/protocol"
)

// BenchmarkStream moves 64 KiB writes over loopback: over the stream that
// libp2p gives, and over ours.
func BenchmarkStream(b *testing.B) {
	for name, listen := range transportsUnderTest {
		server, client := newHost(b, Options{Listen: []string{listen}}), newHost(b, Options{})
		server.libp2p.SetStreamHandler("/raw", func(s network.Stream) { sink(s) })
		server.Handle(flood, func(_ context.Context, s protocol.Stream) { sink(s) })
		if err := client.libp2p.Connect(testContext(b), infoOf(server)); err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/libp2p", func(b *testing.B) {
			s, err := client.libp2p.NewStream(testContext(b), server.libp2p.ID(), "/raw")
			if err != nil {
				b.Fatal(err)
			}
			pour(b, s)
		})
		b.Run(name+"/ours", func(b *testing.B) { pour(b, mustDial(b, client, server, flood)) })
	}
}

func sink(s io.ReadWriteCloser) {
	buf := make([]byte, 1<<20)
	for {
		if _, err := s.Read(buf); err != nil {
			_, _ = s.Write([]byte("done"))
			_ = s.Close()
			return
		}
	}
}

type pourable interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// pour writes, and ends when the other side has read all.
func pour(b *testing.B, s pourable) {
	chunk := make([]byte, 64<<10)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if _, err := s.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.CloseWrite(); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadAll(s); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDial opens a stream on a connection that is there and waits for one
// answer.
func BenchmarkDial(b *testing.B) {
	for name, listen := range transportsUnderTest {
		b.Run(name, func(b *testing.B) {
			server, client := newEchoHost(b, listen), newHost(b, Options{})
			addrs, ctx, one := server.Addrs(), context.Background(), make([]byte, 1)
			for b.Loop() {
				s, err := client.Dial(ctx, server.DID(), addrs, echo)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Write(one); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(s, one); err != nil {
					b.Fatal(err)
				}
				_ = s.Reset()
			}
		})
	}
}

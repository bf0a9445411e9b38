// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"io"
	"net"
	"slices"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
)

// wire is a stream over a TCP connection on this machine.
type wire struct {
	*net.TCPConn
	peer crypto.DID
}

func (w wire) Peer() crypto.DID { return w.peer }

func (w wire) Reset() error {
	_ = w.SetLinger(0)
	return w.Close()
}

func wires(t testing.TB) (server, client wire) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return wire{b.(*net.TCPConn), did(t, 2)}, wire{a.(*net.TCPConn), did(t, 1)}
}

// Transfer moves 64 MiB, in blocks of 1 MiB and of 4 KiB, and is to be
// compared with plain, which only copies as many bytes.
func BenchmarkTransfer(b *testing.B) {
	const total = 64 << 20
	for _, line := range []struct {
		name string
		open func() (a, b protocol.Stream)
	}{
		{"pipe", func() (protocol.Stream, protocol.Stream) { s, c := ends(b, 1<<20); return s, c }},
		{"tcp", func() (protocol.Stream, protocol.Stream) { s, c := wires(b); return s, c }},
	} {
		b.Run(line.name+"/plain", func(b *testing.B) { benchCopy(b, total, line.open) })
		for _, size := range []int{1 << 20, 4 << 10} {
			h, names := newShelf(40, slices.Repeat([]int{size}, total/size)...)
			name := line.name + "/1MiB"
			if size < 1<<20 {
				name = line.name + "/4KiB"
			}
			b.Run(name, func(b *testing.B) { benchTransfer(b, total, h, names, line.open) })
		}
	}
}

func benchCopy(b *testing.B, total int64, open func() (a, b protocol.Stream)) {
	b.SetBytes(total)
	for b.Loop() {
		server, client := open()
		go func() {
			chunk := make([]byte, 256<<10)
			for range total / int64(len(chunk)) {
				_, _ = server.Write(chunk)
			}
			_ = server.CloseWrite()
		}()
		if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, client, make([]byte, 256<<10)); n != total || err != nil {
			b.Fatal(n, err)
		}
		_, _ = client.Close(), server.Close()
	}
}

func benchTransfer(b *testing.B, total int64, h *shelf, names []crypto.BlockName, open func() (a, b protocol.Stream)) {
	b.SetBytes(total)
	b.ReportAllocs()
	for b.Loop() {
		server, client := open()
		done := serve(b.Context(), server, h, ServerOptions{})
		s, err := Open(b.Context(), client, anyRequest, ClientOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Fetch(b.Context(), slices.Values(names), func(crypto.BlockName, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
		if err := s.Done(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

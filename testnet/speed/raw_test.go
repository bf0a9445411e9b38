// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"golang.org/x/sync/errgroup"
)

// rawStream is how long the content of src takes over a libp2p stream of its
// own, on TCP and TLS, between hosts with none of our settings; fsynced when it
// is written to a folder.
func rawStream(b *testing.B, src, to string) time.Duration {
	b.Helper()
	const id = "/raw/1.0.0"
	server, client := rawHost(b, loopback), rawHost(b)
	defer server.Close()
	defer client.Close()
	server.SetStreamHandler(id, func(s network.Stream) {
		if err := pour(s, src); err != nil {
			_ = s.Reset()
			return
		}
		_ = s.Close()
	})
	return timed(b, func() {
		must(b, client.Connect(b.Context(), peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}))
		s, err := client.NewStream(b.Context(), server.ID(), id)
		must(b, err)
		defer s.Close()
		must(b, s.CloseWrite()) // negotiates
		if to == "" {
			_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, s, make([]byte, 1<<20))
			must(b, err)
			return
		}
		must(b, store(s, to))
	})
}

func rawHost(b *testing.B, listen ...string) host.Host {
	b.Helper()
	options := []libp2p.Option{
		libp2p.NoListenAddrs, libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.DisableMetrics(),
	}
	if len(listen) > 0 {
		options[0] = libp2p.ListenAddrStrings(listen...)
	}
	h, err := libp2p.New(options...)
	must(b, err)
	return h
}

// pour writes the content of all files below src.
func pour(to io.Writer, src string) error {
	buf := make([]byte, 128<<10)
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{f}, buf)
		return err
	})
}

// store reads on while it writes packs.
func store(from io.Reader, dir string) error {
	var g errgroup.Group
	full, free := make(chan []byte, 4), make(chan []byte, 4)
	for range cap(free) {
		free <- make([]byte, 1<<20)
	}
	g.Go(func() error {
		defer close(full)
		for {
			buf := <-free
			n, err := io.ReadFull(from, buf[:cap(buf)])
			if n > 0 {
				full <- buf[:n]
			}
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	g.Go(func() (err error) {
		out := &packs{dir: dir}
		for buf := range full {
			if err == nil {
				err = out.append(buf)
			}
			free <- buf
		}
		return joinFirst(err, out.finish())
	})
	return g.Wait()
}

// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/protocol"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

var passphrase = []byte("for a benchmark")

// start makes a node and puts it on the network; stop takes it off again.
func start(b *testing.B, home string) (n *node.Node, stop func()) {
	b.Helper()
	_, err := node.Create(b.Context(), node.CreateOptions{Home: home, Passphrase: passphrase, Weak: true})
	must(b, err)
	n, err = node.OpenHome(b.Context(), node.Options{
		Home: home, Secret: node.Secret{Passphrase: passphrase}, Listen: []string{loopback},
	})
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- n.Run(ctx, func(node.RunInfo) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		b.Fatal(err)
	}
	return n, func() {
		cancel()
		must(b, <-ended)
		must(b, n.Close())
	}
}

// do carries out an operation that must succeed.
func do[Q, R any](b *testing.B, o node.Operation[Q, R], n *node.Node, request Q) R {
	b.Helper()
	r, err := o.Do(b.Context(), n, request, nil)
	must(b, err)
	return r
}

// acquaint makes taker a contact of giver.
func acquaint(b *testing.B, giver, taker *node.Node) {
	b.Helper()
	do(b, node.Card, giver, node.CardRequest{Name: "giver"})
	link := do(b, node.Card, taker, node.CardRequest{Name: "taker"}).Link
	do(b, node.ContactAdd, giver, node.ContactAddRequest{Link: link, Name: "taker"})
}

// BenchmarkFetch fetches D1 and D2 from one vault into another, beside a raw
// stream of as many bytes over the same transport: to nowhere, and to packs
// on the disk.
func BenchmarkFetch(b *testing.B) {
	for _, name := range []string{"D1", "D2"} {
		b.Run(name, func(b *testing.B) {
			src, size := work(b, name)
			giver, stop := start(b, filepath.Join(b.TempDir(), "giver"))
			defer stop()
			do(b, node.Add, giver, node.AddRequest{Path: src, Name: "x"})
			var fetch, used, raw, rawUsed, toDisk time.Duration
			for b.Loop() {
				home := filepath.Join(b.TempDir(), "taker")
				taker, stop := start(b, home)
				acquaint(b, giver, taker)
				link := do(b, node.Grant, giver, node.GrantRequest{Name: "x", To: "taker"}).Link
				before := cpu(b)
				fetch += timed(b, func() {
					if r := do(b, node.Fetch, taker, node.FetchRequest{Grant: link}); r.Bytes != uint64(size) {
						b.Fatalf("%d bytes of %d", r.Bytes, size)
					}
				})
				used += cpu(b) - before
				do(b, node.ContactRemove, giver, node.NameRequest{Name: "taker"})
				stop()
				os.RemoveAll(home)
				before = cpu(b)
				raw += rawStream(b, src, "")
				rawUsed += cpu(b) - before
				toDisk += rawStream(b, src, b.TempDir())
			}
			b.ReportMetric(fetch.Seconds()/float64(b.N), "s")
			b.ReportMetric(raw.Seconds()/float64(b.N), "raw-s")
			b.ReportMetric(rawUsed.Seconds()/float64(b.N)/float64(size)*(1<<30), "raw-cpu-s/GiB")
			b.ReportMetric(toDisk.Seconds()/float64(b.N), "raw-to-disk-s")
			b.ReportMetric(100*float64(toDisk)/float64(fetch), "%-of-raw-to-disk")
			b.ReportMetric(100*float64(raw)/float64(fetch), "%-of-raw")
			b.ReportMetric(used.Seconds()/float64(b.N)/float64(size)*(1<<30), "cpu-s/GiB")
		})
	}
}

// rawStream is how long the content of src takes over a stream of its own,
// fsynced when it is written to a folder.
func rawStream(b *testing.B, src, to string) time.Duration {
	b.Helper()
	const id = "/raw/1.0.0"
	server, client := newHost(b, loopback), newHost(b)
	defer server.Close()
	defer client.Close()
	server.Handle(id, func(_ context.Context, s protocol.Stream) {
		if err := pour(s, src); err != nil {
			_ = s.Reset()
			return
		}
		_ = s.Close()
	})
	return timed(b, func() {
		s, err := client.Dial(b.Context(), server.DID(), server.Addrs(), id)
		must(b, err)
		defer s.Close()
		if to == "" {
			_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, s, make([]byte, 1<<20))
			must(b, err)
			return
		}
		must(b, store(s, to))
	})
}

func newHost(b *testing.B, listen ...string) *p2p.Host {
	b.Helper()
	key, err := crypto.NewIdentity(rand.Reader)
	must(b, err)
	h, err := p2p.New(p2p.Options{Key: key, Listen: listen, PreferTCP: true})
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

// BenchmarkDeliveries asks again and again, 16 at a time, for a small data
// set that is here already: each is checked by the gate and journaled.
func BenchmarkDeliveries(b *testing.B) {
	src := b.TempDir()
	must(b, os.WriteFile(filepath.Join(src, "small"), []byte("a few bytes"), 0o600))
	giver, stop := start(b, filepath.Join(b.TempDir(), "giver"))
	defer stop()
	taker, stopTaker := start(b, filepath.Join(b.TempDir(), "taker"))
	defer stopTaker()
	acquaint(b, giver, taker)
	do(b, node.Add, giver, node.AddRequest{Path: src, Name: "x"})
	const each, workers = 128, 16
	var grants [workers]string // one grant alone is held to a pace
	for i := range grants {
		g := do(b, node.Grant, giver, node.GrantRequest{Name: "x", To: "taker"})
		do(b, node.Fetch, taker, node.FetchRequest{Grant: g.Link})
		grants[i] = g.Grant.ID
	}
	var took time.Duration
	for b.Loop() {
		took += timed(b, func() {
			var all errgroup.Group
			for _, id := range grants {
				all.Go(func() error {
					for range each {
						if _, err := node.Fetch.Do(b.Context(), taker, node.FetchRequest{Grant: id}, nil); err != nil {
							return fmt.Errorf("deliver: %w", err)
						}
					}
					return nil
				})
			}
			must(b, all.Wait())
		})
	}
	b.ReportMetric(float64(b.N*each*workers)/took.Seconds(), "deliveries/s")
}

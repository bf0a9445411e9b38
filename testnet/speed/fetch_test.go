// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/traboule/traboule/node"
)

const loopback = "/ip4/127.0.0.1/tcp/0"

var passphrase = []byte("for a benchmark")

// start makes a node and puts it on the network; stop takes it off again.
func start(b *testing.B, home string) (n *node.Node, stop func()) {
	b.Helper()
	_, err := node.Create(b.Context(), node.CreateOptions{Home: home, Passphrase: passphrase, Weak: true})
	must(b, err)
	return open(b, home)
}

// open puts a node that was made before on the network.
func open(b *testing.B, home string) (n *node.Node, stop func()) {
	b.Helper()
	n, err := node.OpenHome(b.Context(), node.Options{
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

// BenchmarkFetch fetches D1 and D2 from one vault into two others: first right
// after the giver was opened, when it hashes all that it sends, then again.
// Beside it runs a raw stream of as many bytes, as libp2p makes it: to nowhere,
// and to packs on the disk.
func BenchmarkFetch(b *testing.B) {
	for _, name := range []string{"D1", "D2"} {
		b.Run(name, func(b *testing.B) {
			src, size := work(b, name)
			home := filepath.Join(b.TempDir(), "giver")
			giver, stop := start(b, home)
			do(b, node.Add, giver, node.AddRequest{Path: src, Name: "x"})
			stop()
			var first, fetch, used, raw, rawUsed, toDisk time.Duration
			for b.Loop() {
				giver, stop = open(b, home)
				took, _ := fetchOnce(b, giver, size)
				first += took
				took, cost := fetchOnce(b, giver, size)
				fetch, used = fetch+took, used+cost
				stop()
				before := cpu(b)
				raw += rawStream(b, src, "")
				rawUsed += cpu(b) - before
				toDisk += rawStream(b, src, b.TempDir())
			}
			perGiB := float64(b.N) * float64(size) / (1 << 30)
			b.ReportMetric(fetch.Seconds()/float64(b.N), "s")
			b.ReportMetric(first.Seconds()/float64(b.N), "first-s")
			b.ReportMetric(raw.Seconds()/float64(b.N), "raw-s")
			b.ReportMetric(toDisk.Seconds()/float64(b.N), "raw-to-disk-s")
			b.ReportMetric(100*float64(raw)/float64(fetch), "%-of-raw")
			b.ReportMetric(100*float64(raw)/float64(first), "first-%-of-raw")
			b.ReportMetric(100*float64(toDisk)/float64(fetch), "%-of-raw-to-disk")
			b.ReportMetric(used.Seconds()/perGiB, "cpu-s/GiB")
			b.ReportMetric(rawUsed.Seconds()/perGiB, "raw-cpu-s/GiB")
		})
	}
}

// fetchOnce fetches x into a vault of its own, and says what that took and
// what it cost both ends, who are of one process.
func fetchOnce(b *testing.B, giver *node.Node, size int64) (took, cost time.Duration) {
	b.Helper()
	home := filepath.Join(b.TempDir(), "taker")
	taker, stop := start(b, home)
	acquaint(b, giver, taker)
	link := do(b, node.Grant, giver, node.GrantRequest{Name: "x", To: "taker"}).Link
	before := cpu(b)
	took = timed(b, func() {
		if r := do(b, node.Fetch, taker, node.FetchRequest{Grant: link}); r.Bytes != uint64(size) {
			b.Fatalf("%d bytes of %d", r.Bytes, size)
		}
	})
	cost = cpu(b) - before
	do(b, node.ContactRemove, giver, node.NameRequest{Name: "taker"})
	stop()
	os.RemoveAll(home)
	return took, cost
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

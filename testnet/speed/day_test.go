// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	libquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

const (
	page    = 4096
	mostDay = 5_000_000 // bytes an idle node may write in a day
)

// TestIdleDay: a node with 20 contacts, all of them away, a quarter without
// their grant and a quarter to be told of a revocation, writes little in a day
// in which nothing happens: SD cards wear. What is counted are pages of 4 KiB
// that are dirty when they are synced, and a page for each name that is made
// durable.
func TestIdleDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sky := &simnet.Simnet{LatencyFunc: simnet.StaticLatency(time.Millisecond)}
		counted := &meter{FS: disktest.NewDisk(), dirty: map[string]map[int64]bool{}}
		giver := liveUnder(t, sky, 1, counted)
		sky.Start()
		defer sky.Close()
		ask(t, node.Card, giver.Node, node.CardRequest{Name: "giver"})
		ask(t, node.Add, giver.Node, node.AddRequest{Path: "doc.go", Name: "x"})
		for i := range contacts {
			giver.befriend(t, liveUnder(t, sky, 2+i, disktest.NewDisk()), i)
		}
		<-time.After(2 * time.Minute)
		counted.reset()
		<-time.After(24 * time.Hour)
		written, syncs := counted.total()
		giver.leave()
		if testing.Verbose() {
			fmt.Printf("BenchmarkIdleDay\t1\t%.3f written-MB/day\t%d syncs/day\n", float64(written)/1e6, syncs)
		}
		if written > mostDay || syncs < 24 {
			t.Errorf("%d bytes in %d syncs in a day, at most %d", written, syncs, mostDay)
		}
	})
}

// simulated is a node on a simulated network, on a disk in memory.
type simulated struct {
	*node.Node
	leave func()
}

func liveUnder(t *testing.T, sky *simnet.Simnet, number int, files disk.FS) *simulated {
	t.Helper()
	const home = "/home/simulated"
	ctx, cancel := context.WithCancel(t.Context())
	_, err := node.Create(ctx, node.CreateOptions{Home: home, Passphrase: passphrase, Weak: true, Files: files})
	must(t, err)
	n, err := node.OpenHome(ctx, node.Options{
		Home: home, Secret: node.Secret{Passphrase: passphrase}, Files: files,
		Listen:   []string{fmt.Sprintf("/ip4/1.0.0.%d/udp/4721/quic-v1", number)},
		Commands: func() (net.Listener, error) { return &silence{gone: make(chan struct{})}, nil },
		Network:  func(o *p2p.Options) { o.Transports = quicUnder(sky) },
	})
	must(t, err)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- n.Run(ctx, func(node.RunInfo) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return &simulated{n, func() {
		cancel()
		must(t, <-ended)
		must(t, n.Close())
	}}
}

func quicUnder(sky *simnet.Simnet) []libp2p.Option {
	const perSecond = 100 * simlibp2p.OneMbps
	return []libp2p.Option{
		libp2p.Transport(libquic.NewTransport),
		libp2p.DisableIdentifyAddressDiscovery(),
		simlibp2p.QUICSimnet(sky, simnet.NodeBiDiLinkSettings{
			Downlink: simnet.LinkSettings{BitsPerSecond: perSecond},
			Uplink:   simnet.LinkSettings{BitsPerSecond: perSecond},
		}),
	}
}

// befriend makes an acquaintance, who leaves.
func (g *simulated) befriend(t *testing.T, taker *simulated, i int) {
	t.Helper()
	name := fmt.Sprintf("taker %d", i)
	link := ask(t, node.Card, taker.Node, node.CardRequest{Name: name}).Link
	ask(t, node.ContactAdd, g.Node, node.ContactAddRequest{Link: link, Name: name})
	if i%4 == 0 {
		taker.leave()
	}
	grant := ask(t, node.Grant, g.Node, node.GrantRequest{Name: "x", To: name})
	if grant.Delivered != (i%4 != 0) {
		t.Fatalf("the grant of contact %d is delivered: %v", i, grant.Delivered)
	}
	if i%4 != 0 {
		taker.leave()
	}
	if i%4 == 1 {
		ask(t, node.Revoke, g.Node, node.NameRequest{Name: grant.Grant.ID})
	}
}

func ask[Q, R any](t *testing.T, o node.Operation[Q, R], n *node.Node, request Q) R {
	t.Helper()
	r, err := o.Do(t.Context(), n, request, nil)
	must(t, err)
	return r
}

// silence is a door on which nobody knocks.
type silence struct {
	once sync.Once
	gone chan struct{}
}

func (s *silence) Accept() (net.Conn, error) { <-s.gone; return nil, net.ErrClosed }
func (s *silence) Close() error              { s.once.Do(func() { close(s.gone) }); return nil }
func (s *silence) Addr() net.Addr            { return &net.UnixAddr{Name: "nowhere", Net: "unix"} }

// meter counts what is written to a disk.
type meter struct {
	disk.FS

	mu      sync.Mutex
	dirty   map[string]map[int64]bool // pages, by file
	written int64
	syncs   int
}

func (m *meter) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written, m.syncs = 0, 0
}

// total counts what is not synced yet too.
func (m *meter) total() (written int64, syncs int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, pages := range m.dirty {
		m.written += int64(len(pages)) * page
	}
	return m.written, m.syncs
}

func (m *meter) wrote(name string, off, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirty[name] == nil {
		m.dirty[name] = map[int64]bool{}
	}
	for p := off / page; p*page < off+n; p++ {
		m.dirty[name][p] = true
	}
}

func (m *meter) synced(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written += int64(len(m.dirty[name])) * page
	m.syncs++
	delete(m.dirty, name)
}

// OpenFile opens a file that counts.
func (m *meter) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := m.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &metered{File: f, meter: m, name: name}, nil
}

// SyncDir counts a page.
func (m *meter) SyncDir(name string) error {
	m.wrote(name, 0, 1)
	m.synced(name)
	return m.FS.SyncDir(name)
}

type metered struct {
	disk.File
	meter *meter
	name  string
}

func (f *metered) Write(b []byte) (int, error) {
	at, err := f.Seek(0, 1)
	if err != nil {
		return 0, err
	}
	f.meter.wrote(f.name, at, int64(len(b)))
	return f.File.Write(b)
}

func (f *metered) WriteAt(b []byte, off int64) (int, error) {
	f.meter.wrote(f.name, off, int64(len(b)))
	return f.File.WriteAt(b, off)
}

func (f *metered) Sync() error {
	f.meter.synced(f.name)
	return f.File.Sync()
}

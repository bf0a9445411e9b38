// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/vault"
)

const (
	passphrase = "a passphrase for tests"
	homeDir    = "/home/traboule"
	witnessDir = "/var/traboule"
)

// city is five homes, their wires, and the truth beside them.
type city struct {
	t     *testing.T
	wires *wires
	homes [len(names)]*home
	truth *truth
	shift atomic.Int64 // of all clocks, in nanoseconds

	grants map[int]*signed
	dids   map[int]crypto.DID // of data sets
	asked  map[int]*demand    // the last question by hand under each grant
	retold int                // questions by hand, so far
	turn   int                // versions that came to a grantee, so far
}

// signed is a grant as it was given, on paper.
type signed struct {
	id, link string
	chain    grant.Chain
	below    map[int]grant.Chain // down to whom it was passed on to, by home
}

// home is one node with all that it stands on. Its disk is in memory and
// forgets what was not synced when the power is cut.
type home struct {
	city   *city
	number int
	disk   *disktest.Disk
	off    atomic.Int64 // of the clock, in nanoseconds
	words  string       // of recovery
	keys   *crypto.Keyring
	did    crypto.DID // of the owner
	node   *node.Node
	cancel context.CancelFunc
	ended  chan error
}

func newCity(t *testing.T) (*city, error) {
	c := &city{t: t, wires: newWires(), truth: newTruth(), grants: map[int]*signed{}, dids: map[int]crypto.DID{}, asked: map[int]*demand{}}
	for i := range c.homes {
		c.homes[i] = &home{city: c, number: i, disk: disktest.NewDisk()}
	}
	for _, h := range c.homes {
		if err := h.settleIn(); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *city) close() error {
	var failed error
	for _, h := range c.homes {
		failed = errors.Join(failed, h.stop())
	}
	return failed
}

func (h *home) now() time.Time {
	return time.Now().Add(time.Duration(h.city.shift.Load() + h.off.Load()))
}

// during is the time that passes by this home's clock while do works.
func (h *home) during(do func()) span {
	from := h.now()
	do()
	return span{from, h.now()}
}

func (h *home) name() string { return names[h.number] }

func (h *home) address(port int) string {
	return fmt.Sprintf("/ip4/1.0.0.%d/udp/%d/quic-v1", h.number+1, port)
}

// settleIn makes the node and keeps a copy of its keys, for a hand that does
// not keep to the protocol.
func (h *home) settleIn() error {
	made, err := node.Create(context.Background(), h.creation())
	if err != nil {
		return err
	}
	h.words = made.Words
	v, _, err := vault.Open(homeDir, crypto.Passphrase([]byte(passphrase)), vault.Options{FS: h.disk})
	if err != nil {
		return err
	}
	h.keys, h.did = v.Keyring(), v.Keyring().Owner().DID()
	if err := v.Close(); err != nil {
		return err
	}
	if err := h.start(); err != nil {
		return err
	}
	_, err = call(h, node.Card, node.CardRequest{Name: h.name()})
	return err
}

func (h *home) creation() node.CreateOptions {
	return node.CreateOptions{Home: homeDir, Passphrase: []byte(passphrase), Weak: true, Files: h.disk, Now: h.now}
}

// options are those of a node whose journal gets a checkpoint whenever there
// is twice as much to be left out.
func (h *home) options() node.Options {
	return node.Options{
		Home: homeDir, Witness: witnessDir, Secret: node.Secret{Passphrase: []byte(passphrase)},
		Listen: []string{h.address(4721)}, Now: h.now, Files: h.disk, Commands: newNobody, Growth: 1,
		Network: func(o *p2p.Options) { o.Transports = h.transports() },
	}
}

// start opens the home and puts the node on the network.
func (h *home) start() error {
	n, err := node.OpenHome(context.Background(), h.options())
	if err != nil {
		return fmt.Errorf("%s's node does not open: %w", h.name(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.node, h.cancel, h.ended = n, cancel, make(chan error, 1)
	ready, ended := make(chan struct{}), h.ended
	go func() { ended <- n.Run(ctx, func(node.RunInfo) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return fmt.Errorf("%s's node does not run: %w", h.name(), errors.Join(err, n.Close()))
	}
	book := &h.city.truth.books[h.number]
	h.city.truth.up[h.number] = true
	book.latest = later(book.latest, h.now())
	return nil
}

func (h *home) transports() []libp2p.Option { return h.city.wires.transports() }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stop ends the node as its owner would.
func (h *home) stop() error {
	if h.node == nil {
		return nil
	}
	h.cancel()
	err := errors.Join(<-h.ended, h.node.Close())
	h.node, h.city.truth.up[h.number] = nil, false
	if err != nil {
		return fmt.Errorf("%s's node does not stop well: %w", h.name(), err)
	}
	return nil
}

// powerCut leaves the home with what its disk had for certain, and of the rest
// what chance wrote out. The node is not told; nothing that it does after the
// cut reaches anybody.
func (h *home) powerCut(seed uint64) {
	h.city.wires.setDark(h.number, true)
	after := h.disk.Crash(rand.New(rand.NewPCG(seed, 0)))
	if h.node != nil {
		h.cancel()
		_, _ = <-h.ended, h.node.Close()
		h.node, h.city.truth.up[h.number] = nil, false
	}
	h.disk = after
	h.city.wires.setDark(h.number, false)
}

// copyHome keeps a copy of the home on the same disk, as a backup program
// would.
func (h *home) copyHome(number int) error { return disk.CopyDir(h.disk, backupDir(number), homeDir) }

func (h *home) putBack(number int) error {
	if err := disk.RemoveAll(h.disk, homeDir); err != nil {
		return err
	}
	return disk.CopyDir(h.disk, homeDir, backupDir(number))
}

func backupDir(number int) string { return fmt.Sprintf("/backups/%d", number) }

// call carries out an operation at a home whose node runs.
func call[Q, R any](h *home, op node.Operation[Q, R], q Q) (R, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	r, err := op.Do(ctx, h.node, q, nil)
	if err != nil {
		return r, fmt.Errorf("%s at %s's: %w", op.Name, h.name(), err)
	}
	return r, nil
}

// key is the sentence that an error of an operation is told in.
func key(err error) string {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p.Key
	}
	return ""
}

// outOfReach says whether an operation failed because nobody answered, or
// because a stream was cut.
func outOfReach(err error) bool {
	var p *problem.Problem
	return errors.As(err, &p) && (p.Kind == problem.Unreachable || p.Kind == problem.Interrupted)
}

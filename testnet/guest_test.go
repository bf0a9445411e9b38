// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/vault"
)

// guest has the keys of a contact and keeps nothing of what it reads, so that
// it can read the same without end.
type guest struct {
	host   *p2p.Host
	keys   *crypto.Keyring
	server *home
	wire   *wire
}

// newGuest makes somebody who is a contact of the server's, by this name.
func newGuest(t *testing.T, server *home, name string) *guest {
	t.Helper()
	h := openHome(t, makeHome(t), nil)
	introduce(t, server, h, "the giver", name)
	h.stop()
	v, _, err := vault.Open(h.dir, crypto.Passphrase([]byte(passphrase)), vault.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{keys: v.Keyring(), server: server, wire: newWire()}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	g.host, err = p2p.New(p2p.Options{Key: g.keys.Node(), Transports: g.wire.transports()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.host.Close() })
	return g
}

// chain is what a grant link carries, down to the guest's node.
func (g *guest) chain(t *testing.T, link string) grant.Chain {
	t.Helper()
	offered, err := offer.ParseLink(link)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := grant.DecodeChain(offered.Chain)
	if err != nil {
		t.Fatal(err)
	}
	last, err := grant.PassOn(g.keys.Owner(), chain, g.keys.Node().DID(), time.Unix(*chain[grant.LinkGrant].Expires, 0), nil, nonce())
	if err != nil {
		t.Fatal(err)
	}
	return append(chain, last)
}

// reading is an open passage, and all names that it may ask for.
type reading struct {
	*transfer.Session
	names []crypto.BlockName
}

// open presents a grant and reads the manifest.
func (g *guest) open(ctx context.Context, chain grant.Chain) (*reading, error) {
	session, err := g.ask(ctx, chain)
	if err != nil {
		return nil, err
	}
	r := &reading{Session: session}
	return r, r.manifest(ctx, g.keys)
}

// ask presents a grant.
func (g *guest) ask(ctx context.Context, chain grant.Chain) (*transfer.Session, error) {
	granted, err := chain.Grant()
	if err != nil {
		return nil, err
	}
	args := grant.ReadArgs{Columns: []string{}, Rows: []string{}, Paths: granted.Paths, Purpose: granted.Purpose, HPKE: g.keys.Receive().Public()}
	if len(args.Paths) == 0 {
		args.Paths = []string{""}
	}
	server := crypto.DID(g.server.info.Node)
	inv, err := grant.Ask(g.keys.Node(), chain, server, grant.CommandRead, args.ToMap(), time.Now(), nonce())
	if err != nil {
		return nil, err
	}
	stream, err := g.host.Dial(ctx, server, g.server.info.Addresses, transfer.ProtocolID)
	if err != nil {
		return nil, err
	}
	return transfer.Open(ctx, stream, transfer.Request{Invocation: inv.Bytes(), Proofs: chain.Tokens()}, transfer.ClientOptions{})
}

// manifest opens the head and reads all pages below it.
func (r *reading) manifest(ctx context.Context, keys *crypto.Keyring) error {
	sealed, err := envelope.Parse(r.Head())
	if err != nil {
		return err
	}
	opened, err := sealed.Open(keys.Receive())
	if err != nil {
		return err
	}
	head, _, err := storage.ParseHead(opened)
	if err != nil {
		return err
	}
	tracker := storage.NewTracker(head)
	for !tracker.Done() {
		if err := r.Fetch(ctx, slices.Values(tracker.Wants(1024)), tracker.Add); err != nil {
			return fmt.Errorf("read the manifest: %w", err)
		}
	}
	r.names = tracker.Blocks()
	return nil
}

// readOn reads all blocks again and again until the passage ends, and returns
// why it did. It tells of each block.
func (r *reading) readOn(ctx context.Context, block func()) error {
	forever := func(yield func(crypto.BlockName) bool) {
		for {
			for _, name := range r.names {
				if !yield(name) {
					return
				}
			}
		}
	}
	return r.Fetch(ctx, forever, func(crypto.BlockName, []byte) error {
		block()
		return nil
	})
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"

	"github.com/ipfs/go-cid"
	"golang.org/x/sync/errgroup"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage/vault"
)

var defaultListen = []string{
	"/ip4/0.0.0.0/tcp/4721", "/ip4/0.0.0.0/udp/4721/quic-v1",
	"/ip6/::/tcp/4721", "/ip6/::/udp/4721/quic-v1",
}

const (
	// pushPatience bounds the first try to hand something to a contact, while
	// the owner waits.
	pushPatience = 5 * time.Second
	// retryEvery is how often the node looks for what could not be handed over.
	retryEvery = 30 * time.Second
)

// link is the node's place on the network while it runs.
type link struct {
	node *Node
	host *p2p.Host
	away absences[crypto.DID]
	item absences[push] // what was not taken, though its contact was there
}

// Run puts the node on the network and answers commands until ctx is done and
// all has stopped. It calls ready once, when peers and commands are answered.
func (n *Node) Run(ctx context.Context, ready func(RunInfo)) error {
	if err := n.run(ctx, ready); err != nil && ctx.Err() == nil {
		return explain(err)
	}
	return nil
}

func (n *Node) run(ctx context.Context, ready func(RunInfo)) error {
	listen := n.opt.Listen
	if len(listen) == 0 {
		listen = defaultListen
	}
	network := p2p.Options{Key: n.keys.Node(), Listen: listen, PreferTCP: true}
	if n.opt.Network != nil {
		n.opt.Network(&network)
	}
	host, err := p2p.New(network)
	if err != nil {
		return problem.New(problem.Busy, "run.no-address", "why", err.Error()).Because(err)
	}
	l := &link{node: n, host: host}
	// The clock mark stands before anybody is answered. A full disk keeps no
	// node from running.
	if err := n.housekeeping(ctx); err != nil {
		n.opt.Log.Error("housekeeping", "error", err)
	}
	l.answer()
	commands, err := n.commands()
	if err != nil {
		return errors.Join(err, host.Close())
	}
	n.setLink(l)
	defer n.setLink(nil)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return host.Run(ctx) })
	group.Go(func() error { return control.Serve(ctx, commands, n.command) })
	group.Go(func() error { l.tend(ctx); return nil })
	group.Go(func() error { return n.keepKits(ctx) })
	group.Go(func() error { return n.keepUp(ctx) })
	ready(RunInfo{
		Home: n.opt.Home, Owner: string(n.keys.Owner().DID()), Node: string(n.keys.Node().DID()), Addresses: host.Addrs(),
	})
	err = group.Wait()
	return errors.Join(err, n.saveDenials(context.WithoutCancel(ctx), true))
}

// commands is where commands are listened for.
func (n *Node) commands() (net.Listener, error) {
	if n.opt.Commands != nil {
		return n.opt.Commands()
	}
	return control.Listen(n.opt.Home)
}

// command carries out an operation that came as JSON.
func (n *Node) command(ctx context.Context, operation string, request json.RawMessage, progress func(control.Progress)) (json.RawMessage, error) {
	var result json.RawMessage
	err := n.Call(ctx, operation, request, &result, progress)
	return result, err
}

// answer names what this node answers to peers.
func (l *link) answer() {
	l.host.Handle(transfer.ProtocolID, l.present(l.serveTransfer))
	l.host.Handle(contact.ProtocolID, l.present(l.serveContact))
	l.host.Handle(offer.ProtocolID, l.present(l.serveOffer))
	for _, k := range l.node.book.contactList() {
		l.host.Protect(k.card.Node)
	}
}

// present is serve, and notes who is there.
func (l *link) present(serve func(context.Context, protocol.Stream)) func(context.Context, protocol.Stream) {
	return func(ctx context.Context, s protocol.Stream) {
		l.met(s.Peer())
		serve(ctx, s)
	}
}

// tend does what is due from time to time, until ctx is done. A disk that
// fails is no reason to stop: what must be written first is refused while it
// does, and the journal takes back what is in doubt before it writes again.
func (l *link) tend(ctx context.Context) {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		l.node.kits.touch() // what they are on may have been plugged in
		l.handOver(ctx)
		if err := l.node.housekeeping(ctx); err != nil && ctx.Err() == nil {
			l.node.opt.Log.Error("housekeeping", "error", err)
		}
		if err := l.node.vault.Rest(); err != nil {
			l.node.opt.Log.Warn("rest", "error", err)
		}
		l.node.recordSets.rest()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// housekeeping does what is due: the clock mark, the denials of grantees, our
// own links that have aged, half revocations, the views and the pace of grants
// that are over, a checkpoint, the ballast. None waits for another that fails.
func (n *Node) housekeeping(ctx context.Context) error {
	var failed error
	for _, do := range []func(context.Context) error{
		n.markClock, n.noteDenials, n.renewLinks, n.finishRevocations, n.dropViews, n.checkpoint,
	} {
		failed = errors.Join(failed, do(ctx))
	}
	n.pace.forget(n.isOver)
	n.loadBallast()
	return failed
}

// markClock writes down how late it is, if that is due.
func (n *Node) markClock(ctx context.Context) error {
	at, due := n.gate.MarkDue()
	if !due {
		return nil
	}
	return n.record(ctx, vault.Fact{Kind: factClock, Public: publicMark(at)})
}

// noteDenials writes the denials of grantees, if that is due.
func (n *Node) noteDenials(ctx context.Context) error {
	now := n.now()
	if now.Sub(n.denialsSaved) < denialsEvery {
		return nil
	}
	n.denialsSaved = now
	return n.saveDenials(ctx, false)
}

// renewLinks renews our own links that have aged.
func (n *Node) renewLinks(ctx context.Context) error {
	var failed error
	for _, d := range n.vault.Datasets() {
		if d.From == "" {
			_, err := n.renew(ctx, d.DID)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// met notes that a node is there: all that waits for it is due.
func (l *link) met(node crypto.DID) {
	l.away.met(node)
	l.item.forget(func(p push) bool { return p.node == node })
}

// push names what is handed over: a grant, or the end of one.
type push struct {
	node       crypto.DID
	about      cid.Cid
	revocation bool
}

// handOver pushes what their grantee has not acknowledged yet: revocations, and
// then grants.
func (l *link) handOver(ctx context.Context) {
	l.payOwed(ctx)
	if l.node.vault.Suspended() != "" {
		return
	}
	list := l.node.book.givenOn("")
	for _, g := range list {
		if g.revoked && !g.told {
			l.tryAgain(ctx, g.Audience, push{about: g.cid, revocation: true}, func(ctx context.Context) error { return l.pushRevocation(ctx, g) })
		}
	}
	for _, g := range list {
		if !g.acknowledged && !g.ended(l.node.now()) {
			l.tryAgain(ctx, g.Audience, push{about: g.cid}, func(ctx context.Context) error { return l.pushGrant(ctx, g) })
		}
	}
}

// payOwed tells contacts of the revocations that outlived their data sets.
func (l *link) payOwed(ctx context.Context) {
	for record, owed := range l.node.book.owedList() {
		l.tryAgain(ctx, owed.Owner, push{about: record, revocation: true}, func(ctx context.Context) error { return l.pay(ctx, record, owed) })
	}
}

// tryAgain tries what failed before, unless its contact was away just now, or
// did not take it, or is none any more. What is not taken holds up nothing else.
func (l *link) tryAgain(ctx context.Context, owner crypto.DID, what push, try func(context.Context) error) {
	to, known := l.node.book.contactOf(owner)
	now := l.node.now()
	what.node = to.card.Node
	if !known || ctx.Err() != nil || !l.away.due(to.card.Node, now) || !l.item.due(what, now) {
		return
	}
	switch err := l.quietly(ctx, try); {
	case err == nil:
		l.away.met(to.card.Node)
		l.item.met(what)
	case ctx.Err() != nil:
	case errors.Is(err, errNotReached), errors.Is(err, context.DeadlineExceeded):
		l.away.missed(to.card.Node, now)
	default:
		l.item.missed(what, now)
	}
}

// quietly tries something that is tried again later if it fails, and says
// why it did.
func (l *link) quietly(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, pushPatience)
	defer cancel()
	err := try(ctx)
	if err != nil {
		err = errors.Join(err, ctx.Err()) // a stream that was given up says less
		l.node.opt.Log.Debug("push", "error", err)
	}
	return err
}

// dial opens a conversation with a node.
func (l *link) dial(ctx context.Context, node crypto.DID, addresses []string, id string) (protocol.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	return l.host.Dial(ctx, node, addresses, id)
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/vault"
)

// serveTransfer answers one request for a data set. The stream ends when a
// link of the grant's chain is revoked, or with the earliest expiry in it.
func (l *link) serveTransfer(ctx context.Context, stream protocol.Stream) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &serving{node: l.node, cancel: cancel, admit: func() func() { return l.host.Admit(stream) }}
	// A peer that takes nothing must not make a revocation wait for it.
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errEnded) {
			_ = l.host.Abort(stream)
		}
	})()
	err := transfer.Serve(ctx, stream, s, transfer.ServerOptions{Now: l.node.opt.Now})
	if errors.Is(context.Cause(ctx), errEnded) {
		// What was written and not yet sent must not leave either.
		err = errors.Join(err, l.host.Abort(stream))
	}
	s.leave()
	if err != nil && s.passage != nil {
		l.node.vault.Blocks().HashAgain() // perhaps the peer got what is no block
	}
	if err != nil {
		l.node.opt.Log.Debug("transfer ended", "error", err)
	}
}

// serving is one request being answered. It is the one place where bytes of a
// data set leave the node: the gate is asked, the journal told, in this order,
// before the head that opens them is handed out.
type serving struct {
	node    *Node
	cancel  context.CancelCauseFunc
	admit   func() (release func()) // makes the peer known to the network
	release func()
	passage *passage
	ends    *time.Timer // cancels at the earliest expiry
}

// errOver is why a passage is cut when its time is up: the peer asks again.
var errOver = errors.New("the admission is over")

// Open decides whether a request is answered, and with what.
func (s *serving) Open(ctx context.Context, peer crypto.DID, req transfer.Request) (transfer.Passage, error) {
	n := s.node
	d, denial := n.gate.Check(peer, req.Invocation, req.Proofs)
	if denial != nil {
		n.denied(denial)
		return nil, denial.Refusal()
	}
	if d.Command != grant.CommandRead {
		return nil, &protocol.Refusal{Code: protocol.Malformed}
	}
	if refusal := n.pace.allow(d.Leaf, shapeOf(d.Args), n.now()); refusal != nil {
		n.gate.Release(d)
		return nil, refusal
	}
	if s.passage = n.passages.enter(d.Leaf, cidsOf(d), s.cancel); s.passage == nil {
		n.gate.Release(d)
		return nil, &protocol.Refusal{Code: protocol.Busy}
	}
	s.release = s.admit()
	if n.gate.Revoked(d.Chain) { // between the check and the entry
		return nil, &protocol.Refusal{Code: protocol.Revoked}
	}
	delivered, err := s.deliver(ctx, d)
	if err != nil {
		n.gate.Release(d)
		if refusal := (*protocol.Refusal)(nil); !errors.As(err, &refusal) {
			n.tellFailed(ctx, d, err)
			err = fmt.Errorf("%w: %w", &protocol.Refusal{Code: protocol.Failed}, err)
		}
		return nil, err
	}
	s.ends = time.AfterFunc(d.Ends.Sub(n.now()), func() { s.cancel(errOver) })
	return delivered, nil
}

// tellFailed tells the owner why nothing was delivered: the peer hears no more
// than that.
func (n *Node) tellFailed(ctx context.Context, d *access.Decision, err error) {
	if ctx.Err() == nil {
		n.opt.Log.Error("a delivery failed", "dataset", d.Grant.Dataset.Short(), "why", problem.Of(about(err)).Key)
	}
}

// leave says that no further byte will be written.
func (s *serving) leave() {
	if s.ends != nil {
		s.ends.Stop()
	}
	if s.passage != nil {
		s.release()
		s.node.passages.leave(s.passage)
	}
}

func cidsOf(d *access.Decision) []cid.Cid {
	list := make([]cid.Cid, len(d.Chain))
	for i, link := range d.Chain {
		list[i] = link.CID()
	}
	return list
}

// deliver cuts the view, draws the use, seals the head and journals the
// delivery; only then may the head leave.
func (s *serving) deliver(ctx context.Context, d *access.Decision) (*delivered, error) {
	n := s.node
	if err := checkKind(n.kindOf(d.Grant.Dataset), d.Args); err != nil {
		return nil, fmt.Errorf("%w: %w", &protocol.Refusal{Code: protocol.Malformed}, err)
	}
	head, rows, err := n.headOf(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("cut the view: %w", err)
	}
	digest := sha256.Sum256(head.Bytes)
	uses, denial := n.gate.Use(d, digest)
	if denial != nil {
		n.denied(denial)
		return nil, denial.Refusal()
	}
	sealed, err := envelope.Seal(n.keys.Node(), envelope.Binding{
		Dataset: d.Grant.Dataset, Grant: d.Leaf, Generation: head.Generation, Sequence: head.Sequence, Audience: d.Audience,
	}, d.Args.HPKE, head.Bytes)
	if err != nil {
		return nil, err
	}
	if err := n.record(ctx, n.deliveryFacts(d, head, rows, uses)...); err != nil {
		return nil, fmt.Errorf("journal the delivery: %w", err)
	}
	return &delivered{node: n, sealed: sealed, head: head.Head, digest: digest, view: n.passages.views.hold(digest)}, nil
}

// headOf cuts what is asked for, and says how many rows of records that is.
func (n *Node) headOf(ctx context.Context, d *access.Decision) (head vault.SignedHead, rows int, err error) {
	if len(d.Args.Columns) == 0 {
		head, err = n.vault.ViewHead(ctx, d.Grant.Dataset, viewOf(d.Args.Paths))
		return head, 0, err
	}
	set, err := n.vault.Lookup(string(d.Grant.Dataset))
	if err != nil {
		return head, 0, err
	}
	g, known := n.book.givenBy(d.Leaf)
	if !known {
		return head, 0, &protocol.Refusal{Code: protocol.Denied}
	}
	v, err := n.viewAsked(ctx, set, askedView(d.Args))
	if errors.Is(err, view.ErrBadView) {
		err = fmt.Errorf("%w: %w", &protocol.Refusal{Code: protocol.Malformed}, err)
	}
	if err != nil {
		return head, 0, err
	}
	return n.cutView(ctx, set.DID, v, g)
}

// viewAsked reads a view that must be spelled in the one way.
func (n *Node) viewAsked(ctx context.Context, d vault.Dataset, asked view.Spec) (*view.View, error) {
	set, err := n.records(ctx, d)
	if err != nil {
		return nil, err
	}
	v, err := view.Parse(set.Schema(), asked)
	if err == nil && !sameView(v.Spec(), asked) {
		err = fmt.Errorf("%w: not in its one spelling", view.ErrBadView)
	}
	return v, err
}

// viewOf is the view that canonical paths ask for; "" is everything.
func viewOf(paths []string) vault.View {
	for _, path := range paths {
		if path == "" {
			return vault.View{Whole: true}
		}
	}
	return vault.View{Paths: paths}
}

// deliveryFacts are the delivery, and that the grantee's node has the grant if
// nothing said so before. Whom they passed it on to may have it from elsewhere.
func (n *Node) deliveryFacts(d *access.Decision, head vault.SignedHead, rows int, uses []access.Use) []vault.Fact {
	g, _ := n.book.givenBy(d.Leaf)
	facts := []vault.Fact{deliveryFact(d, g, head, rows, uses)}
	if to, known := n.book.contactOf(g.Audience); known && to.card.Node == d.Audience && !g.acknowledged {
		facts = append(facts, fact(factAcknowledged, crypto.DatasetScope(g.Dataset), acknowledgement{Grant: d.Leaf.Bytes()}))
	}
	return facts
}

func deliveryFact(d *access.Decision, g given, head vault.SignedHead, rows int, uses []access.Use) vault.Fact {
	mark := deliveryMark{Invocation: d.Seen.Digest, Expires: d.Seen.Expires, Uses: []usedMark{}}
	for _, use := range uses {
		mark.Uses = append(mark.Uses, usedMark{Delegation: use.Delegation.Bytes(), Head: use.Head})
	}
	f := fact(factDelivered, crypto.DatasetScope(d.Grant.Dataset), delivery{
		Dataset: d.Grant.Dataset, Grant: d.Leaf.Bytes(), Peer: d.Audience, View: head.View, Version: head.Sequence,
		Files: head.Counts.Files, Bytes: head.Counts.Bytes, Rows: uint64(rows), Purpose: d.Args.Purpose,
		Repeated: g.deliveries > 0 && g.last.View == head.View && g.last.Version == head.Sequence,
	})
	f.Public = canonical.MustMarshal(mark)
	return f
}

// delivered is a view on its way out: its sealed head and its blocks.
type delivered struct {
	node   *Node
	sealed []byte
	head   storage.Head
	digest [32]byte
	view   *servedView
}

// Head is the sealed head.
func (d *delivered) Head() []byte { return d.sealed }

// Block appends a block of the view to dst, as it lies on the disk. One that
// is found damaged is missing: all others are delivered.
func (d *delivered) Block(ctx context.Context, name crypto.BlockName, dst []byte) ([]byte, error) {
	granted, err := d.view.opens(name, func() ([]crypto.BlockName, error) { return d.node.blocksOf(ctx, d.head) })
	if err != nil {
		return nil, err
	}
	if !granted {
		return nil, transfer.ErrNotGranted
	}
	data, err := d.node.vault.Blocks().GetToSend(name, dst)
	if errors.Is(err, blocks.ErrNotFound) || errors.As(err, new(*blocks.DamagedError)) {
		err = transfer.ErrMissing
	}
	return data, err
}

// Close lets go of the view.
func (d *delivered) Close() { d.node.passages.views.release(d.digest) }

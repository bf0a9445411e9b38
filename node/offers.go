// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/vault"
)

// offerOf is a grant of ours as it is handed over.
func (n *Node) offerOf(chain grant.Chain) offer.Grant {
	o := offer.Grant{Chain: chain.Tokens(), Name: n.datasetName(chain.Dataset())}
	if l, err := n.online(); err == nil {
		o.Addresses = l.reachable()
	}
	return o
}

// pushGrant hands a grant to its audience's node and records that it has it.
func (l *link) pushGrant(ctx context.Context, g given) error {
	chain, err := l.node.renew(ctx, g.Dataset)
	if err != nil {
		return err
	}
	return l.push(ctx, g, false, func(ctx context.Context, stream protocol.Stream) error {
		return offer.BringGrant(ctx, stream, l.node.offerOf(append(chain[:2:2], g.leaf)), offer.Options{})
	})
}

// pushRevocation tells a grantee's node that a grant is over, and records that
// it knows.
func (l *link) pushRevocation(ctx context.Context, g given) error {
	return l.push(ctx, g, true, func(ctx context.Context, stream protocol.Stream) error {
		return offer.BringRevocation(ctx, stream, g.record, offer.Options{})
	})
}

func (l *link) push(ctx context.Context, g given, revocation bool, bring func(context.Context, protocol.Stream) error) error {
	to, ok := l.node.book.contactOf(g.Audience)
	if !ok {
		return fmt.Errorf("hand something to %s: no longer a contact", g.Audience.Short())
	}
	stream, err := l.reach(ctx, to)
	if err != nil {
		return err
	}
	if err := bring(ctx, stream); err != nil {
		return err
	}
	return l.node.acknowledge(ctx, g, revocation)
}

var errNotReached = errors.New("the contact is not reached")

// reach opens a conversation in which something is brought to a contact.
func (l *link) reach(ctx context.Context, to known) (protocol.Stream, error) {
	stream, err := l.dial(ctx, to.card.Node, to.card.Addresses, offer.ProtocolID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotReached, err)
	}
	return stream, nil
}

// acknowledge records that a grantee's node has a grant, or its revocation:
// once, however many tries to hand it over met.
func (n *Node) acknowledge(ctx context.Context, g given, revocation bool) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	now, here := n.book.givenBy(g.cid)
	if !here || revocation && now.told || !revocation && now.acknowledged {
		return nil
	}
	return n.record(ctx, fact(factAcknowledged, crypto.DatasetScope(g.Dataset), acknowledgement{
		Grant: g.cid.Bytes(), Revocation: revocation,
	}))
}

// pay tells a contact of one revocation whose data set is gone, and records
// that they know.
func (l *link) pay(ctx context.Context, record cid.Cid, owed owedRecord) error {
	to, ok := l.node.book.contactOf(owed.Owner)
	if !ok {
		return fmt.Errorf("tell %s of a revocation: no longer a contact", owed.Owner.Short())
	}
	stream, err := l.reach(ctx, to)
	if err != nil {
		return err
	}
	if err := offer.BringRevocation(ctx, stream, owed.Record, offer.Options{}); err != nil {
		return err
	}
	l.node.changes.Lock()
	defer l.node.changes.Unlock()
	if _, still := l.node.book.owedList()[record]; !still {
		return nil
	}
	return l.node.record(ctx, vault.Fact{Kind: factPaid, Scope: crypto.ContactScope(owed.Owner), Body: record.Bytes()})
}

// serveOffer answers those who bring something.
func (l *link) serveOffer(ctx context.Context, stream protocol.Stream) {
	if err := offer.Serve(ctx, stream, taker{l.node}, offer.Options{}); err != nil {
		l.node.opt.Log.Debug("offer ended", "error", err)
	}
}

// taker is what others may bring to this node.
type taker struct{ node *Node }

// maxReceived bounds the grants that one contact may bring unasked, and the
// revocations of what is not known here.
const maxReceived = 1000

var errNotForUs = errors.New("the grant is not for us, or not from a contact")

// TakeGrant keeps a grant that a contact gives to our owner, from the node
// that gives it.
func (t taker) TakeGrant(ctx context.Context, from crypto.DID, g offer.Grant) error {
	chain, err := grant.DecodeChain(g.Chain)
	if err != nil {
		return err
	}
	if len(chain) <= grant.LinkGrant || chain[grant.LinkNode].Audience != from {
		return errNotForUs // whoever else brings it could send us elsewhere
	}
	giver := chain[grant.LinkBirth].Audience
	if _, known := t.node.book.contactOf(giver); !known {
		return errNotForUs
	}
	_, here := t.node.book.receivedBy(chain[grant.LinkGrant].CID())
	if !here && t.node.book.receivedFrom(giver) >= maxReceived {
		return &protocol.Refusal{Code: protocol.Limit}
	}
	_, err = t.node.accept(ctx, g)
	return err
}

// TakeRevocation keeps a record that ends a delegation known here, whoever
// brings it. One of which nothing is known is kept if a contact signed it, else
// remembered for a while only; and nobody but its issuer hears that it was.
func (t taker) TakeRevocation(ctx context.Context, from crypto.DID, token []byte) error {
	n := t.node
	record, err := ucan.DecodeInvocation(token)
	if err != nil {
		return err
	}
	revocation, err := ucan.ParseRevocation(record)
	if err != nil {
		return err
	}
	chain := n.book.chainDownTo(revocation.Target)
	weighed, err := n.gate.WeighRevocation(record, chain)
	if err != nil {
		return err
	}
	if !weighed.Keep {
		_, err := n.gate.Revoke(record, chain)
		return errors.Join(errUnknownTarget, err)
	}
	n.changes.Lock()
	defer n.changes.Unlock()
	if n.book.knowsWord(word{revocation.Issuer, revocation.Target}) {
		if weighed.Counts {
			return nil
		}
		return n.unlessStranger(from, revocation)
	}
	if !weighed.Counts && n.book.earlyFrom(revocation.Issuer) >= maxReceived {
		return &protocol.Refusal{Code: protocol.Limit}
	}
	ctx = context.WithoutCancel(ctx) // half a revocation is none
	if err := n.record(ctx, vault.Fact{Kind: factRevocation, Public: token}); err != nil {
		return err
	}
	if !weighed.Counts {
		return n.unlessStranger(from, revocation)
	}
	n.passages.end(revocation.Target)
	if g, ours := n.book.givenBy(revocation.Target); ours && g.revoked && !g.raised {
		return n.raise(ctx, g)
	}
	return n.vault.SaveMark()
}

// unlessStranger acknowledges what was kept of which nothing is known here, but
// to its issuer alone: anybody else would learn from the answer whom we know.
func (n *Node) unlessStranger(from crypto.DID, r ucan.Revocation) error {
	if n.book.speaksFor(from, r.Issuer) {
		return nil
	}
	return errUnknownTarget
}

var errUnknownTarget = errors.New("nothing is known here of what this revokes")

// CurrentLinks gives those who stand under a grant of ours its upper links as
// they are now.
func (t taker) CurrentLinks(ctx context.Context, from crypto.DID, q offer.Question) ([][]byte, error) {
	n := t.node
	d, denial := n.gate.Check(from, q.Invocation, q.Proofs)
	if denial != nil {
		n.denied(denial)
		return nil, denial.Refusal()
	}
	if d.Command != grant.CommandChain {
		return nil, &protocol.Refusal{Code: protocol.Malformed}
	}
	chain, err := n.renew(ctx, d.Grant.Dataset)
	if err != nil {
		return nil, err
	}
	return chain[:2].Tokens(), nil
}

// accept takes in a grant that names our owner: our owner lets our node use
// it, and both are kept. Bringing it again changes nothing but its addresses.
func (n *Node) accept(ctx context.Context, offered offer.Grant) (received, error) {
	n.changes.Lock()
	defer n.changes.Unlock()
	chain, err := grant.DecodeChain(offered.Chain)
	if err != nil {
		return received{}, problem.New(problem.Invalid, "grant.altered").Because(err)
	}
	if len(chain) != grant.LinkGrant+1 || chain[grant.LinkGrant].Audience != n.keys.Owner().DID() {
		return received{}, problem.New(problem.Invalid, "grant.somebody-else").Because(errNotForUs)
	}
	leaf := chain[grant.LinkGrant]
	if n.now().Unix() > *leaf.Expires {
		return received{}, problem.New(problem.Invalid, "grant.expired", "time", moment(time.Unix(*leaf.Expires, 0)))
	}
	if _, err := chain.Grant(); err != nil { // what is not understood now must not be kept
		return received{}, problem.New(problem.Invalid, "grant.altered").Because(err)
	}
	if before, ok := n.book.receivedBy(leaf.CID()); ok {
		if slices.Equal(before.Addresses, offered.Addresses) || n.now().Sub(before.kept) < moveAfter {
			return n.book.moveReceived(leaf.CID(), offered.Addresses), nil
		}
		own := before.chain[grant.LinkGrant+1:]
		return n.keepReceived(ctx, append(chain, own...), ourName(offered.Name, chain.Dataset()), offered.Addresses)
	}
	own, err := grant.PassOn(n.keys.Owner(), chain, n.keys.Node().DID(), time.Unix(*leaf.Expires, 0), nil, newNonce())
	if err != nil {
		return received{}, problem.New(problem.Invalid, "grant.altered").Because(err)
	}
	return n.keepReceived(ctx, append(chain, own), ourName(offered.Name, chain.Dataset()), offered.Addresses)
}

// rewriteAfter is how old what others may bring again must be before it is
// written anew: nobody makes this node write at will.
const rewriteAfter = time.Hour

// moveAfter is rewriteAfter for the addresses of a grant: until then they are
// known in memory, and after a start from the giver's card.
const moveAfter = 24 * time.Hour

// ourName is what we call a data set that its giver calls so, where that is a
// name that a data set may have here.
func ourName(offered string, dataset crypto.DID) string {
	if name, err := storage.ParseName(offered); err == nil {
		return name
	}
	return string(dataset[len(dataset)-8:])
}

func (n *Node) keepReceived(ctx context.Context, chain grant.Chain, name string, addresses []string) (received, error) {
	f := fact(factReceivedGrant, crypto.ReceivedScope(chain.Dataset()), receivedGrant{
		Dataset: chain.Dataset(), Chain: chain.Tokens(), Name: name, Node: chain[grant.LinkNode].Audience,
		Addresses: append([]string{}, addresses...), Over: n.gate.Revoked(chain),
	})
	if err := n.record(ctx, f); err != nil {
		return received{}, err
	}
	r, _ := n.book.receivedBy(chain[grant.LinkGrant].CID())
	return r, nil
}

// refreshChain asks the giver's node for the current upper links of a grant,
// and keeps them.
func (l *link) refreshChain(ctx context.Context, r received) (received, error) {
	n := l.node
	leaf := r.chain[grant.LinkGrant]
	args := ucan.MakeMap(map[string]ucan.Value{"grant": ucan.Link(leaf.CID())})
	invocation, err := grant.Ask(n.keys.Node(), r.chain, r.Node, grant.CommandChain, args, n.now(), newNonce())
	if err != nil {
		return r, err
	}
	stream, err := l.dial(ctx, r.Node, r.addresses(n), offer.ProtocolID)
	if err != nil {
		return r, err
	}
	tokens, err := offer.AskLinks(ctx, stream, offer.Question{Invocation: invocation.Bytes(), Proofs: r.chain.Tokens()}, offer.Options{})
	if err != nil {
		return r, err
	}
	if len(tokens) != 2 {
		return r, misbehaved(errors.New("it sent another number of links than two"))
	}
	chain, err := grant.DecodeChain(append(tokens, r.chain[grant.LinkGrant:].Tokens()...))
	if err != nil {
		return r, misbehaved(err)
	}
	if chain.Dataset() != r.Dataset || chain[grant.LinkBirth].Audience != r.giver() {
		return r, misbehaved(errors.New("the links are of another data set or owner"))
	}
	return n.keepReceived(ctx, chain, r.Name, r.Addresses)
}

// addresses is where the giver's node may be: where the grant said, and where
// its card says.
func (r *received) addresses(n *Node) []string {
	list := slices.Clone(r.Addresses)
	if k, ok := n.book.contactOf(r.giver()); ok && k.card.Node == r.Node {
		for _, a := range k.card.Addresses {
			if !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	return list
}

// chainDownTo is the chain under which a delegation is known here.
func (b *book) chainDownTo(target cid.Cid) grant.Chain {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.witnessed(target)
}

// knowsWord says whether a revocation is in the journal already.
func (b *book) knowsWord(w word) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.words[w]
}

// earlyFrom counts the revocations from an issuer whose target was not known
// here when they came.
func (b *book) earlyFrom(issuer crypto.DID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.early[issuer]
}

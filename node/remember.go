// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage/vault"
)

// remember fills the book and the gate from the journal.
func (n *Node) remember() error {
	return n.vault.LiveFacts(func(rec vault.Recorded) error {
		err := n.apply(rec)
		if err != nil && rec.Kind != factRevocation {
			n.unreadable++ // one entry that makes no sense must not keep all others from being used
			return nil
		}
		if err != nil {
			return fmt.Errorf("entry %d, a revocation: %w", rec.Seq, err)
		}
		return nil
	})
}

// record makes facts durable and then true.
func (n *Node) record(ctx context.Context, facts ...vault.Fact) error {
	seq, err := n.vault.Record(ctx, facts...)
	if err != nil {
		return err
	}
	return n.believe(seq, facts)
}

// believe makes facts true that are durable.
func (n *Node) believe(seq uint64, facts []vault.Fact) error {
	for _, fact := range facts {
		if err := n.apply(vault.Recorded{Fact: fact, Seq: seq, Time: n.now().Unix()}); err != nil {
			return err
		}
	}
	n.kits.touch()
	return nil
}

// fact makes a fact with a sealed body.
func fact(kind uint16, scope crypto.Scope, body any) vault.Fact {
	return vault.Fact{Kind: kind, Scope: scope, Body: canonical.MustMarshal(body)}
}

// with reads a fact's body for whoever applies it.
func with[T any](rec vault.Recorded, apply func(T, vault.Recorded) error) error {
	var body T
	if err := canonical.Unmarshal(rec.Body, &body); err != nil {
		return err
	}
	return apply(body, rec)
}

// apply takes one fact into the book or the gate. What was erased is skipped.
func (n *Node) apply(rec vault.Recorded) error {
	b := n.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if missedByKit(rec.Kind) {
		b.changed = max(b.changed, rec.Seq)
	}
	if rec.Erased {
		return n.applyPublic(rec)
	}
	switch rec.Kind {
	case factProfile:
		return canonical.Unmarshal(rec.Body, &b.profile)
	case factInvitation:
		return b.applyInvitation(rec)
	case factContact:
		return with(rec, b.applyContact)
	case factContactGone:
		b.dropContact(crypto.DID(rec.Body))
	case factUpperLinks:
		return with(rec, b.applyUpperLinks)
	case factGiven:
		return with(rec, b.applyGiven)
	case factAcknowledged:
		return with(rec, b.applyAcknowledged)
	case factRaised:
		return b.applyRaised(rec)
	case factOwed:
		return with(rec, b.applyOwed)
	case factPaid:
		c, err := asCID(rec.Body)
		delete(b.owed, c)
		return err
	case factKitSaved:
		b.kit = &kitSaved{}
		return canonical.Unmarshal(rec.Body, b.kit)
	case factKitWritten:
		return with(rec, b.applyKitWritten)
	case factKitForgotten:
		return with(rec, b.applyKitForgotten)
	case factReceivedGrant:
		return n.applyReceived(rec)
	case factFetched:
		return with(rec, b.applyFetched)
	case factSummary:
		return with(rec, b.applySummary)
	case factEquivocation:
		return with(rec, b.applyEquivocation)
	case factOwnKind:
		return with(rec, b.applyOwnKind)
	case factDelivered:
		if err := with(rec, b.applyDelivered); err != nil {
			return err
		}
		return n.applyPublic(rec)
	default:
		return n.applyPublic(rec)
	}
	return nil
}

// applyPublic takes what stays readable when a scope's keys are gone.
func (n *Node) applyPublic(rec vault.Recorded) error {
	switch rec.Kind {
	case factRevocation:
		return n.applyRevocation(rec)
	case factDelivered:
		var mark deliveryMark
		if err := canonical.Unmarshal(rec.Public, &mark); err != nil {
			return err
		}
		return n.applyMark(mark)
	case factClock:
		n.gate.Mark(markOf(rec.Public))
	case factClockLowered:
		n.gate.LowerMark(markOf(rec.Public))
	}
	return nil
}

// publicMark is a clock mark as the journal shows it.
func publicMark(at time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(at.Unix())) }

func markOf(public []byte) time.Time {
	if len(public) != 8 {
		return time.Unix(0, 0)
	}
	return time.Unix(int64(binary.BigEndian.Uint64(public)), 0)
}

func (n *Node) applyMark(mark deliveryMark) error {
	n.gate.LoadRecent(access.Seen{Digest: mark.Invocation, Expires: mark.Expires})
	for _, use := range mark.Uses {
		carrier, err := asCID(use.Delegation)
		if err != nil {
			return err
		}
		n.gate.LoadUses(access.Use{Delegation: carrier, Head: use.Head})
	}
	return nil
}

func (b *book) applyInvitation(rec vault.Recorded) error {
	var i invitation
	if err := canonical.Unmarshal(rec.Body, &i); err != nil {
		return err
	}
	b.invitations[i.Digest] = i
	return nil
}

func (b *book) applyContact(f contactFact, rec vault.Recorded) error {
	card, err := contact.ReadCard(f.Card)
	if err != nil {
		return fmt.Errorf("card: %w", err)
	}
	b.contacts[f.Owner] = &known{contactFact: f, card: card, kept: time.Unix(rec.Time, 0)}
	return nil
}

func (b *book) applyUpperLinks(f upperLinks, _ vault.Recorded) error {
	chain, err := grant.DecodeChain([][]byte{f.Birth, f.Node})
	if err != nil {
		return err
	}
	b.upper[chain.Dataset()] = chain
	return nil
}

func (b *book) applyGiven(f givenFact, rec vault.Recorded) error {
	leaf, err := ucan.DecodeDelegation(f.Leaf)
	if err != nil {
		return err
	}
	g, err := grant.Parse(leaf)
	if err != nil {
		return err
	}
	b.given[leaf.CID()] = &given{givenFact: f, leaf: leaf, grant: g, cid: leaf.CID(), issued: time.Unix(rec.Time, 0)}
	return nil
}

func (b *book) applyAcknowledged(f acknowledgement, _ vault.Recorded) error {
	c, err := asCID(f.Grant)
	if err != nil {
		return err
	}
	if g, ok := b.given[c]; ok {
		g.acknowledged = true
		g.told = g.told || f.Revocation
	}
	return nil
}

func (b *book) applyOwed(f owedRecord, rec vault.Recorded) error {
	record, err := ucan.DecodeInvocation(f.Record)
	if err != nil {
		return err
	}
	b.owed[record.CID()] = f
	return nil
}

func (b *book) applyRaised(rec vault.Recorded) error {
	c, err := asCID(rec.Body)
	if err != nil {
		return err
	}
	if g, ok := b.given[c]; ok {
		g.raised = true
	}
	return nil
}

// applyReceived takes a grant that somebody gave us. Its end may have been
// told before it came.
func (n *Node) applyReceived(rec vault.Recorded) error {
	b := n.book
	var f receivedGrant
	if err := canonical.Unmarshal(rec.Body, &f); err != nil {
		return err
	}
	chain, err := grant.DecodeChain(f.Chain)
	if err != nil {
		return err
	}
	g, err := chain.Grant()
	if err != nil {
		return err
	}
	c := chain[grant.LinkGrant].CID()
	since := time.Unix(rec.Time, 0)
	next := &received{receivedGrant: f, chain: chain, grant: g, cid: c, since: since, place: rec.Seq, kept: since, over: f.Over || n.gate.Revoked(chain)}
	if before, ok := b.received[c]; ok {
		next.since, next.place, next.over = before.since, before.place, before.over || next.over
		next.last, next.at, next.count = before.last, before.at, before.count
	}
	b.received[c] = next
	return nil
}

func (b *book) applyFetched(f fetched, rec vault.Recorded) error {
	c, err := asCID(f.Grant)
	if err != nil {
		return err
	}
	if r, ok := b.received[c]; ok {
		r.last, r.at = f, time.Unix(rec.Time, 0)
		r.count++
	}
	return nil
}

func (b *book) applyDelivered(f delivery, rec vault.Recorded) error {
	c, err := asCID(f.Grant)
	if err != nil {
		return err
	}
	if g, ok := b.given[c]; ok {
		g.deliveries++
		if g.last, g.lastTime = f, time.Unix(rec.Time, 0); g.most.isNoMore(f) {
			g.most = f
		}
	}
	return nil
}

// applyRevocation takes a record, ours or a contact's, for good.
func (n *Node) applyRevocation(rec vault.Recorded) error {
	record, err := ucan.DecodeInvocation(rec.Public)
	if err != nil {
		return err
	}
	revocation, err := ucan.ParseRevocation(record)
	if err != nil {
		return err
	}
	chain := n.book.witnessed(revocation.Target)
	n.book.words[word{revocation.Issuer, revocation.Target}] = true
	if chain == nil {
		n.book.early[revocation.Issuer]++
	}
	if revocation.Counts(chain) {
		n.book.markRevoked(revocation.Target, rec.Public)
	}
	return n.gate.LoadRevocation(record, chain)
}

// dropContact forgets a contact, and what they had still to be told.
func (b *book) dropContact(owner crypto.DID) {
	delete(b.contacts, owner)
	maps.DeleteFunc(b.owed, func(_ cid.Cid, o owedRecord) bool { return o.Owner == owner })
}

// witnessed is the chain, from the data set down to target, under which a
// delegation is known here: one of ours, or a link of one that we received.
func (b *book) witnessed(target cid.Cid) grant.Chain {
	for _, upper := range b.upper {
		for i, link := range upper {
			if link.CID().Equals(target) {
				return upper[:i+1]
			}
		}
	}
	if g, ok := b.given[target]; ok && b.upper[g.Dataset] != nil {
		return append(b.upper[g.Dataset][:2:2], g.leaf)
	}
	for _, r := range b.received {
		for i, link := range r.chain {
			if link.CID().Equals(target) {
				return r.chain[:i+1]
			}
		}
	}
	return nil
}

func (b *book) markRevoked(target cid.Cid, record []byte) {
	if g, ok := b.given[target]; ok {
		g.revoked, g.record = true, record
	}
	for _, r := range b.received {
		for _, link := range r.chain {
			r.over = r.over || link.CID().Equals(target)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/envelope"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage"
)

// demand is a question as bytes, and what the truth has to know of it.
type demand struct {
	question
	request transfer.Request
	chain   grant.Chain
	opener  *crypto.ReceiveKey
	head    storage.Head // that was served
}

func nonce() []byte {
	n := make([]byte, 12)
	rand.Read(n)
	return n
}

// chainFor is the chain of a grant, down to the grantee's own node or to the
// node of whom they passed it on to, with the given part of it or all.
func (c *city) chainFor(number, to int, narrow string) (grant.Chain, error) {
	s, g := c.grants[number], c.truth.grants[number]
	to8 := to + len(names)*len(narrow) // one for each part
	if chain, ok := s.below[to8]; ok {
		return chain, nil
	}
	holder := c.homes[g.to]
	chain := s.chain
	end := time.Unix(*chain[grant.LinkGrant].Expires, 0)
	pass := func(from *home, node bool, to *home, toNode bool, policy ucan.Policy) error {
		signer, audience := from.keys.Owner(), to.keys.Owner().DID()
		if node {
			signer = from.keys.Node()
		}
		if toNode {
			audience = to.keys.Node().DID()
		}
		link, err := grant.PassOn(signer, chain, audience, end, policy, nonce())
		chain = append(chain[:len(chain):len(chain)], link)
		return err
	}
	err := pass(holder, false, holder, true, nil)
	if err == nil && to != g.to {
		var policy ucan.Policy
		if policy, err = c.policyFor(number, narrow); err == nil {
			err = pass(holder, true, c.homes[to], false, policy)
		}
		if err == nil {
			err = pass(c.homes[to], false, c.homes[to], true, nil)
		}
	}
	if err == nil {
		s.below[to8] = chain
	}
	return chain, err
}

// policyFor narrows a grant to a part of it; nil leaves it as it is.
func (c *city) policyFor(number int, narrow string) (ucan.Policy, error) {
	if narrow == "" {
		return nil, nil
	}
	g, err := c.grants[number].chain.Grant()
	if err != nil {
		return nil, err
	}
	g.Paths = []string{narrow}
	claims, err := grant.Compile(g)
	return claims.Policy, err
}

// narrower is a part of a view.
func narrower(view string) string {
	switch {
	case view == "":
		return "a/"
	case view[len(view)-1] == '/':
		return view + "x"
	}
	return view
}

// ask makes the question that a well-behaved node would ask, signed by signer's
// node at the given time of its clock.
func (c *city) ask(signer *home, q question, chain grant.Chain, at time.Time) (*demand, error) {
	server := chain[grant.LinkNode].Audience
	g, err := chain.Grant()
	if err != nil {
		return nil, err
	}
	command, args := grant.CommandRead, grant.ReadArgs{
		Columns: []string{}, Rows: []string{}, Paths: []string{q.view}, Purpose: g.Purpose, HPKE: signer.keys.Receive().Public(),
	}.ToMap()
	if q.links {
		command = grant.CommandChain
		args = ucan.MakeMap(map[string]ucan.Value{"grant": ucan.Link(chain[grant.LinkGrant].CID())})
	}
	invocation, err := grant.Ask(signer.keys.Node(), chain, server, command, args, at, nonce())
	if err != nil {
		return nil, err
	}
	q.signed = time.Unix(*chain[grant.LinkNode].Expires, 0).Add(-linkLife)
	q.made = span{at, at}
	return &demand{question: q, chain: chain, opener: signer.keys.Receive(), request: transfer.Request{Invocation: invocation.Bytes(), Proofs: chain.Tokens()}}, nil
}

// errNoAnswer means that nobody was there to answer.
var errNoAnswer = errors.New("no answer")

// bring carries a demand to the owner's node over a connection of carrier's,
// and says what was answered. It takes the head of what is served, no more.
func (c *city) bring(carrier *home, d *demand) (protocol.Code, error) {
	return c.reach(carrier, d.grant, protocolOf(d), func(ctx context.Context, s protocol.Stream) error {
		if d.links {
			_, err := offer.AskLinks(ctx, s, offer.Question{Invocation: d.request.Invocation, Proofs: d.request.Proofs}, offer.Options{})
			return err
		}
		session, err := transfer.Open(ctx, s, d.request, transfer.ClientOptions{Now: carrier.now})
		if err != nil {
			return err
		}
		if err := d.open(session.Head()); err != nil {
			return err
		}
		return session.Done(ctx)
	})
}

// open reads the sealed head that came.
func (d *demand) open(sealed []byte) error {
	e, err := envelope.Parse(sealed)
	if err != nil {
		return err
	}
	plain, err := e.Open(d.opener)
	if err != nil {
		return err
	}
	d.head, _, err = storage.ParseHead(plain)
	return err
}

func protocolOf(d *demand) string {
	if d.links {
		return offer.ProtocolID
	}
	return transfer.ProtocolID
}

// reach talks to the giver of a grant with a hand of carrier's own: another
// host with the same key.
func (c *city) reach(carrier *home, number int, id string, talk func(context.Context, protocol.Stream) error) (protocol.Code, error) {
	giver := c.homes[c.truth.grants[number].from]
	hand, err := p2p.New(p2p.Options{Key: carrier.keys.Node(), Listen: []string{carrier.address(5000)}, Transports: carrier.transports()})
	if err != nil {
		return 0, err
	}
	defer hand.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	dialing, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	stream, err := hand.Dial(dialing, giver.keys.Node().DID(), []string{giver.address(4721)}, id)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	err = talk(ctx, stream)
	var refusal *protocol.Refusal
	switch {
	case err == nil:
		return served, nil
	case errors.As(err, &refusal):
		return refusal.Code, nil
	}
	return 0, err
}

// withdrawAt brings the word of a grantee's node that what it passed on is over.
func (c *city) withdrawAt(number, to int) error {
	g := c.truth.grants[number]
	chain, err := c.chainFor(number, to, "")
	if err != nil {
		return err
	}
	holder := c.homes[g.to]
	record, err := ucan.Revoke(holder.keys.Node(), chain[grant.LinkGrant+2].CID(), nil, nonce())
	if err != nil {
		return err
	}
	code, err := c.reach(holder, number, offer.ProtocolID, func(ctx context.Context, s protocol.Stream) error {
		return offer.BringRevocation(ctx, s, record.Bytes(), offer.Options{})
	})
	if err == nil && code != served {
		err = fmt.Errorf("the word of a contact's node is answered with %v", code)
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package access

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// skew is how far an invocation's issue may lie from our clock, in seconds.
const skew = 60

// check is one invocation on its way through the gate.
type check struct {
	gate *Gate
	peer crypto.DID
	now  moment

	inv      *ucan.Invocation
	untimely error // what is wrong with its times: told once it is known to whom
	proofs   []*proof
	chain    grant.Chain
	audience bool // the peer is the audience of a signed chain to a data set here
	args     grant.ReadArgs
}

// denial is what becomes of a fault: only an audience hears a reason.
func (c *check) denial(f *fault) *Denial {
	d := &Denial{Code: protocol.Denied, Layer: f.layer, Reason: f.reason, Audience: c.audience}
	if c.audience {
		d.Code, d.Time = f.code, f.time
		if len(c.chain) > grant.LinkGrant {
			d.Grantee = c.chain[grant.LinkGrant].Audience
		}
	}
	return d
}

// open takes the steps that need the invocation alone: sizes, decoding and
// signature, audience, the peer, its times.
func (c *check) open(invocation []byte, proofs [][]byte) *fault {
	if n := len(proofs); n > grant.MaxLinks {
		return deny(LayerProfile, "%d proofs, at most %d", n, grant.MaxLinks)
	}
	for i, p := range proofs {
		if len(p) > ucan.MaxTokenSize {
			return deny(LayerUCAN, "proof %d has %d bytes, at most %d", i, len(p), ucan.MaxTokenSize)
		}
	}
	inv, err := ucan.DecodeInvocation(invocation)
	if err != nil {
		return deny(LayerUCAN, "%w", err)
	}
	c.inv = inv
	if inv.Audience != c.gate.opt.Self {
		return deny(LayerGate, "its audience is not this node")
	}
	if inv.Issuer != c.peer {
		return deny(LayerGate, "issued by %s, brought by %s", inv.Issuer.Short(), c.peer.Short())
	}
	if inv.Expires == nil {
		return deny(LayerGate, "a live invocation without expiry")
	}
	if inv.IssuedAt == nil {
		return deny(LayerGate, "a live invocation that does not say when it was issued")
	}
	c.untimely = c.checkTimes(*inv.IssuedAt, *inv.Expires)
	return c.checkLinks(proofs)
}

func (c *check) checkTimes(issued, expires int64) error {
	now := c.now.at
	switch {
	case c.now.behind > 0:
		return c.now.error()
	case expires < now:
		return errors.New("the invocation expired")
	case expires > now+int64(grant.MaxInvocationLife/time.Second):
		return errors.New("the invocation expires too far ahead")
	case issued < now-skew || issued > now+skew:
		return errors.New("the invocation was not issued now")
	}
	return nil
}

// checkLinks sees to it that the proofs brought are those named, each once,
// before any of their signatures is looked at.
func (c *check) checkLinks(proofs [][]byte) *fault {
	named := c.inv.Proofs
	if len(named) > grant.MaxLinks {
		return deny(LayerProfile, "%d proofs named, at most %d", len(named), grant.MaxLinks)
	}
	if len(named) != len(proofs) {
		return deny(LayerUCAN, "%d proofs named, %d brought", len(named), len(proofs))
	}
	c.proofs = make([]*proof, len(proofs))
	for i, token := range proofs {
		for j := range i {
			if named[j].Equals(named[i]) {
				return deny(LayerUCAN, "proof %d was named before, as proof %d", i, j)
			}
		}
		sum := sha256.Sum256(token)
		if key := named[i].KeyString(); key[len(key)-len(sum):] != string(sum[:]) {
			return deny(LayerUCAN, "the bytes of proof %d are not those its CID names", i)
		}
		c.proofs[i] = &proof{digest: sum}
	}
	return nil
}

// judge takes the steps that need the proofs. Those of a good invocation are
// remembered, so that nobody who is refused fills the memory.
func (c *check) judge(tokens [][]byte) *fault {
	steps := []func() *fault{
		func() *fault { return c.resolve(tokens) },
		c.align, c.place, c.profile, c.timely, c.unrevoked, c.standing, c.arguments, c.policies,
	}
	for _, step := range steps {
		if f := step(); f != nil {
			return f
		}
	}
	c.gate.verified.keep(c.proofs, c.chain[grant.LinkGrant].Audience)
	return nil
}

// resolve decodes and verifies the proofs that are not remembered.
func (c *check) resolve(tokens [][]byte) *fault {
	c.chain = make(grant.Chain, len(tokens))
	for i, token := range tokens {
		p, err := c.gate.verified.open(c.proofs[i].digest, token)
		if err != nil {
			return deny(LayerUCAN, "proof %d: %w", i, err)
		}
		c.proofs[i], c.chain[i] = p, p.delegation
	}
	return nil
}

// align asks whether the chain leads from the subject to the invoker. The
// current upper links are for whoever a chain leads to, whatever it grants.
func (c *check) align() *fault {
	inv := *c.inv
	if inv.Command == grant.CommandChain && len(c.chain) > 0 {
		inv.Command = c.chain[len(c.chain)-1].Command
	}
	if err := ucan.CheckAlignment(&inv, c.chain); err != nil {
		return deny(LayerUCAN, "%w", err)
	}
	return nil
}

// place asks whether the chain is one to a data set of this node. From here on
// the peer knows that the data set exists, and may hear reasons.
func (c *check) place() *fault {
	if c.gate.opt.Datasets(c.inv.Subject) == Absent {
		return deny(LayerGate, "no data set here is %s", c.inv.Subject.Short())
	}
	if len(c.chain) <= grant.LinkNode || c.chain[grant.LinkNode].Audience != c.gate.opt.Self {
		return deny(LayerGate, "the chain does not pass through this node")
	}
	c.audience = true
	return nil
}

func (c *check) profile() *fault {
	for i, p := range c.proofs {
		if err := p.profile(i == grant.LinkGrant); err != nil {
			return deny(LayerProfile, "proof %d: %w", i, err)
		}
	}
	if err := grant.CheckChain(c.chain); err != nil {
		return deny(LayerProfile, "%w", err)
	}
	if n := len(c.chain); n != 4 && n != grant.MaxLinks {
		return deny(LayerProfile, "a chain of %d links does not end at a node", n)
	}
	if _, ok := grant.SchemaOf(c.inv.Command); !ok {
		return deny(LayerProfile, "command %s is not answered", c.inv.Command)
	}
	return nil
}

// timely tells what is wrong with the times of the invocation, and of its
// proofs. An upper link that aged, or that was signed while the clock stood
// ahead, is renewed by asking for it.
func (c *check) timely() *fault {
	if c.untimely != nil {
		return tell(LayerGate, protocol.Clock, c.now.told, "%w", c.untimely)
	}
	for i, d := range c.chain {
		early, late := d.NotBefore != nil && c.now.at < *d.NotBefore, d.Expires != nil && c.now.at > *d.Expires
		switch {
		case !early && !late, i <= grant.LinkNode && c.inv.Command == grant.CommandChain:
		case i <= grant.LinkNode:
			return tell(LayerUCAN, protocol.Refresh, 0, "proof %d is not of this time: an upper link", i)
		case early:
			return tell(LayerUCAN, protocol.NotYet, *d.NotBefore, "proof %d is not yet valid", i)
		default:
			return tell(LayerUCAN, protocol.Expired, *d.Expires, "proof %d expired", i)
		}
	}
	return nil
}

func (c *check) unrevoked() *fault {
	if link, by, revoked := c.gate.revoked.Revoked(c.chain); revoked {
		return tell(LayerGate, protocol.Revoked, 0, "link %d was revoked by %s", link, by.Short())
	}
	return nil
}

func (c *check) standing() *fault {
	leaf := c.chain[grant.LinkGrant].CID()
	for _, s := range []Standing{c.gate.opt.Datasets(c.inv.Subject), c.gate.opt.Grants(leaf)} {
		switch s {
		case Live:
		case Suspended:
			return tell(LayerGate, protocol.Suspended, 0, "suspended by the owner")
		default:
			return tell(LayerGate, protocol.Gone, 0, "removed")
		}
	}
	return nil
}

func (c *check) arguments() (f *fault) {
	var err error
	switch c.inv.Command {
	case grant.CommandRead, grant.CommandSubscribe:
		c.args, err = grant.ParseReadArgs(c.inv.Args)
	default:
		err = grant.CheckArguments(c.inv.Command, c.inv.Args)
	}
	if err != nil {
		return tell(LayerProfile, protocol.Malformed, 0, "%w", err)
	}
	return nil
}

// policies asks the policies of every proof. Those of a chain speak of the
// arguments of the command that it grants, and so not of /grant/chain's.
func (c *check) policies() *fault {
	if c.inv.Command == grant.CommandChain {
		return c.ownGrant()
	}
	if err := ucan.CheckPolicies(c.inv, c.chain); err != nil {
		return deny(LayerUCAN, "%w", err)
	}
	return nil
}

// ownGrant sees to it that /grant/chain asks about the chain it brings.
func (c *check) ownGrant() *fault {
	v, _ := c.inv.Args.Get("grant")
	if id, ok := v.AsLink(); !ok || !id.Equals(c.chain[grant.LinkGrant].CID()) {
		return tell(LayerGate, protocol.Malformed, 0, "it asks about another grant than the one it brings")
	}
	return nil
}

// memory is how the invocation is remembered.
func (c *check) memory() Seen {
	return Seen{Digest: c.inv.PayloadDigest(), Expires: *c.inv.Expires}
}

func (c *check) decision() *Decision {
	leaf := c.chain[grant.LinkGrant].CID()
	return &Decision{
		Command: c.inv.Command, Grant: c.proofs[grant.LinkGrant].grant, Args: c.args,
		Leaf: leaf, GrantID: leaf.String(), Chain: c.chain, Audience: c.peer,
		Ends: c.ends(), UsesLeft: c.gate.usesLeft(c.chain), Seen: c.memory(),
	}
}

func (c *check) ends() time.Time {
	latest := time.Unix(c.now.at, 0).Add(MaxAdmission).UTC()
	if end, ok := c.chain.Ends(); ok && end.Before(latest) && c.inv.Command != grant.CommandChain {
		return end.Add(time.Second) // the last second is still good
	}
	return latest
}

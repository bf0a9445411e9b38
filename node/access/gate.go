// SPDX-License-Identifier: Apache-2.0

package access

import (
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// MaxAdmission is the longest a stream lives on one decision.
const MaxAdmission = 24 * time.Hour

// Standing is how a data set, or a grant on one, stands at this node.
type Standing uint8

// The standings. Whatever is Absent does not exist for anybody who asks.
const (
	Absent    Standing = iota
	Live               // served
	Suspended          // paused by the owner, or until the owner confirms
	Gone               // removed
)

// Options say who the gate stands for. Self and Datasets must be given.
type Options struct {
	Self     crypto.DID                // this node, the audience of live invocations
	Datasets func(crypto.DID) Standing // of a data set; called from memory, by many goroutines
	Grants   func(cid.Cid) Standing    // of a grant by link 2's CID; nil: all Live
	Known    func(crypto.DID) bool     // whose early revocations are kept for good; nil: nobody's
	Clock    func() time.Time          // nil: time.Now
	Mark     time.Time                 // the durable clock mark; zero: none yet
	Verified int                       // delegations remembered as verified; 0: 1,024
	Seen     int                       // admitted invocations remembered; 0: 65,536
	Share    int                       // of these, under the grants to one grantee; 0: a sixteenth
}

// Gate decides. Many goroutines may use it.
type Gate struct {
	opt      Options
	verified *verified
	revoked  grant.Revocations

	mu    sync.Mutex
	seen  seen
	uses  uses
	clock mark
}

// New makes a gate that has seen nothing. It starts nothing.
func New(opt Options) *Gate {
	if opt.Grants == nil {
		opt.Grants = func(cid.Cid) Standing { return Live }
	}
	if opt.Known == nil {
		opt.Known = func(crypto.DID) bool { return false }
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Verified == 0 {
		opt.Verified = 1024
	}
	if opt.Seen == 0 {
		opt.Seen = 65536
	}
	if opt.Share == 0 {
		opt.Share = (opt.Seen + 15) / 16
	}
	return &Gate{
		opt: opt, verified: newVerified(opt.Self, opt.Verified), clock: mark{at: unixOrZero(opt.Mark)},
		seen: seen{until: make(map[[32]byte]memory), held: make(map[crypto.DID]int), limit: opt.Seen, share: opt.Share},
		uses: make(uses),
	}
}

// Decision says that an invocation may be answered. Its delivery is journaled
// before the first byte leaves.
type Decision struct {
	Command  ucan.Command
	Grant    grant.Grant    // link 2 of the chain
	Args     grant.ReadArgs // of /dataset/read and /dataset/subscribe: the view to serve
	Leaf     cid.Cid        // link 2: what the owner calls the grant
	GrantID  string         // Leaf as text
	Chain    grant.Chain    // the proofs, root first
	Audience crypto.DID     // the node that asked
	Ends     time.Time      // when the stream must end and ask again
	UsesLeft int64          // new heads that may still be delivered; -1: any number
	Seen     Seen           // for the journal, and back to LoadRecent after a start; not of /grant/chain

	taken []Use // by Use, given back by Release
}

// Check decides whether the invocation, brought with its proofs over a
// connection that proved to be peer's, may be answered. It returns one of the
// two. An invocation is admitted once, also when it comes twice at the same
// time; a denied one leaves no trace. One of /grant/chain changes nothing here
// and is not remembered: its peer may repeat it while its times are good.
//
// A revocation may come between Check and the first byte: whoever serves the
// decision makes the stream known to those who cancel, and then asks
// [Gate.Revoked] once more.
func (g *Gate) Check(peer crypto.DID, invocation []byte, proofs [][]byte) (*Decision, *Denial) {
	c := check{gate: g, peer: peer, now: g.now()}
	if err := c.open(invocation, proofs); err != nil {
		return nil, c.denial(err)
	}
	if c.untimely != nil { // judge refuses, and says why to whom it may
		return nil, c.denial(c.judge(proofs))
	}
	if err := c.once(proofs); err != nil {
		return nil, c.denial(err)
	}
	return c.decision(), nil
}

// once judges an invocation that has not been admitted before, and remembers
// it if it is good.
func (c *check) once(proofs [][]byte) *fault {
	if c.inv.Command == grant.CommandChain {
		return c.judge(proofs)
	}
	if err := c.gate.reserve(c.memory(), c.now.at); err != nil {
		return err
	}
	err := c.judge(proofs)
	if err == nil {
		err = c.gate.hold(c.memory(), c.chain[grant.LinkGrant].Audience)
	}
	if err != nil {
		c.gate.forget(c.memory())
	}
	return err
}

// Release takes back what a decision took, because its delivery could not be
// journaled: the invocation may come again, and the uses are not drawn.
func (g *Gate) Release(d *Decision) {
	g.forget(d.Seen)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.uses.giveBack(d.taken)
	d.taken = nil
}

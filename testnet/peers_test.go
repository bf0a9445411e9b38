// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage/vault"
)

// peer is somebody who speaks the protocol with a hand of their own:
//
//	peer NAME                        a stranger with keys of their own
//	peer NAME as NODE                who has the keys of a node that is stopped
//	ask PEER NODE LINK [SIGNER]      asks for what a grant link gives, over PEER's connection, with an
//	                                 invocation that SIGNER made; prints what comes back
//	again PEER NODE                  sends the bytes of PEER's last question once more
//	bring PEER NODE SIGNER WHO LINK N  brings the record, signed by SIGNER's owner or node (WHO),
//	                                 that link N of the chain is over
//	indistinct PEER NODE LINK        asks for a data set that is there, in several ways, and for one that
//	                                 is not: the answers must be the same, in bytes and in time
type peer struct {
	host    *p2p.Host
	owner   crypto.Signer
	node    crypto.Signer
	receive crypto.PublicReceiveKey
	last    []byte // the request that was sent last, as bytes
}

func peerNamed(ts *testscript.TestScript, name string) *peer {
	p, ok := pageOf(ts).peers[name]
	if !ok {
		ts.Fatalf("there is no peer %s on this page", name)
	}
	return p
}

func makePeer(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 1 || len(args) == 3 && args[1] == "as"), "peer NAME [as NODE]")
	keys, err := crypto.NewKeyring(rand.Reader)
	if len(args) == 3 {
		keys, err = keysOf(nodeNamed(ts, args[2]))
	}
	ts.Check(err)
	host, err := p2p.New(p2p.Options{Key: keys.Node(), PreferTCP: true})
	ts.Check(err)
	pageOf(ts).peers[args[0]] = &peer{host: host, owner: keys.Owner(), node: keys.Node(), receive: keys.Receive().Public()}
}

// keysOf opens the vault of a stopped node, as its owner can.
func keysOf(n *process) (*crypto.Keyring, error) {
	v, _, err := vault.Open(n.home, crypto.Passphrase([]byte(passphrase)), vault.Options{})
	if err != nil {
		return nil, err
	}
	return v.Keyring(), v.Close()
}

// chainOf is the chain that a grant link carries; if the peer's owner is its
// audience, down to the peer's node.
func (p *page) chainOf(link string, who *peer) (grant.Chain, error) {
	offered, err := offer.ParseLink(link)
	if err != nil {
		return nil, err
	}
	chain, err := grant.DecodeChain(offered.Chain)
	if err != nil || chain[grant.LinkGrant].Audience != who.owner.DID() {
		return chain, err
	}
	if made, ok := p.passed[link]; ok {
		return grant.DecodeChain(made)
	}
	last, err := grant.PassOn(who.owner, chain, who.node.DID(), time.Unix(*chain[grant.LinkGrant].Expires, 0), nil, nonce())
	if err != nil {
		return nil, err
	}
	chain = append(chain, last)
	p.passed[link] = chain.Tokens()
	return chain, nil
}

func nonce() []byte {
	n := make([]byte, 12)
	rand.Read(n)
	return n
}

// invoke makes the question that a well-behaved node would ask.
func (p *peer) invoke(chain grant.Chain, server crypto.DID) (transfer.Request, error) {
	granted, err := chain.Grant()
	if err != nil {
		return transfer.Request{}, err
	}
	args := grant.ReadArgs{Columns: []string{}, Rows: []string{}, Paths: granted.Paths, Purpose: granted.Purpose, HPKE: p.receive}
	if len(args.Paths) == 0 {
		args.Paths = []string{""}
	}
	inv, err := grant.Ask(p.node, chain, server, grant.CommandRead, args.ToMap(), time.Now(), nonce())
	if err != nil {
		return transfer.Request{}, err
	}
	return transfer.Request{Invocation: inv.Bytes(), Proofs: chain.Tokens()}, nil
}

// tape is a stream that keeps what was said after the greeting.
type tape struct {
	protocol.Stream
	sent, came     bytes.Buffer
	asked, replied time.Time
}

func (t *tape) Write(b []byte) (int, error) {
	n, err := t.Stream.Write(b)
	t.sent.Write(b[:n])
	t.asked = time.Now()
	return n, err
}

func (t *tape) Read(b []byte) (int, error) {
	n, err := t.Stream.Read(b)
	if !t.asked.IsZero() && n > 0 {
		if t.replied.IsZero() {
			t.replied = time.Now()
		}
		t.came.Write(b[:n])
	}
	return n, err
}

// reply is what came back.
type reply struct {
	refusal *protocol.Refusal // nil: admitted
	bytes   []byte
	after   time.Duration
}

func (r reply) String() string {
	if r.refusal == nil {
		return "admitted"
	}
	return fmt.Sprintf("refused %v", r.refusal.Code)
}

// ask opens a passage and leaves it again.
func (p *peer) ask(n *process, request transfer.Request) (reply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := p.host.Dial(ctx, n.did, []string{n.address()}, transfer.ProtocolID)
	if err != nil {
		return reply{}, err
	}
	t := &tape{Stream: stream}
	session, err := transfer.Open(ctx, t, request, transfer.ClientOptions{})
	p.last = bytes.Clone(t.sent.Bytes())
	var r reply
	switch {
	case err == nil:
		err = session.Done(ctx)
	case errors.As(err, &r.refusal):
		err = nil
	}
	r.bytes, r.after = t.came.Bytes(), t.replied.Sub(t.asked)
	return r, err
}

// repeat sends a request byte by byte as it was sent before.
func (p *peer) repeat(n *process, request []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := p.host.Dial(ctx, n.did, []string{n.address()}, transfer.ProtocolID)
	if err != nil {
		return reply{}, err
	}
	defer stream.Reset()
	t := &tape{Stream: stream}
	in := bufio.NewReader(t)
	if _, _, err := protocol.ReadFrame(in, 1<<10, nil); err != nil { // the greeting
		return reply{}, err
	}
	if _, err := t.Write(request); err != nil {
		return reply{}, err
	}
	kind, body, err := protocol.ReadFrame(in, transfer.MaxHead, nil)
	if err != nil && err != io.EOF {
		return reply{}, err
	}
	r := reply{bytes: t.came.Bytes(), after: t.replied.Sub(t.asked)}
	if kind == protocol.KindRefused {
		r.refusal, err = protocol.ParseRefusal(body)
	}
	return r, err
}

func ask(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 3 || len(args) == 4), "ask PEER NODE LINK [SIGNER]")
	p, n := peerNamed(ts, args[0]), nodeNamed(ts, args[1])
	signer := p
	if len(args) == 4 {
		signer = peerNamed(ts, args[3])
	}
	chain, err := pageOf(ts).chainOf(args[2], signer)
	ts.Check(err)
	request, err := signer.invoke(chain, n.did)
	ts.Check(err)
	r, err := p.ask(n, request)
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), r)
}

func askAgain(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 2, "again PEER NODE")
	p := peerNamed(ts, args[0])
	if p.last == nil {
		ts.Fatalf("%s has asked nothing yet", args[0])
	}
	// Only the question: what followed an admission is not sent again.
	kind, body, err := protocol.ReadFrame(bufio.NewReader(bytes.NewReader(p.last)), 1<<20, nil)
	ts.Check(err)
	r, err := p.repeat(nodeNamed(ts, args[1]), protocol.AppendFrame(nil, kind, body))
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), r)
}

func bring(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 6, "bring PEER NODE SIGNER owner|node LINK N")
	p, n, signer := peerNamed(ts, args[0]), nodeNamed(ts, args[1]), peerNamed(ts, args[2])
	by, ok := map[string]crypto.Signer{"owner": signer.owner, "node": signer.node}[args[3]]
	at, err := strconv.Atoi(args[5])
	usage(ts, ok && err == nil, "bring PEER NODE SIGNER owner|node LINK N")
	var chain grant.Chain
	for _, who := range pageOf(ts).peers { // whoever passed it on to their node knows the whole chain
		longer, err := pageOf(ts).chainOf(args[4], who)
		ts.Check(err)
		if len(longer) > len(chain) {
			chain = longer
		}
	}
	record, err := ucan.Revoke(by, chain[at].CID(), nil, nonce())
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := p.host.Dial(ctx, n.did, []string{n.address()}, offer.ProtocolID)
	ts.Check(err)
	err = offer.BringRevocation(ctx, stream, record.Bytes(), offer.Options{})
	var refusal *protocol.Refusal
	switch {
	case err == nil:
		fmt.Fprintln(ts.Stdout(), "taken")
	case errors.As(err, &refusal):
		fmt.Fprintf(ts.Stdout(), "refused %v\n", refusal.Code)
	default:
		ts.Check(err)
	}
}

// forged is a chain that looks like one to a data set at the node, and is to
// one that nobody has.
func forged(p *peer, like grant.Chain) (grant.Chain, error) {
	dataset, err := crypto.NewIdentity(rand.Reader)
	if err != nil {
		return nil, err
	}
	born, err := grant.Birth(dataset, p.owner.DID(), nonce())
	if err != nil {
		return nil, err
	}
	granted, err := like.Grant()
	if err != nil {
		return nil, err
	}
	appointed, err := grant.AppointNode(p.owner, dataset.DID(), p.node.DID(), time.Now(), nonce())
	if err != nil {
		return nil, err
	}
	granted.Dataset, granted.Audience = dataset.DID(), like[grant.LinkGrant].Audience
	leaf, err := grant.Issue(p.node, granted, nonce())
	if err != nil {
		return nil, err
	}
	return grant.Chain{born, appointed, leaf}, nil
}

// indistinct lets a stranger try to find out whether a data set is there.
func indistinct(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 3, "indistinct PEER NODE LINK")
	p, n := peerNamed(ts, args[0]), nodeNamed(ts, args[1])
	there, err := pageOf(ts).chainOf(args[2], p)
	ts.Check(err)
	absent, err := forged(p, there)
	ts.Check(err)
	times := map[string][]time.Duration{}
	var bytes0 []byte
	try := func(what string, request transfer.Request) {
		r, err := p.ask(n, request)
		ts.Check(err)
		if r.refusal == nil || r.refusal.Code != protocol.Denied {
			ts.Fatalf("%s: %v", what, r)
		}
		if bytes0 == nil {
			bytes0 = r.bytes
		}
		if !bytes.Equal(bytes0, r.bytes) {
			ts.Fatalf("%s: answered %x, another question %x", what, r.bytes, bytes0)
		}
		times[what] = append(times[what], r.after)
	}
	for range 4 {
		stolen, err := p.invoke(there, n.did)
		ts.Check(err)
		unknown, err := p.invoke(absent, n.did)
		ts.Check(err)
		try("a chain that is real", stolen)
		try("a data set that is not here", unknown)
		try("a data set that is here, with no proof", transfer.Request{Invocation: stolen.Invocation})
		try("nonsense", transfer.Request{Invocation: []byte("open the door")})
	}
	for what, list := range times {
		slices.Sort(list)
		fmt.Fprintf(ts.Stdout(), "%s: %d bytes, after %v to %v\n", what, len(bytes0), list[0], list[len(list)-1])
		// The delay is from when the question came, which is after it was sent.
		if list[0] < protocol.DenialDelay || list[0] > protocol.DenialDelay+100*time.Millisecond {
			ts.Fatalf("%s: answered after %v, want %v", what, list[0], protocol.DenialDelay)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-msgio/pbio"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/protocol/ucan"
)

// misbehaviour is one way not to keep to the protocol.
type misbehaviour struct {
	name    string
	contact bool    // by a contact with a valid grant, for whom the node keeps a journal; else by strangers
	rate    float64 // acts in a second
	do      func(a *attacker)
}

var misbehaviours = []misbehaviour{
	{"never read the answer", false, 100, neverRead},
	{"write one byte a second", false, 100, writeSlowly},
	{"open connections by half", false, 300, openByHalf},
	{"open connections without end", false, 60, connectWithoutEnd},
	{"open streams without end", false, 300, openWithoutEnd},
	{"open streams and reset them", false, 300, openAndReset},
	{"send a varint that never ends", false, 100, endlessVarint},
	{"nest CBOR as deep as it goes", false, 60, nestDeeply},
	{"claim a gigabyte", false, 100, claimMuch},
	{"replay what an honest peer sent", false, 100, replay},
	{"sign invocations for themselves", false, 100, signForThemselves},
	{"bring giant chains", false, 30, bringGiants},
	{"bring revocations of nothing", false, 100, revokeNothing},
	{"guess invitations", false, 100, guessInvitations},
	{"answer offers with garbage", false, 100, talkGarbage},
	{"ask for unknown protocols", false, 200, askUnknown},
	{"flood identify", false, 100, floodIdentify},
	{"send garbage for a handshake", false, 200, garbageHandshake},
	{"send packets that are nothing", false, 500, sendPackets},
	{"take all and read nothing", true, 20, takeAndNotRead},
	{"want what was not granted", true, 20, wantOutside},
	{"ask as often as they can", true, 60, askForever}, // the last, since it spends what this minute allows
}

// randomness reads as crypto/rand does.
type randomness struct{}

func (randomness) Read(b []byte) (int, error) { return rand.Read(b) }

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// conversations are all that a stranger may begin.
var conversations = []string{transfer.ProtocolID, offer.ProtocolID, contact.ProtocolID}

// say opens a conversation, says something, reads no more than a little of
// what comes back, and leaves without a word.
func (a *attacker) say(worker int, id string, what []byte) {
	s, err := a.dial(worker, id)
	if err != nil {
		return
	}
	defer s.Reset()
	_ = s.SetDeadline(time.Now().Add(2 * time.Second))
	if a.send(s, what) == nil {
		_, _ = io.CopyN(io.Discard, s, 64)
	}
}

// sayAlways has many strangers say something of their own making.
func (a *attacker) sayAlways(what func(id string) []byte) {
	a.workers(2*hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			id := conversations[i%len(conversations)]
			a.say(w, id, what(id))
		}
	})
}

// kindOf is the frame that begins a conversation.
func kindOf(id string) protocol.Kind {
	if id == transfer.ProtocolID {
		return frameRequest
	}
	return 1
}

func neverRead(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			s, err := a.dial(w, conversations[i%len(conversations)])
			if err != nil {
				continue
			}
			_ = s.SetDeadline(time.Now().Add(time.Second))
			_ = a.send(s, protocol.AppendFrame(nil, kindOf(conversations[i%len(conversations)]), noise(1000)))
			a.holds.keep(s, 400)
		}
	})
}

func writeSlowly(a *attacker) {
	a.workers(hostileHosts*4, func(w int) {
		for a.act() {
			s, err := a.dial(w, conversations[w%len(conversations)])
			if err != nil {
				continue
			}
			frame := protocol.AppendFrame(nil, kindOf(conversations[w%len(conversations)]), noise(2000))
			tick := time.NewTicker(time.Second)
			for _, b := range frame {
				if a.send(s, []byte{b}) != nil {
					break
				}
				select {
				case <-tick.C:
					continue
				case <-a.ctx.Done():
				}
				break
			}
			tick.Stop()
			_ = s.Reset()
		}
	})
}

func openByHalf(a *attacker) {
	a.workers(8, func(w int) {
		for i := w; a.act(); i++ {
			c, err := a.tcp(i)
			if err != nil {
				continue
			}
			if i%2 == 0 {
				_ = a.send(c, []byte("\x13/multistream/1.0.0\n\x0b/tls/1.0.0\n")[:i%33])
			}
			a.holds.keep(c, 500)
		}
	})
}

// connectWithoutEnd makes an identity for each connection, and keeps what it
// gets.
func connectWithoutEnd(a *attacker) {
	a.workers(8, func(w int) {
		for i := w; a.act(); i++ {
			c, err := a.tcp(i)
			if err != nil {
				continue
			}
			a.holds.keep(c, 500)
			a.failed(shake(a.ctx, c))
		}
	})
}

// shake goes through with a handshake, as whoever it likes.
func shake(ctx context.Context, c net.Conn) error {
	key, _, err := libcrypto.GenerateEd25519Key(randomness{})
	if err != nil {
		return err
	}
	id, err := libp2ptls.NewIdentity(key)
	if err != nil {
		return err
	}
	_ = c.SetDeadline(time.Now().Add(3 * time.Second))
	if err := multistream.SelectProtoOrFail(libp2ptls.ID, c); err != nil {
		return err
	}
	config, _ := id.ConfigForPeer("")
	secured := tls.Client(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	// In TLS 1.3 the server's opinion comes after the client has finished.
	_, err = secured.Read(make([]byte, 1))
	return err
}

func openWithoutEnd(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			if s, err := a.dial(w, conversations[i%len(conversations)]); err == nil {
				a.holds.keep(s, 4000)
			}
		}
	})
}

func openAndReset(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			if s, err := a.dial(w, conversations[i%len(conversations)]); err == nil {
				_ = a.send(s, []byte{1})
				_ = s.Reset()
			}
		}
	})
}

func endlessVarint(a *attacker) {
	a.sayAlways(func(string) []byte { return bytes.Repeat([]byte{0xff}, 64<<10) })
}

func nestDeeply(a *attacker) {
	most := map[string]int{transfer.ProtocolID: 114_000, offer.ProtocolID: 250_000, contact.ProtocolID: 4000}
	bodies := map[string][]byte{}
	for _, opening := range []byte{0x81, 0xa1, 0xd8} { // arrays, maps, tags
		for _, id := range conversations {
			bodies[string(opening)+id] = protocol.AppendFrame(nil, kindOf(id), bytes.Repeat([]byte{opening}, most[id]))
		}
	}
	a.sayAlways(func(id string) []byte { return bodies[string([]byte{0x81, 0xa1, 0xd8}[noise(1)[0]%3])+id] })
}

// claimMuch says that a gigabyte follows: as a frame, and inside one.
func claimMuch(a *attacker) {
	frame := append(binary.AppendUvarint(nil, 1<<30), 2, 0x83)
	large := append(binary.AppendUvarint(nil, 1<<28-1), 2, 0x83)
	a.sayAlways(func(id string) []byte {
		switch noise(1)[0] % 4 {
		case 0:
			return frame
		case 1:
			return large
		case 2: // an array of a thousand million
			return protocol.AppendFrame(nil, kindOf(id), append([]byte{0x9a, 0x3b, 0x9a, 0xca, 0x00}, noise(2000)...))
		}
		return protocol.AppendFrame(nil, kindOf(id), append([]byte{0x83, 0x01, 0x5a, 0x3b, 0x9a, 0xca, 0x00}, noise(2000)...))
	})
}

func replay(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			a.say(w, transfer.ProtocolID, a.Seen[i%len(a.Seen)])
		}
	})
}

// request is a question in a frame.
func request(invocation []byte, proofs [][]byte) []byte {
	return protocol.AppendFrame(nil, frameRequest, canonical.MustMarshal([]any{1, invocation, proofs, []byte{}, false}))
}

// signForThemselves asks for a data set of nobody's and for one that is here,
// each time signed anew, with all that is right but the first signature.
func signForThemselves(a *attacker) {
	granted, err := a.chain.Grant()
	if err != nil {
		panic(err)
	}
	a.workers(hostileHosts, func(w int) {
		key := a.keys[w]
		dataset, err := crypto.NewIdentity(randomness{})
		if err != nil {
			panic(err)
		}
		for i := 0; a.act(); i++ {
			g := granted
			g.Dataset, g.Audience = dataset.DID(), key.DID()
			birth, err1 := grant.Birth(dataset, key.DID(), nonce())
			up, err2 := grant.AppointNode(key, g.Dataset, key.DID(), time.Now(), nonce())
			leaf, err3 := grant.Issue(key, g, nonce())
			if err1 != nil || err2 != nil || err3 != nil {
				panic(fmt.Sprint(err1, err2, err3))
			}
			chain := grant.Chain{birth, up, leaf}
			if i%2 == 1 { // the root and the node's link are the real ones, which say nothing of the stranger
				chain = grant.Chain{a.chain[0], a.chain[1], leaf}
			}
			p := peer{node: key, receive: a.ring.Receive().Public()}
			r, err := p.invoke(chain, a.Node)
			if err != nil {
				panic(err)
			}
			a.say(w, transfer.ProtocolID, request(r.Invocation, r.Proofs))
		}
	})
}

// bringGiants brings as many tokens as large as may be, signed and not.
func bringGiants(a *attacker) {
	a.sayAlways(func(id string) []byte {
		tokens := make([][]byte, 6)
		for i := range tokens {
			tokens[i] = noise(16 << 10)
		}
		switch id {
		case transfer.ProtocolID:
			return request(noise(16<<10), tokens)
		case offer.ProtocolID:
			return protocol.AppendFrame(nil, 1, canonical.MustMarshal([]any{slices.Repeat(tokens[:3], 1), "a gift", []string{}}))
		}
		return protocol.AppendFrame(nil, 1, canonical.MustMarshal([]any{noise(16), noise(4000)}))
	})
}

// revokeNothing brings records, signed by nobody who is known, that end what
// is not known, and what is.
func revokeNothing(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for i := 0; a.act(); i++ {
			target := a.chain[grant.LinkGrant].CID()
			if i%2 == 0 {
				leaf, err := grant.Birth(a.keys[w], a.keys[0].DID(), nonce())
				if err != nil {
					panic(err)
				}
				target = leaf.CID()
			}
			record, err := ucan.Revoke(a.keys[w], target, nil, nonce())
			if err != nil {
				panic(err)
			}
			a.say(w, offer.ProtocolID, protocol.AppendFrame(nil, 2, record.Bytes()))
		}
	})
}

// guessInvitations shows good cards with secrets that open nothing.
func guessInvitations(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		owner, err := crypto.NewIdentity(randomness{})
		if err != nil {
			panic(err)
		}
		now := time.Now().Unix()
		card, err := contact.SignCard(owner, a.keys[w], contact.Card{
			Owner: owner.DID(), Node: a.keys[w].DID(), Receive: a.ring.Receive().Public(), Addresses: []string{},
			Kind: contact.Person, Name: "a friend", Issued: now, Expires: now + 3600,
		})
		if err != nil {
			panic(err)
		}
		for a.act() {
			a.say(w, contact.ProtocolID, protocol.AppendFrame(nil, 1, canonical.MustMarshal([]any{noise(contact.SecretSize), card})))
		}
	})
}

// talkGarbage sends frames of every kind in a conversation, for ever.
func talkGarbage(a *attacker) {
	a.workers(2*hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			s, err := a.dial(w, conversations[1+i%2])
			if err != nil {
				continue
			}
			_ = s.SetDeadline(time.Now().Add(2 * time.Second))
			for kind := range 32 {
				if a.send(s, protocol.AppendFrame(nil, protocol.Kind(kind), noise(512))) != nil {
					break
				}
			}
			_ = s.Reset()
		}
	})
}

func askUnknown(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for a.act() {
			if s, err := a.dial(w, fmt.Sprintf("/nonsense/%x/%x", noise(4), noise(60))); err == nil {
				_ = s.Reset()
			}
		}
	})
}

// floodIdentify asks who the node is, and tells it without end who we are.
func floodIdentify(a *attacker) {
	a.workers(hostileHosts, func(w int) {
		for i := w; a.act(); i++ {
			id := "/ipfs/id/1.0.0"
			if i%2 == 0 {
				id = "/ipfs/id/push/1.0.0"
			}
			s, err := a.dial(w, id)
			if err != nil {
				continue
			}
			_ = s.SetDeadline(time.Now().Add(2 * time.Second))
			if i%2 == 0 {
				agent, message := fmt.Sprintf("%x", noise(500)), &pb.Identify{}
				message.AgentVersion = &agent
				for range 20 {
					message.Protocols = append(message.Protocols, fmt.Sprintf("/%x", noise(30)))
					message.ListenAddrs = append(message.ListenAddrs, ma.StringCast(fmt.Sprintf("/ip4/9.9.9.%d/tcp/%d", noise(1)[0], 1+int(noise(1)[0]))).Bytes())
				}
				_ = pbio.NewDelimitedWriter(s).WriteMsg(message)
			} else {
				_, _ = io.Copy(io.Discard, s)
			}
			_ = s.Reset()
		}
	})
}

// garbageHandshake sends what is no handshake, on TCP.
func garbageHandshake(a *attacker) {
	a.workers(8, func(w int) {
		for i := w; a.act(); i++ {
			c, err := a.tcp(i)
			if err != nil {
				continue
			}
			_ = c.SetDeadline(time.Now().Add(time.Second))
			if i%2 == 0 && multistream.SelectProtoOrFail(libp2ptls.ID, c) == nil {
				_ = a.send(c, []byte{22, 3, 1, 0x40, 0x00, 1})
			}
			_ = a.send(c, noise(16<<10))
			a.holds.keep(c, 100)
		}
	})
}

// sendPackets sends datagrams that look like the first of a connection, and are
// none.
func sendPackets(a *attacker) {
	port := ""
	for _, address := range a.Addresses {
		if p, err := ma.StringCast(address).ValueForProtocol(ma.P_UDP); err == nil {
			port = p
		}
	}
	a.workers(8, func(w int) {
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: elsewhere(w).IP}}
		c, err := d.DialContext(a.ctx, "udp", "127.0.0.1:"+port)
		if err != nil {
			panic(err)
		}
		defer c.Close()
		for a.act() {
			packet := noise(1250)
			copy(packet, []byte{0xc0, 0, 0, 0, 1, 8}) // QUIC 1, Initial, an identifier of eight bytes
			copy(packet[14:], []byte{0, 0, 0x44, 0xc0})
			a.failed(a.send(c, packet))
		}
	})
}

// admitted asks as the contact, and is served.
func (a *attacker) admitted() (protocol.Stream, *transfer.Session, error) {
	s, err := a.dialAs(a.contact, transfer.ProtocolID)
	if err != nil {
		return nil, nil, err
	}
	p := peer{node: a.ring.Node(), receive: a.ring.Receive().Public()}
	r, err := p.invoke(a.chain, a.Node)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(a.ctx, 5*time.Second)
	defer cancel()
	session, err := transfer.Open(ctx, s, r, transfer.ClientOptions{})
	if a.failed(err) {
		return nil, nil, err
	}
	return s, session, nil
}

// takeAndNotRead wants all blocks, again and again, and reads none.
func takeAndNotRead(a *attacker) {
	a.workers(8, func(int) {
		for a.act() {
			s, session, err := a.admitted()
			if err != nil {
				continue
			}
			r := reading{Session: session}
			if r.manifest(a.ctx, a.ring) != nil {
				continue
			}
			var want []byte
			for len(want)+32 <= 1000*32 {
				for _, name := range r.names {
					want = append(want, name[:]...)
				}
			}
			frame := protocol.AppendFrame(nil, frameWant, want[:min(len(want), 1000*32)])
			_ = s.SetDeadline(time.Now().Add(time.Second))
			for a.send(s, frame) == nil && a.ctx.Err() == nil {
			}
			a.holds.keep(s, 50)
		}
	})
}

func askForever(a *attacker) {
	a.workers(8, func(int) {
		for a.act() {
			if s, _, err := a.admitted(); err == nil {
				_ = s.Reset()
			}
		}
	})
}

func wantOutside(a *attacker) {
	a.workers(4, func(int) {
		for a.act() {
			s, _, err := a.admitted()
			if err != nil {
				continue
			}
			_ = s.SetDeadline(time.Now().Add(2 * time.Second))
			_ = a.send(s, protocol.AppendFrame(nil, frameWant, noise(32*1000)))
			_, _, _ = protocol.ReadFrame(bufio.NewReader(s), 1<<20, nil)
			_ = s.Reset()
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
)

// party is an owner with a node.
type party struct {
	owner, node *crypto.Identity
	receive     crypto.PublicReceiveKey
}

func newParty(t testing.TB, seed byte) party {
	t.Helper()
	random := rand.NewChaCha8([32]byte{seed})
	owner, err := crypto.NewIdentity(random)
	if err != nil {
		t.Fatal(err)
	}
	node, err := crypto.NewIdentity(random)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := crypto.NewKeyring(random)
	if err != nil {
		t.Fatal(err)
	}
	return party{owner, node, keys.Receive().Public()}
}

var today = time.Unix(1767225600, 0) // 2026-01-01

func (p party) card() Card {
	return Card{
		Owner: p.owner.DID(), Node: p.node.DID(), Receive: p.receive, Kind: Person, Name: "Zoé", Domain: "zoe.example",
		Relays: []string{"/dns/anchor.example/tcp/4001"}, Addresses: []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip4/192.0.2.1/tcp/4001"},
		Issued: today.Unix(), Expires: today.Unix() + 90*86400,
	}
}

func (p party) signed(t testing.TB) []byte {
	t.Helper()
	data, err := SignCard(p.owner, p.node, p.card())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (p party) link(secret []byte) Link {
	return Link{
		Owner: p.owner.DID(), Node: p.node.DID(), ReceiveHash: p.receive.Hash(), Addresses: []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/ip4/192.0.2.1/tcp/4001"},
		Issued: today.Unix(), Expires: today.Unix() + 7*86400, Secret: secret,
	}
}

var invitation = bytes.Repeat([]byte{0x5e}, SecretSize)

func TestCardComesBack(t *testing.T) {
	p := newParty(t, 1)
	data := p.signed(t)
	got, err := ParseCard(data, today)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.card(), got); diff != "" {
		t.Error(diff)
	}
	t.Logf("a card has %d bytes", len(data))
}

func TestEveryFlippedBitOfACardIsRefused(t *testing.T) {
	data := newParty(t, 1).signed(t)
	for i := range len(data) * 8 {
		data[i/8] ^= 1 << (i % 8)
		if _, err := ParseCard(data, today); !errors.Is(err, ErrBadCard) {
			t.Errorf("bit %d of byte %d: %v", i%8, i/8, err)
		}
		data[i/8] ^= 1 << (i % 8)
	}
	for cut := range data {
		if _, err := ParseCard(data[:cut], today); err == nil {
			t.Errorf("cut to %d bytes: accepted", cut)
		}
	}
	if _, err := ParseCard(append(data, 0), today); err == nil {
		t.Error("one byte more: accepted")
	}
}

func TestCardsHaveTheirTime(t *testing.T) {
	p := newParty(t, 1)
	data := p.signed(t)
	for _, c := range []struct {
		at   int64
		good bool
	}{{-301, false}, {-300, true}, {0, true}, {90*86400 - 1, true}, {90 * 86400, false}} {
		_, err := ParseCard(data, today.Add(time.Duration(c.at)*time.Second))
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrExpired) {
			t.Errorf("%d s after it was issued: %v", c.at, err)
		}
	}
}

// Both signatures count, each for its own purpose and its own key.
func TestCardsNeedBothSignatures(t *testing.T) {
	p, q := newParty(t, 1), newParty(t, 2)
	var e cardEnvelope
	if err := canonical.Unmarshal(p.signed(t), &e); err != nil {
		t.Fatal(err)
	}
	sign := func(id *crypto.Identity, tag string) []byte {
		sig, err := id.Sign(append([]byte(tag), e.Body...))
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	for name, bad := range map[string]cardEnvelope{
		"exchanged":                   {Body: e.Body, ByOwner: e.ByNode, ByNode: e.ByOwner},
		"owner for both":              {Body: e.Body, ByOwner: e.ByOwner, ByNode: e.ByOwner},
		"another owner":               {Body: e.Body, ByOwner: sign(q.owner, ownerSignsCard), ByNode: e.ByNode},
		"another node":                {Body: e.Body, ByOwner: e.ByOwner, ByNode: sign(q.node, nodeSignsCard)},
		"the node with the owner tag": {Body: e.Body, ByOwner: e.ByOwner, ByNode: sign(p.node, ownerSignsCard)},
		"without a tag":               {Body: e.Body, ByOwner: sign(p.owner, ""), ByNode: e.ByNode},
		"none":                        {Body: e.Body, ByOwner: []byte{}, ByNode: []byte{}},
		"null":                        {Body: e.Body},
	} {
		if _, err := ParseCard(canonical.MustMarshal(bad), today); !errors.Is(err, ErrBadCard) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// badCards change a good card into one that neither side may let pass.
var badCards = map[string]func(c *Card){
	"owner is node":    func(c *Card) { c.Owner = c.Node },
	"an owner of none": func(c *Card) { c.Owner = "did:key:zNobody" },
	"a node of none":   func(c *Card) { c.Node = "" },
	"no receive key":   func(c *Card) { c.Receive = nil },
	"short key":        func(c *Card) { c.Receive = c.Receive[1:] },
	"kind 0":           func(c *Card) { c.Kind = 0 },
	"kind 5":           func(c *Card) { c.Kind = 5 },
	"a turning name":   func(c *Card) { c.Name = "a\u202eb" },
	"a long name":      func(c *Card) { c.Name = strings.Repeat("a", 129) },
	"upper case":       func(c *Card) { c.Domain = "Zoe.example" },
	"one label":        func(c *Card) { c.Domain = "localhost" },
	"a dot at the end": func(c *Card) { c.Domain = "zoe.example." },
	"a long label":     func(c *Card) { c.Domain = strings.Repeat("a", 64) + ".example" },
	"a hyphen first":   func(c *Card) { c.Domain = "-zoe.example" },
	"a path":           func(c *Card) { c.Domain = "zoe.example/x" },
	"17 relays":        func(c *Card) { c.Relays = make([]string, 17) },
	"a blank address":  func(c *Card) { c.Addresses = []string{"/ip4/1 "} },
	"issued never":     func(c *Card) { c.Issued = 0 },
	"expired at birth": func(c *Card) { c.Expires = c.Issued },
	"for ever":         func(c *Card) { c.Expires = c.Issued + 401*86400 },
	"too large": func(c *Card) {
		for range 12 {
			c.Addresses = append(c.Addresses, "/"+strings.Repeat("a", 255))
		}
	},
}

func TestCardsThatAreNone(t *testing.T) {
	p := newParty(t, 1)
	for name, change := range badCards {
		c := p.card()
		change(&c)
		if _, err := SignCard(did{p.owner, c.Owner}, did{p.node, c.Node}, c); !errors.Is(err, ErrBadCard) {
			t.Errorf("%s: signed, %v", name, err)
		}
		body := canonical.MustMarshal(c.body())
		byOwner, _ := p.owner.Sign(append([]byte(ownerSignsCard), body...))
		byNode, _ := p.node.Sign(append([]byte(nodeSignsCard), body...))
		data := canonical.MustMarshal(cardEnvelope{Body: body, ByOwner: byOwner, ByNode: byNode})
		if _, err := ParseCard(data, today); !errors.Is(err, ErrBadCard) {
			t.Errorf("%s: read, %v", name, err)
		}
	}
	q := newParty(t, 2)
	if _, err := SignCard(q.owner, p.node, p.card()); !errors.Is(err, ErrBadCard) {
		t.Errorf("another's card: %v", err)
	}
}

// did is a signer under another's name.
type did struct {
	*crypto.Identity
	name crypto.DID
}

func (d did) DID() crypto.DID { return d.name }

func FuzzParseCard(f *testing.F) {
	f.Add(newParty(f, 1).signed(f))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = ParseCard(data, today) })
}

// FuzzCardBody skips the signatures, so that the fuzzer reaches what is behind.
func FuzzCardBody(f *testing.F) {
	f.Add(canonical.MustMarshal(newParty(f, 1).card().body()))
	f.Fuzz(func(t *testing.T, data []byte) {
		var b cardBody
		if canonical.Unmarshal(data, &b) == nil && b.Relays != nil && b.Addresses != nil && b.card().check() == nil {
			b2 := b.card().body()
			if b2.Version = b.Version; !bytes.Equal(canonical.MustMarshal(b2), data) {
				t.Errorf("%x is also written %x", data, canonical.MustMarshal(b2))
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/pipe"
)

// host invites who has the secret.
type host struct {
	secret []byte
	card   []byte
	guests []Card
	calls  int
}

func (h *host) Invited(_ context.Context, secret []byte, guest Card, _ []byte) ([]byte, error) {
	h.calls++
	if !bytes.Equal(secret, h.secret) {
		return nil, &protocol.Refusal{Code: protocol.Expired} // even this is told to nobody
	}
	h.guests = append(h.guests, guest)
	return h.card, nil
}

var atToday = Options{Now: func() time.Time { return today }}

func served(ctx context.Context, s protocol.Stream, h Host) <-chan error {
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, s, h, atToday) }()
	return done
}

func TestCardsAreExchanged(t *testing.T) {
	inviter, guest := newParty(t, 1), newParty(t, 2)
	h := &host{secret: invitation, card: inviter.signed(t)}
	server, client := pipe.New(inviter.node.DID(), guest.node.DID(), 0)
	done := served(t.Context(), server, h)
	card, data, err := Fetch(t.Context(), client, inviter.link(invitation), guest.signed(t), atToday)
	if err != nil || !bytes.Equal(data, h.card) {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(inviter.card(), card); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Card{guest.card()}, h.guests); diff != "" {
		t.Error(diff)
	}
}

// Whoever is not invited gets the same bytes after the same time.
func TestUninvitedLearnNothing(t *testing.T) {
	inviter, guest, other := newParty(t, 1), newParty(t, 2), newParty(t, 3)
	ask := func(secret, card []byte) []byte {
		return protocol.AppendFrame(nil, kindAsk, canonical.MustMarshal(askBody{Secret: secret, Card: card}))
	}
	old := guest.card()
	old.Issued, old.Expires = 1, 2
	expired, err := SignCard(guest.owner, guest.node, old)
	if err != nil {
		t.Fatal(err)
	}
	for name, sent := range map[string][]byte{
		"a wrong secret":     ask(bytes.Repeat([]byte{1}, SecretSize), guest.signed(t)),
		"no secret":          ask([]byte{}, guest.signed(t)),
		"a long secret":      ask(make([]byte, 17), guest.signed(t)),
		"another's card":     ask(invitation, other.signed(t)),
		"an expired card":    ask(invitation, expired),
		"a forged card":      ask(invitation, flip(guest.signed(t), 300)),
		"no card":            ask(invitation, []byte{}),
		"null":               protocol.AppendFrame(nil, kindAsk, []byte{0x82, 0xf6, 0xf6}),
		"not CBOR":           protocol.AppendFrame(nil, kindAsk, []byte("hello")),
		"another frame":      protocol.AppendFrame(nil, kindCard, guest.signed(t)),
		"too large":          {0xff, 0xff, 0xff, 0x7f},
		"an endless length":  bytes.Repeat([]byte{0xff}, 9),
		"nothing and an end": nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &host{secret: invitation, card: inviter.signed(t)}
			server, client := pipe.New(inviter.node.DID(), guest.node.DID(), 0)
			done := served(t.Context(), server, h)
			began := time.Now()
			_, _ = client.Write(sent)
			_ = client.CloseWrite()
			answer, err := io.ReadAll(client)
			if err != nil || !bytes.Equal(answer, []byte{4, 0, 0x82, 1, 0}) || time.Since(began) != protocol.DenialDelay {
				t.Errorf("%s: %x, %v after %s", name, answer, err, time.Since(began))
			}
			if <-done == nil || len(h.guests) != 0 {
				t.Errorf("%s: taken for a guest", name)
			}
		})
	}
}

func TestGuestsAreNotFooled(t *testing.T) {
	inviter, guest, other := newParty(t, 1), newParty(t, 2), newParty(t, 3)
	another := inviter.card()
	another.Receive = other.receive
	otherKey, err := SignCard(inviter.owner, inviter.node, another)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sent []byte
		want error
	}{
		"another's card":        {protocol.AppendFrame(nil, kindCard, other.signed(t)), ErrLied},
		"another receive key":   {protocol.AppendFrame(nil, kindCard, otherKey), ErrLied},
		"a forged card":         {protocol.AppendFrame(nil, kindCard, flip(inviter.signed(t), 900)), ErrLied},
		"another frame":         {protocol.AppendFrame(nil, kindAsk, nil), ErrLied},
		"a refusal of nothing":  {protocol.AppendFrame(nil, 0, nil), ErrLied},
		"denied":                {protocol.AppendFrame(nil, 0, []byte{0x82, 1, 0}), &protocol.Refusal{Code: protocol.Denied}},
		"too large":             {protocol.AppendFrame(nil, kindCard, make([]byte, MaxCard+1)), protocol.ErrFrameTooLarge},
		"an end where a card…":  {nil, io.EOF},
		"a cut inside the card": {protocol.AppendFrame(nil, kindCard, inviter.signed(t))[:99], io.ErrUnexpectedEOF},
	} {
		server, client := pipe.New(inviter.node.DID(), guest.node.DID(), 0)
		_, _ = server.Write(c.sent)
		_ = server.CloseWrite()
		if _, _, err := Fetch(t.Context(), client, inviter.link(invitation), guest.signed(t), atToday); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// the secret is not shown to a node that the link does not name
	server, client := pipe.New(other.node.DID(), guest.node.DID(), 0)
	if _, _, err := Fetch(t.Context(), client, inviter.link(invitation), guest.signed(t), atToday); !errors.Is(err, ErrLied) {
		t.Errorf("another node: %v", err)
	}
	if said, _ := io.ReadAll(server); len(said) != 0 {
		t.Error("it was told the secret")
	}
}

func TestNobodyWaitsForEver(t *testing.T) {
	inviter, guest := newParty(t, 1), newParty(t, 2)
	card := guest.signed(t)
	synctest.Test(t, func(t *testing.T) {
		server, _ := pipe.New(inviter.node.DID(), guest.node.DID(), 0)
		if err := Serve(t.Context(), server, &host{}, Options{}); !errors.Is(err, ErrSlow) {
			t.Errorf("the inviter: %v", err)
		}
		_, client := pipe.New(inviter.node.DID(), guest.node.DID(), 0)
		if _, _, err := Fetch(t.Context(), client, inviter.link(invitation), card, Options{}); !errors.Is(err, ErrSlow) {
			t.Errorf("the guest: %v", err)
		}
		server, _ = pipe.New(inviter.node.DID(), guest.node.DID(), 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := served(ctx, server, &host{})
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func FuzzAsk(f *testing.F) {
	f.Add(byte(kindAsk), canonical.MustMarshal(askBody{Secret: invitation, Card: []byte("card")}))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) { _, _ = parseAsk(protocol.Kind(kind), body) })
}

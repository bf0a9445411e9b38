// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// ProtocolID names the conversation in which a guest fetches a card:
//
//	guest   → Ask{secret, own card}
//	inviter → Card{card}             or Refused{Denied} after the delay
//
// One question to a stream, and the inviter ends it.
const ProtocolID = "/traboule/card/1.0.0"

// The frames of the conversation.
const (
	kindAsk  protocol.Kind = 1
	kindCard protocol.Kind = 2
)

const maxAsk = MaxCard + SecretSize + 16

// ErrLied says that a peer proved to be another than the one it should be, or
// sent what it may not send.
var ErrLied = errors.New("the peer did not keep to the protocol")

// ErrSlow says that the peer let us wait for too long.
var ErrSlow = errors.New("the peer was silent for too long")

type askBody struct {
	_      struct{} `cbor:",toarray"`
	Secret []byte
	Card   []byte
}

// Host is the inviter's side of the conversation.
type Host interface {
	// Invited is called with the secret that a guest presents (never empty)
	// and the guest's card, whose signatures and dates hold and whose node is
	// the peer. It returns the inviter's card, or any error to have the guest
	// denied. It must take the same time for a wrong secret as for a spent
	// one, and write nothing for either.
	Invited(ctx context.Context, secret []byte, guest Card, guestCard []byte) (card []byte, err error)
}

// Options of both halves; the zero value is right.
type Options struct {
	Delay time.Duration    // before a denial; 0 is protocol.DenialDelay
	Idle  time.Duration    // the longest wait for the peer; 0 is 30 s
	Now   func() time.Time // the clock for dates; nil is time.Now
}

func (o Options) filled() Options {
	if o.Idle == 0 {
		o.Idle = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Serve answers one guest and ends the stream. The error says what became of
// it, for the inviter's log; the guest hears Denied or gets the card.
func Serve(ctx context.Context, s protocol.Stream, h Host, opt Options) error {
	opt = opt.filled()
	w := protocol.NewWatch(ctx, s)
	defer w.Close()
	done := w.Within(opt.Idle, ErrSlow)
	kind, body, err := protocol.ReadFrame(bufio.NewReader(s), maxAsk, nil)
	done()
	asked := time.Now()
	if err != nil && w.Context().Err() != nil {
		return fmt.Errorf("answer %s, who asks for a card: %w", s.Peer(), w.Reason(err))
	}
	defer w.Within(opt.Idle+opt.Delay+protocol.DenialDelay, ErrSlow)()
	var card []byte
	if err == nil {
		card, err = answer(w.Context(), s.Peer(), h, kind, body, opt)
	}
	if err != nil {
		denied := fmt.Errorf("%w (%w)", &protocol.Refusal{Code: protocol.Denied}, err)
		return fmt.Errorf("answer %s, who asks for a card: %w", s.Peer(), protocol.Refuse(w.Context(), s, asked, opt.Delay, denied))
	}
	if err := protocol.WriteFrame(s, kindCard, card); err != nil {
		_ = s.Reset()
		return fmt.Errorf("answer %s, who asks for a card: %w", s.Peer(), w.Reason(err))
	}
	return s.Close()
}

func answer(ctx context.Context, peer crypto.DID, h Host, kind protocol.Kind, body []byte, opt Options) ([]byte, error) {
	ask, err := parseAsk(kind, body)
	if err != nil {
		return nil, err
	}
	guest, err := ParseCard(ask.Card, opt.Now())
	if err != nil {
		return nil, err
	}
	if guest.Node != peer {
		return nil, fmt.Errorf("%w: the card is of node %s", ErrLied, guest.Node)
	}
	return h.Invited(ctx, ask.Secret, guest, ask.Card)
}

func parseAsk(kind protocol.Kind, body []byte) (askBody, error) {
	if kind != kindAsk {
		return askBody{}, fmt.Errorf("%w: frame %d where a question belongs", ErrLied, kind)
	}
	var ask askBody
	if err := canonical.Unmarshal(body, &ask); err != nil {
		return askBody{}, fmt.Errorf("%w: %w", ErrLied, err)
	}
	if len(ask.Secret) != SecretSize || len(ask.Card) == 0 {
		return askBody{}, fmt.Errorf("%w: a secret of %d bytes and a card of %d", ErrLied, len(ask.Secret), len(ask.Card))
	}
	return ask, nil
}

// Fetch presents the link's secret and our own card to the link's node, over
// a stream to it, and returns its card: checked, and the one that the link
// leads to. The stream is ended in any case. A *protocol.Refusal in the error
// is the inviter's.
func Fetch(ctx context.Context, s protocol.Stream, link Link, own []byte, opt Options) (Card, []byte, error) {
	opt = opt.filled()
	w := protocol.NewWatch(ctx, s)
	defer w.Close()
	defer w.Within(opt.Idle, ErrSlow)()
	card, data, err := fetch(s, link, own, opt)
	if err != nil {
		err = fmt.Errorf("fetch the card of %s: %w", link.Owner, w.Reason(err))
		_ = s.Reset()
		return Card{}, nil, err
	}
	_ = s.Close()
	return card, data, nil
}

func fetch(s protocol.Stream, link Link, own []byte, opt Options) (Card, []byte, error) {
	if s.Peer() != link.Node {
		return Card{}, nil, fmt.Errorf("%w: this is node %s, the link leads to %s", ErrLied, s.Peer(), link.Node)
	}
	ask := canonical.MustMarshal(askBody{Secret: append([]byte{}, link.Secret...), Card: append([]byte{}, own...)})
	if err := protocol.WriteFrame(s, kindAsk, ask); err != nil {
		return Card{}, nil, err
	}
	kind, body, err := protocol.ReadFrame(bufio.NewReader(s), MaxCard, nil)
	if err != nil {
		return Card{}, nil, err
	}
	switch kind {
	case protocol.KindRefused:
		refusal, err := protocol.ParseRefusal(body)
		if err != nil {
			return Card{}, nil, fmt.Errorf("%w: %w", ErrLied, err)
		}
		return Card{}, nil, refusal
	case kindCard:
		card, err := ParseCard(body, opt.Now())
		if err != nil {
			return Card{}, nil, fmt.Errorf("%w: %w", ErrLied, err)
		}
		if !link.Leads(card) {
			return Card{}, nil, fmt.Errorf("%w: the card is not the one that the link leads to", ErrLied)
		}
		return card, body, nil
	}
	return Card{}, nil, fmt.Errorf("%w: frame %d where a card belongs", ErrLied, kind)
}

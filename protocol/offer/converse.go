// SPDX-License-Identifier: Apache-2.0

package offer

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

// ProtocolID names the conversation.
const ProtocolID = "/traboule/offer/1.0.0"

// The frames of the conversation.
const (
	kindGrant      protocol.Kind = 1
	kindRevocation protocol.Kind = 2
	kindChain      protocol.Kind = 3
	kindTaken      protocol.Kind = 4
	kindLinks      protocol.Kind = 5
)

// maxMessage bounds every frame: a chain question carries an invocation and
// its proofs.
const maxMessage = 256 << 10

// ErrSlow says that the peer let us wait for too long.
var ErrSlow = errors.New("the peer was silent for too long")

// Question asks for the current upper links of a chain: a live invocation of
// /grant/chain with its proofs.
type Question struct {
	Invocation []byte
	Proofs     [][]byte // root first
}

type questionBody struct {
	_          struct{} `cbor:",toarray"`
	Invocation []byte
	Proofs     [][]byte
}

// Taker is the side that is brought things. An error that is no
// *protocol.Refusal is told as Denied. What a method acknowledges with nil is
// durable.
type Taker interface {
	TakeGrant(ctx context.Context, from crypto.DID, g Grant) error
	TakeRevocation(ctx context.Context, from crypto.DID, record []byte) error
	CurrentLinks(ctx context.Context, from crypto.DID, q Question) (tokens [][]byte, err error)
}

// Options of both halves; the zero value is right.
type Options struct {
	Delay time.Duration // before a denial; 0 is protocol.DenialDelay
	Idle  time.Duration // the longest wait for the peer; 0 is 30 s
}

func (o Options) filled() Options {
	if o.Idle == 0 {
		o.Idle = 30 * time.Second
	}
	return o
}

// Serve answers one question and ends the stream. The error says what became
// of it, for the owner's log.
func Serve(ctx context.Context, s protocol.Stream, t Taker, opt Options) error {
	opt = opt.filled()
	w := protocol.NewWatch(ctx, s)
	defer w.Close()
	done := w.Within(opt.Idle, ErrSlow)
	kind, body, err := protocol.ReadFrame(bufio.NewReader(s), maxMessage, nil)
	done()
	asked := time.Now()
	if err != nil && w.Context().Err() != nil {
		return fmt.Errorf("answer an offer of %s: %w", s.Peer(), w.Reason(err))
	}
	var answer []byte
	answerKind := kindTaken
	if err == nil {
		answerKind, answer, err = take(w.Context(), s.Peer(), t, kind, body)
	}
	defer w.Within(opt.Idle+opt.Delay+protocol.DenialDelay, ErrSlow)()
	if err != nil {
		return fmt.Errorf("answer an offer of %s: %w", s.Peer(), protocol.Refuse(w.Context(), s, asked, opt.Delay, err))
	}
	if err := protocol.WriteFrame(s, answerKind, answer); err != nil {
		_ = s.Reset()
		return fmt.Errorf("answer an offer of %s: %w", s.Peer(), w.Reason(err))
	}
	return s.Close()
}

func take(ctx context.Context, from crypto.DID, t Taker, kind protocol.Kind, body []byte) (protocol.Kind, []byte, error) {
	switch kind {
	case kindGrant:
		g, err := parseGrant(body)
		if err != nil {
			return 0, nil, err
		}
		return kindTaken, nil, t.TakeGrant(ctx, from, g)
	case kindRevocation:
		if len(body) > MaxToken {
			return 0, nil, fmt.Errorf("%w: a record of %d bytes", ErrMalformed, len(body))
		}
		return kindTaken, nil, t.TakeRevocation(ctx, from, body)
	case kindChain:
		q, err := parseQuestion(body)
		if err != nil {
			return 0, nil, err
		}
		links, err := t.CurrentLinks(ctx, from, q)
		if err != nil {
			return 0, nil, err
		}
		return kindLinks, canonical.MustMarshal(links), nil
	}
	return 0, nil, fmt.Errorf("%w: frame %d", ErrMalformed, kind)
}

func parseQuestion(body []byte) (Question, error) {
	var q questionBody
	if err := canonical.Unmarshal(body, &q); err != nil {
		return Question{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := checkTokens([][]byte{q.Invocation}); err != nil {
		return Question{}, err
	}
	return Question{Invocation: q.Invocation, Proofs: q.Proofs}, checkTokens(q.Proofs)
}

func parseLinks(body []byte) ([][]byte, error) {
	var links [][]byte
	if err := canonical.Unmarshal(body, &links); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return links, checkTokens(links)
}

// BringGrant hands a grant to the node at the other end of s, and returns nil
// when that node says that it keeps it. The stream is ended in any case. A
// *protocol.Refusal in the error is the taker's.
func BringGrant(ctx context.Context, s protocol.Stream, g Grant, opt Options) error {
	body, err := g.encode()
	if err == nil {
		_, err = ask(ctx, s, kindGrant, body, kindTaken, opt)
	}
	if err != nil {
		_ = s.Reset()
		return fmt.Errorf("bring %s a grant: %w", s.Peer(), err)
	}
	return nil
}

// BringRevocation hands a revocation record over, as [BringGrant] does.
func BringRevocation(ctx context.Context, s protocol.Stream, record []byte, opt Options) error {
	if _, err := ask(ctx, s, kindRevocation, record, kindTaken, opt); err != nil {
		return fmt.Errorf("bring %s a revocation: %w", s.Peer(), err)
	}
	return nil
}

// AskLinks asks for the current upper links of a chain, root first.
func AskLinks(ctx context.Context, s protocol.Stream, q Question, opt Options) ([][]byte, error) {
	body := canonical.MustMarshal(questionBody{Invocation: q.Invocation, Proofs: q.Proofs})
	answer, err := ask(ctx, s, kindChain, body, kindLinks, opt)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the links of a chain: %w", s.Peer(), err)
	}
	links, err := parseLinks(answer)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the links of a chain: %w", s.Peer(), err)
	}
	return links, nil
}

// ask puts one question and reads the one answer.
func ask(ctx context.Context, s protocol.Stream, kind protocol.Kind, body []byte, want protocol.Kind, opt Options) ([]byte, error) {
	opt = opt.filled()
	w := protocol.NewWatch(ctx, s)
	defer w.Close()
	defer w.Within(opt.Idle, ErrSlow)()
	answer, err := converse(s, kind, body, want)
	if err != nil {
		err = w.Reason(err)
		_ = s.Reset()
		return nil, err
	}
	_ = s.Close()
	return answer, nil
}

func converse(s protocol.Stream, kind protocol.Kind, body []byte, want protocol.Kind) ([]byte, error) {
	if err := protocol.WriteFrame(s, kind, body); err != nil {
		return nil, err
	}
	got, answer, err := protocol.ReadFrame(bufio.NewReader(s), maxMessage, nil)
	switch {
	case err != nil:
		return nil, err
	case got == protocol.KindRefused:
		refusal, err := protocol.ParseRefusal(answer)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return nil, refusal
	case got != want:
		return nil, fmt.Errorf("%w: frame %d where %d belongs", ErrMalformed, got, want)
	}
	return answer, nil
}

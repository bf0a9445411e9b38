// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// MaxCard is the largest card in bytes.
const MaxCard = 4 << 10

// maxLife is how long a card or a link may be valid: a date far away is a
// mistake or a trap.
const maxLife = 400 * 24 * time.Hour

// clockSlack is how far ahead of ours the clock of a card's issuer may be.
const clockSlack = 5 * time.Minute

const maxDomain = 253

// Errors of cards and links.
var (
	ErrBadCard = errors.New("not a contact card")
	ErrBadLink = errors.New("not a contact link")
	ErrExpired = errors.New("expired")
)

// What each party signs, before the body: a signature for one purpose is none
// for another.
const (
	ownerSignsCard = "traboule contact card 1, by the owner\x00"
	nodeSignsCard  = "traboule contact card 1, by the node\x00"
)

// Kind is what sort of owner a card is of.
type Kind uint8

// The kinds of owners.
const (
	Person  Kind = 1
	Service Kind = 2
	Holder  Kind = 3
	Anchor  Kind = 4
)

// String is the kind's word.
func (k Kind) String() string {
	switch k {
	case Person:
		return "person"
	case Service:
		return "service"
	case Holder:
		return "holder"
	case Anchor:
		return "anchor"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Card is what an owner says of itself: signed by the owner, which so vouches
// for the node, and by the node, which so proves that it holds its key.
type Card struct {
	Owner   crypto.DID
	Node    crypto.DID
	Receive crypto.PublicReceiveKey // what to seal heads to
	Kind    Kind
	Name    string // as they call themselves; may be empty
	Domain  string // claimed, lower case; unverified until its /.well-known/ names Owner; may be empty
	// Relays and Addresses say where the node can be reached, in the text of
	// the network layer (see protocol.CheckAddresses).
	Relays    []string
	Addresses []string
	Issued    int64 // Unix seconds
	Expires   int64 // Unix seconds; the card is valid before it
}

type cardEnvelope struct {
	_       struct{} `cbor:",toarray"`
	Body    []byte
	ByOwner []byte
	ByNode  []byte
}

type cardBody struct {
	_                 struct{} `cbor:",toarray"`
	Version           uint64
	Owner, Node       string
	Receive           []byte
	Kind              uint8
	Name, Domain      string
	Relays, Addresses []string
	Issued, Expires   int64
}

// SignCard returns the card's bytes, signed by its owner and its node, who
// must be the DIDs that it names. It refuses a card that [ParseCard] would.
func SignCard(owner, node crypto.Signer, c Card) ([]byte, error) {
	if owner.DID() != c.Owner || node.DID() != c.Node {
		return nil, fmt.Errorf("sign a card of %s: %w: signed by %s at %s", c.Owner, ErrBadCard, owner.DID(), node.DID())
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("sign a card of %s: %w", c.Owner, err)
	}
	body := canonical.MustMarshal(c.body())
	byOwner, err := owner.Sign(append([]byte(ownerSignsCard), body...))
	if err != nil {
		return nil, fmt.Errorf("sign a card of %s: by its owner: %w", c.Owner, err)
	}
	byNode, err := node.Sign(append([]byte(nodeSignsCard), body...))
	if err != nil {
		return nil, fmt.Errorf("sign a card of %s: by its node: %w", c.Owner, err)
	}
	card := canonical.MustMarshal(cardEnvelope{Body: body, ByOwner: byOwner, ByNode: byNode})
	if len(card) > MaxCard {
		return nil, fmt.Errorf("sign a card of %s: %w: %d bytes, at most %d", c.Owner, ErrBadCard, len(card), MaxCard)
	}
	return card, nil
}

// ParseCard reads a card and checks both signatures and, against now, its
// dates. The errors wrap [ErrBadCard] or [ErrExpired].
func ParseCard(data []byte, now time.Time) (Card, error) {
	c, err := ReadCard(data)
	if err != nil {
		return Card{}, err
	}
	if err := checkDates(c.Issued, c.Expires, now); err != nil {
		return Card{}, fmt.Errorf("read a card of %s: %w", c.Owner, err)
	}
	return c, nil
}

// ReadCard reads a card that was good when it came: it checks all that
// [ParseCard] does, but for the dates. The errors wrap [ErrBadCard].
func ReadCard(data []byte) (Card, error) {
	c, err := parseCard(data)
	if err != nil {
		return Card{}, fmt.Errorf("read a card: %w", err)
	}
	return c, nil
}

func parseCard(data []byte) (Card, error) {
	if len(data) > MaxCard {
		return Card{}, fmt.Errorf("%w: %d bytes, at most %d", ErrBadCard, len(data), MaxCard)
	}
	var e cardEnvelope
	if err := canonical.Unmarshal(data, &e); err != nil {
		return Card{}, fmt.Errorf("%w: %w", ErrBadCard, err)
	}
	var b cardBody
	if err := canonical.Unmarshal(e.Body, &b); err != nil {
		return Card{}, fmt.Errorf("%w: its body: %w", ErrBadCard, err)
	}
	if b.Version != 1 || b.Relays == nil || b.Addresses == nil {
		return Card{}, fmt.Errorf("%w: version %d, or a list is missing", ErrBadCard, b.Version)
	}
	c := b.card()
	if err := c.check(); err != nil {
		return Card{}, err
	}
	if err := crypto.Verify(c.Owner, append([]byte(ownerSignsCard), e.Body...), e.ByOwner); err != nil {
		return Card{}, fmt.Errorf("%w: by its owner: %w", ErrBadCard, err)
	}
	if err := crypto.Verify(c.Node, append([]byte(nodeSignsCard), e.Body...), e.ByNode); err != nil {
		return Card{}, fmt.Errorf("%w: by its node: %w", ErrBadCard, err)
	}
	return c, nil
}

// check is what a card must be, whoever signed it.
func (c Card) check() error {
	for _, did := range []crypto.DID{c.Owner, c.Node} {
		if _, err := crypto.ParseDID(string(did)); err != nil {
			return fmt.Errorf("%w: %w", ErrBadCard, err)
		}
	}
	if c.Owner == c.Node {
		return fmt.Errorf("%w: owner and node share a key", ErrBadCard)
	}
	if _, err := crypto.ParsePublicReceiveKey(c.Receive); err != nil {
		return fmt.Errorf("%w: %w", ErrBadCard, err)
	}
	if c.Kind < Person || c.Kind > Anchor {
		return fmt.Errorf("%w: %s", ErrBadCard, c.Kind)
	}
	if err := protocol.CheckName(c.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrBadCard, err)
	}
	if !isDomain(c.Domain) {
		return fmt.Errorf("%w: a domain that is none", ErrBadCard)
	}
	return checkReach(ErrBadCard, c.Relays, c.Addresses, c.Issued, c.Expires)
}

// checkReach checks what cards and links have in common: where, and when.
func checkReach(kind error, relays, addresses []string, issued, expires int64) error {
	for _, list := range [][]string{relays, addresses} {
		if err := protocol.CheckAddresses(list); err != nil {
			return fmt.Errorf("%w: %w", kind, err)
		}
	}
	if issued <= 0 || expires <= issued || expires-issued > int64(maxLife/time.Second) {
		return fmt.Errorf("%w: issued %d, expires %d", kind, issued, expires)
	}
	return nil
}

func checkDates(issued, expires int64, now time.Time) error {
	switch {
	case now.Unix() >= expires:
		return fmt.Errorf("%w on %s", ErrExpired, time.Unix(expires, 0).UTC().Format(time.DateOnly))
	case time.Unix(issued, 0).After(now.Add(clockSlack)):
		return fmt.Errorf("%w: issued in the future, on %s", ErrExpired, time.Unix(issued, 0).UTC().Format(time.RFC3339))
	}
	return nil
}

// isDomain accepts nothing, or a lower-case host name of at least two labels.
func isDomain(s string) bool {
	if s == "" {
		return true
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(s) <= maxDomain && len(labels) > 1
}

func (c Card) body() cardBody {
	return cardBody{
		Version: 1, Owner: string(c.Owner), Node: string(c.Node), Receive: c.Receive, Kind: uint8(c.Kind),
		Name: c.Name, Domain: c.Domain, Relays: orEmpty(c.Relays), Addresses: orEmpty(c.Addresses),
		Issued: c.Issued, Expires: c.Expires,
	}
}

func (b cardBody) card() Card {
	return Card{
		Owner: crypto.DID(b.Owner), Node: crypto.DID(b.Node), Receive: b.Receive, Kind: Kind(b.Kind),
		Name: b.Name, Domain: b.Domain, Relays: b.Relays, Addresses: b.Addresses,
		Issued: b.Issued, Expires: b.Expires,
	}
}

// orEmpty gives a list its one encoding: no list is an empty one.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"fmt"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// LinkPrefix begins the text of every link.
const LinkPrefix = "traboule:"

// MaxLink is the most bytes that a link's text spells. A link with two
// addresses has about 360, and about 500 characters.
const MaxLink = 1 << 10

// SecretSize is the length of an invitation's one-time secret in bytes.
const SecretSize = 16

const ownerSignsLink = "traboule contact link 1\x00"

// Link leads to a card: short enough for a QR code that a phone can read.
type Link struct {
	Owner       crypto.DID
	Node        crypto.DID
	ReceiveHash [32]byte // SHA-256 of the card's receive key
	Addresses   []string // where to fetch the card (see protocol.CheckAddresses)
	Issued      int64    // Unix seconds
	Expires     int64    // Unix seconds; the link is valid before it
	// Secret is the one-time secret of an invitation, or empty for a link
	// that is no invitation. It is not signed, so that one signature serves
	// many invitations; whoever has it is invited.
	Secret []byte
}

type linkEnvelope struct {
	_       struct{} `cbor:",toarray"`
	Body    []byte
	ByOwner []byte
	Secret  []byte
}

type linkBody struct {
	_               struct{} `cbor:",toarray"`
	Version         uint64
	Owner, Node     string
	ReceiveHash     []byte
	Addresses       []string
	Issued, Expires int64
}

// SignLink returns the text of a link, signed by its owner.
func SignLink(owner crypto.Signer, l Link) (string, error) {
	if owner.DID() != l.Owner {
		return "", fmt.Errorf("sign a link to %s: %w: signed by %s", l.Owner, ErrBadLink, owner.DID())
	}
	if err := l.check(); err != nil {
		return "", fmt.Errorf("sign a link to %s: %w", l.Owner, err)
	}
	body := canonical.MustMarshal(linkBody{
		Version: 1, Owner: string(l.Owner), Node: string(l.Node), ReceiveHash: l.ReceiveHash[:],
		Addresses: orEmpty(l.Addresses), Issued: l.Issued, Expires: l.Expires,
	})
	sig, err := owner.Sign(append([]byte(ownerSignsLink), body...))
	if err != nil {
		return "", fmt.Errorf("sign a link to %s: %w", l.Owner, err)
	}
	data := canonical.MustMarshal(linkEnvelope{Body: body, ByOwner: sig, Secret: append([]byte{}, l.Secret...)})
	if len(data) > MaxLink {
		return "", fmt.Errorf("sign a link to %s: %w: %d bytes, at most %d", l.Owner, ErrBadLink, len(data), MaxLink)
	}
	return protocol.EncodeText(LinkPrefix, data), nil
}

// ParseLink reads the text of a link and checks its signature and, against
// now, its dates. The errors wrap [ErrBadLink] or [ErrExpired]; in the latter
// case the link comes with the error, to tell when.
func ParseLink(text string, now time.Time) (Link, error) {
	l, err := parseLink(text)
	if err != nil {
		return Link{}, fmt.Errorf("read a link: %w", err)
	}
	if err := checkDates(l.Issued, l.Expires, now); err != nil {
		return l, fmt.Errorf("read a link to %s: %w", l.Owner, err)
	}
	return l, nil
}

func parseLink(text string) (Link, error) {
	data, err := protocol.DecodeText(LinkPrefix, text, MaxLink)
	if err != nil {
		return Link{}, fmt.Errorf("%w: %w", ErrBadLink, err)
	}
	var e linkEnvelope
	if err := canonical.Unmarshal(data, &e); err != nil {
		return Link{}, fmt.Errorf("%w: %w", ErrBadLink, err)
	}
	var b linkBody
	if err := canonical.Unmarshal(e.Body, &b); err != nil {
		return Link{}, fmt.Errorf("%w: its body: %w", ErrBadLink, err)
	}
	if b.Version != 1 || len(b.ReceiveHash) != 32 || b.Addresses == nil || e.Secret == nil {
		return Link{}, fmt.Errorf("%w: version %d, or a part is missing", ErrBadLink, b.Version)
	}
	l := Link{
		Owner: crypto.DID(b.Owner), Node: crypto.DID(b.Node), ReceiveHash: [32]byte(b.ReceiveHash),
		Addresses: b.Addresses, Issued: b.Issued, Expires: b.Expires, Secret: e.Secret,
	}
	if err := l.check(); err != nil {
		return Link{}, err
	}
	if err := crypto.Verify(l.Owner, append([]byte(ownerSignsLink), e.Body...), e.ByOwner); err != nil {
		return Link{}, fmt.Errorf("%w: %w", ErrBadLink, err)
	}
	return l, nil
}

func (l Link) check() error {
	for _, did := range []crypto.DID{l.Owner, l.Node} {
		if _, err := crypto.ParseDID(string(did)); err != nil {
			return fmt.Errorf("%w: %w", ErrBadLink, err)
		}
	}
	if l.Owner == l.Node || len(l.Secret) != 0 && len(l.Secret) != SecretSize {
		return fmt.Errorf("%w: owner and node share a key, or the secret has %d bytes", ErrBadLink, len(l.Secret))
	}
	return checkReach(ErrBadLink, nil, l.Addresses, l.Issued, l.Expires)
}

// Leads reports whether c is the card that l leads to.
func (l Link) Leads(c Card) bool {
	return c.Owner == l.Owner && c.Node == l.Node && c.Receive.Hash() == l.ReceiveHash
}

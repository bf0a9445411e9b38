// SPDX-License-Identifier: Apache-2.0

package offer

import (
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

// LinkPrefix begins the text of a grant that travels as a link.
const LinkPrefix = "traboule-grant:"

// Limits on what is brought.
const (
	MaxToken = 32 << 10 // bytes of one token
	MaxChain = 6        // tokens
	MaxGrant = 64 << 10 // bytes of a grant with its chain
)

// ErrMalformed is in the errors about bytes that are no message of this
// conversation.
var ErrMalformed = errors.New("not a message of this conversation")

// Grant is a grant on its way to its audience.
type Grant struct {
	Chain     [][]byte // delegations, root first, down to the grant itself
	Name      string   // what the giver calls the data set; to be shown only
	Addresses []string // where to use it
}

type grantBody struct {
	_         struct{} `cbor:",toarray"`
	Chain     [][]byte
	Name      string
	Addresses []string
}

func (g Grant) encode() ([]byte, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	body := canonical.MustMarshal(grantBody{Chain: g.Chain, Name: g.Name, Addresses: append([]string{}, g.Addresses...)})
	if len(body) > MaxGrant {
		return nil, fmt.Errorf("%w: a grant of %d bytes, at most %d", ErrMalformed, len(body), MaxGrant)
	}
	return body, nil
}

func parseGrant(body []byte) (Grant, error) {
	if len(body) > MaxGrant {
		return Grant{}, fmt.Errorf("%w: a grant of %d bytes", ErrMalformed, len(body))
	}
	var b grantBody
	if err := canonical.Unmarshal(body, &b); err != nil {
		return Grant{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if b.Addresses == nil {
		return Grant{}, fmt.Errorf("%w: a part is missing", ErrMalformed)
	}
	g := Grant{Chain: b.Chain, Name: b.Name, Addresses: b.Addresses}
	return g, g.check()
}

func (g Grant) check() error {
	if err := checkTokens(g.Chain); err != nil {
		return err
	}
	if err := protocol.CheckName(g.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := protocol.CheckAddresses(g.Addresses); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func checkTokens(tokens [][]byte) error {
	if len(tokens) == 0 || len(tokens) > MaxChain {
		return fmt.Errorf("%w: %d tokens, from 1 to %d", ErrMalformed, len(tokens), MaxChain)
	}
	for i, token := range tokens {
		if len(token) == 0 || len(token) > MaxToken {
			return fmt.Errorf("%w: token %d has %d bytes", ErrMalformed, i, len(token))
		}
	}
	return nil
}

// EncodeLink spells a grant as text. Whoever finds it learns who granted what
// to whom; only its audience can use it.
func EncodeLink(g Grant) (string, error) {
	body, err := g.encode()
	if err != nil {
		return "", fmt.Errorf("spell a grant as a link: %w", err)
	}
	return protocol.EncodeText(LinkPrefix, body), nil
}

// ParseLink reads what [EncodeLink] wrote; every changed character is refused.
func ParseLink(text string) (Grant, error) {
	body, err := protocol.DecodeText(LinkPrefix, text, MaxGrant)
	if err != nil {
		return Grant{}, fmt.Errorf("read a grant link: %w", err)
	}
	g, err := parseGrant(body)
	if err != nil {
		return Grant{}, fmt.Errorf("read a grant link: %w", err)
	}
	return g, nil
}

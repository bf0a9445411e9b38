// SPDX-License-Identifier: Apache-2.0

package contact

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
)

var update = flag.Bool("update", false, "write the vectors anew")

func (p party) signedLink(t testing.TB, secret []byte) string {
	t.Helper()
	text, err := SignLink(p.owner, p.link(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestLinkComesBack(t *testing.T) {
	p := newParty(t, 1)
	for _, secret := range [][]byte{invitation, {}} {
		text := p.signedLink(t, secret)
		got, err := ParseLink(text, today)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.link(secret), got); diff != "" {
			t.Error(diff)
		}
		if len(text) > 640 {
			t.Errorf("%d characters do not fit a code that a phone reads", len(text))
		}
		t.Logf("a link has %d characters", len(text))
		if !got.Leads(p.card()) || got.Leads(newParty(t, 2).card()) {
			t.Error("it leads to another card")
		}
	}
}

func TestEveryChangedCharacterIsRefused(t *testing.T) {
	text := newParty(t, 1).signedLink(t, invitation)
	for i := range len(text) {
		for _, c := range []byte("ABab09-_+/=:\n\x00\xff") {
			changed := []byte(text)
			changed[i] = c
			if c == text[i] {
				continue
			}
			if _, err := ParseLink(string(changed), today); !errors.Is(err, ErrBadLink) {
				t.Errorf("character %d as %q: %v", i, c, err)
			}
		}
		if _, err := ParseLink(text[:i]+text[i+1:], today); err == nil {
			t.Errorf("character %d left out: accepted", i)
		}
		if _, err := ParseLink(text[:i]+"A"+text[i:], today); err == nil {
			t.Errorf("a character put in before %d: accepted", i)
		}
	}
}

// The checksum is no signature: a forger makes a new one. Then the signature
// must refuse all but another invitation.
func TestForgedLinks(t *testing.T) {
	text := newParty(t, 1).signedLink(t, invitation)
	data, err := protocol.DecodeText(LinkPrefix, text, MaxLink)
	if err != nil {
		t.Fatal(err)
	}
	secretAt := len(data) - SecretSize
	for i := range len(data) * 8 {
		forged := bytes.Clone(data)
		forged[i/8] ^= 1 << (i % 8)
		_, err := ParseLink(protocol.EncodeText(LinkPrefix, forged), today)
		if (err == nil) != (i/8 >= secretAt) {
			t.Errorf("bit %d of byte %d: %v", i%8, i/8, err)
		}
	}
}

func TestLinksHaveTheirTime(t *testing.T) {
	text := newParty(t, 1).signedLink(t, invitation)
	if _, err := ParseLink(text, today.AddDate(0, 0, 7)); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
	if _, err := ParseLink(text, today.Add(-time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("from the future: %v", err)
	}
}

func TestLinksThatAreNone(t *testing.T) {
	p := newParty(t, 1)
	for name, change := range map[string]func(l *Link){
		"owner is node":  func(l *Link) { l.Node = l.Owner },
		"no node":        func(l *Link) { l.Node = "" },
		"a short secret": func(l *Link) { l.Secret = l.Secret[1:] },
		"a long secret":  func(l *Link) { l.Secret = append(bytes.Clone(l.Secret), 0) },
		"a bad address":  func(l *Link) { l.Addresses = []string{"x"} },
		"for ever":       func(l *Link) { l.Expires += 500 * 86400 },
		"large addresses": func(l *Link) {
			l.Addresses = []string{"/" + strings.Repeat("a", 255), "/" + strings.Repeat("b", 255), "/" + strings.Repeat("c", 255)}
		},
	} {
		l := p.link(invitation)
		change(&l)
		if _, err := SignLink(p.owner, l); !errors.Is(err, ErrBadLink) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignLink(newParty(t, 2).owner, p.link(nil)); !errors.Is(err, ErrBadLink) {
		t.Errorf("another's link: %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	p, q := newParty(t, 1).owner.DID(), newParty(t, 2).owner.DID()
	fp := Fingerprint(p, q)
	if !regexp.MustCompile(`^\d{5}( \d{5}){5}$`).MatchString(fp) {
		t.Errorf("%q", fp)
	}
	if fp != Fingerprint(q, p) || fp == Fingerprint(p, p) || fp == Fingerprint(q, newParty(t, 1).node.DID()) {
		t.Error("not the same for the same two, or the same for others")
	}
}

// vector is a row of spec/vectors/cards.json (bytes) and links.json (text).
type vector struct {
	Name  string `json:"name"`
	Bytes string `json:"bytes,omitempty"` // hex
	Text  string `json:"text,omitempty"`
	At    int64  `json:"at"` // the reader's clock
	Owner string `json:"owner,omitempty"`
	Node  string `json:"node,omitempty"`
	Error string `json:"error,omitempty"` // malformed, expired
}

func outcome(err error) string {
	switch {
	case errors.Is(err, ErrExpired):
		return "expired"
	case err != nil:
		return "malformed"
	}
	return ""
}

func TestVectors(t *testing.T) {
	p := newParty(t, 1)
	card, link := p.signed(t), p.signedLink(t, invitation)
	var cards, links []vector
	for _, c := range []struct {
		name string
		data []byte
		at   int64
		want string
	}{
		{"a person's card", card, today.Unix(), ""},
		{"in its last second", card, p.card().Expires - 1, ""},
		{"expired", card, p.card().Expires, "expired"},
		{"from the future", card, today.Unix() - 301, "expired"},
		{"a flipped bit in the last signature", flip(card, len(card)-1), today.Unix(), "malformed"},
		{"a flipped bit in the body", flip(card, 200), today.Unix(), "malformed"},
		{"a byte too many", append(bytes.Clone(card), 0), today.Unix(), "malformed"},
		{"a byte too few", card[:len(card)-1], today.Unix(), "malformed"},
		{"an array of indefinite length", append(append([]byte{0x9f}, card[1:]...), 0xff), today.Unix(), "malformed"},
		{"signatures that are null", canonical.MustMarshal(cardEnvelope{Body: canonical.MustMarshal(p.card().body())}), today.Unix(), "malformed"},
		{"nothing", nil, today.Unix(), "malformed"},
	} {
		got, err := ParseCard(c.data, time.Unix(c.at, 0))
		if outcome(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		cards = append(cards, vector{Name: c.name, Bytes: hex.EncodeToString(c.data), At: c.at, Owner: string(got.Owner), Node: string(got.Node), Error: c.want})
	}
	data, _ := protocol.DecodeText(LinkPrefix, link, MaxLink)
	for _, c := range []struct {
		name, text string
		at         int64
		want       string
	}{
		{"an invitation", link, today.Unix(), ""},
		{"no invitation", p.signedLink(t, nil), today.Unix(), ""},
		{"expired", link, p.link(nil).Expires, "expired"},
		{"one character changed", link[:100] + string(link[100]^1) + link[101:], today.Unix(), "malformed"},
		{"upper-case scheme", "TRABOULE:" + link[len(LinkPrefix):], today.Unix(), "malformed"},
		{"padded", link + "=", today.Unix(), "malformed"},
		{"a line break at the end", link + "\n", today.Unix(), "malformed"},
		{"forged body, right checksum", protocol.EncodeText(LinkPrefix, flip(data, 100)), today.Unix(), "malformed"},
		{"a short secret, right checksum", protocol.EncodeText(LinkPrefix, append(bytes.Clone(data[:len(data)-SecretSize-1]), 0x41, 1)), today.Unix(), "malformed"},
		{"nothing", LinkPrefix, today.Unix(), "malformed"},
	} {
		got, err := ParseLink(c.text, time.Unix(c.at, 0))
		if outcome(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		v := vector{Name: c.name, Text: c.text, At: c.at, Error: c.want}
		if err == nil {
			v.Owner, v.Node = string(got.Owner), string(got.Node)
		}
		links = append(links, v)
	}
	compareVectors(t, "../spec/vectors/cards.json", cards)
	compareVectors(t, "../spec/vectors/links.json", links)
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

// compareVectors compares a file with what the program makes now.
func compareVectors(t *testing.T, file string, vectors []vector) {
	t.Helper()
	now, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	now = append(now, '\n')
	if *update {
		if err := os.WriteFile(file, now, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), string(now)); diff != "" {
		t.Errorf("%s (-stored +now):\n%s", file, diff)
	}
}

func FuzzParseLink(f *testing.F) {
	p := newParty(f, 1)
	text := p.signedLink(f, invitation)
	data, err := protocol.DecodeText(LinkPrefix, text, MaxLink)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, data)
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		_, _ = ParseLink(text, today)
		_, _ = ParseLink(protocol.EncodeText(LinkPrefix, data), today)
	})
}

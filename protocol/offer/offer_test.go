// SPDX-License-Identifier: Apache-2.0

package offer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/pipe"
)

var update = flag.Bool("update", false, "write the vectors anew")

// shelf takes what it is brought, or refuses.
type shelf struct {
	refuse  error
	grants  []Grant
	records [][]byte
	asked   []Question
	links   [][]byte
}

func (h *shelf) TakeGrant(_ context.Context, _ crypto.DID, g Grant) error {
	if h.refuse == nil {
		h.grants = append(h.grants, g)
	}
	return h.refuse
}

func (h *shelf) TakeRevocation(_ context.Context, _ crypto.DID, record []byte) error {
	if h.refuse == nil {
		h.records = append(h.records, record)
	}
	return h.refuse
}

func (h *shelf) CurrentLinks(_ context.Context, _ crypto.DID, q Question) ([][]byte, error) {
	h.asked = append(h.asked, q)
	return h.links, h.refuse
}

func ends(t testing.TB) (taker, bringer *pipe.End) {
	t.Helper()
	var dids [2]crypto.DID
	for i := range dids {
		id, err := crypto.NewIdentity(bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 32)))
		if err != nil {
			t.Fatal(err)
		}
		dids[i] = id.DID()
	}
	return pipe.New(dids[0], dids[1], 0)
}

func served(ctx context.Context, s protocol.Stream, h Taker) <-chan error {
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, s, h, Options{}) }()
	return done
}

var someGrant = Grant{Chain: [][]byte{[]byte("root"), []byte("leaf")}, Name: "Linky", Addresses: []string{"/ip4/192.0.2.1/tcp/4001"}}

func TestWhatIsBroughtIsTaken(t *testing.T) {
	h := &shelf{links: [][]byte{[]byte("a"), []byte("b")}}
	question := Question{Invocation: []byte("i"), Proofs: [][]byte{[]byte("p")}}
	for _, bring := range []func(s protocol.Stream) error{
		func(s protocol.Stream) error { return BringGrant(t.Context(), s, someGrant, Options{}) },
		func(s protocol.Stream) error { return BringRevocation(t.Context(), s, []byte("record"), Options{}) },
		func(s protocol.Stream) error {
			links, err := AskLinks(t.Context(), s, question, Options{})
			if diff := cmp.Diff(h.links, links); diff != "" {
				t.Error(diff)
			}
			return err
		},
	} {
		taker, bringer := ends(t)
		done := served(t.Context(), taker, h)
		if err := errors.Join(bring(bringer), <-done); err != nil {
			t.Error(err)
		}
	}
	want := shelf{grants: []Grant{someGrant}, records: [][]byte{[]byte("record")}, asked: []Question{question}, links: h.links}
	if diff := cmp.Diff(want, *h, cmp.AllowUnexported(shelf{})); diff != "" {
		t.Error(diff)
	}
}

func TestRefusalsReachTheBringer(t *testing.T) {
	for _, c := range []struct {
		refuse error
		want   protocol.Code
	}{
		{&protocol.Refusal{Code: protocol.Revoked}, protocol.Revoked},
		{errors.New("who are you"), protocol.Denied},
	} {
		synctest.Test(t, func(t *testing.T) {
			taker, bringer := ends(t)
			done := served(t.Context(), taker, &shelf{refuse: c.refuse})
			began := time.Now()
			if err := BringGrant(t.Context(), bringer, someGrant, Options{}); !errors.Is(err, &protocol.Refusal{Code: c.want}) {
				t.Errorf("%v: heard %v", c.refuse, err)
			}
			if waited := time.Since(began); c.want == protocol.Denied && waited != protocol.DenialDelay || c.want != protocol.Denied && waited != 0 {
				t.Errorf("%v: after %s", c.refuse, waited)
			}
			if err := <-done; !errors.Is(err, c.refuse) {
				t.Errorf("the log says %v", err)
			}
		})
	}
}

// badGrants are grants that neither side lets pass.
var badGrants = map[string]Grant{
	"no chain":     {Name: "x"},
	"seven tokens": {Chain: slices.Repeat([][]byte{{1}}, 7)},
	"empty token":  {Chain: [][]byte{{}}},
	"large token":  {Chain: [][]byte{make([]byte, MaxToken+1)}},
	"too large":    {Chain: slices.Repeat([][]byte{make([]byte, MaxToken)}, 2)},
	"bad name":     {Chain: [][]byte{{1}}, Name: "a\u202eb"},
	"bad address":  {Chain: [][]byte{{1}}, Addresses: []string{"tcp"}},
}

func TestStrangersLearnNothing(t *testing.T) {
	cases := map[string][]byte{
		"unknown frame":   protocol.AppendFrame(nil, 77, nil),
		"an answer":       protocol.AppendFrame(nil, kindTaken, nil),
		"not CBOR":        protocol.AppendFrame(nil, kindGrant, []byte("hello")),
		"null":            protocol.AppendFrame(nil, kindGrant, []byte{0x83, 0xf6, 0x60, 0x80}),
		"null addresses":  protocol.AppendFrame(nil, kindGrant, []byte{0x83, 0x81, 0x41, 1, 0x60, 0xf6}),
		"null proofs":     protocol.AppendFrame(nil, kindChain, []byte{0x82, 0x41, 1, 0xf6}),
		"large record":    protocol.AppendFrame(nil, kindRevocation, make([]byte, MaxToken+1)),
		"too large":       {0xff, 0xff, 0xff, 0x7f, 1},
		"endless length":  bytes.Repeat([]byte{0xff}, 20),
		"nothing, an end": nil,
	}
	for name, g := range badGrants {
		cases[name] = protocol.AppendFrame(nil, kindGrant, canonical.MustMarshal(grantBody{Chain: g.Chain, Name: g.Name, Addresses: append([]string{}, g.Addresses...)}))
	}
	for name, sent := range cases {
		synctest.Test(t, func(t *testing.T) {
			h := &shelf{}
			taker, bringer := ends(t)
			done := served(t.Context(), taker, h)
			began := time.Now()
			go func() {
				_, _ = bringer.Write(sent)
				_ = bringer.CloseWrite()
			}()
			answer, err := io.ReadAll(bringer)
			if err != nil || !bytes.Equal(answer, []byte{4, 0, 0x82, 1, 0}) || time.Since(began) != protocol.DenialDelay {
				t.Errorf("%s: %x, %v after %s", name, answer, err, time.Since(began))
			}
			if <-done == nil || len(h.grants)+len(h.records)+len(h.asked) != 0 {
				t.Errorf("%s: it reached the taker", name)
			}
		})
	}
}

func TestLyingTakers(t *testing.T) {
	for name, sent := range map[string][]byte{
		"links for a grant":    protocol.AppendFrame(nil, kindLinks, []byte{0x80}),
		"a refusal of nothing": protocol.AppendFrame(nil, 0, nil),
		"too large":            {0xff, 0xff, 0xff, 0x7f, byte(kindTaken)},
		"a cut":                {5, byte(kindTaken)},
		"nothing":              nil,
	} {
		taker, bringer := ends(t)
		_, _ = taker.Write(sent)
		_ = taker.CloseWrite()
		if err := BringGrant(t.Context(), bringer, someGrant, Options{}); err == nil {
			t.Errorf("%s: taken for an acknowledgement", name)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		_, bringer := ends(t)
		if err := BringGrant(t.Context(), bringer, someGrant, Options{}); !errors.Is(err, ErrSlow) {
			t.Errorf("silence: %v", err)
		}
		taker, _ := ends(t)
		if err := Serve(t.Context(), taker, &shelf{}, Options{}); !errors.Is(err, ErrSlow) {
			t.Errorf("silence of the bringer: %v", err)
		}
	})
}

func TestEveryChangedCharacterOfALinkIsRefused(t *testing.T) {
	text, err := EncodeLink(someGrant)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseLink(text)
	if diff := cmp.Diff(someGrant, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	for i := range len(text) {
		for c := range 256 {
			changed := []byte(text)
			changed[i] = byte(c)
			if _, err := ParseLink(string(changed)); err == nil && string(changed) != text {
				t.Errorf("%q is read as a link", changed)
			}
		}
	}
	for name, g := range badGrants {
		if _, err := EncodeLink(g); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseLink(LinkPrefix + strings.Repeat("A", 1<<20)); err == nil {
		t.Error("a megabyte is read as a link")
	}
}

// vector is a row of spec/vectors/grantlinks.json.
type vector struct {
	Name   string   `json:"name"`
	Text   string   `json:"text"`
	Tokens []string `json:"tokens,omitempty"` // hex
	Error  string   `json:"error,omitempty"`  // malformed
}

func TestVectors(t *testing.T) {
	text, err := EncodeLink(someGrant)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := someGrant.encode()
	rows := []vector{
		{Name: "a grant with one link above it", Text: text, Tokens: []string{"726f6f74", "6c656166"}},
		{Name: "one character changed", Text: text[:20] + string(text[20]^1) + text[21:], Error: "malformed"},
		{Name: "padded", Text: text + "=", Error: "malformed"},
		{Name: "another prefix", Text: "traboule:" + text[len(LinkPrefix):], Error: "malformed"},
		{Name: "a byte too many, right checksum", Text: protocol.EncodeText(LinkPrefix, append(bytes.Clone(body), 0)), Error: "malformed"},
		{Name: "no tokens, right checksum", Text: protocol.EncodeText(LinkPrefix, []byte{0x83, 0x80, 0x60, 0x80}), Error: "malformed"},
		{Name: "null for the addresses, right checksum", Text: protocol.EncodeText(LinkPrefix, []byte{0x83, 0x81, 0x41, 1, 0x60, 0xf6}), Error: "malformed"},
	}
	for _, v := range rows {
		g, err := ParseLink(v.Text)
		if (err == nil) != (v.Error == "") || err == nil && len(g.Chain) != len(v.Tokens) {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
	now, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "../spec/vectors/grantlinks.json"
	if *update {
		if err := os.WriteFile(file, append(now, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), string(now)+"\n"); diff != "" {
		t.Errorf("%s (-stored +now):\n%s", file, diff)
	}
}

func FuzzGrant(f *testing.F) {
	body, err := someGrant.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := parseGrant(data)
		if err != nil {
			return
		}
		if again, err := g.encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%x is also written %x, %v", data, again, err)
		}
	})
}

func FuzzQuestion(f *testing.F) {
	f.Add(canonical.MustMarshal(questionBody{Invocation: []byte("i"), Proofs: [][]byte{{1}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = parseQuestion(data)
		_, _ = parseLinks(data)
	})
}

func FuzzLink(f *testing.F) {
	text, err := EncodeLink(someGrant)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseLink(text)
		if err != nil {
			return
		}
		if again, err := EncodeLink(g); err != nil || again != text {
			t.Errorf("%q is also written %q, %v", text, again, err)
		}
	})
}

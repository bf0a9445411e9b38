// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol/ucan"
)

// TestEveryBitFlip turns every bit of a token of each sort, one at a time.
func TestEveryBitFlip(t *testing.T) {
	chain := goodChain(t)
	decodeInvocation := func(b []byte) error { _, err := ucan.DecodeInvocation(b); return err }
	tokens := []struct {
		name   string
		token  []byte
		decode func([]byte) error
	}{
		{"delegation", chain[2].Bytes(), func(b []byte) error { _, err := ucan.DecodeDelegation(b); return err }},
		{"invocation", invoke(t, "bob", ask(t, chain)).Bytes(), decodeInvocation},
		{"revocation", must2(ucan.Revoke(party(t, "node"), chain[2].CID(), nil, nil))(t).Bytes(), decodeInvocation},
	}
	for _, c := range tokens {
		if err := c.decode(c.token); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		kinds := map[ucan.Kind]int{}
		for bit := range 8 * len(c.token) {
			flipped := slices.Clone(c.token)
			flipped[bit/8] ^= 1 << (bit % 8)
			err := c.decode(flipped)
			if err == nil {
				t.Errorf("%s: accepted with bit %d flipped", c.name, bit)
			}
			kinds[ucan.KindOf(err)]++
		}
		t.Logf("%s: %d flips refused: %v", c.name, 8*len(c.token), kinds)
	}
}

// TestEveryCut takes every proper prefix of a token.
func TestEveryCut(t *testing.T) {
	token := goodChain(t)[2].Bytes()
	for n := range token {
		if _, err := ucan.DecodeDelegation(token[:n]); ucan.KindOf(err) != ucan.Malformed {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

// TestRevokedTokenReencoded writes a token's meaning in five other ways whose
// CIDs are not its own: were one accepted, a revocation by CID would miss it.
func TestRevokedTokenReencoded(t *testing.T) {
	d := goodChain(t)[2]
	refused := 0
	for _, v := range encodingVectors(t)[2:] {
		token := unb64(t, v.Token)
		other, err := ucan.DecodeDelegation(token)
		if err == nil {
			t.Errorf("%s: accepted as %s", v.Name, other.CID())
			continue
		}
		refused++
	}
	again := delegate(t, "node", ucan.DelegationClaims{
		Audience: d.Audience, Subject: d.Subject, Command: d.Command, Policy: d.Policy,
		Nonce: d.Nonce, NotBefore: d.NotBefore, Expires: d.Expires,
	})
	if again.PayloadDigest() != d.PayloadDigest() || !again.CID().Equals(d.CID()) {
		t.Error("the same claims signed again have another digest or CID")
	}
	t.Logf("%d other encodings refused", refused)
}

// within fails the test if f's best of five runs takes longer than limit.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	best := time.Hour
	for range 5 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	if best > limit {
		t.Errorf("%s took %v, at most %v", what, best, limit)
	}
	t.Logf("%s: %v", what, best)
}

func TestNesting(t *testing.T) {
	long := bytes.Repeat([]byte{0x81}, 500_000)
	full := bytes.Repeat([]byte{0x81}, ucan.MaxTokenSize)
	within(t, time.Millisecond, "500 KB of nested lists", func() {
		if _, err := ucan.DecodeDelegation(long); ucan.KindOf(err) != ucan.TooLarge {
			t.Fatal(err)
		}
	})
	within(t, time.Millisecond, "16 KiB of nested lists", func() {
		if _, err := ucan.DecodeDelegation(full); ucan.KindOf(err) != ucan.Malformed {
			t.Fatal(err)
		}
	})
	within(t, time.Millisecond, "32 KiB of nested lists in an invocation", func() {
		if _, err := ucan.DecodeInvocation(bytes.Repeat([]byte{0x81}, ucan.MaxInvocationSize)); ucan.KindOf(err) != ucan.Malformed {
			t.Fatal(err)
		}
	})
	deep := stmt("==", ".n", 1)
	for range 500_000 {
		deep = stmt("not", deep)
	}
	within(t, time.Millisecond, "a policy of half a million nots", func() {
		if _, err := ucan.ParsePolicy(stmt(deep)); err == nil {
			t.Fatal("accepted")
		}
	})
}

// TestClaimedLengthsAreNotReserved: a few bytes that claim a million items must
// not make us reserve room for them.
func TestClaimedLengthsAreNotReserved(t *testing.T) {
	for _, claim := range [][]byte{{0x9a, 0, 0x10, 0, 0}, {0xba, 0, 0x10, 0, 0}, {0x5a, 0, 0x10, 0, 0}, {0x7a, 0, 0x10, 0, 0}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := ucan.DecodeValue(claim); err == nil {
			t.Errorf("%x was read", claim)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%x made us take %d bytes", claim, took)
		}
	}
}

// TestDepthBoundary: the deepest policy that a token carries is read, one
// level more is not.
func TestDepthBoundary(t *testing.T) {
	nots := func(n int) error {
		s := ucan.Statement{Op: ucan.OpEqual, Selector: ucan.Selector{}, Value: ucan.Null()}
		for range n {
			s = ucan.Statement{Op: ucan.OpNot, Args: []ucan.Statement{s}}
		}
		c := link(t, "bob")
		c.Policy = ucan.Policy{s}
		_, err := ucan.Delegate(party(t, "node"), c)
		return err
	}
	// The envelope, the payload, the claims and the policy are four levels.
	if err := nots(ucan.MaxDepth - 5); err != nil {
		t.Error(err)
	}
	if err := nots(ucan.MaxDepth - 4); ucan.KindOf(err) != ucan.Malformed {
		t.Error(err)
	}
}

func TestSizeBoundary(t *testing.T) {
	sized := func(n int) error {
		c := link(t, "bob")
		c.Nonce = make([]byte, n)
		d, err := ucan.Delegate(party(t, "node"), c)
		if err == nil && len(d.Bytes()) != ucan.MaxTokenSize {
			t.Errorf("%d bytes", len(d.Bytes()))
		}
		return err
	}
	c := link(t, "bob")
	c.Nonce = make([]byte, 1000)
	rest := ucan.MaxTokenSize - len(delegate(t, "node", c).Bytes())
	if err := sized(1000 + rest); err != nil {
		t.Error(err)
	}
	if err := sized(1000 + rest + 1); ucan.KindOf(err) != ucan.TooLarge {
		t.Error(err)
	}
}

// TestStepsAreLinear doubles a policy and its arguments and counts steps: each
// doubling doubles them, and does not square them.
func TestStepsAreLinear(t *testing.T) {
	type shape struct {
		name string
		make func(n int) (ucan.Value, ucan.Value)
	}
	for _, s := range []shape{
		{"statements", func(n int) (ucan.Value, ucan.Value) {
			return ucan.List(slices.Repeat([]ucan.Value{stmt("==", ".a", 1)}, n)...), val(map[string]any{"a": 1})
		}},
		{"items", func(n int) (ucan.Value, ucan.Value) {
			return stmt(stmt("all", ".", stmt("==", ".", 1))), ucan.List(slices.Repeat([]ucan.Value{val(1)}, n)...)
		}},
		{"an equal list", func(n int) (ucan.Value, ucan.Value) {
			list := ucan.List(slices.Repeat([]ucan.Value{val("x")}, n)...)
			return stmt(stmt("==", ".", list)), list
		}},
		{"stars", func(n int) (ucan.Value, ucan.Value) {
			return stmt(stmt("not", stmt("like", ".", strings.Repeat("a*", n)+"b*"))), val(strings.Repeat("a", 2*n))
		}},
		{"a repeating chunk", func(n int) (ucan.Value, ucan.Value) {
			return stmt(stmt("not", stmt("like", ".", "*"+strings.Repeat("a", n)+"b*"))), val(strings.Repeat("a", 3*n))
		}},
		{"nested quantifiers", func(n int) (ucan.Value, ucan.Value) {
			inner := ucan.List(slices.Repeat([]ucan.Value{val(1)}, 8)...)
			return stmt(stmt("all", ".", stmt("all", ".", stmt("==", ".", 1)))), ucan.List(slices.Repeat([]ucan.Value{inner}, n)...)
		}},
	} {
		count := func(n int) int {
			p, args := s.make(n)
			steps, err := ucan.Steps(must2(ucan.ParsePolicy(p))(t), args)
			if err != nil {
				t.Fatalf("%s at %d: %v", s.name, n, err)
			}
			return steps
		}
		small, large := count(500), count(4000)
		if large > 9*small || large < 7*small { // fewer would mean that not all is counted
			t.Errorf("%s: %d steps at 500, %d at 4000", s.name, small, large)
		}
		t.Logf("%s: %d steps at 500, %d at 4000", s.name, small, large)
	}
}

// TestWorkIsBounded: a policy and arguments that fill their tokens and ask for
// their product are refused, and soon, whether or not "not" stands before.
func TestWorkIsBounded(t *testing.T) {
	statements := ucan.List(slices.Repeat([]ucan.Value{stmt("!=", ".", 1)}, 2000)...)
	args := ucan.List(slices.Repeat([]ucan.Value{val(2)}, 30_000)...)
	for _, p := range []ucan.Policy{
		policy(t, stmt("all", ".", stmt("and", statements))),
		policy(t, stmt("not", stmt("all", ".", stmt("and", statements)))),
	} {
		within(t, 100*time.Millisecond, fmt.Sprintf("%s over 2,000 statements and 30,000 items", p[0].Op), func() {
			if err := p.Match(args); !errors.Is(err, ucan.ErrTooCostly) {
				t.Fatal(err)
			}
		})
	}
	steps, _ := ucan.Steps(policy(t, stmt("all", ".", stmt("and", statements))), args)
	if steps > ucan.MaxSteps+100 {
		t.Errorf("%d steps, at most %d", steps, ucan.MaxSteps)
	}
}

func TestManyStars(t *testing.T) {
	pattern := strings.Repeat("*a", 4000) + "*b*"
	within(t, 20*time.Millisecond, "four thousand stars over 30 KB", func() {
		if matches, _ := ucan.LikeSteps(pattern, strings.Repeat("a", 30_000)); matches {
			t.Fatal("matches")
		}
	})
}

func TestMismatchNamesTheStatementAndNoArgument(t *testing.T) {
	p := policy(t, stmt("==", ".a", 1), stmt("like", ".secret", "x*"))
	err := p.Match(val(map[string]any{"a": 1, "secret": "hunter2"}))
	var mismatch *ucan.MismatchError
	if !errors.As(err, &mismatch) || mismatch.Statement != 1 || mismatch.Op != ucan.OpLike || mismatch.Selector.String() != ".secret" {
		t.Errorf("%#v", err)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error tells an argument: %v", err)
	}
}

// TestStatementsMadeByHandDoNotPanic: a Statement is a plain struct, which a
// caller may fill in wrongly.
func TestStatementsMadeByHandDoNotPanic(t *testing.T) {
	for _, s := range []ucan.Statement{
		{}, {Op: "?"}, {Op: ucan.OpNot}, {Op: ucan.OpAll}, {Op: ucan.OpAny}, {Op: ucan.OpLess, Value: val("x")},
	} {
		if err := (ucan.Policy{s}).Match(stmt(1, 2)); err == nil {
			t.Errorf("%+v holds", s)
		}
		c := link(t, "bob")
		c.Policy = ucan.Policy{s}
		if _, err := ucan.Delegate(party(t, "node"), c); err == nil {
			t.Errorf("%+v was delegated", s)
		}
	}
	if err := (ucan.Policy{{Op: ucan.OpLike, Pattern: "a*"}}).Match(val("abc")); err != nil {
		t.Errorf("a pattern that was not parsed: %v", err)
	}
}

// TestProofFoundUnderAnotherName: a store that answers with something else is
// not believed.
func TestProofFoundUnderAnotherName(t *testing.T) {
	chain := goodChain(t)
	inv := invoke(t, "bob", ask(t, chain))
	for name, found := range map[string]*ucan.Delegation{
		"another delegation": chain[0], "nothing at all": nil, "one that nobody signed": {Issuer: chain[1].Issuer},
	} {
		err := ucan.CheckChain(inv, func(id cid.Cid) (*ucan.Delegation, bool) {
			if id.Equals(chain[1].CID()) {
				return found, true
			}
			i := slices.IndexFunc(chain, func(d *ucan.Delegation) bool { return d.CID().Equals(id) })
			return chain[i], true
		}, time.Unix(now, 0))
		var e *ucan.Error
		if !errors.As(err, &e) || e.Kind != ucan.UnavailableProof || e.Proof != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheLastSecondIsWhole: bounds are seconds, the clock has nanoseconds.
func TestTheLastSecondIsWhole(t *testing.T) {
	chain := goodChain(t)
	claims := ask(t, chain)
	claims.Expires = nil
	inv := invoke(t, "bob", claims)
	if err := ucan.CheckTime(inv, chain, time.Unix(tomorrow, 999_999_999)); err != nil {
		t.Error(err)
	}
	if err := ucan.CheckTime(inv, chain, time.Unix(tomorrow+1, 0)); ucan.KindOf(err) != ucan.Expired {
		t.Error(err)
	}
}

// TestNothingLeaksThroughAccessors: what a caller does to what it was handed
// does not change a token or a value.
func TestNothingLeaksThroughAccessors(t *testing.T) {
	d := goodChain(t)[2]
	token := d.Bytes()
	token[10] ^= 1
	if bytes.Equal(token, d.Bytes()) {
		t.Error("Bytes hands out the token itself")
	}
	v := stmt("a", []byte{1}, map[string]any{"k": 1})
	list, _ := v.AsList()
	list[0] = ucan.Null()
	inner, _ := v.AsList()
	b, _ := inner[1].AsBytes()
	b[0] = 9
	m, _ := inner[2].AsMap()
	m[0].Value = ucan.Null()
	if !v.Equal(stmt("a", []byte{1}, map[string]any{"k": 1})) {
		t.Error("a value was changed")
	}
}

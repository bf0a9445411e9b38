// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// onePair is a self-made data set's delegation to bob, and bob's invocation.
func onePair(b *testing.B) (dlg, inv []byte) {
	d := delegate(b, "set", link(b, "bob"))
	c := ask(b, []*ucan.Delegation{d})
	return d.Bytes(), invoke(b, "bob", c).Bytes()
}

// BenchmarkVerifySignature is the floor: Ed25519 alone, over one token.
func BenchmarkVerifySignature(b *testing.B) {
	dlg, _ := onePair(b)
	issuer := did(b, "set")
	for b.Loop() {
		if err := crypto.Verify(issuer, dlg[67:], dlg[3:67]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeDelegation(b *testing.B) {
	dlg, _ := onePair(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ucan.DecodeDelegation(dlg); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkChainOfOne decodes and verifies an invocation and its one proof,
// and checks the chain: two signatures.
func BenchmarkChainOfOne(b *testing.B) {
	dlg, token := onePair(b)
	b.ReportAllocs()
	for b.Loop() {
		d, err := ucan.DecodeDelegation(dlg)
		if err != nil {
			b.Fatal(err)
		}
		inv, err := ucan.DecodeInvocation(token)
		if err != nil {
			b.Fatal(err)
		}
		chain := []*ucan.Delegation{d}
		if err := ucan.CheckAlignment(inv, chain); err != nil {
			b.Fatal(err)
		}
		if err := ucan.CheckTime(inv, chain, time.Unix(now, 0)); err != nil {
			b.Fatal(err)
		}
		if err := ucan.CheckPolicies(inv, chain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseDID(b *testing.B) {
	s := string(did(b, "bob"))
	for b.Loop() {
		if _, err := crypto.ParseDID(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	var p ucan.Policy
	for _, s := range []ucan.Value{
		stmt("all", ".list", stmt("or", stmt(stmt("==", ".", 1), stmt("==", ".", 2), stmt("==", ".", 3)))),
		stmt("<=", ".n", 3), stmt("like", ".s", "a/*"),
	} {
		parsed, err := ucan.ParsePolicy(ucan.List(s))
		if err != nil {
			b.Fatal(err)
		}
		p = append(p, parsed...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Match(policyArgs); err != nil {
			b.Fatal(err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"bytes"
	"testing"

	"github.com/traboule/traboule/protocol/ucan"
)

func FuzzDecodeDelegation(f *testing.F) {
	for _, d := range goodChain(f) {
		f.Add([]byte(d.Bytes()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ucan.DecodeDelegation(b)
		if err == nil && !bytes.Equal(d.Bytes(), b) {
			t.Error("read as other bytes")
		}
		if err != nil && ucan.KindOf(err) == 0 {
			t.Errorf("an error without a kind: %v", err)
		}
	})
}

func FuzzDecodeInvocation(f *testing.F) {
	chain := goodChain(f)
	f.Add([]byte(invoke(f, "bob", ask(f, chain)).Bytes()))
	f.Fuzz(func(t *testing.T, b []byte) {
		inv, err := ucan.DecodeInvocation(b)
		if err != nil {
			if ucan.KindOf(err) == 0 {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		if _, err := ucan.ParseRevocation(inv); err != nil && ucan.KindOf(err) == 0 {
			t.Errorf("an error without a kind: %v", err)
		}
	})
}

// FuzzDecodeValue holds our codec to its promise: whatever is read is written
// as the same bytes, so no two encodings of one value are both read.
func FuzzDecodeValue(f *testing.F) {
	f.Add(encode(f, policyArgs))
	f.Add([]byte{0xd8, 0x2a, 0x58, 0x25, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := ucan.DecodeValue(b)
		if err != nil {
			return
		}
		again, err := ucan.EncodeValue(v)
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is written as %x: %v", b, again, err)
		}
	})
}

// FuzzParsePolicy reads a policy and arguments, matches them within the bound
// on steps, and writes the policy back.
func FuzzParsePolicy(f *testing.F) {
	args := encode(f, policyArgs)
	for _, c := range append(append(selectorCases(), connectiveCases()...), likeCases()...) {
		f.Add(encode(f, c.policy), args)
	}
	f.Fuzz(func(t *testing.T, policy, args []byte) {
		v, err := ucan.DecodeValue(policy)
		if err != nil {
			return
		}
		p, err := ucan.ParsePolicy(v)
		if err != nil {
			return
		}
		again, err := ucan.ParsePolicy(p.Value())
		if err != nil {
			t.Fatalf("written otherwise than read: %v", err)
		}
		a, err := ucan.DecodeValue(args)
		if err != nil {
			return
		}
		steps, verdict := ucan.Steps(p, a)
		if steps > 2*ucan.MaxSteps {
			t.Errorf("%d steps", steps)
		}
		if steps2, verdict2 := ucan.Steps(again, a); steps2 != steps || (verdict == nil) != (verdict2 == nil) {
			t.Errorf("written and read again it says %v, not %v", verdict2, verdict)
		}
	})
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{".", ".a?", `.["x\n"]`, ".[1:-2]", ".a[].b[-1]?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sel, err := ucan.ParseSelector(s)
		if err != nil {
			return
		}
		again, err := ucan.ParseSelector(sel.String())
		if err != nil || again.String() != sel.String() {
			t.Errorf("%q is written %q and read as %q: %v", s, sel, again, err)
		}
		ucan.Resolve(sel, policyArgs)
	})
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{"/", "/dataset/read", "/a.b/c-d_e", "//", "/A", "/a/", "/..", "/\u0430"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ucan.ParseCommand(s)
		if err != nil {
			return
		}
		if string(c) != s || !c.Covers(c) || !ucan.Command("/").Covers(c) || c != "/" && c.Covers(c+"x") {
			t.Errorf("%q is read as %q, which covers what it should not, or not itself", s, c)
		}
	})
}

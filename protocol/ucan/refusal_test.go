// SPDX-License-Identifier: Apache-2.0

package ucan_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol/ucan"
)

// TestRefusals shows every case that this layer refuses, and beside them the
// few that it must accept. What the profile or the gate refuses is theirs to
// show.
func TestRefusals(t *testing.T) {
	for _, v := range allVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			if got := v.outcome(t); got != v.Want {
				t.Errorf("%s: %s, want %s", v.Layer, got, v.Want)
			}
			t.Logf("%s: %s", v.Layer, v.Want)
		})
	}
}

func allVectors(t *testing.T) []vector {
	t.Helper()
	vectors := slices.Concat(encodingVectors(t), claimVectors(t), chainVectors(t), policyVectors(t), revocationVectors(t))
	for i := range vectors {
		vectors[i].Layer = "ucan"
	}
	return vectors
}

func delegationVector(name string, token []byte, want string) vector {
	return vector{Name: name, Kind: "delegation", Token: b64(token), Want: want}
}

// encodingVectors are one good delegation and everything else that its bytes
// could be written as.
func encodingVectors(t *testing.T) []vector {
	good := []byte(goodChain(t)[2].Bytes())
	sig, payload := good[3:67], good[67:]
	claims := encode(t, ucan.MakeMap(claimsOf(t, good, ucan.TagDelegation)).Value())
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	resigned := func(payload []byte) []byte { return signRaw(t, "node", payload) }
	payloadOf := func(claims []byte) []byte { return rawPayload(t, ucan.TagDelegation, claims) }
	last := claims[len(claims)-1:]
	cases := []struct {
		name  string
		token []byte
		want  string
	}{
		{"a good delegation", good, "ok"},
		{"the same, signed over hand-made bytes", resigned(payloadOf(claims)), "ok"},
		{"nothing", nil, "Malformed"},
		{"cut short", good[:len(good)-1], "Malformed"},
		{"a trailing byte", join(good, []byte{0}), "Malformed"},
		{"a third element", join([]byte{0x83}, good[1:], []byte{0xf6}), "Malformed"},
		{"an indefinite list", join([]byte{0x9f}, good[1:], []byte{0xff}), "Malformed"},
		{"a long head on the list", join([]byte{0x98, 2}, good[1:]), "Malformed"},
		{"a long head on the signature", join([]byte{0x82, 0x59, 0, 0x40}, sig, payload), "Malformed"},
		{"an indefinite signature", join([]byte{0x82, 0x5f, 0x58, 0x40}, sig, []byte{0xff}, payload), "Malformed"},
		{"a signature as text", join([]byte{0x82, 0x60}, payload), "Malformed"},
		{"header and claims swapped", resigned(join([]byte{0xa2}, encode(t, val(ucan.TagDelegation)), claims,
			encode(t, val("h")), encode(t, val([]byte(ucan.Varsig))))), "Malformed"},
		{"an indefinite payload", resigned(join([]byte{0xbf}, payload[1:], []byte{0xff})), "Malformed"},
		{"a payload that is a list", resigned([]byte{0x80}), "Malformed"},
		{"two claims swapped", resigned(payloadOf(swapFirstTwo(t, claims))), "Malformed"},
		{"a claim twice", resigned(payloadOf(join([]byte{claims[0] + 1}, claims[1:], claimTail(t, claims)))), "Malformed"},
		{"a long number", resigned(payloadOf(longExpiry(t, claims))), "Malformed"},
		{"an unknown simple value", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], []byte{0xe0}))), "Malformed"},
		{"undefined for null", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], []byte{0xf7}))), "Malformed"},
		{"claims with an indefinite text", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], []byte{0x7f, 0x61, 'a', 0xff}))), "Malformed"},
		{"a text that is not UTF-8", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], []byte{0x61, 0xff}))), "Malformed"},
		{"a bare tag 42", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], []byte{0xd8, 42, 0x40}))), "Malformed"},
		{"another tag", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], []byte{0xc0, 0x60}))), "Malformed"},
		{"a CID under tag 43", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], linkBytes(t, 43, 0)))), "Malformed"},
		{"a CID after a one", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], linkBytes(t, 42, 1)))), "Malformed"},
		{"a link for a nonce", resigned(payloadOf(join(claims[:len(claims)-1-len("to bob")], linkBytes(t, 42, 0)))), "InvalidClaim"},
		{"an unknown claim", forge(t, "node", ucan.TagDelegation, good, map[string]any{"prf": []any{}}), "InvalidClaim"},
		{"two tags", twoTags(t, claims), "Malformed"},
		{"no tag", resigned(join([]byte{0xa1}, encode(t, val("h")), encode(t, val([]byte(ucan.Varsig))))), "Malformed"},
		{"an invocation's tag", resigned(rawPayload(t, ucan.TagInvocation, claims)), "Malformed"},
		{"the release candidate's tag", resigned(rawPayload(t, "ucan/dlg@1.0.0-rc.1", claims)), "Malformed"},
		{"a varsig of another curve", signVarsig(t, "\x34\x01\xe7\x01\xe7\x01\x12\x71", claims), "Malformed"},
		{"a varsig of another encoding", signVarsig(t, "\x34\x01\xed\x01\xed\x01\x13\x5f", claims), "Malformed"},
		{"a varsig with a byte more", signVarsig(t, ucan.Varsig+"\x00", claims), "Malformed"},
		{"a signature of one byte more", join([]byte{0x82, 0x58, 0x41}, sig, last, payload), "InvalidSignature"},
		{"no signature", join([]byte{0x82, 0x40}, payload), "InvalidSignature"},
		{"a signature with its order added", orderAdded(good), "InvalidSignature"},
		{"500 KB of nesting", []byte(strings.Repeat("\x81", 500_000)), "TooLarge"},
		{"nesting to the limit of size", []byte(strings.Repeat("\x81", ucan.MaxTokenSize)), "Malformed"},
		{"a list that claims 2^32 items", resigned(payloadOf([]byte{0x9a, 0xff, 0xff, 0xff, 0xff})), "Malformed"},
		{"a byte string that claims 2^63", resigned(payloadOf([]byte{0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0})), "Malformed"},
	}
	var vectors []vector
	for _, c := range cases {
		v := delegationVector(c.name, c.token, c.want)
		if len(c.token) > 2*ucan.MaxTokenSize {
			v.Token = "" // judged in TestNesting; half a megabyte of one letter is no vector
			continue
		}
		vectors = append(vectors, v)
	}
	return vectors
}

// linkBytes is a link with its tag and its leading byte given.
func linkBytes(t *testing.T, tag, lead byte) []byte {
	b := encode(t, ucan.Link(goodChain(t)[0].CID()))
	b[1], b[4] = tag, lead
	return b
}

// swapFirstTwo changes the order of the first two claims.
func swapFirstTwo(t *testing.T, claims []byte) []byte {
	m, _ := must2(ucan.DecodeValue(claims))(t).AsMap()
	out := []byte{claims[0]}
	m[0], m[1] = m[1], m[0]
	for _, e := range m {
		out = slices.Concat(out, encode(t, ucan.String(e.Key)), encode(t, e.Value))
	}
	return out
}

// claimTail is the last claim, key and value, to be said again.
func claimTail(t *testing.T, claims []byte) []byte {
	m, _ := must2(ucan.DecodeValue(claims))(t).AsMap()
	e := m[len(m)-1]
	return slices.Concat(encode(t, ucan.String(e.Key)), encode(t, e.Value))
}

// longExpiry writes the expiry in eight bytes, where four do.
func longExpiry(t *testing.T, claims []byte) []byte {
	short := encode(t, ucan.Int(tomorrow))
	long := slices.Concat([]byte{0x1b, 0, 0, 0, 0}, short[1:])
	if !strings.Contains(string(claims), string(short)) {
		t.Fatal("no expiry in the claims")
	}
	return []byte(strings.Replace(string(claims), string(short), string(long), 1))
}

func twoTags(t *testing.T, claims []byte) []byte {
	return signRaw(t, "node", slices.Concat([]byte{0xa3}, encode(t, val("h")), encode(t, val([]byte(ucan.Varsig))),
		encode(t, val(ucan.TagDelegation)), claims, encode(t, val(ucan.TagInvocation)), claims))
}

func signVarsig(t *testing.T, varsig string, claims []byte) []byte {
	return signRaw(t, "node", slices.Concat([]byte{0xa2}, encode(t, val("h")), encode(t, val([]byte(varsig))),
		encode(t, val(ucan.TagDelegation)), claims))
}

// orderAdded replaces (R, s) by (R, s + the order of the group), which sloppy
// verifiers accept.
func orderAdded(token []byte) []byte {
	order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}
	out := slices.Clone(token)
	carry := 0
	for i, b := range order {
		carry += int(out[3+32+i]) + int(b)
		out[3+32+i] = byte(carry)
		carry >>= 8
	}
	return out
}

// claimVectors change one claim of a good token and sign it properly again.
func claimVectors(t *testing.T) []vector {
	chain := goodChain(t)
	dlg := []byte(chain[2].Bytes())
	inv := []byte(invoke(t, "bob", ask(t, chain)).Bytes())
	key := string(did(t, "node"))
	cases := []struct {
		name   string
		change map[string]any
		want   string
	}{
		{"no subject", map[string]any{"sub": nil}, "InvalidClaim"},
		{"a powerline", map[string]any{"sub": ucan.Null()}, "ok"},
		{"a subject that is a list", map[string]any{"sub": []any{}}, "InvalidClaim"},
		{"no issuer", map[string]any{"iss": nil}, "InvalidClaim"},
		{"no audience", map[string]any{"aud": nil}, "InvalidClaim"},
		{"no command", map[string]any{"cmd": nil}, "InvalidClaim"},
		{"no policy", map[string]any{"pol": nil}, "InvalidClaim"},
		{"no nonce", map[string]any{"nonce": nil}, "InvalidClaim"},
		{"an empty nonce", map[string]any{"nonce": []byte{}}, "ok"},
		{"a nonce that is a text", map[string]any{"nonce": "n"}, "InvalidClaim"},
		{"no expiry claim", map[string]any{"exp": nil}, "InvalidClaim"},
		{"null expiry", map[string]any{"exp": ucan.Null()}, "ok"},
		{"a float expiry", map[string]any{"exp": 1e9}, "InvalidClaim"},
		{"null beginning", map[string]any{"nbf": ucan.Null()}, "InvalidClaim"},
		{"a meta that is a list", map[string]any{"meta": []any{}}, "InvalidClaim"},
		{"a meta of anything", map[string]any{"meta": map[string]any{"why": []any{1, true, 2.5}}}, "ok"},
		{"a policy that is a map", map[string]any{"pol": map[string]any{}}, "InvalidClaim"},
		{"a command with an empty segment", map[string]any{"cmd": "/dataset//read"}, "InvalidClaim"},
		{"a command of dots", map[string]any{"cmd": "/dataset/../read"}, "InvalidClaim"},
		{"a command with a slash at its end", map[string]any{"cmd": "/dataset/"}, "InvalidClaim"},
		{"a command in capitals", map[string]any{"cmd": "/dataset/Read"}, "InvalidClaim"},
		{"a command with a percent sign", map[string]any{"cmd": "/dataset/%72ead"}, "InvalidClaim"},
		{"a command with a look-alike", map[string]any{"cmd": "/dataset/rеad"}, "InvalidClaim"},
		{"a command without its slash", map[string]any{"cmd": "dataset/read"}, "InvalidClaim"},
		{"an empty command", map[string]any{"cmd": ""}, "InvalidClaim"},
		{"an issuer with a fragment", map[string]any{"iss": key + "#" + key[8:]}, "InvalidClaim"},
		{"an issuer in capitals", map[string]any{"iss": "DID:KEY:" + key[8:]}, "InvalidClaim"},
		{"an issuer with a leading digit 1", map[string]any{"iss": "did:key:z1" + key[9:]}, "InvalidClaim"},
		{"an issuer of another base", map[string]any{"iss": "did:key:f" + "ed01" + strings.Repeat("00", 32)}, "InvalidClaim"},
		{"an issuer of another method", map[string]any{"iss": "did:web:example.org"}, "InvalidClaim"},
		{"an issuer of small order", map[string]any{"iss": smallOrder}, "InvalidClaim"},
		{"an audience of small order", map[string]any{"aud": smallOrder}, "InvalidClaim"},
		{"an issuer who did not sign", map[string]any{"iss": string(did(t, "owner"))}, "InvalidSignature"},
		{"an unknown selector", map[string]any{"pol": []any{[]any{"==", "..to", 1}}}, "InvalidClaim"},
		{"an unknown operator", map[string]any{"pol": []any{[]any{"=~", ".to", 1}}}, "InvalidClaim"},
	}
	var vectors []vector
	for _, c := range cases {
		vectors = append(vectors, delegationVector("delegation with "+c.name, forge(t, "node", ucan.TagDelegation, dlg, c.change), c.want))
	}
	vectors = append(vectors, numberVectors(t, dlg)...)
	for _, c := range invocationCases(t) {
		token := forge(t, "bob", ucan.TagInvocation, inv, c.change)
		vectors = append(vectors, vector{Name: "invocation with " + c.name, Kind: "invocation", Token: b64(token), Want: c.want})
	}
	return vectors
}

// smallOrder spells the key of the neutral element, under which one signature
// fits many messages.
const smallOrder = "did:key:z6MkeXATEjyXENzBXBxgC5EHk2JE5aqd7qMGGtDpLUH1e2Sj"

// numberVectors write numbers that no token may carry, which our own encoder
// refuses to write, by hand.
func numberVectors(t *testing.T, dlg []byte) []vector {
	numbers := []struct {
		name string
		cbor []byte
		want string
	}{
		{"2^53-1", encode(t, ucan.Int(ucan.MaxInt)), "ok"},
		{"-(2^53-1)", encode(t, ucan.Int(-ucan.MaxInt)), "ok"},
		{"2^53", []byte{0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0}, "Malformed"},
		{"-(2^53)", []byte{0x3b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "Malformed"},
		{"2^64-1", []byte{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "Malformed"},
		{"one and a half", encode(t, ucan.Float(1.5)), "ok"},
		{"a short float", []byte{0xf9, 0x3e, 0}, "Malformed"},
		{"a middling float", []byte{0xfa, 0x3f, 0xc0, 0, 0}, "Malformed"},
		{"NaN", []byte{0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0}, "Malformed"},
		{"infinity", []byte{0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0}, "Malformed"},
		{"minus infinity", []byte{0xfb, 0xff, 0xf0, 0, 0, 0, 0, 0, 0}, "Malformed"},
	}
	mark := ucan.Float(math.Pi)
	token := forge(t, "node", ucan.TagDelegation, dlg, map[string]any{"pol": stmt(stmt("==", ".n", mark))})
	payload := string(token[67:])
	var vectors []vector
	for _, n := range numbers {
		changed := strings.Replace(payload, string(encode(t, mark)), string(n.cbor), 1)
		vectors = append(vectors, delegationVector("a policy with the number "+n.name, signRaw(t, "node", []byte(changed)), n.want))
	}
	return vectors
}

func invocationCases(t *testing.T) []struct {
	name   string
	change map[string]any
	want   string
} {
	rawCID := cid.NewCidV1(cid.Raw, goodChain(t)[0].CID().Hash())
	return []struct {
		name   string
		change map[string]any
		want   string
	}{
		{"nothing wrong", map[string]any{}, "ok"},
		{"no subject", map[string]any{"sub": nil}, "InvalidClaim"},
		{"a null subject", map[string]any{"sub": ucan.Null()}, "InvalidClaim"},
		{"no audience", map[string]any{"aud": nil}, "ok"},
		{"a null audience", map[string]any{"aud": ucan.Null()}, "InvalidClaim"},
		{"no arguments", map[string]any{"args": nil}, "InvalidClaim"},
		{"arguments that are a list", map[string]any{"args": []any{}}, "InvalidClaim"},
		{"no proofs claim", map[string]any{"prf": nil}, "InvalidClaim"},
		{"a proof that is a text", map[string]any{"prf": []any{"bafy"}}, "InvalidClaim"},
		{"a proof of another codec", map[string]any{"prf": []any{ucan.Link(rawCID)}}, "InvalidClaim"},
		{"no expiry claim", map[string]any{"exp": nil}, "InvalidClaim"},
		{"a cause", map[string]any{"cause": ucan.Link(rawCID)}, "ok"},
		{"a cause that is a text", map[string]any{"cause": "x"}, "InvalidClaim"},
		{"a policy", map[string]any{"pol": []any{}}, "InvalidClaim"},
		{"an unknown claim", map[string]any{"x": 1}, "InvalidClaim"},
		{"time as a text", map[string]any{"iat": "now"}, "InvalidClaim"},
	}
}

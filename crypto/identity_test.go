// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/mr-tron/base58"
)

func mustIdentity(t testing.TB) *Identity {
	t.Helper()
	id, err := NewIdentity(rand.Reader)
	must(t, err)
	return id
}

func TestDIDThereAndBack(t *testing.T) {
	id := mustIdentity(t)
	did, err := ParseDID(string(id.DID()))
	if err != nil || did != id.DID() || len(did) != 56 {
		t.Errorf("parse %s: %s, %v", id.DID(), did, err)
	}
	again, err := DIDFromPublicKey(did.PublicKey())
	if err != nil || again != did {
		t.Errorf("public key of %s names %s, %v", did, again, err)
	}
}

// RFC 8032 §7.1, test 1.
func TestKnownKey(t *testing.T) {
	seed, _ := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	id, err := identityFromSeed(seed)
	must(t, err)
	sig, err := id.Sign(nil)
	must(t, err)
	want := "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
	if hex.EncodeToString(sig) != want {
		t.Errorf("signature %x", sig)
	}
}

func TestVerifyRefuses(t *testing.T) {
	id := mustIdentity(t)
	message := []byte("a message")
	sig, err := id.Sign(message)
	must(t, err)
	must(t, Verify(id.DID(), message, sig))
	for bit := range 8 * len(sig) {
		bad := bytes.Clone(sig)
		bad[bit/8] ^= 1 << (bit % 8)
		wantErr(t, "flipped bit", Verify(id.DID(), message, bad), ErrBadSignature)
	}
	wantErr(t, "another message", Verify(id.DID(), []byte("other"), sig), ErrBadSignature)
	wantErr(t, "another signer", Verify(mustIdentity(t).DID(), message, sig), ErrBadSignature)
	wantErr(t, "short", Verify(id.DID(), message, sig[:63]), ErrBadSignature)
	wantErr(t, "long", Verify(id.DID(), message, append(sig, 0)), ErrBadSignature)
	wantErr(t, "nobody", Verify("", message, sig), ErrBadDID)
}

// The eight points of small order, in canonical and other encodings, and
// points whose encoding is not the canonical one (Chalkias et al., "Taming
// the many EdDSAs", table 1 and §3).
var badKeys = map[string]string{
	"identity":                "0100000000000000000000000000000000000000000000000000000000000000",
	"order 2":                 "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 4":                 "0000000000000000000000000000000000000000000000000000000000000000",
	"order 4, negative":       "0000000000000000000000000000000000000000000000000000000000000080",
	"order 8 a":               "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"order 8 b":               "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"order 8 c":               "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"order 8 d":               "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"identity, negative zero": "0100000000000000000000000000000000000000000000000000000000000080",
	"order 2, negative zero":  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"y = p":                   "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"y = p, negative":         "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"y = p + 1":               "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"y = p + 1, negative":     "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"y = p + 3 (y = 3)":       "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"y = p + 18":              "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"not on the curve":        "0200000000000000000000000000000000000000000000000000000000000000",
	"31 bytes":                "01000000000000000000000000000000000000000000000000000000000000",
	"33 bytes":                "010000000000000000000000000000000000000000000000000000000000000000",
}

func TestBadKeysAreRefused(t *testing.T) {
	for name, text := range badKeys {
		key, err := hex.DecodeString(text)
		must(t, err)
		if did, err := DIDFromPublicKey(key); err == nil {
			t.Errorf("%s: named %s", name, did)
		}
		spelt := didPrefix + base58.Encode(append([]byte{0xed, 0x01}, key...))
		_, err = ParseDID(spelt)
		wantErr(t, name, err, ErrBadDID)
	}
}

// The quick look at the bytes says what the curve says, on every spelling of
// the small-order points and on the y around p.
func TestBadKeysAreThoseOfTheCurve(t *testing.T) {
	slow := func(key []byte) bool {
		point, err := new(edwards25519.Point).SetBytes(key)
		if err != nil || !bytes.Equal(point.Bytes(), key) {
			return false
		}
		return new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 0
	}
	compare := func(key []byte) {
		for _, sign := range []byte{0, 0x80} {
			key := bytes.Clone(key)
			key[31] ^= sign
			if _, err := DIDFromPublicKey(key); (err == nil) != slow(key) {
				t.Errorf("%x: %v, the curve says otherwise", key, err)
			}
		}
	}
	for _, text := range badKeys {
		if key, _ := hex.DecodeString(text); len(key) == 32 {
			compare(key)
		}
	}
	// Every y from 2^255 - 512 on, every small y, every neighbour of a
	// point of small order.
	for low := range 0x10000 {
		key := bytes.Repeat([]byte{0xff}, 32)
		key[0], key[1], key[31] = byte(low), byte(low>>8), 0x7f
		if low >= 0xfe00 {
			compare(key)
		}
		if low < 0x200 {
			compare(append([]byte{byte(low), byte(low >> 8)}, make([]byte, 30)...))
		}
	}
	for _, y := range smallOrder {
		for bit := range 256 {
			key := bytes.Clone(y[:])
			key[bit/8] ^= 1 << (bit % 8)
			compare(key)
		}
	}
	random := mathrand.NewChaCha8([32]byte{'d', 'i', 'd'})
	for range 2000 {
		key := make([]byte, 32)
		_, _ = random.Read(key)
		compare(key)
	}
}

// The table holds the multiples of a point of order 8, all of them.
func TestSmallOrderIsTheWholeSubgroup(t *testing.T) {
	key, err := hex.DecodeString(badKeys["order 8 a"])
	must(t, err)
	generator, err := new(edwards25519.Point).SetBytes(key)
	must(t, err)
	found := map[[32]byte]bool{}
	point := edwards25519.NewIdentityPoint()
	for range 8 {
		y := [32]byte(point.Bytes())
		found[y] = true
		y[31] &= 0x7f
		if !slices.Contains(smallOrder[:], y) {
			t.Errorf("%x is not in the table", point.Bytes())
		}
		point.Add(point, generator)
	}
	if len(found) != 8 || point.Equal(edwards25519.NewIdentityPoint()) != 1 {
		t.Errorf("%d points, not a group of 8", len(found))
	}
}

// A DID has one spelling: no other text of base58 digits is read as its key.
func TestEveryDigitOfADIDCounts(t *testing.T) {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	id := mustIdentity(t)
	did := []byte(id.DID())
	if len(did) != didLength {
		t.Fatalf("%d bytes", len(did))
	}
	for i := len(didPrefix); i < len(did); i++ {
		for _, digit := range []byte(digits + "0OIl +/\x00\xff") {
			other := bytes.Clone(did)
			if other[i] = digit; bytes.Equal(other, did) {
				continue
			}
			got, err := ParseDID(string(other))
			if err == nil && (got != DID(other) || bytes.Equal(got.PublicKey(), id.DID().PublicKey())) {
				t.Errorf("%q is read as %q", other, got)
			}
			if err == nil && didPrefix+base58.Encode(append([]byte{0xed, 1}, got.PublicKey()...)) != string(other) {
				t.Errorf("%q is not how its key is spelt", other)
			}
		}
	}
}

func BenchmarkParseDID(b *testing.B) {
	id, _ := identityFromSeed(make([]byte, 32))
	did := string(id.DID())
	for b.Loop() {
		if _, err := ParseDID(did); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDIDVariantsAreRefused(t *testing.T) {
	id := mustIdentity(t)
	did, key := string(id.DID()), id.DID().PublicKey()
	b58 := strings.TrimPrefix(did, didPrefix)
	multi := func(codec ...byte) string { return didPrefix + base58.Encode(append(codec, key...)) }
	for name, text := range map[string]string{
		"empty":              "",
		"prefix only":        didPrefix,
		"no prefix":          b58,
		"no multibase":       "did:key:" + b58,
		"upper-case scheme":  "DID:key:z" + b58,
		"upper-case base":    "did:key:Z" + b58,
		"base16":             "did:key:f" + hex.EncodeToString(append([]byte{0xed, 1}, key...)),
		"fragment":           did + "#" + "z" + b58,
		"query":              did + "?a=b",
		"path":               did + "/",
		"leading space":      " " + did,
		"trailing space":     did + " ",
		"trailing newline":   did + "\n",
		"leading one (zero)": didPrefix + "1" + b58,
		"percent":            "did:key%3Az" + b58,
		"NUL":                did + "\x00",
		"long":               did + strings.Repeat("1", 10),
		"x25519":             multi(0xec, 0x01),
		"secp256k1":          multi(0xe7, 0x01),
		"private key":        multi(0x80, 0x26),
		"long varint":        multi(0xed, 0x81, 0x00),
		"no codec":           multi(),
		"not base58":         didPrefix + "0" + b58[1:],
	} {
		if got, err := ParseDID(text); err == nil {
			t.Errorf("%s: accepted as %s", name, got)
		}
	}
}

func TestDeriveOfIdentity(t *testing.T) {
	id, other := mustIdentity(t), mustIdentity(t)
	a := id.Derive("quic")
	if a != id.Derive("quic") || a == id.Derive("other") || a == other.Derive("quic") {
		t.Error("derived bytes do not depend on key and name alone")
	}
	if bytes.Contains(id.key(), a[:]) || bytes.Equal(id.key().Seed(), a[:]) {
		t.Error("derived bytes show the key")
	}
}

func TestNewIdentityWithoutRandomness(t *testing.T) {
	if _, err := NewIdentity(strings.NewReader("short")); err == nil {
		t.Error("made from five bytes")
	}
}

func FuzzParseDID(f *testing.F) {
	id, _ := identityFromSeed(make([]byte, 32))
	f.Add(string(id.DID()))
	f.Add("did:key:z6Mk")
	f.Fuzz(func(t *testing.T, s string) {
		did, err := ParseDID(s)
		if err != nil {
			return
		}
		if string(did) != s {
			t.Errorf("%q is read as %q", s, did)
		}
		if again, err := DIDFromPublicKey(did.PublicKey()); err != nil || again != did {
			t.Errorf("%q is not the name of its key", s)
		}
	})
}

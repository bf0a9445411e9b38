// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

var cheap = Argon{MemoryKiB: 1 << 10, Time: 1, Threads: 1}

// counted is a reader of bytes that are the same in every run.
type counted struct{ n uint64 }

func (c *counted) Read(p []byte) (int, error) {
	for i := range p {
		if i%8 == 0 {
			c.n += 0x9e3779b97f4a7c15
		}
		p[i] = byte((c.n * 0xbf58476d1ce4e5b9) >> (8 * (i % 8)))
	}
	return len(p), nil
}

func mustKeyring(t testing.TB) (*Keyring, string) {
	t.Helper()
	k, err := NewKeyring(rand.Reader)
	must(t, err)
	must(t, k.UseArgon(cheap))
	words, err := k.NewWords(rand.Reader)
	must(t, err)
	return k, words
}

func mustDataset(t testing.TB, k *Keyring) DID {
	t.Helper()
	did, _, err := k.NewDataset(rand.Reader)
	must(t, err)
	return did
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestDeriveSeparatesItsInputs(t *testing.T) {
	secret := []byte("secret")
	inputs := [][][]byte{{}, {{}}, {{}, {}}, {{'a', 'b'}}, {{'a'}, {'b'}}, {{}, {'a', 'b'}}, {{'a', 'b'}, {}}}
	seen := map[[32]byte]int{}
	for i, parts := range inputs {
		for _, l := range []label{labelBlockKey, labelPageCut} {
			out := derive(secret, l, parts...)
			if j, ok := seen[out]; ok {
				t.Errorf("inputs %d and %d (of %q) give one key", i, j, l)
			}
			seen[out] = i
		}
	}
}

func TestLabelsAreDistinct(t *testing.T) {
	all := []label{labelIdentity, labelBlockKey, labelPageCut, labelBody, labelBodyID, labelScopeTag, labelIndexName,
		labelIndexValue, labelKeyring, labelPassphrase, labelKeyfile, labelWords, labelRecovery, labelKitMAC, labelKit, labelBirth}
	seen := map[label]bool{}
	for _, l := range all {
		if seen[l] || !strings.HasPrefix(string(l), "traboule/v1/") {
			t.Errorf("label %q", l)
		}
		seen[l] = true
	}
}

func TestSealToAndOpen(t *testing.T) {
	key, err := receiveKeyFrom(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	other, err := receiveKeyFrom(bytes.Repeat([]byte{8}, 32))
	must(t, err)
	pub, err := ParsePublicReceiveKey(key.Public())
	must(t, err)
	plain := bytes.Repeat([]byte{1}, 32)
	sealed, err := SealTo(pub, []byte("grant 1"), plain)
	must(t, err)
	if len(sealed) != 32+SealOverhead {
		t.Errorf("a wrapped key has %d bytes", len(sealed))
	}
	if got, err := key.Open([]byte("grant 1"), sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("open: %x, %v", got, err)
	}
	_, err = key.Open([]byte("grant 2"), sealed)
	wantErr(t, "another info", err, ErrNotForUs)
	_, err = other.Open([]byte("grant 1"), sealed)
	wantErr(t, "another key", err, ErrNotForUs)
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1 << (i % 8)
		if _, err := key.Open([]byte("grant 1"), bad); !errors.Is(err, ErrNotForUs) {
			t.Fatalf("flip in byte %d: %v", i, err)
		}
	}
	for _, n := range []int{0, 1, 1120, len(sealed) - 1} {
		_, err := key.Open([]byte("grant 1"), sealed[:n])
		wantErr(t, "cut short", err, ErrNotForUs)
	}
}

func TestParsePublicReceiveKeyRefuses(t *testing.T) {
	key, err := receiveKeyFrom(make([]byte, 32))
	must(t, err)
	good := key.Public()
	outOfRange := bytes.Clone(good)
	binary.BigEndian.PutUint16(outOfRange, 0xffff) // a coefficient ≥ 3329
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:1215], "long": append(bytes.Clone(good), 0), "coefficient out of range": outOfRange,
	} {
		_, err := ParsePublicReceiveKey(b)
		wantErr(t, name, err, ErrBadReceiveKey)
		_, err = SealTo(b, nil, nil)
		wantErr(t, name, err, ErrBadReceiveKey)
	}
	got, err := ParsePublicReceiveKey(good)
	must(t, err)
	if got[0]++; got[0] == good[0] {
		t.Error("not a copy")
	}
}

func FuzzParsePublicReceiveKey(f *testing.F) {
	key, _ := receiveKeyFrom(make([]byte, 32))
	f.Add([]byte(key.Public()))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParsePublicReceiveKey(b)
		if err == nil && !bytes.Equal(got, b) {
			t.Error("two spellings of one key")
		}
	})
}

func FuzzReceiveOpen(f *testing.F) {
	key, _ := receiveKeyFrom(make([]byte, 32))
	sealed, _ := SealTo(key.Public(), []byte("i"), []byte("p"))
	f.Add([]byte("i"), sealed)
	f.Fuzz(func(t *testing.T, info, b []byte) {
		got, err := key.Open(info, b)
		if err == nil && (string(info) != "i" || !bytes.Equal(b, sealed)) && len(got)+SealOverhead != len(b) {
			t.Error("opened to a strange length")
		}
	})
}

func BenchmarkWrapKey(b *testing.B) {
	key, err := receiveKeyFrom(make([]byte, 32))
	must(b, err)
	pub, plain := key.Public(), make([]byte, 32)
	for b.Loop() {
		if _, err := SealTo(pub, []byte("info"), plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrapKey(b *testing.B) {
	key, err := receiveKeyFrom(make([]byte, 32))
	must(b, err)
	sealed, err := SealTo(key.Public(), []byte("info"), make([]byte, 32))
	must(b, err)
	for b.Loop() {
		if _, err := key.Open([]byte("info"), sealed); err != nil {
			b.Fatal(err)
		}
	}
}

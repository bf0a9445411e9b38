// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/chacha20poly1305"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "../protocol/spec/vectors/blocks.json"

// vectors are what another implementation of the sealing page tests itself
// with. Bytes are lower-case hex.
type vectors struct {
	Comment string       `json:"comment"`
	Licence string       `json:"licence"`
	Seal    []sealVector `json:"seal"`
	Open    []openVector `json:"open"`
}

type sealVector struct {
	Name       string `json:"name"`
	Secret     string `json:"secret"`
	Dataset    DID    `json:"dataset"`
	View       string `json:"view"`
	Generation uint64 `json:"generation"`
	Plaintext  string `json:"plaintext"`
	HashKey    string `json:"hash_key"`
	Key        string `json:"key"`
	Block      string `json:"block"`
	CID        string `json:"cid"`
}

type openVector struct {
	Name    string `json:"name"`
	Dataset DID    `json:"dataset"`
	Key     string `json:"key"`
	Block   string `json:"block"`
	Outcome string `json:"outcome"` // "ok", "size", "suite", "tag" or "padding"
	Plain   string `json:"plaintext,omitempty"`
}

var outcomes = map[string]error{"ok": nil, "size": ErrBlockSize, "suite": ErrBlockSuite, "tag": ErrBlockTag, "padding": ErrBlockPadding}

func TestVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", "  ")
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(vectorFile), 0o755))
		must(t, os.WriteFile(vectorFile, append(b, '\n'), 0o644))
	}
	b, err := os.ReadFile(vectorFile)
	must(t, err)
	var v vectors
	must(t, json.Unmarshal(b, &v))
	if d := cmp.Diff(makeVectors(t), v); d != "" {
		t.Errorf("vectors (run with -update if that is meant): %s", d)
	}
	for _, c := range v.Seal {
		plain, err := hex.DecodeString(c.Plaintext)
		must(t, err)
		block, key, err := newSealer([32]byte(unhex(t, c.Secret)), c.Dataset, c.View, c.Generation).Seal(nil, plain)
		if err != nil || hex.EncodeToString(block) != c.Block || hex.EncodeToString(key[:]) != c.Key || NameOf(block).String() != c.CID {
			t.Errorf("seal %s: %v", c.Name, err)
		}
	}
	seen := map[string]bool{}
	for _, c := range v.Open {
		plain, err := OpenBlock(nil, c.Dataset, BlockKey(unhex(t, c.Key)), unhex(t, c.Block))
		if want, ok := outcomes[c.Outcome]; !ok || !errors.Is(err, want) || hex.EncodeToString(plain) != c.Plain {
			t.Errorf("open %s: %v, want %s", c.Name, err, c.Outcome)
		}
		seen[c.Outcome] = true
	}
	if len(seen) != len(outcomes) {
		t.Errorf("outcomes covered: %v", seen)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	must(t, err)
	return b
}

func makeVectors(t testing.TB) vectors {
	a, err := identityFromSeed(bytes.Repeat([]byte{1}, 32))
	must(t, err)
	b, err := identityFromSeed(bytes.Repeat([]byte{2}, 32))
	must(t, err)
	v := vectors{Comment: "Sealed blocks, see ../sealing.md. Bytes are lower-case hex.", Licence: "CC BY 4.0"}
	counting := make([]byte, 200)
	for i := range counting {
		counting[i] = byte(i)
	}
	v.Seal = []sealVector{
		sealed(t, "empty", 3, a.DID(), "", 0, nil),
		sealed(t, "one zero byte", 3, a.DID(), "", 0, []byte{0}),
		sealed(t, "looks like padding", 3, a.DID(), "", 0, []byte{0x80, 0, 0}),
		sealed(t, "text", 3, a.DID(), "", 0, []byte("the same text")),
		sealed(t, "text, next generation", 3, a.DID(), "", 1, []byte("the same text")),
		sealed(t, "text, in a view", 3, a.DID(), "v", 0, []byte("the same text")),
		sealed(t, "text, in another data set", 3, b.DID(), "", 0, []byte("the same text")),
		sealed(t, "text, with another secret", 4, a.DID(), "", 0, []byte("the same text")),
		sealed(t, "200 bytes, padded to 208", 3, a.DID(), "", 1<<40, counting),
	}
	v.Open = makeOpenVectors(t, v.Seal[3], a.DID(), b.DID())
	return v
}

func sealed(t testing.TB, name string, secret byte, did DID, view string, gen uint64, plain []byte) sealVector {
	s32 := [32]byte(bytes.Repeat([]byte{secret}, 32))
	block, key, err := newSealer(s32, did, view, gen).Seal(nil, plain)
	must(t, err)
	hashKey := derive(s32[:], labelBlockKey, []byte(view), []byte{byte(gen >> 56), byte(gen >> 48), byte(gen >> 40), byte(gen >> 32),
		byte(gen >> 24), byte(gen >> 16), byte(gen >> 8), byte(gen)})
	return sealVector{name, hex.EncodeToString(s32[:]), did, view, gen, hex.EncodeToString(plain),
		hex.EncodeToString(hashKey[:]), hex.EncodeToString(key[:]), hex.EncodeToString(block), NameOf(block).String()}
}

func makeOpenVectors(t testing.TB, good sealVector, did, other DID) []openVector {
	block, key := unhex(t, good.Block), BlockKey(unhex(t, good.Key))
	with := func(name, outcome string, did DID, change func(b []byte) []byte) openVector {
		return openVector{Name: name, Dataset: did, Key: good.Key, Block: hex.EncodeToString(change(bytes.Clone(block))), Outcome: outcome}
	}
	same := func(b []byte) []byte { return b }
	whole := with("as sealed", "ok", did, same)
	whole.Plain = good.Plaintext
	out := []openVector{
		whole,
		with("of another data set", "tag", other, same),
		with("first bit of the ciphertext flipped", "tag", did, func(b []byte) []byte { b[1] ^= 1; return b }),
		with("last bit of the tag flipped", "tag", did, func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b }),
		with("one byte less", "tag", did, func(b []byte) []byte { return b[:len(b)-1] }),
		with("one byte more", "tag", did, func(b []byte) []byte { return append(b, 0) }),
		with("suite 0", "suite", did, func(b []byte) []byte { b[0] = 0; return b }),
		with("suite 2", "suite", did, func(b []byte) []byte { b[0] = 2; return b }),
		with("empty", "size", did, func(b []byte) []byte { return b[:0] }),
		with("17 bytes", "size", did, func(b []byte) []byte { return b[:17] }),
	}
	for _, name := range []string{"zeros only", "no marker", "wrong marker", "too long", "to a length apart", "a single zero"} {
		raw := sealRaw(t, did, key, badPadding[name])
		out = append(out, openVector{Name: "padding: " + name, Dataset: did, Key: good.Key, Block: hex.EncodeToString(raw), Outcome: "padding"})
	}
	bound, err := chacha20poly1305.New(key[:])
	must(t, err)
	unbound := bound.Seal([]byte{1}, make([]byte, 12), []byte{0x80}, nil)
	return append(out, openVector{Name: "no associated data", Dataset: did, Key: good.Key, Block: hex.EncodeToString(unbound), Outcome: "tag"})
}

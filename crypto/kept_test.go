// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// kept is what a vault of format 1 once wrote: it must open for ever, and
// every derivation must go on giving the same.
type kept struct {
	Words     string
	Keyring   []byte
	Kit       []byte
	Dataset   DID
	Body      []byte
	Index     []byte
	PageKey   string
	BlockKey  string
	Tag       string
	IndexName string
	Derived   string
}

const keptFile = "testdata/kept-1.json"

func TestKeptFilesOpen(t *testing.T) {
	if *update {
		writeKept(t)
	}
	b, err := os.ReadFile(keptFile)
	must(t, err)
	var want kept
	must(t, json.Unmarshal(b, &want))
	l, err := ParseKeyring(want.Keyring)
	must(t, err)
	for name, s := range map[string]Secret{"words": Words(want.Words), "keyfile": Keyfile(keyfile), "passphrase": Passphrase([]byte("correct horse"))} {
		k, err := l.Unlock(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkKept(t, k, want)
	}
	k, state, err := OpenKit(want.Words, want.Kit)
	if err != nil || string(state) != "state" {
		t.Fatalf("kit: %v", err)
	}
	checkKept(t, k, want)
}

func checkKept(t *testing.T, k *Keyring, want kept) {
	t.Helper()
	got := derivations(t, k, want.Dataset)
	got.Words, got.Keyring, got.Kit, got.Dataset, got.Body, got.Index = want.Words, want.Keyring, want.Kit, want.Dataset, want.Body, want.Index
	a, b := must2(json.Marshal(got))(t), must2(json.Marshal(want))(t)
	if string(a) != string(b) {
		t.Errorf("derivations changed: %+v", got)
	}
	if body, err := k.OpenBody(DatasetScope(want.Dataset), []byte("aad"), want.Body); err != nil || string(body) != "body" {
		t.Errorf("body: %v", err)
	}
	if v, err := k.OpenIndex([]byte("key"), want.Index); err != nil || string(v) != "value" {
		t.Errorf("index value: %v", err)
	}
	if birth, err := k.Birth(want.Words, want.Dataset); err != nil || birth.DID() != want.Dataset {
		t.Errorf("birth key: %v", err)
	}
}

func must2[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T { t.Helper(); must(t, err); return v }
}

func derivations(t testing.TB, k *Keyring, did DID) kept {
	page := must2(k.PageKey(did))(t)
	key := must2(k.Sealer(did, "v", 7))(t).Key([]byte("plain"))
	tag := k.ScopeTag(DatasetScope(did))
	derived := k.Node().Derive("name")
	return kept{PageKey: hex.EncodeToString(page[:]), BlockKey: hex.EncodeToString(key[:]), Tag: hex.EncodeToString(tag[:]),
		IndexName: hex.EncodeToString(k.IndexName([]byte("a"), []byte("b"))), Derived: hex.EncodeToString(derived[:])}
}

func writeKept(t testing.TB) {
	k, words := mustKeyring(t)
	must(t, k.SetPassphrase([]byte("correct horse"), rand.Reader))
	must(t, k.SetKeyfile(keyfile, rand.Reader))
	did := mustDataset(t, k)
	w := derivations(t, k, did)
	w.Words, w.Dataset = words, did
	w.Body = must2(k.SealBody(DatasetScope(did), []byte("aad"), []byte("body")))(t)
	w.Index = k.SealIndex([]byte("key"), []byte("value"))
	w.Keyring = must2(k.Encode(rand.Reader))(t)
	w.Kit = must2(k.SealKit([]byte("state"), 0))(t)
	must(t, os.MkdirAll("testdata", 0o755))
	must(t, os.WriteFile(keptFile, append(must2(json.MarshalIndent(w, "", "  "))(t), '\n'), 0o644))
}

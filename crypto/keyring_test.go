// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/traboule/traboule/crypto/canonical"
)

// reopen encodes k and opens it again with the words.
func reopen(t testing.TB, k *Keyring, words string) *Keyring {
	t.Helper()
	b, err := k.Encode(rand.Reader)
	must(t, err)
	l, err := ParseKeyring(b)
	must(t, err)
	again, err := l.Unlock(Words(words))
	must(t, err)
	return again
}

func TestKeyringKeepsEverything(t *testing.T) {
	k, words := mustKeyring(t)
	did := mustDataset(t, k)
	contact := mustIdentity(t).DID()
	must(t, k.AddScope(ContactScope(contact), rand.Reader))
	must(t, k.AddScope(ReceivedScope(contact), rand.Reader))
	gone := ContactScope(mustIdentity(t).DID())
	must(t, k.AddScope(gone, rand.Reader))
	must(t, k.Erase(gone))

	again := reopen(t, k, words)
	if !slices.Equal(k.Scopes(), again.Scopes()) || len(k.Scopes()) != 4 {
		t.Errorf("scopes %v became %v", k.Scopes(), again.Scopes())
	}
	if again.Owner().DID() != k.Owner().DID() || again.Node().DID() != k.Node().DID() || again.VaultID() != k.VaultID() ||
		!bytes.Equal(again.Receive().Public(), k.Receive().Public()) || !bytes.Equal(again.RecoveryPublic(), k.RecoveryPublic()) {
		t.Error("keys differ")
	}
	if k.Owner().DID() == k.Node().DID() {
		t.Error("owner and node share a key")
	}
	checkSameWork(t, k, again, did, contact)
	_, err := again.SealBody(gone, nil, nil)
	wantErr(t, "an erased scope, later", err, ErrErased)
}

// checkSameWork holds when both keyrings do the same with their keys.
func checkSameWork(t *testing.T, a, b *Keyring, did, contact DID) {
	t.Helper()
	for _, s := range []Scope{NodeScope, DatasetScope(did), ContactScope(contact), ReceivedScope(contact)} {
		sealed, err := a.SealBody(s, []byte("aad"), []byte("body"))
		must(t, err)
		if got, err := b.OpenBody(s, []byte("aad"), sealed); err != nil || string(got) != "body" {
			t.Errorf("body of %s: %v", s, err)
		}
		if a.ScopeTag(s) != b.ScopeTag(s) {
			t.Errorf("tag of %s differs", s)
		}
	}
	pa, errA := a.PageKey(did)
	pb, errB := b.PageKey(did)
	if pa != pb || errA != nil || errB != nil {
		t.Error("page keys differ")
	}
	sa, err := a.Sealer(did, "view", 3)
	must(t, err)
	sb, err := b.Sealer(did, "view", 3)
	must(t, err)
	if sa.Key([]byte("x")) != sb.Key([]byte("x")) {
		t.Error("sealers differ")
	}
	if v, err := b.OpenIndex([]byte("k"), a.SealIndex([]byte("k"), []byte("v"))); err != nil || string(v) != "v" {
		t.Errorf("index value: %v", err)
	}
	if !bytes.Equal(a.IndexName([]byte("n")), b.IndexName([]byte("n"))) {
		t.Error("index names differ")
	}
}

func TestUnknownScopes(t *testing.T) {
	k, _ := mustKeyring(t)
	did := mustIdentity(t).DID()
	for _, s := range []Scope{"", "no", "contact/", "contact/did:key:z6Mk", ContactScope(did), DatasetScope(did)} {
		_, err := k.SealBody(s, nil, nil)
		wantErr(t, string(s), err, ErrUnknownScope)
		_, err = k.OpenBody(s, nil, make([]byte, 100))
		wantErr(t, string(s), err, ErrUnknownScope)
		wantErr(t, string(s), k.Erase(s), ErrUnknownScope)
	}
	for _, s := range []Scope{"", "no", "contact/", "contact/did:key:z6Mk", DatasetScope(did), "Node"} {
		if err := k.AddScope(s, rand.Reader); err == nil || k.HasScope(s) {
			t.Errorf("added %q", s)
		}
	}
	_, err := k.Sealer(did, "", 0)
	wantErr(t, "sealer", err, ErrUnknownScope)
	_, err = k.PageKey(did)
	wantErr(t, "page key", err, ErrUnknownScope)
	if err := k.Erase(NodeScope); err == nil || !k.HasScope(NodeScope) {
		t.Error("the node scope is gone")
	}
}

func TestNewDatasetNeedsWords(t *testing.T) {
	k, err := NewKeyring(rand.Reader)
	must(t, err)
	_, _, err = k.NewDataset(rand.Reader)
	wantErr(t, "without words", err, ErrNoWords)
	_, err = k.SealKit(nil, 0)
	wantErr(t, "a kit without words", err, ErrNoWords)
	if k.RecoveryPublic() != nil || len(k.Scopes()) != 1 {
		t.Error("something was made all the same")
	}
}

func TestBodiesAreBound(t *testing.T) {
	k, _ := mustKeyring(t)
	a, b := ContactScope(mustIdentity(t).DID()), ContactScope(mustIdentity(t).DID())
	must(t, k.AddScope(a, rand.Reader))
	must(t, k.AddScope(b, rand.Reader))
	sealed, err := k.SealBody(a, []byte("entry 1"), []byte("body"))
	must(t, err)
	_, err = k.OpenBody(a, []byte("entry 2"), sealed)
	wantErr(t, "another aad", err, ErrDamaged)
	_, err = k.OpenBody(b, []byte("entry 1"), sealed)
	wantErr(t, "another scope", err, ErrDamaged)
	for bit := range 8 * len(sealed) {
		bad := bytes.Clone(sealed)
		bad[bit/8] ^= 1 << (bit % 8)
		_, err = k.OpenBody(a, []byte("entry 1"), bad)
		wantErr(t, "flipped bit", err, ErrDamaged)
	}
	for n := range sealed {
		_, err = k.OpenBody(a, []byte("entry 1"), sealed[:n])
		wantErr(t, "cut short", err, ErrDamaged)
	}
	again, err := k.SealBody(a, []byte("entry 1"), []byte("body"))
	must(t, err)
	if bytes.Equal(again, sealed) {
		t.Error("the same nonce twice")
	}
}

func TestEraseDestroysTheKeys(t *testing.T) {
	k, words := mustKeyring(t)
	did := mustDataset(t, k)
	contact := ContactScope(mustIdentity(t).DID())
	must(t, k.AddScope(contact, rand.Reader))
	for _, s := range []Scope{DatasetScope(did), contact} {
		sealed, err := k.SealBody(s, nil, []byte("body"))
		must(t, err)
		keys := k.scopes[s]
		traces := [][]byte{bytes.Clone(keys.Key[:]), []byte(s)}
		if s.ofDataset() {
			traces = append(traces, bytes.Clone(keys.Dataset), bytes.Clone(keys.Birth[:40]), []byte(did))
		}
		checkHolds(t, k, traces, true)
		must(t, k.Erase(s))
		checkHolds(t, k, traces, false)
		k = reopen(t, k, words)
		_, err = k.OpenBody(s, nil, sealed)
		wantErr(t, "open what was erased", err, ErrErased)
		wantErr(t, "erase twice", k.Erase(s), ErrErased)
		if k.HasScope(s) {
			t.Errorf("%s is still there", s)
		}
	}
	_, err := k.Sealer(did, "", 0)
	wantErr(t, "sealer of an erased data set", err, ErrErased)
	_, err = k.PageKey(did)
	wantErr(t, "page key of an erased data set", err, ErrErased)
}

// checkHolds searches all that a keyring would seal.
func checkHolds(t *testing.T, k *Keyring, traces [][]byte, want bool) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	plain, err := canonical.Marshal(k.snapshot())
	must(t, err)
	for i, trace := range traces {
		if bytes.Contains(plain, trace) != want {
			t.Errorf("trace %d found: %v, want %v", i, !want, want)
		}
	}
}

func TestScopeAddedAgainAfterErasing(t *testing.T) {
	k, words := mustKeyring(t)
	s := ContactScope(mustIdentity(t).DID())
	must(t, k.AddScope(s, rand.Reader))
	before, err := k.SealBody(s, nil, []byte("before"))
	must(t, err)
	must(t, k.Erase(s))
	must(t, k.AddScope(s, rand.Reader))
	must(t, k.AddScope(s, rand.Reader)) // and once more, to no effect
	after, err := k.SealBody(s, nil, []byte("after"))
	must(t, err)
	k = reopen(t, k, words)
	_, err = k.OpenBody(s, nil, before)
	wantErr(t, "sealed before", err, ErrErased)
	if got, err := k.OpenBody(s, nil, after); err != nil || string(got) != "after" {
		t.Errorf("sealed after: %v", err)
	}
}

func TestIndex(t *testing.T) {
	k, _ := mustKeyring(t)
	other, _ := mustKeyring(t)
	names := map[string][][]byte{}
	for _, parts := range [][][]byte{{}, {{}}, {[]byte("ab")}, {[]byte("a"), []byte("b")}, {{}, []byte("ab")}} {
		n := string(k.IndexName(parts...))
		if names[n] != nil || len(n) != 16 || n == string(other.IndexName(parts...)) {
			t.Errorf("name of %q", parts)
		}
		names[n] = parts
	}
	sealed := k.SealIndex([]byte("key"), nil)
	if v, err := k.OpenIndex([]byte("key"), sealed); err != nil || len(v) != 0 {
		t.Errorf("empty value: %v", err)
	}
	_, err := k.OpenIndex([]byte("yek"), sealed)
	wantErr(t, "under another key", err, ErrDamaged)
	_, err = k.OpenIndex([]byte("key"), nil)
	wantErr(t, "empty", err, ErrDamaged)
	_, err = other.OpenIndex([]byte("key"), sealed)
	wantErr(t, "by another keyring", err, ErrDamaged)
}

func TestKeyringInManyGoroutines(t *testing.T) {
	k, _ := mustKeyring(t)
	did := mustDataset(t, k)
	must(t, k.SetKeyfile(make([]byte, 32), rand.Reader))
	var wg sync.WaitGroup
	for range 4 {
		scope := ContactScope(mustIdentity(t).DID())
		wg.Go(func() {
			for range 10 {
				_ = k.AddScope(scope, rand.Reader)
				sealed, err := k.SealBody(DatasetScope(did), nil, []byte("x"))
				if err != nil {
					t.Error(err)
				}
				if _, err := k.OpenBody(DatasetScope(did), nil, sealed); err != nil {
					t.Error(err)
				}
				_, _ = k.Encode(rand.Reader)
				_, _ = k.SealKit(nil, 0)
				_ = k.Erase(scope)
				_ = k.Scopes()
			}
		})
	}
	wg.Wait()
}

func TestNewKeyringWithoutRandomness(t *testing.T) {
	for n := range 240 {
		if _, err := NewKeyring(bytes.NewReader(make([]byte, n))); err == nil {
			t.Fatalf("made from %d bytes", n)
		}
	}
}

func TestBirthKeys(t *testing.T) {
	k, words := mustKeyring(t)
	did, birth, err := k.NewDataset(rand.Reader)
	must(t, err)
	checkHolds(t, k, [][]byte{birth.key().Seed()}, false)
	got, err := k.Birth(words, did)
	if err != nil || got.DID() != did {
		t.Fatalf("birth key: %v", err)
	}
	_, err = k.Birth(words, mustIdentity(t).DID())
	wantErr(t, "of no data set", err, ErrUnknownScope)

	replaced, err := k.ReplaceWords(words, rand.Reader)
	must(t, err)
	_, err = k.Birth(words, did)
	wantErr(t, "with replaced words", err, ErrWrongSecret)
	if got, err := k.Birth(replaced, did); err != nil || got.DID() != did {
		t.Errorf("after replacing: %v", err)
	}
	_, err = k.ReplaceWords(words, rand.Reader)
	wantErr(t, "replace with words that are not current", err, ErrWrongSecret)

	lost, err := k.NewWords(rand.Reader)
	must(t, err)
	_, err = k.Birth(lost, did)
	wantErr(t, "with words that came without the old ones", err, ErrWrongSecret)
	if _, err := k.Birth(replaced, did); err != nil {
		t.Errorf("the words it was sealed for: %v", err)
	}
}

func TestWords(t *testing.T) {
	k, words := mustKeyring(t)
	must(t, CheckWords(words))
	must(t, CheckWords("  "+strings.ToUpper(strings.ReplaceAll(words, " ", "\n\t"))))
	fields := strings.Fields(words)
	swapped := slices.Clone(fields)
	for i := 1; swapped[0] == fields[0]; i++ {
		swapped[0], swapped[i] = fields[i], fields[0]
	}
	for name, text := range map[string]string{
		"empty": "", "23": strings.Join(fields[1:], " "), "25": words + " abandon",
		"12 valid": strings.Repeat("abandon ", 11) + "about", "no word": "qwertz " + strings.Join(fields[1:], " "),
		"long": strings.Repeat("a", 5000), "24 times nothing known": strings.Repeat("é ", 24),
	} {
		wantErr(t, name, CheckWords(text), ErrBadWords)
		_, _, err := OpenKit(text, nil)
		wantErr(t, name, err, ErrBadWords)
		_, err = k.Birth(text, "")
		wantErr(t, name, err, ErrBadWords)
	}
	// All single-word changes at one place: the 8 checksum bits let 1 in 256 pass.
	passed := 0
	for _, w := range fields {
		for i := range fields {
			changed := slices.Clone(fields)
			changed[i] = w
			if w != fields[i] && CheckWords(strings.Join(changed, " ")) == nil {
				passed++
			}
		}
	}
	if passed > 20 {
		t.Errorf("%d of 552 wrong phrases pass", passed)
	}
	if err := CheckWords("qwertz " + strings.Join(fields[1:], " ")); strings.Contains(err.Error(), "qwertz") {
		t.Errorf("the error repeats a word: %v", err)
	}
}

// The all-zero vector of BIP-39.
func TestKnownWords(t *testing.T) {
	words := strings.Repeat("abandon ", 23) + "art"
	r, err := recover24(words)
	if err != nil || !bytes.Equal(r.entropy(), make([]byte, 32)) {
		t.Errorf("%v", err)
	}
}

func TestConfirmWords(t *testing.T) {
	words := strings.Repeat("abandon ", 23) + "art"
	must(t, ConfirmWords(words, []int{1, 24}, []string{" Abandon", "ART "}))
	for name, c := range map[string]struct {
		at    []int
		typed []string
	}{
		"wrong word": {[]int{24}, []string{"abandon"}}, "two words": {[]int{24}, []string{"art art"}}, "nothing": {[]int{24}, []string{""}},
		"zeroth": {[]int{0}, []string{"art"}}, "25th": {[]int{25}, []string{"art"}}, "too few": {[]int{1, 24}, []string{"abandon"}},
	} {
		wantErr(t, name, ConfirmWords(words, c.at, c.typed), ErrBadWords)
	}
}

func TestRingIsReadStrictly(t *testing.T) {
	k, _ := mustKeyring(t)
	mustDataset(t, k)
	must(t, k.AddScope(ContactScope(mustIdentity(t).DID()), rand.Reader))
	for name, spoil := range map[string]func(r *ring){
		"no node scope":        func(r *ring) { r.Scopes = r.Scopes[:2] },
		"scopes out of order":  func(r *ring) { slices.Reverse(r.Scopes) },
		"a scope twice":        func(r *ring) { r.Scopes = append(r.Scopes, r.Scopes[2]) },
		"unknown scope":        func(r *ring) { r.Scopes[2].Name = "zzz" },
		"no data set secret":   func(r *ring) { r.Scopes[1].Dataset = nil },
		"short birth":          func(r *ring) { r.Scopes[1].Birth = r.Scopes[1].Birth[1:] },
		"secret of a contact":  func(r *ring) { r.Scopes[0].Dataset = make([]byte, 32) },
		"half a recovery key":  func(r *ring) { r.KitMAC = nil },
		"bad recovery key":     func(r *ring) { r.Recovery = r.Recovery[1:] },
		"erased out of order":  func(r *ring) { r.Erased = [][16]byte{{2}, {1}} },
		"erased twice the one": func(r *ring) { r.Erased = [][16]byte{{2}, {2}} },
		"a short line":         func(r *ring) { r.Line, r.Before = make([]byte, 15), []ancestor{{}} },
		"a line from nowhere":  func(r *ring) { r.Line = make([]byte, 16) },
		"a line before none":   func(r *ring) { r.Before = []ancestor{{}} },
		"a long one before":    func(r *ring) { r.Line, r.Before = make([]byte, 16), []ancestor{{Line: make([]byte, 17)}} },
		"too many before":      func(r *ring) { r.Line, r.Before = make([]byte, 16), make([]ancestor, maxLines+1) },
	} {
		r := k.snapshot()
		spoil(&r)
		if _, err := parseRing(canonical.MustMarshal(r)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := canonical.MustMarshal(k.snapshot())
	if _, err := parseRing(good); err != nil {
		t.Error(err)
	}
	short := bytes.Replace(good, append([]byte("eowner"), 0x58, 32), append([]byte("eowner"), 0x58, 31), 1)
	if _, err := parseRing(short); err == nil {
		t.Error("a key of 31 bytes: accepted")
	}
}

func FuzzParseRing(f *testing.F) {
	k, _ := NewKeyring(&counted{})
	f.Add(canonical.MustMarshal(k.snapshot()))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRing(b)
		if err == nil && !bytes.Equal(canonical.MustMarshal(r), b) {
			t.Error("two encodings of one ring")
		}
	})
}

func FuzzCheckWords(f *testing.F) {
	f.Add(strings.Repeat("abandon ", 23) + "art")
	f.Fuzz(func(t *testing.T, s string) {
		if err := CheckWords(s); err != nil && !errors.Is(err, ErrBadWords) {
			t.Error(fmt.Sprint(err))
		}
	})
}

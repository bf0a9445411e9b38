// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/traboule/traboule/crypto/canonical"
)

var keyfile = bytes.Repeat([]byte{0xaa}, 32)

// threeWays is a keyring with a slot of each kind, encoded.
func threeWays(t testing.TB) (k *Keyring, words string, file []byte) {
	t.Helper()
	k, words = mustKeyring(t)
	must(t, k.SetPassphrase([]byte("correct horse"), rand.Reader))
	must(t, k.SetKeyfile(keyfile, rand.Reader))
	file, err := k.Encode(rand.Reader)
	must(t, err)
	return k, words, file
}

func unlock(file []byte, s Secret) (*Keyring, error) {
	l, err := ParseKeyring(file)
	if err != nil {
		return nil, err
	}
	return l.Unlock(s)
}

func TestEachSecretUnlocks(t *testing.T) {
	k, words, file := threeWays(t)
	for name, s := range map[string]Secret{"passphrase": Passphrase([]byte("correct horse")), "keyfile": Keyfile(keyfile), "words": Words(words)} {
		got, err := unlock(file, s)
		if err != nil || got.Owner().DID() != k.Owner().DID() {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, otherWords := mustKeyring(t)
	for name, c := range map[string]struct {
		s    Secret
		want error
	}{
		"wrong passphrase": {Passphrase([]byte("correct horsf")), ErrWrongSecret},
		"trailing space":   {Passphrase([]byte("correct horse ")), ErrWrongSecret},
		"wrong keyfile":    {Keyfile(make([]byte, 32)), ErrWrongSecret},
		"other words":      {Words(otherWords), ErrWrongSecret},
		"no words":         {Words("abandon"), ErrBadWords},
		"empty passphrase": {Passphrase(nil), ErrBadSecret},
		"long passphrase":  {Passphrase(make([]byte, MaxPassphrase+1)), ErrBadSecret},
		"not UTF-8":        {Passphrase([]byte{0xff}), ErrBadSecret},
		"short keyfile":    {Keyfile(make([]byte, 31)), ErrBadSecret},
		"long keyfile":     {Keyfile(make([]byte, MaxKeyfile+1)), ErrBadSecret},
		"nothing":          {Secret{}, ErrBadSecret},
	} {
		_, err := unlock(file, c.s)
		wantErr(t, name, err, c.want)
	}
	bare, _ := mustKeyring(t)
	_, err := unlock(mustEncode(t, bare), Keyfile(keyfile))
	wantErr(t, "no such slot", err, ErrNoSlot)
}

func mustEncode(t testing.TB, k *Keyring) []byte {
	t.Helper()
	b, err := k.Encode(rand.Reader)
	must(t, err)
	return b
}

func TestSecretsThatNobodyMaySet(t *testing.T) {
	k, _ := mustKeyring(t)
	before := len(k.slots)
	wantErr(t, "empty", k.SetPassphrase(nil, rand.Reader), ErrBadSecret)
	wantErr(t, "long", k.SetPassphrase(bytes.Repeat([]byte("a"), MaxPassphrase+1), rand.Reader), ErrBadSecret)
	wantErr(t, "not UTF-8", k.SetPassphrase([]byte("a\xff"), rand.Reader), ErrBadSecret)
	wantErr(t, "short keyfile", k.SetKeyfile(make([]byte, 31), rand.Reader), ErrBadSecret)
	if len(k.slots) != before {
		t.Error("a slot was made")
	}
}

func TestPassphraseIsNormalised(t *testing.T) {
	k, _ := mustKeyring(t)
	must(t, k.SetPassphrase([]byte("de\u0301ja\u0300 vu"), rand.Reader))
	if _, err := unlock(mustEncode(t, k), Passphrase([]byte("d\u00e9j\u00e0 vu"))); err != nil {
		t.Errorf("composed accents: %v", err)
	}
}

func TestReplacedSecretsNoLongerOpen(t *testing.T) {
	k, words, _ := threeWays(t)
	must(t, k.SetPassphrase([]byte("battery staple"), rand.Reader))
	k.RemoveKeyfile()
	fresh, err := k.NewWords(rand.Reader)
	must(t, err)
	file := mustEncode(t, k)
	_, err = unlock(file, Passphrase([]byte("correct horse")))
	wantErr(t, "old passphrase", err, ErrWrongSecret)
	_, err = unlock(file, Keyfile(keyfile))
	wantErr(t, "removed keyfile", err, ErrNoSlot)
	_, err = unlock(file, Words(words))
	wantErr(t, "old words", err, ErrWrongSecret)
	for name, s := range map[string]Secret{"new passphrase": Passphrase([]byte("battery staple")), "new words": Words(fresh)} {
		if _, err := unlock(file, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVersionCountsUp(t *testing.T) {
	k, words := mustKeyring(t)
	for want := uint64(1); want < 4; want++ {
		l, err := ParseKeyring(mustEncode(t, k))
		must(t, err)
		if l.Version() != want || l.VaultID() != k.VaultID() {
			t.Errorf("version %d, want %d", l.Version(), want)
		}
	}
	k = reopen(t, k, words)
	if l, err := ParseKeyring(mustEncode(t, k)); err != nil || l.Version() != 5 {
		t.Errorf("version after reopening: %d", l.Version())
	}
	kit, err := k.SealKit(nil, 0)
	must(t, err)
	if v, err := CheckKit(kit); err != nil || v != 5 {
		t.Errorf("kit of version %d, %v", v, err)
	}
	restored, _, err := OpenKit(words, kit)
	must(t, err)
	if l, err := ParseKeyring(mustEncode(t, restored)); err != nil || l.Version() != 6 {
		t.Errorf("version after restoring: %d", l.Version())
	}
}

func TestEncodeNeedsAWayIn(t *testing.T) {
	k, err := NewKeyring(rand.Reader)
	must(t, err)
	_, err = k.Encode(rand.Reader)
	wantErr(t, "no slot", err, ErrNoSlot)
}

func TestFilesShowNoSecret(t *testing.T) {
	k, words, file := threeWays(t)
	kit, err := k.SealKit([]byte("the state, a canary"), 0)
	must(t, err)
	for _, secret := range [][]byte{k.ring.Owner[:], k.ring.Node[:], k.master[:], k.ring.Index[:], k.ring.KitMAC, k.ring.Recovery[:64],
		[]byte("correct horse"), keyfile, []byte(words), []byte("a canary"), []byte(k.Owner().DID()), k.Owner().DID().PublicKey()} {
		if bytes.Contains(file, secret) || bytes.Contains(kit, secret) {
			t.Errorf("found %.8x…", secret)
		}
	}
}

// Without its owner's doing a file changes by flipped bits; the digest sees
// each. A forger corrects the digest; then the tag must see it, or the slot.
func TestEveryFlippedBitOfAKeyringIsRefused(t *testing.T) {
	_, words, file := threeWays(t)
	bodyStart := len(file)
	secrets := []Secret{Keyfile(keyfile), Words(words)}
	for bit := range 8 * len(file) {
		bad := bytes.Clone(file)
		bad[bit/8] ^= 1 << (bit % 8)
		_, err := ParseKeyring(bad)
		if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "read a keyring file: damaged: ") {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if bit/8 >= bodyStart-sha256.Size {
			continue
		}
		bad = finish(bad[:len(bad)-sha256.Size])
		for _, s := range secrets {
			_, err := unlock(bad, s)
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongSecret) && !errors.Is(err, ErrNoSlot) {
				t.Fatalf("bit %d, digest corrected: %v", bit, err)
			}
		}
	}
}

func TestKeyringFileCutOrPadded(t *testing.T) {
	_, words, file := threeWays(t)
	for n := range file {
		if _, err := ParseKeyring(file[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n > sha256.Size {
			if _, err := unlock(finish(bytes.Clone(file[:n-sha256.Size])), Words(words)); err == nil {
				t.Fatalf("%d bytes, digest corrected: accepted", n)
			}
		}
	}
	_, err := ParseKeyring(append(bytes.Clone(file), 0))
	wantErr(t, "one byte more", err, ErrDamaged)
	_, err = ParseKeyring(make([]byte, MaxKeyringFile+1))
	wantErr(t, "too large", err, ErrDamaged)
}

// forge makes a file with another header around the same sealed part.
func forge(t testing.TB, file []byte, change func(h *keyringHeader)) []byte {
	t.Helper()
	var h keyringHeader
	e, err := takeApart(keyringMagic, file, MaxKeyringFile, &h)
	must(t, err)
	change(&h)
	out, err := bind(keyringMagic, h)
	must(t, err)
	return finish(append(out, e.sealed...))
}

func TestForgedHeaders(t *testing.T) {
	_, words, file := threeWays(t)
	if _, err := unlock(forge(t, file, func(*keyringHeader) {}), Words(words)); err != nil {
		t.Fatalf("forge changes what it should not: %v", err)
	}
	for name, change := range map[string]func(h *keyringHeader){
		"higher version":   func(h *keyringHeader) { h.Version++ },
		"another vault":    func(h *keyringHeader) { h.Vault[0]++ },
		"no slots":         func(h *keyringHeader) { h.Slots = h.Slots[:0] },
		"a slot less":      func(h *keyringHeader) { h.Slots = h.Slots[1:] },
		"a slot twice":     func(h *keyringHeader) { h.Slots = append(h.Slots, h.Slots[2]) },
		"slots reordered":  func(h *keyringHeader) { h.Slots[0], h.Slots[1] = h.Slots[1], h.Slots[0] },
		"unknown kind":     func(h *keyringHeader) { h.Slots[2].Kind = 4 },
		"kind zero":        func(h *keyringHeader) { h.Slots[0].Kind = 0 },
		"long slot":        func(h *keyringHeader) { h.Slots[2].Sealed = append(h.Slots[2].Sealed, 0) },
		"another salt":     func(h *keyringHeader) { h.Slots[2].Salt[0]++ },
		"argon for a file": func(h *keyringHeader) { h.Slots[1].Memory = 1 << 20 },
	} {
		if _, err := unlock(forge(t, file, change), Words(words)); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := ParseKeyring(forge(t, file, change)); (name == "a slot twice" || name == "slots reordered") && err == nil {
			t.Errorf("%s: not refused at once", name)
		}
	}
}

// A file must not make us spend gigabytes or hours.
func TestArgonIsBounded(t *testing.T) {
	k, _, file := threeWays(t)
	good := Argon{MemoryKiB: 1 << 20, Time: 16, Threads: 16}
	must(t, good.check())
	must(t, defaultArgon.check())
	for _, a := range []Argon{{0, 3, 4}, {1<<10 - 1, 3, 4}, {1<<20 + 1, 3, 4}, {1<<32 - 1, 3, 4},
		{1 << 16, 0, 4}, {1 << 16, 17, 4}, {1 << 16, 1<<32 - 1, 4}, {1 << 16, 3, 0}, {1 << 16, 3, 17}, {1 << 16, 3, 255}} {
		_, err := ParseKeyring(forge(t, file, func(h *keyringHeader) {
			h.Slots[0].Memory, h.Slots[0].Time, h.Slots[0].Lanes = a.MemoryKiB, a.Time, a.Threads
		}))
		wantErr(t, "in a file", err, ErrBadArgon)
		wantErr(t, "asked for", k.UseArgon(a), ErrBadArgon)
	}
}

func TestDefaultArgonIsWritten(t *testing.T) {
	k, err := NewKeyring(rand.Reader)
	must(t, err)
	must(t, k.SetPassphrase([]byte("p"), rand.Reader))
	if s := k.slots[0]; s.Memory != 64<<10 || s.Time != 3 || s.Lanes != 4 {
		t.Errorf("%d KiB, %d, %d", s.Memory, s.Time, s.Lanes)
	}
}

func TestKitThereAndBack(t *testing.T) {
	k, words, _ := threeWays(t)
	did := mustDataset(t, k)
	contact := mustIdentity(t).DID()
	must(t, k.AddScope(ContactScope(contact), rand.Reader))
	must(t, k.AddScope(ReceivedScope(contact), rand.Reader))
	for _, state := range [][]byte{nil, {}, []byte("state"), make([]byte, 1<<20)} {
		kit, err := k.SealKit(state, 0)
		must(t, err)
		got, s, err := OpenKit(words, kit)
		must(t, err)
		if !bytes.Equal(s, state) {
			t.Errorf("a state of %d bytes came back as %d", len(state), len(s))
		}
		checkSameWork(t, k, got, did, contact)
		if got.master == k.master {
			t.Error("the master key came along")
		}
		if birth, err := got.Birth(words, did); err != nil || birth.DID() != did {
			t.Errorf("birth key: %v", err)
		}
		if again := reopen(t, got, words); again.Node().DID() != k.Node().DID() {
			t.Error("the restored keyring does not reopen")
		}
	}
}

func TestKitOpensOnlyWithItsWords(t *testing.T) {
	k, words := mustKeyring(t)
	kit, err := k.SealKit([]byte("state"), 0)
	must(t, err)
	_, other := mustKeyring(t)
	_, _, err = OpenKit(other, kit)
	wantErr(t, "other words", err, ErrWrongSecret)
	_, err = k.NewWords(rand.Reader)
	must(t, err)
	renewed, err := k.SealKit([]byte("state"), 0)
	must(t, err)
	_, _, err = OpenKit(words, renewed)
	wantErr(t, "replaced words on a new kit", err, ErrWrongSecret)
	if _, _, err := OpenKit(words, kit); err != nil {
		t.Errorf("replaced words on the kit of their time: %v", err)
	}
}

func TestEveryFlippedBitOfAKitIsRefused(t *testing.T) {
	k, words := mustKeyring(t)
	kit, err := k.SealKit([]byte("state"), 0)
	must(t, err)
	r, err := recover24(words)
	must(t, err)
	macKey := r.mac()
	for bit := range 8 * len(kit) {
		bad := bytes.Clone(kit)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := CheckKit(bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if bit%8 != bit/8%8 || bit/8 >= len(kit)-sha256.Size { // the slow part for one bit of each byte
			continue
		}
		bad = finish(bad[:len(bad)-sha256.Size])
		if _, _, err := OpenKit(words, bad); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongSecret) {
			t.Fatalf("bit %d, digest corrected: %v", bit, err)
		}
		// With the MAC right as well (a forger who has the words' MAC key).
		inner := bad[:len(bad)-2*sha256.Size]
		if bit/8 < len(inner) {
			bad = finish(append(inner, kitMAC(macKey[:], inner)...))
			if _, _, err := OpenKit(words, bad); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongSecret) {
				t.Fatalf("bit %d, digest and MAC corrected: %v", bit, err)
			}
		}
	}
}

// Who knows the recovery public key, but not the MAC key, tries to plant keys.
func TestKitOfAStranger(t *testing.T) {
	k, words := mustKeyring(t)
	stranger, _ := mustKeyring(t)
	stranger.ring.Recovery = k.ring.Recovery
	kit, err := stranger.SealKit([]byte("planted"), 0)
	must(t, err)
	_, _, err = OpenKit(words, kit)
	wantErr(t, "a stranger's kit", err, ErrDamaged)
}

// TestWhichKitMayGo: only one whose every key and entry a kit made now has.
func TestWhichKitMayGo(t *testing.T) {
	k, words := mustKeyring(t)
	seal := func(k *Keyring, at uint64) []byte {
		mustEncode(t, k)
		return must2(k.SealKit(nil, at))(t)
	}
	open := func(kit []byte) *Keyring {
		again, _, err := OpenKit(words, kit)
		must(t, err)
		must(t, again.SetPassphrase([]byte("p"), rand.Reader))
		return again
	}
	older, parent := seal(k, 9), seal(k, 10)
	unchanged := must2(k.SealKit(nil, 10))(t) // beside it, in another place
	entries := must2(k.SealKit(nil, 11))(t)   // the same keys, more entries
	newer := seal(k, 11)
	again := open(parent)
	child := seal(again, 3)
	sibling := seal(open(parent), 3)
	grandchild := open(child)
	late := seal(again, 4)
	for range 9 { // however far they count on
		for _, k := range []*Keyring{again, grandchild} {
			mustEncode(t, k)
		}
	}
	back := reopen(t, again, words)
	format, field := bytes.Clone(newer), bytes.Clone(newer)
	format[magicSize]++
	field[bytes.Index(field, []byte("version"))] = 'w'
	cut := newer[:len(newer)-1]
	stranger, _ := mustKeyring(t)
	for _, c := range []struct {
		name string
		k    *Keyring
		kit  []byte
		want error
	}{
		{"own, older", k, older, nil}, {"own, the newest", k, newer, nil},
		{"the one that it came from", again, parent, nil}, {"older than that", again, older, nil},
		{"the same in another place", again, unchanged, nil}, {"with more entries", again, entries, ErrNewerKit},
		{"with more keys", again, newer, ErrNewerKit}, {"its own", again, child, nil},
		{"of another that was put back", again, sibling, ErrNewerKit}, {"of one that came from it", k, child, ErrNewerKit},
		{"two lives before", grandchild, parent, nil}, {"two lives before, later", grandchild, newer, ErrNewerKit},
		{"one life before", grandchild, child, nil}, {"one life before, later", grandchild, late, ErrNewerKit},
		{"read back", back, late, nil}, {"read back, before", back, older, nil}, {"read back, newer", back, newer, ErrNewerKit},
		{"of a later format", k, finish(format[:len(format)-sha256.Size]), ErrNewerKit},
		{"with another header", k, finish(field[:len(field)-sha256.Size]), ErrNewerKit},
		{"cut", k, cut, nil}, {"a stranger's", stranger, older, ErrNoKit}, {"none", k, []byte("none"), ErrNoKit},
	} {
		if err := c.k.MayReplaceKit(c.kit); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestLinesAreBounded: the keyring forgets the oldest, whose kits then stay.
func TestLinesAreBounded(t *testing.T) {
	k, words := mustKeyring(t)
	kit := must2(k.SealKit(nil, 0))(t)
	for i := range 2 * maxLines {
		must(t, k.Branch(uint64(i), rand.Reader))
	}
	k = reopen(t, k, words)
	if n := len(k.ring.Before); n != maxLines || k.MayReplaceKit(kit) == nil {
		t.Errorf("%d lines, and the first kit: %v", n, k.MayReplaceKit(kit))
	}
}

func TestLyingHeaderLength(t *testing.T) {
	_, _, file := threeWays(t)
	for _, n := range []uint32{0, 1, 4096, 4097, 1 << 31, 1<<32 - 1} {
		bad := bytes.Clone(file[:len(file)-sha256.Size])
		binary.BigEndian.PutUint32(bad[magicSize+1:], n)
		_, err := ParseKeyring(finish(bad))
		wantErr(t, "lying length", err, ErrDamaged)
	}
	_, err := ParseKeyring(nil)
	wantErr(t, "nothing", err, ErrDamaged)
}

func FuzzParseKeyring(f *testing.F) {
	_, _, file := threeWays(f)
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > sha256.Size { // behind the digest, where a fuzzer does not come by itself
			b = finish(bytes.Clone(b[:len(b)-sha256.Size]))
		}
		l, err := ParseKeyring(b)
		if err != nil {
			return
		}
		again, err := canonical.Marshal(l.header)
		if err != nil || !bytes.Equal(again, l.file.header) {
			t.Error("two encodings of one header")
		}
	})
}

func FuzzOpenKit(f *testing.F) {
	k, words := mustKeyring(f)
	kit, _ := k.SealKit(nil, 0)
	f.Add(kit)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > sha256.Size && !bytes.Equal(b, kit) {
			b = finish(bytes.Clone(b[:len(b)-sha256.Size]))
		}
		if _, _, err := OpenKit(words, b); err == nil && !bytes.Equal(b, kit) {
			t.Error("another kit opened")
		}
	})
}

func BenchmarkUnlock(b *testing.B) {
	k, err := NewKeyring(rand.Reader)
	must(b, err)
	must(b, k.SetPassphrase([]byte("p"), rand.Reader))
	l, err := ParseKeyring(mustEncode(b, k))
	must(b, err)
	for b.Loop() {
		if _, err := l.Unlock(Passphrase([]byte("p"))); err != nil {
			b.Fatal(err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/zeebo/blake3"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/traboule/traboule/crypto/canonical"
)

func testSealer(t testing.TB) (*Sealer, DID) {
	t.Helper()
	id, err := identityFromSeed(make([]byte, 32))
	must(t, err)
	return newSealer([32]byte{1}, id.DID(), "", 0), id.DID()
}

func TestSealAndOpenEveryKindOfLength(t *testing.T) {
	s, did := testSealer(t)
	for _, n := range []int{0, 1, 2, 7, 8, 9, 63, 64, 65, 1000, 4096, 65535, 1<<20 - 40000, BlockData - 1, BlockData} {
		plain := make([]byte, n)
		rand.Read(plain)
		block, key, err := s.Seal(nil, plain)
		must(t, err)
		if s.Key(plain) != key {
			t.Errorf("%d bytes: Key and Seal disagree", n)
		}
		if len(block) > MaxBlock || float64(len(block)-17) > 1.12*float64(n+1)+1 {
			t.Errorf("%d bytes became a block of %d", n, len(block))
		}
		got, err := OpenBlock([]byte("before"), did, key, block)
		if err != nil || !bytes.Equal(got, append([]byte("before"), plain...)) {
			t.Errorf("%d bytes: open: %v", n, err)
		}
	}
	if block, _, _ := s.Seal(nil, make([]byte, BlockData)); len(block) != MaxBlock {
		t.Errorf("a full block has %d bytes", len(block))
	}
	_, _, err := s.Seal(nil, make([]byte, BlockData+1))
	wantErr(t, "too much", err, ErrBlockSize)
}

func TestPlaintextThatLooksLikePadding(t *testing.T) {
	s, did := testSealer(t)
	for _, plain := range [][]byte{{0x80}, {0}, {0x80, 0, 0}, make([]byte, 5000), bytes.Repeat([]byte{0x80}, 77)} {
		block, key, err := s.Seal(nil, plain)
		must(t, err)
		if got, err := OpenBlock(nil, did, key, block); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%x…: %v", plain[:1], err)
		}
	}
}

// The key must depend on all of: secret, data set, view, generation, content.
func TestSameBlockOnlyInTheSamePlace(t *testing.T) {
	a, b := mustIdentity(t).DID(), mustIdentity(t).DID()
	plain := []byte("the same content")
	seen := map[BlockName]string{}
	for _, at := range []struct {
		secret byte
		did    DID
		view   string
		gen    uint64
	}{{1, a, "", 0}, {2, a, "", 0}, {1, b, "", 0}, {1, a, "v", 0}, {1, a, "", 1}, {1, a, "v", 1}, {1, a, "", 1 << 63}} {
		name := fmt.Sprint(at)
		one, key, err := newSealer([32]byte{at.secret}, at.did, at.view, at.gen).Seal(nil, plain)
		must(t, err)
		two, _, err := newSealer([32]byte{at.secret}, at.did, at.view, at.gen).Seal(nil, plain)
		must(t, err)
		if !bytes.Equal(one, two) {
			t.Errorf("%s: stored twice", name)
		}
		if other, ok := seen[NameOf(one)]; ok {
			t.Errorf("%s and %s are recognisably the same", name, other)
		}
		seen[NameOf(one)] = name
		wrong := b
		if at.did == b {
			wrong = a
		}
		_, err = OpenBlock(nil, wrong, key, one)
		wantErr(t, "as a block of another data set", err, ErrBlockTag)
	}
}

func TestOpenBlockRefusesEveryFlippedBit(t *testing.T) {
	s, did := testSealer(t)
	block, key, err := s.Seal(nil, []byte("a short block of a few dozen bytes"))
	must(t, err)
	for bit := range 8 * len(block) {
		bad := bytes.Clone(block)
		bad[bit/8] ^= 1 << (bit % 8)
		want := ErrBlockTag
		if bit < 8 {
			want = ErrBlockSuite
		}
		if _, err := OpenBlock(nil, did, key, bad); !errors.Is(err, want) {
			t.Errorf("bit %d: %v", bit, err)
		}
	}
	for bit := range 256 {
		bad := key
		bad[bit/8] ^= 1 << (bit % 8)
		_, err := OpenBlock(nil, did, bad, block)
		wantErr(t, "another key", err, ErrBlockTag)
	}
}

func TestOpenBlockRefusesBadSizes(t *testing.T) {
	_, did := testSealer(t)
	for _, n := range []int{0, 1, 17, MaxBlock + 1} {
		_, err := OpenBlock(nil, did, BlockKey{}, append([]byte{1}, make([]byte, n)...)[:n])
		wantErr(t, fmt.Sprint(n), err, ErrBlockSize)
	}
}

// sealRaw seals padded bytes as they are, as a faulty or hostile sealer may.
func sealRaw(t testing.TB, did DID, key BlockKey, padded []byte) []byte {
	t.Helper()
	aead, err := chacha20poly1305.New(key[:])
	must(t, err)
	return aead.Seal([]byte{1}, make([]byte, 12), padded, append([]byte{1}, did...))
}

var badPadding = map[string][]byte{
	"zeros only":        make([]byte, 10),
	"no marker":         []byte("no marker!"),
	"wrong marker":      append(make([]byte, 9), 0x81),
	"too long":          append([]byte{1, 2, 3, 0x80}, make([]byte, 20)...),
	"to a length apart": append(make([]byte, 8), 0x80), // 9 bytes; Padmé says 10
	"a single zero":     {0},
}

func TestOpenBlockRefusesBadPadding(t *testing.T) {
	_, did := testSealer(t)
	for name, padded := range badPadding {
		_, err := OpenBlock(nil, did, BlockKey{9}, sealRaw(t, did, BlockKey{9}, padded))
		wantErr(t, name, err, ErrBlockPadding)
	}
}

// Padmé: the published definition in floating steps, against ours.
func TestPadme(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 8: 8, 9: 10, 15: 16, 17: 18, 100: 104, 1000: 1024, 1025: 1088, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15} {
		if got := padme(n); got != want {
			t.Errorf("padme(%d) = %d, want %d", n, got, want)
		}
	}
	distinct := map[int]bool{}
	for n := range maxPadded {
		p := padme(n)
		if p < n || float64(p) > 1.12*float64(n) && n > 0 || padme(p) != p {
			t.Fatalf("padme(%d) = %d", n, p)
		}
		distinct[min(p, maxPadded)] = true
	}
	if len(distinct) > 500 {
		t.Errorf("%d distinguishable lengths", len(distinct))
	}
}

func TestBlockNames(t *testing.T) {
	name := NameOf([]byte("abc"))
	if got := name.CID().String(); got != "bafkreif2pall7dybz7vecqka3zo24irdwabwdi4wc55jznaq75q7eaavvu" {
		t.Errorf("name of abc: %s", got)
	}
	if got, err := BlockNameFromCID(name.CID()); err != nil || got != name {
		t.Errorf("there and back: %v, %v", got, err)
	}
	hash := func(code uint64) multihash.Multihash {
		mh, err := multihash.Encode(name[:], code)
		must(t, err)
		return mh
	}
	short, err := multihash.Encode(name[:31], multihash.SHA2_256)
	must(t, err)
	for what, c := range map[string]cid.Cid{
		"undefined": cid.Undef,
		"version 0": cid.NewCidV0(hash(multihash.SHA2_256)),
		"dag-cbor":  cid.NewCidV1(cid.DagCBOR, hash(multihash.SHA2_256)),
		"sha3":      cid.NewCidV1(cid.Raw, hash(multihash.SHA3_256)),
		"identity":  cid.NewCidV1(cid.Raw, hash(multihash.IDENTITY)),
		"31 bytes":  cid.NewCidV1(cid.Raw, short),
	} {
		_, err := BlockNameFromCID(c)
		wantErr(t, what, err, ErrBadBlockName)
	}
}

func TestBlockKeyCanBeEncoded(t *testing.T) {
	key := BlockKey{1, 2, 3}
	b, err := canonical.Marshal(key)
	must(t, err)
	var got BlockKey
	if err := canonical.Unmarshal(b, &got); err != nil || got != key || len(b) != 34 {
		t.Errorf("%x: %v", b, err)
	}
	wantErr(t, "a short key", canonical.Unmarshal([]byte{0x41, 7}, new(BlockKey)), canonical.ErrNotCanonical)
}

func TestSealerInManyGoroutines(t *testing.T) {
	s, did := testSealer(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			plain := bytes.Repeat([]byte{byte(i)}, 10000+i)
			for range 20 {
				block, key, err := s.Seal(nil, plain)
				if err != nil || s.Key(plain) != key {
					t.Error("seal", err)
				}
				if got, err := OpenBlock(nil, did, key, block); err != nil || !bytes.Equal(got, plain) {
					t.Error("open", err)
				}
			}
		})
	}
	wg.Wait()
}

// One allocation of 32 bytes is chacha20poly1305.New's own; nothing may grow
// with the block.
func TestSealDoesNotAllocate(t *testing.T) {
	s, did := testSealer(t)
	dst, plain := make([]byte, 0, MaxBlock), make([]byte, BlockData)
	var block []byte
	var key BlockKey
	if n := testing.AllocsPerRun(50, func() { block, key, _ = s.Seal(dst, plain) }); n > 1 {
		t.Errorf("Seal allocates %v times", n)
	}
	if &block[0] != &dst[:1][0] {
		t.Error("dst was not used")
	}
	if n := testing.AllocsPerRun(50, func() { s.Key(plain) }); n > 0 {
		t.Errorf("Key allocates %v times", n)
	}
	out := make([]byte, 0, MaxBlock)
	if n := testing.AllocsPerRun(50, func() { _, _ = OpenBlock(out, did, key, block) }); n > 2 {
		t.Errorf("OpenBlock allocates %v times", n)
	}
}

func FuzzOpenBlock(f *testing.F) {
	s, did := testSealer(f)
	block, key, _ := s.Seal(nil, []byte("plain"))
	f.Add(key[:], block)
	for _, padded := range badPadding {
		f.Add(key[:], sealRaw(f, did, key, padded))
	}
	f.Fuzz(func(t *testing.T, k, b []byte) {
		if len(k) != 32 {
			return
		}
		plain, err := OpenBlock(nil, did, BlockKey(k), b)
		if err == nil && len(b) != paddedSize(len(plain))+17 {
			t.Error("opened a block of another length than Seal makes")
		}
	})
}

// Padding is parsed behind the tag, where a fuzzer does not come by itself.
func FuzzUnpad(f *testing.F) {
	for _, padded := range badPadding {
		f.Add(padded)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := unpad(b)
		if err == nil && (len(b) != paddedSize(len(plain)) || b[len(plain)] != padMarker) {
			t.Error("accepted another padding than Seal makes")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, _ := testSealer(b)
	for _, n := range []int{4 << 10, BlockData} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dst, plain := make([]byte, 0, MaxBlock), make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				s.Seal(dst, plain)
			}
		})
	}
}

func BenchmarkKeyAlone(b *testing.B) {
	s, _ := testSealer(b)
	plain := make([]byte, BlockData)
	b.SetBytes(BlockData)
	for b.Loop() {
		s.Key(plain)
	}
}

func BenchmarkOpen(b *testing.B) {
	s, did := testSealer(b)
	block, key, err := s.Seal(nil, make([]byte, BlockData))
	must(b, err)
	dst := make([]byte, 0, MaxBlock)
	b.SetBytes(BlockData)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenBlock(dst, did, key, block); err != nil {
			b.Fatal(err)
		}
	}
}

// The keyed hash against the first of BLAKE3's published vectors.
func TestKeyedHashIsBLAKE3(t *testing.T) {
	h, err := blake3.NewKeyed([]byte("whats the Elvish word for friend"))
	must(t, err)
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26" {
		t.Errorf("of nothing: %s", got)
	}
}

// SPDX-License-Identifier: Apache-2.0

package car

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/traboule/traboule/crypto"
)

// memory is a file in memory.
type memory struct{ bytes.Buffer }

func (m *memory) WriteAt(b []byte, at int64) (int, error) { return copy(m.Bytes()[at:], b), nil }

// some makes n blocks of size bytes.
func some(n, size int) (names []crypto.BlockName, src Source) {
	random := rand.NewChaCha8([32]byte{byte(n)})
	stored := map[crypto.BlockName][]byte{}
	for range n {
		b := make([]byte, size)
		random.Read(b)
		name := crypto.NameOf(b)
		names, stored[name] = append(names, name), b
	}
	return names, func(name crypto.BlockName, dst []byte) ([]byte, error) {
		b, ok := stored[name]
		if !ok {
			return dst, ErrNotFound
		}
		return append(dst, b...), nil
	}
}

func written(t testing.TB, names []crypto.BlockName, src Source) ([]byte, cid.Cid) {
	t.Helper()
	var out memory
	root, err := Write(t.Context(), &out, Content{Head: []byte("sealed head"), Blocks: names}, src, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), root
}

func opened(data []byte) (*File, error) {
	return Open(context.Background(), bytes.NewReader(data), int64(len(data)), func(int64) {})
}

func TestWriteAndOpen(t *testing.T) {
	for _, n := range []int{1, 2, 174, 175, 400} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			names, src := some(n, 300)
			data, root := written(t, names, src)
			f, err := opened(data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]cid.Cid{root}, f.Roots(), cmp.Comparer(cid.Cid.Equals)); diff != "" {
				t.Error(diff)
			}
			if blocks, bytes := f.Len(); blocks != n+1 || bytes != int64(n*300+len("sealed head")) { // the head is one more
				t.Errorf("%d blocks of %d bytes", blocks, bytes)
			}
			if !f.HasHead() {
				t.Error("the head is not found")
			}
			for _, name := range names {
				want, _ := src(name, nil)
				got, err := f.Get(name, nil)
				if err != nil || !bytes.Equal(got, want) || !f.Has(name) {
					t.Fatalf("%v: %v", name, err)
				}
			}
			again, _ := written(t, names, src)
			if !bytes.Equal(data, again) {
				t.Error("the same content makes another file")
			}
		})
	}
}

// TestWriteStops: a source that fails, lies or is interrupted ends the file.
func TestWriteStops(t *testing.T) {
	names, src := some(3, 100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	tests := []struct {
		name string
		ctx  context.Context
		src  Source
		want error
	}{
		{"interrupted", ctx, src, context.Canceled},
		{"fails", t.Context(), func(crypto.BlockName, []byte) ([]byte, error) { return nil, broken }, broken},
		{"lies", t.Context(), func(_ crypto.BlockName, dst []byte) ([]byte, error) { return src(names[2], dst) }, ErrOtherBlock},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Write(tt.ctx, &memory{}, Content{Blocks: names}, tt.src, func(int) {})
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
		})
	}
}

func section(c cid.Cid, data []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(c.Bytes())+len(data)))
	return append(append(b, c.Bytes()...), data...)
}

func header(t testing.TB, roots ...cid.Cid) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := begin(&b, roots...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func named(t testing.TB, hash uint64, length int, data []byte) cid.Cid {
	t.Helper()
	mh, err := multihash.Sum(data, hash, length)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(cid.Raw, mh)
}

// hostile are files that must be refused, by name.
func hostile(t testing.TB) map[string][]byte {
	data := []byte("thirty-two bytes of nothing much")
	name := crypto.NameOf(data).CID()
	good := append(header(t, name), section(name, data)...)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	many := make([]cid.Cid, 200)
	for i := range many {
		many[i] = crypto.NameOf([]byte{byte(i)}).CID()
	}
	v2 := join([]byte("\x0a\xa1\x67version\x02"), make([]byte, 40), good)
	binary.LittleEndian.PutUint64(v2[11+16:], 51)
	binary.LittleEndian.PutUint64(v2[11+24:], uint64(len(good)))
	long := bytes.Clone(header(t, name))
	large := make([]byte, crypto.MaxBlock+1)
	return map[string][]byte{
		"nothing":                              nil,
		"words":                                []byte("this is a text and no CAR file at all, whatever its name may say"),
		"version 2":                            v2,
		"a header cut":                         good[:20],
		"a huge header":                        join(binary.AppendUvarint(nil, 1<<40), good),
		"a header over the limit":              header(t, many...),
		"a root twice":                         header(t, name, name),
		"a header that is longer than need be": join([]byte{long[0] | 0x80, 0}, long[1:]),
		"a section cut behind its length":      join(good, []byte{0x40}),
		"a length cut":                         join(good, []byte{0x80}),
		"a section cut":                        good[:len(good)-1],
		"an endless varint":                    join(header(t, name), bytes.Repeat([]byte{0xff}, 1000)),
		"a varint longer than need be":         join(header(t, name), []byte{0xc4, 0x80, 0x00}, name.Bytes(), data),
		"an empty section":                     join(good, []byte{0}),
		"a section over the limit":             join(good, section(crypto.NameOf(large).CID(), large)),
		"a section of 2^62 bytes":              join(header(t, name), binary.AppendUvarint(nil, 1<<62)),
		"an identity":                          join(good, section(named(t, multihash.IDENTITY, -1, data), data)),
		"another hash":                         join(good, section(named(t, multihash.SHA2_512, -1, data), data)),
		"a short hash":                         join(good, section(named(t, multihash.SHA2_256, 20, data), data)),
		"another block's bytes":                join(good, section(crypto.NameOf([]byte("other")).CID(), data)),
		"no name":                              join(good, []byte{4, 1, 2, 3, 4}),
	}
}

// TestTheLargestBlock is no hostile one.
func TestTheLargestBlock(t *testing.T) {
	names, src := some(1, crypto.MaxBlock)
	data, _ := written(t, names, src)
	if f, err := opened(data); err != nil || !f.Has(names[0]) {
		t.Fatal(err)
	}
}

func TestHostileFilesAreRefused(t *testing.T) {
	for name, data := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			if _, err := opened(data); !errors.Is(err, ErrBad) {
				t.Fatalf("%v, want %v", err, ErrBad)
			}
		})
	}
}

// TestEveryFlipAndCut: of a sound file no bit can be turned, but where it says
// what its root is or how a node is to be read; and what is cut off is noticed
// but between two sections.
func TestEveryFlipAndCut(t *testing.T) {
	names, src := some(3, 40)
	data, root := written(t, names, src)
	free := map[int]bool{}
	for i := range root.Bytes() {
		free[bytes.Index(data, root.Bytes())+i] = true
	}
	for at := len(header(t, root)); at < len(data); {
		length, n := binary.Uvarint(data[at:])
		free[at+n+1] = true // behind the version of its name: the codec
		at += n + int(length)
	}
	if len(free) != 36+6 { // the root's name; three blocks, a head, two nodes
		t.Fatalf("%d bytes may be turned", len(free))
	}
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if _, err := opened(data); err == nil && !free[i] {
				t.Fatalf("bit %d of byte %d flipped: not refused", bit, i)
			}
			data[i] ^= 1 << bit
		}
	}
	whole := 0
	for n := range data {
		if _, err := opened(data[:n]); err == nil {
			whole++
		}
	}
	if want := 6; whole != want { // the header, and the ends of five sections
		t.Errorf("%d cuts are taken for whole files, want %d", whole, want)
	}
}

func TestAFileThatChanges(t *testing.T) {
	names, src := some(2, 500)
	data, _ := written(t, names, src)
	f, err := opened(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] ^= 1
	}
	if _, err := f.Get(names[0], nil); !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
}

// failing fails after n bytes, as a disk does.
type failing struct {
	data []byte
	n    int64
}

var errDisk = errors.New("the disk failed")

func (f failing) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, f.data[min(at, f.n):f.n])
	if n < len(b) {
		return n, errDisk
	}
	return n, nil
}

// TestADiskThatFails is not blamed on the file.
func TestADiskThatFails(t *testing.T) {
	names, src := some(3, 40)
	data, _ := written(t, names, src)
	for n := range int64(len(data)) {
		_, err := Open(t.Context(), failing{data, n}, int64(len(data)), func(int64) {})
		if !errors.Is(err, errDisk) || errors.Is(err, ErrBad) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// FuzzOpen: whatever a file holds, opening ends, and what it hands out is what
// it is called.
func FuzzOpen(f *testing.F) {
	names, src := some(2, 40)
	data, _ := written(f, names, src)
	f.Add(data)
	for _, bad := range hostile(f) {
		if len(bad) < 64<<10 {
			f.Add(bad)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := opened(data)
		if err != nil {
			if !errors.Is(err, ErrBad) || errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return
		}
		for name := range file.at {
			b, err := file.Get(name, nil)
			if err != nil || crypto.NameOf(b) != name {
				t.Fatalf("%v: %v", name, err)
			}
		}
	})
}

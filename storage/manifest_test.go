// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
)

// place is a data set with its keys and a map for a block store.
type place struct {
	ring    *crypto.Keyring
	did     crypto.DID
	sealer  *crypto.Sealer
	pageKey [32]byte
	blocks  map[crypto.BlockName][]byte
	puts    []crypto.BlockName
	reads   int
}

func newPlace(t testing.TB) *place {
	t.Helper()
	ring, err := crypto.NewKeyring(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.NewWords(rand.Reader); err != nil {
		t.Fatal(err)
	}
	did, _, err := ring.NewDataset(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{ring: ring, did: did, blocks: map[crypto.BlockName][]byte{}}
	if p.sealer, err = ring.Sealer(did, "", 0); err != nil {
		t.Fatal(err)
	}
	if p.pageKey, err = ring.PageKey(did); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *place) put(name crypto.BlockName, ciphertext []byte) error {
	if _, have := p.blocks[name]; !have {
		p.blocks[name] = slices.Clone(ciphertext)
		p.puts = append(p.puts, name)
	}
	return nil
}

func (p *place) get(name crypto.BlockName, dst []byte) ([]byte, error) {
	p.reads++
	b, ok := p.blocks[name]
	if !ok {
		return dst, errors.New("no such block")
	}
	return append(dst, b...), nil
}

func (p *place) build(t testing.TB, entries []Entry) Head {
	t.Helper()
	b := NewBuilder(p.sealer, p.pageKey, p.put)
	for _, e := range entries {
		if err := b.Add(e); err != nil {
			t.Fatalf("add %q: %v", e.Path, err)
		}
	}
	root, counts, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return Head{Dataset: p.did, Sequence: SequenceOf(1, 1), Root: root, Counts: counts, Time: 1}
}

func (p *place) walk(h Head) ([]Entry, error) {
	var got []Entry
	err := Walk(context.Background(), h, p.get, func(e Entry) error {
		got = append(got, e)
		return nil
	})
	return got, err
}

// sealPage stores a page with content of the test's choosing.
func (p *place) sealPage(t testing.TB, plain []byte) Ref {
	t.Helper()
	c, k, err := p.sealer.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	name := crypto.NameOf(c)
	p.blocks[name] = c
	return Ref{Name: name, Key: k}
}

func fakeRef(n uint64) (r Ref) {
	binary.BigEndian.PutUint64(r.Name[:], n+1)
	binary.BigEndian.PutUint64(r.Key[:], n+1)
	return r
}

func fileEntry(path string, size uint64, seed uint64) Entry {
	e := Entry{Path: []byte(path), Kind: File, Mode: 0o644, ModTime: 1e18, Size: size}
	for i := range blocksOf(size) {
		e.Blocks = append(e.Blocks, fakeRef(seed<<20+i))
	}
	return e
}

func manyFiles(n int) []Entry {
	list := make([]Entry, n)
	for i := range list {
		list[i] = fileEntry(fmt.Sprintf("folder-%03d/file-%06d.txt", i/100, i), 1000, uint64(i))
	}
	return list
}

// parts is what a walk gives for entries.
func parts(entries []Entry) []Entry {
	var all []Entry
	for _, e := range entries {
		for rest := e.Blocks; ; e.First += PartRefs {
			e.Blocks = rest[:min(len(rest), PartRefs)]
			rest = rest[len(e.Blocks):]
			all = append(all, e)
			if len(rest) == 0 {
				break
			}
		}
	}
	return all
}

func normal(list []Entry) []Entry {
	for i := range list {
		if len(list[i].Blocks) == 0 {
			list[i].Blocks = nil
		}
	}
	return list
}

func TestManifestGivesBackWhatWasPut(t *testing.T) {
	entries := []Entry{
		{Path: []byte("a"), Kind: Folder, Mode: 0o755, ModTime: -5},
		fileEntry("a/empty", 0, 1),
		fileEntry("a/long", 1000*crypto.BlockData+1, 2), // continues over items and pages
		fileEntry("a/new\nline and \xff\xfe", 3, 3),
		fileEntry("b", crypto.BlockData, 4),
		fileEntry("été", 7, 5),
	}
	p := newPlace(t)
	h := p.build(t, entries)
	want := Counts{Files: 5, Folders: 1, Bytes: 1001*crypto.BlockData + 11, Blocks: 1004}
	if h.Counts != want {
		t.Errorf("counts %+v, want %+v", h.Counts, want)
	}
	got, err := p.walk(h)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(normal(parts(entries)), normal(got)); d != "" {
		t.Error(d)
	}
	if again := newPlaceLike(p).build(t, entries); again.Root != h.Root {
		t.Error("the same entries made another root")
	}
}

func newPlaceLike(p *place) *place {
	q := *p
	q.blocks, q.puts = map[crypto.BlockName][]byte{}, nil
	return &q
}

func TestEmptyManifest(t *testing.T) {
	p := newPlace(t)
	h := p.build(t, nil)
	if got, err := p.walk(h); err != nil || len(got) != 0 {
		t.Errorf("walked %d entries, %v", len(got), err)
	}
}

func TestSmallChangeCostsFewPages(t *testing.T) {
	const n = 20000
	changes := map[string]func([]Entry) []Entry{
		"inserted at the front": func(l []Entry) []Entry { return slices.Insert(l, 0, fileEntry("a-new-file", 5, 1<<30)) },
		"inserted in the middle": func(l []Entry) []Entry {
			return slices.Insert(l, n/2, fileEntry(string(l[n/2-1].Path)+".new", 5, 1<<30))
		},
		"changed": func(l []Entry) []Entry { l[777] = fileEntry(string(l[777].Path), 1001, 1<<31); return l },
		"removed": func(l []Entry) []Entry { return slices.Delete(l, 12345, 12346) },
	}
	for name, change := range changes {
		worst := 0
		for range 5 { // five sets of keys, five ways to cut
			p := newPlace(t)
			p.build(t, manyFiles(n))
			before := len(p.puts)
			if before < 60 || before > 250 {
				t.Errorf("%d pages for %d files", before, n)
			}
			p.build(t, change(manyFiles(n)))
			worst = max(worst, len(p.puts)-before)
		}
		t.Logf("%s: at most %d new pages", name, worst)
		if worst > 8 {
			t.Errorf("%s: %d new pages, want at most 8", name, worst)
		}
	}
}

func TestPagesStaySmallAndSplit(t *testing.T) {
	p := newPlace(t)
	long := make([]byte, 250)
	for i := range long {
		long[i] = 'x'
	}
	var entries []Entry
	for i := range 300 {
		path := fmt.Sprintf("%04d", i)
		for range 15 {
			path += "/" + string(long)
		}
		entries = append(entries, fileEntry(path, 300*crypto.BlockData, uint64(i)))
	}
	h := p.build(t, entries)
	for name, c := range p.blocks {
		if len(c) > MaxPage*9/8 {
			t.Errorf("page %s has %d bytes", name, len(c))
		}
	}
	if got, err := p.walk(h); err != nil || len(got) != 600 {
		t.Fatalf("%d parts, %v", len(got), err)
	}
}

func TestTerabyteFile(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a million block references take some seconds")
	}
	p := newPlace(t)
	const size = 1 << 40
	total := blocksOf(size)
	b := NewBuilder(p.sealer, p.pageKey, p.put)
	for first := uint64(0); first < total; first += PartRefs {
		e := Entry{Path: []byte("disk.img"), Kind: File, Mode: 0o600, Size: size, First: first}
		for i := first; i < min(first+PartRefs, total); i++ {
			e.Blocks = append(e.Blocks, fakeRef(i))
		}
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	root, counts, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	h := Head{Dataset: p.did, Sequence: 1, Root: root, Counts: counts}
	next := uint64(0)
	err = Walk(context.Background(), h, p.get, func(e Entry) error {
		for _, r := range e.Blocks {
			if r != fakeRef(next) {
				return fmt.Errorf("block %d is another", next)
			}
			next++
		}
		return nil
	})
	if err != nil || next != total {
		t.Errorf("%d of %d blocks, %v", next, total, err)
	}
	t.Logf("%d pages", len(p.puts))
}

func TestBuilderRefuses(t *testing.T) {
	long := fileEntry("f", 600*crypto.BlockData, 1)
	half := long
	half.Blocks = half.Blocks[:256]
	cases := map[string][]Entry{
		"out of order":      {fileEntry("b", 1, 1), fileEntry("a", 1, 1)},
		"twice":             {fileEntry("a", 1, 1), fileEntry("a", 1, 1)},
		"absolute":          {fileEntry("/etc/passwd", 1, 1)},
		"dot dot":           {fileEntry("a/../b", 1, 1)},
		"dot":               {fileEntry("./b", 1, 1)},
		"NUL":               {fileEntry("a\x00b", 1, 1)},
		"empty":             {fileEntry("", 1, 1)},
		"double slash":      {fileEntry("a//b", 1, 1)},
		"folder with bytes": {{Path: []byte("a"), Kind: Folder, Size: 1}},
		"setuid":            {{Path: []byte("a"), Kind: Folder, Mode: 0o4755}},
		"unknown kind":      {{Path: []byte("a"), Kind: 7}},
		"too few blocks":    {{Path: []byte("a"), Kind: File, Size: 1}},
		"half a file":       {half, fileEntry("g", 1, 1)},
	}
	for name, entries := range cases {
		p := newPlace(t)
		b := NewBuilder(p.sealer, p.pageKey, p.put)
		var err error
		for _, e := range entries {
			if err = b.Add(e); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrBadEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newPlace(t)
	b := NewBuilder(p.sealer, p.pageKey, p.put)
	if err := b.Add(half); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Finish(); !errors.Is(err, ErrBadEntry) {
		t.Errorf("finished with half a file: %v", err)
	}
}

// A hostile owner signs what it likes. Every tree here must end in an error
// after little work.
func TestHostileTrees(t *testing.T) {
	p := newPlace(t)
	leaf := func(entries ...Entry) Ref {
		plain := appendPageHeader(nil, 0, len(entries))
		for _, e := range entries {
			plain = append(plain, encodeEntry(e)...)
		}
		return p.sealPage(t, plain)
	}
	upper := func(level int, children ...child) Ref {
		plain := appendPageHeader(nil, level, len(children))
		for _, c := range children {
			plain = append(plain, encodeChild(c)...)
		}
		return p.sealPage(t, plain)
	}
	at := func(path string, r Ref) child { return child{key{path: []byte(path)}, r} }
	a, b := fileEntry("a", 1, 1), fileEntry("b", 1, 2)
	la, lb := leaf(a), leaf(b)
	long := fileEntry("l", 600*crypto.BlockData, 9)
	part := func(i int) Entry {
		return Entry{Path: long.Path, Kind: File, Mode: long.Mode, ModTime: long.ModTime, Size: long.Size, First: uint64(i * PartRefs),
			Blocks: long.Blocks[i*PartRefs : min((i+1)*PartRefs, len(long.Blocks))]}
	}
	one, two := Counts{Files: 1, Bytes: 1, Blocks: 1}, Counts{Files: 2, Bytes: 2, Blocks: 2}
	longCounts := Counts{Files: 1, Bytes: long.Size, Blocks: 600}

	// 2^8 leaves through 8 pages, if a walker let itself be led around.
	bomb := la
	for level := 1; level < MaxDepth; level++ {
		bomb = upper(level, at("a", bomb), at("a\x01", bomb))
	}
	cases := map[string]Head{
		"counts too large":        {Root: la, Counts: two},
		"counts too small":        {Root: upper(1, at("a", la), at("b", lb)), Counts: one},
		"a child twice":           {Root: upper(1, at("a", la), at("a\x01", la)), Counts: two},
		"a bomb":                  {Root: bomb, Counts: Counts{Files: 1 << 40, Bytes: 1 << 40, Blocks: 1 << 40}},
		"children out of order":   {Root: upper(1, at("b", lb), at("a", la)), Counts: two},
		"entries out of order":    {Root: leaf(b, a), Counts: two},
		"overlapping pages":       {Root: upper(1, at("a", leaf(a, fileEntry("c", 1, 3))), at("b", lb)), Counts: Counts{Files: 3, Bytes: 3, Blocks: 3}},
		"a lying child key":       {Root: upper(1, at("0", la)), Counts: one},
		"a level skipped":         {Root: upper(2, at("a", la)), Counts: one},
		"a level too high":        {Root: p.sealPage(t, []byte{0x83, 0x01, 0x08, 0x80}), Counts: one},
		"no children":             {Root: upper(1), Counts: Counts{}},
		"an empty leaf below":     {Root: upper(1, at("a", leaf())), Counts: Counts{}},
		"not a page":              {Root: p.sealPage(t, []byte("hello")), Counts: one},
		"another key":             {Root: Ref{Name: la.Name, Key: lb.Key}, Counts: one},
		"a missing page":          {Root: fakeRef(5), Counts: one},
		"trailing bytes":          {Root: p.sealPage(t, append(appendPageHeader(nil, 0, 1), append(encodeEntry(a), 0)...)), Counts: one},
		"an oversized page":       {Root: p.sealPage(t, make([]byte, MaxPage+1)), Counts: one},
		"a file's middle missing": {Root: leaf(part(0), part(2)), Counts: longCounts},
		"a file's end missing":    {Root: leaf(part(0), part(1)), Counts: longCounts},
		"a file's start missing":  {Root: leaf(part(1), part(2)), Counts: longCounts},
	}
	for name, h := range cases {
		h.Dataset, h.Sequence = p.did, 1
		p.reads = 0
		if _, err := p.walk(h); err == nil {
			t.Errorf("%s: walked", name)
		}
		if p.reads > MaxDepth+3 {
			t.Errorf("%s: %d pages were read", name, p.reads)
		}
		if err := p.track(h); err == nil {
			t.Errorf("%s: tracked", name)
		}
	}
}

func (p *place) track(h Head) error {
	tr := NewTracker(h)
	for rounds := 0; !tr.Done(); rounds++ {
		wants := tr.Wants(3)
		if len(wants) == 0 || rounds > 10000 {
			return errors.New("stuck")
		}
		mrand.Shuffle(len(wants), func(i, j int) { wants[i], wants[j] = wants[j], wants[i] })
		for _, name := range wants {
			c, ok := p.blocks[name]
			if !ok {
				return errors.New("no such block")
			}
			if err := tr.Add(name, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestTracker(t *testing.T) {
	p := newPlace(t)
	entries := manyFiles(5000)
	entries[10].Blocks = entries[9].Blocks // a shared block counts once
	h := p.build(t, entries)
	tr := NewTracker(h)
	for !tr.Done() {
		wants := tr.Wants(7)
		if len(wants) == 0 || len(wants) > 7 {
			t.Fatalf("wants %d pages", len(wants))
		}
		slices.Reverse(wants)
		for _, name := range wants {
			if err := tr.Add(name, p.blocks[name]); err != nil {
				t.Fatal(err)
			}
			if err := tr.Add(name, p.blocks[name]); !errors.Is(err, ErrBadPage) {
				t.Fatalf("the same page again: %v", err)
			}
		}
	}
	var want []crypto.BlockName
	for i, e := range entries {
		if i != 10 {
			want = append(want, e.Blocks[0].Name)
		}
	}
	if !slices.Equal(tr.Blocks(), want) {
		t.Errorf("%d blocks, want %d in order of use", len(tr.Blocks()), len(want))
	}
	if got := len(tr.Pages()); got != len(p.puts) || tr.Pages()[0] != h.Root.Name {
		t.Errorf("%d pages of %d", got, len(p.puts))
	}
}

func TestEveryFlippedPageIsRefused(t *testing.T) {
	p := newPlace(t)
	h := p.build(t, manyFiles(3))
	c := p.blocks[h.Root.Name]
	for i := range len(c) * 8 {
		c[i/8] ^= 1 << (i % 8)
		if _, err := p.walk(h); !errors.Is(err, ErrBadPage) {
			t.Fatalf("bit %d: %v", i, err)
		}
		c[i/8] ^= 1 << (i % 8)
	}
}

func FuzzPage(f *testing.F) {
	f.Add(append(appendPageHeader(nil, 0, 1), encodeEntry(fileEntry("a", 5, 1))...))
	f.Add(append(appendPageHeader(nil, 1, 1), encodeChild(child{key{path: []byte("a")}, fakeRef(1)})...))
	f.Fuzz(func(t *testing.T, plain []byte) {
		p, err := decodePage(plain)
		if err != nil {
			return
		}
		again := appendPageHeader(nil, p.level, len(p.entries)+len(p.children))
		for _, e := range p.entries {
			again = append(again, encodeEntry(e)...)
		}
		for _, c := range p.children {
			again = append(again, encodeChild(c)...)
		}
		if string(again) != string(plain) {
			t.Fatalf("%x encodes again as %x", plain, again)
		}
	})
}

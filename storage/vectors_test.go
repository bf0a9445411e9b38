// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "../protocol/spec/vectors/manifests.json"

// vectors are what another implementation of the page on manifests and heads
// tests itself with.
type vectors struct {
	Comment string       `json:"comment"`
	Licence string       `json:"licence"`
	Pages   []pageVector `json:"pages"`
	Heads   []headVector `json:"heads"`
	Trees   []treeVector `json:"trees"`
}

type pageVector struct {
	Name  string `json:"name"`
	Page  string `json:"page"`
	Valid bool   `json:"valid"`
}

type headVector struct {
	Name     string `json:"name"`
	Head     string `json:"head"`
	Valid    bool   `json:"valid"`
	Signer   string `json:"signer,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	Root     string `json:"root,omitempty"`
}

type treeVector struct {
	Name   string            `json:"name"`
	Head   string            `json:"head"`
	Blocks map[string]string `json:"blocks"` // CID: ciphertext
	Valid  bool              `json:"valid"`
	Files  []treeFile        `json:"files,omitempty"`
}

type treeFile struct {
	Path   string   `json:"path"` // hex
	Size   uint64   `json:"size"`
	Blocks []string `json:"blocks"` // CIDs
}

func TestVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, p := range v.Pages {
		if _, err := decodePage(unhex(t, p.Page)); (err == nil) != p.Valid {
			t.Errorf("page %q: %v", p.Name, err)
		}
	}
	for _, h := range v.Heads {
		got, signer, err := ParseHead(unhex(t, h.Head))
		if (err == nil) != h.Valid {
			t.Errorf("head %q: %v", h.Name, err)
		}
		if err == nil && (string(signer) != h.Signer || got.Sequence != h.Sequence || hex.EncodeToString(appendRef(nil, got.Root)) != h.Root) {
			t.Errorf("head %q: %+v by %s", h.Name, got, signer)
		}
	}
	for _, tree := range v.Trees {
		files, err := tree.walk(t)
		if (err == nil) != tree.Valid {
			t.Errorf("tree %q: %v", tree.Name, err)
		}
		if d := cmp.Diff(tree.Files, files); err == nil && d != "" {
			t.Errorf("tree %q: %s", tree.Name, d)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (v treeVector) walk(t *testing.T) (files []treeFile, err error) {
	h, _, err := ParseHead(unhex(t, v.Head))
	if err != nil {
		return nil, err
	}
	src := func(name crypto.BlockName, dst []byte) ([]byte, error) {
		b, ok := v.Blocks[name.String()]
		if !ok {
			return nil, fmt.Errorf("no such block")
		}
		return append(dst, unhex(t, b)...), nil
	}
	err = Walk(context.Background(), h, src, func(e Entry) error {
		if e.Kind != File {
			return nil
		}
		if e.First == 0 {
			files = append(files, treeFile{Path: hex.EncodeToString(e.Path), Size: e.Size, Blocks: []string{}})
		}
		f := &files[len(files)-1]
		for _, r := range e.Blocks {
			f.Blocks = append(f.Blocks, r.Name.String())
		}
		return nil
	})
	return files, err
}

// makeVectors draws its keys from a fixed source.
func makeVectors(t *testing.T) vectors {
	source := rand.NewChaCha8([32]byte{1})
	ring, err := crypto.NewKeyring(source)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.NewWords(source); err != nil {
		t.Fatal(err)
	}
	did, _, err := ring.NewDataset(source)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{ring: ring, did: did}
	if p.sealer, err = ring.Sealer(did, "", 0); err != nil {
		t.Fatal(err)
	}
	if p.pageKey, err = ring.PageKey(did); err != nil {
		t.Fatal(err)
	}
	return vectors{
		Comment: "Manifest pages before sealing, signed heads, and trees of sealed pages, see ../blocks.md. Bytes are lower-case hex.",
		Licence: "CC BY 4.0",
		Pages:   pageVectors(),
		Heads:   headVectors(t, p),
		Trees:   treeVectors(t, p),
	}
}

func leafBytes(entries ...Entry) []byte {
	b := appendPageHeader(nil, 0, len(entries))
	for _, e := range entries {
		b = append(b, encodeEntry(e)...)
	}
	return b
}

func pageVectors() (list []pageVector) {
	add := func(name string, b []byte, valid bool) {
		list = append(list, pageVector{name, hex.EncodeToString(b), valid})
	}
	a, b := fileEntry("a", 5, 1), fileEntry("b", 0, 2)
	folder := Entry{Path: []byte("f"), Kind: Folder, Mode: 0o755, ModTime: -1}
	good := leafBytes(a, b, folder)
	add("two files and a folder", good, true)
	add("empty", leafBytes(), true)
	upper := append(appendPageHeader(nil, 1, 2), encodeChild(child{key{path: []byte("a")}, fakeRef(1)})...)
	upper = append(upper, encodeChild(child{key{path: []byte("b"), first: 256}, fakeRef(2)})...)
	add("two children", upper, true)

	change := func(f func(*Entry)) []byte { e := a; f(&e); return leafBytes(e) }
	add("trailing byte", append(bytes.Clone(good), 0), false)
	add("cut", good[:len(good)-1], false)
	add("another format", append([]byte{0x83, 0x02}, good[2:]...), false)
	add("level 8", append([]byte{0x83, 0x01, 0x08}, good[3:]...), false)
	add("entries out of order", leafBytes(b, a), false)
	add("an entry twice", leafBytes(a, a), false)
	add("long header of the list", append([]byte{0x83, 0x01, 0x00, 0x98, 0x03}, good[4:]...), false)
	add("indefinite list", append(append([]byte{0x83, 0x01, 0x00, 0x9f}, good[4:]...), 0xff), false)
	add("null for the list", []byte{0x83, 0x01, 0x00, 0xf6}, false)
	add("children of nobody", []byte{0x83, 0x01, 0x01, 0x80}, false)
	add("an entry at level 1", append([]byte{0x83, 0x01, 0x01}, good[3:]...), false)
	for _, path := range []string{"", "/a", "a/", "a//b", ".", "..", "a/../b", "a\x00b"} {
		add(fmt.Sprintf("path %q", path), change(func(e *Entry) { e.Path = []byte(path) }), false)
	}
	add("unknown kind", change(func(e *Entry) { e.Kind = 3 }), false)
	add("setuid", change(func(e *Entry) { e.Mode = 0o4755 }), false)
	add("a folder with bytes", change(func(e *Entry) { e.Kind = Folder }), false)
	add("a block too few", change(func(e *Entry) { e.Blocks = nil }), false)
	add("a block too many", change(func(e *Entry) { e.Blocks = append(e.Blocks, fakeRef(9)) }), false)
	add("a part at block 1", change(func(e *Entry) { e.First = 1 }), false)
	add("a zero reference", change(func(e *Entry) { e.Blocks = []Ref{{}} }), false)
	return list
}

func headVectors(t *testing.T, p *place) (list []headVector) {
	h := Head{Dataset: p.did, View: Paths{"docs/"}.View(), Generation: 3, Sequence: SequenceOf(2, 7), Root: fakeRef(1),
		Description: fakeRef(2), Counts: Counts{Files: 3, Folders: 1, Bytes: 100, Blocks: 2}, Time: 1767225600}
	node := p.ring.Node()
	sign := func(h Head) []byte {
		b, err := SignHead(node, h)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, h := range map[string]Head{"a view": h, "the whole": {Dataset: p.did, Sequence: 1, Root: fakeRef(4)}} {
		list = append(list, headVector{Name: name, Head: hex.EncodeToString(sign(h)), Valid: true, Signer: string(node.DID()),
			Sequence: h.Sequence, Root: hex.EncodeToString(appendRef(nil, h.Root))})
	}
	if list[0].Name != "a view" {
		list[0], list[1] = list[1], list[0]
	}
	bad := func(name string, b []byte) {
		list = append(list, headVector{Name: name, Head: hex.EncodeToString(b)})
	}
	good := sign(h)
	flip := bytes.Clone(good)
	flip[len(flip)-1] ^= 1
	bad("a flipped signature", flip)
	bad("trailing byte", append(bytes.Clone(good), 0))
	bad("cut", good[:len(good)-1])
	var s wireSigned
	if err := canonical.Unmarshal(good, &s); err != nil {
		t.Fatal(err)
	}
	resign := func(label string, change func(w *wireHead)) []byte {
		var w wireHead
		if err := canonical.Unmarshal(s.Head, &w); err != nil {
			t.Fatal(err)
		}
		change(&w)
		payload := canonical.MustMarshal(w)
		sig, err := node.Sign(append([]byte(label), payload...))
		if err != nil {
			t.Fatal(err)
		}
		return canonical.MustMarshal(wireSigned{Head: payload, Signer: string(node.DID()), Signature: sig})
	}
	bad("signed without the label", resign("", func(*wireHead) {}))
	bad("another format", resign(headLabel, func(w *wireHead) { w.Format = 2 }))
	bad("no data set", resign(headLabel, func(w *wireHead) { w.Dataset = "" }))
	bad("an unknown view", resign(headLabel, func(w *wireHead) { w.View = "rows:1" }))
	bad("sequence 0", resign(headLabel, func(w *wireHead) { w.Sequence = 0 }))
	bad("no root", resign(headLabel, func(w *wireHead) { w.Root = nil }))
	bad("half a description", resign(headLabel, func(w *wireHead) { w.Description = w.Root[:36] }))
	bad("null for the description", resign(headLabel, func(w *wireHead) { w.Description = nil }))
	bad("before 1970", resign(headLabel, func(w *wireHead) { w.Time = -1 }))
	bad("more blocks than bytes", resign(headLabel, func(w *wireHead) { w.Blocks = 4 }))
	return list
}

func treeVectors(t *testing.T, p *place) (list []treeVector) {
	add := func(name string, valid bool, h Head) {
		h.Sequence, h.Dataset = 1, p.did
		b, err := SignHead(p.ring.Node(), h)
		if err != nil {
			t.Fatal(err)
		}
		v := treeVector{Name: name, Head: hex.EncodeToString(b), Blocks: map[string]string{}, Valid: valid}
		for n, c := range p.blocks {
			v.Blocks[n.String()] = hex.EncodeToString(c)
		}
		if valid {
			if v.Files, err = v.walk(t); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, v)
		p.blocks = map[crypto.BlockName][]byte{}
	}
	p.blocks = map[crypto.BlockName][]byte{}
	upper := func(level int, children ...child) Ref {
		b := appendPageHeader(nil, level, len(children))
		for _, c := range children {
			b = append(b, encodeChild(c)...)
		}
		return p.sealPage(t, b)
	}
	leaf := func(entries ...Entry) Ref { return p.sealPage(t, leafBytes(entries...)) }
	at := func(path string, first uint64, r Ref) child { return child{key{[]byte(path), first}, r} }
	a, b := fileEntry("a", 1, 1), fileEntry("b", 1, 2)
	two := Counts{Files: 2, Bytes: 2, Blocks: 2}

	add("nothing", true, Head{Root: leaf()})
	h := p.build(t, []Entry{a, b, {Path: []byte("f"), Kind: Folder, Mode: 0o700}})
	add("one page", true, Head{Root: h.Root, Counts: h.Counts})
	add("two levels", true, Head{Root: upper(1, at("a", 0, leaf(a)), at("b", 0, leaf(b))), Counts: two})
	add("counts that lie", false, Head{Root: leaf(a), Counts: two})
	la := leaf(a)
	add("a page twice", false, Head{Root: upper(1, at("a", 0, la), at("b", 0, la)), Counts: two})
	add("a child's key that lies", false, Head{Root: upper(1, at("0", 0, leaf(a)), at("b", 0, leaf(b))), Counts: two})
	add("a level skipped", false, Head{Root: upper(2, at("a", 0, leaf(a)), at("b", 0, leaf(b))), Counts: two})
	add("an empty leaf below", false, Head{Root: upper(1, at("a", 0, leaf(a)), at("b", 0, leaf())), Counts: Counts{Files: 1, Bytes: 1, Blocks: 1}})
	add("a page that runs into the next", false, Head{Root: upper(1, at("a", 0, leaf(a, fileEntry("c", 1, 3))), at("b", 0, leaf(b))),
		Counts: Counts{Files: 3, Bytes: 3, Blocks: 3}})
	return list
}

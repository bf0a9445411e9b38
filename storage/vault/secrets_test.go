// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

func blocksOf(t *testing.T, v *Vault, h storage.Head) map[string][]storage.Ref {
	t.Helper()
	refs := map[string][]storage.Ref{}
	err := storage.Walk(bg, h, v.store.Get, func(e storage.Entry) error {
		refs[string(e.Path)] = append(refs[string(e.Path)], e.Blocks...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

func TestGenerations(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	old := make([]byte, 2*crypto.BlockData+100)
	rand.Read(old)
	write(t, src, "grows", string(old))
	write(t, src, "stays", "the same")
	first := mustAdd(t, v, "x", src)
	before := blocksOf(t, v, first.Head)

	g, err := v.BumpGeneration(bg, first.Dataset.DID)
	if err != nil || g != 1 {
		t.Fatalf("generation %d, %v", g, err)
	}
	v, _ = reopen(t, v)
	if r := mustAdd(t, v, "x", src); !r.Unchanged {
		t.Errorf("a new generation alone made a version: %+v", r)
	}
	write(t, src, "grows", string(old)+"more")
	write(t, src, "stays", "the same") // touched: read again
	write(t, src, "copy", "the same")  // new in this generation
	second := mustAdd(t, v, "x", src)
	if second.Head.Generation != 1 {
		t.Errorf("generation %d", second.Head.Generation)
	}
	after := blocksOf(t, v, second.Head)
	if d := cmp.Diff(before["grows"][:2], after["grows"][:2], equalRefs); d != "" {
		t.Error("unchanged blocks of a changed file got new names")
	}
	if before["stays"][0] != after["stays"][0] {
		t.Error("an unchanged file got a new name")
	}
	if before["stays"][0].Name == after["copy"][0].Name || before["stays"][0].Key == after["copy"][0].Key {
		t.Error("a key of the old generation was made again")
	}
}

var equalRefs = cmp.Comparer(func(a, b storage.Ref) bool { return a == b })

func TestViews(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	for _, name := range []string{"docs/a", "docs/sub/b", "docs2/c", "pics/d", "e\u0301te/f", "top"} {
		write(t, src, name, "content of "+name)
	}
	r := mustAdd(t, v, "x", src)
	did := r.Dataset.DID
	whole, err := v.ViewHead(bg, did, View{Whole: true})
	if err != nil || whole.Root != r.Head.Root {
		t.Errorf("the whole: %v", err)
	}
	h, err := v.ViewHead(bg, did, View{Paths: []string{"top", "docs/", "\u00e9te/", "docs/sub/"}})
	if err != nil {
		t.Fatal(err)
	}
	parsed, signer, err := storage.ParseHead(h.Bytes)
	if err != nil || signer != v.ring.Node().DID() || parsed != h.Head {
		t.Fatalf("head by %s: %v", signer, err)
	}
	if h.Sequence != r.Head.Sequence || !strings.HasPrefix(h.View, "paths:") {
		t.Errorf("%d, %q", h.Sequence, h.View)
	}
	var names []string
	got := blocksOf(t, v, h.Head)
	all := blocksOf(t, v, r.Head)
	for name, refs := range got {
		names = append(names, name)
		if !cmp.Equal(refs, all[name], equalRefs) {
			t.Errorf("%q has other blocks in the view", name)
		}
	}
	want := map[string]bool{"docs": true, "docs/a": true, "docs/sub": true, "docs/sub/b": true, "e\u0301te": true, "e\u0301te/f": true, "top": true}
	if len(names) != len(want) {
		t.Errorf("the view has %q", names)
	}
	for _, n := range names {
		if !want[n] {
			t.Errorf("the view has %q", n)
		}
	}
	again, err := v.ViewHead(bg, did, View{Paths: []string{"docs/", "e\u0301te/", "top"}})
	if err != nil || !bytes.Equal(again.Bytes, h.Bytes) {
		t.Errorf("the same view is another head: %v", err)
	}
	set, err := v.ViewBlocks(bg, h)
	if err != nil {
		t.Fatal(err)
	}
	for name, refs := range all {
		for _, r := range refs {
			if _, in := set[r.Name]; in != want[name] {
				t.Errorf("the blocks of %q are in the view's set: %v", name, in)
			}
		}
	}
	if n := uint64(len(set)); n != h.Counts.Files+2 {
		t.Errorf("%d blocks in the view's set, want %d files, a page and a description", n, h.Counts.Files)
	}
	v, _ = reopen(t, v)
	again, err = v.ViewHead(bg, did, View{Paths: []string{"docs/", "e\u0301te/", "top"}})
	if err != nil || !bytes.Equal(again.Bytes, h.Bytes) {
		t.Errorf("the same view is another head after a restart: %v", err)
	}
	if _, err := v.BumpGeneration(bg, did); err != nil {
		t.Fatal(err)
	}
	for _, view := range []View{{Whole: true}, {Paths: []string{"docs/"}}} {
		h, err := v.ViewHead(bg, did, view)
		if err != nil || h.Generation != 1 || h.Sequence != r.Head.Sequence || h.Root == r.Head.Root {
			t.Errorf("%+v in the next generation: %+v, %v", view, h.Head, err)
		}
	}
	for _, bad := range []View{{}, {Paths: []string{}}, {Paths: []string{"../x"}}, {Paths: []string{""}}, {Paths: []string{"/"}}, {Whole: true, Paths: []string{"a"}}} {
		if _, err := v.ViewHead(bg, did, bad); err == nil {
			t.Errorf("view %+v was cut", bad)
		}
	}
}

// give sends a view of v's data set to w, as transfer would.
func give(t testing.TB, v, w *Vault, h SignedHead) ReceivedHead {
	t.Helper()
	tr := storage.NewTracker(h.Head)
	carry := func(name crypto.BlockName) []byte {
		c, err := v.store.Get(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Put(bg, name, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for !tr.Done() {
		for _, name := range tr.Wants(10) {
			if err := tr.Add(name, carry(name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	carry(h.Description.Name)
	for _, name := range tr.Blocks() {
		carry(name)
	}
	return ReceivedHead{Dataset: h.Dataset, Name: "theirs", From: v.ring.Owner().DID(), Signer: v.ring.Node().DID(), Head: h.Bytes}
}

func TestReceive(t *testing.T) {
	v, w := newVault(t, testOptions()), newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "docs/a", "one")
	write(t, src, "secret", "not for w")
	did := mustAdd(t, v, "x", src).Dataset.DID
	first, err := v.ViewHead(bg, did, View{Paths: []string{"docs/"}})
	if err != nil {
		t.Fatal(err)
	}
	r := ReceivedHead{Dataset: did, Name: "theirs", From: v.ring.Owner().DID(), Signer: v.ring.Node().DID(), Head: first.Bytes}
	expected := r
	expected.Expected = true
	if err := w.Receive(bg, expected); !errors.Is(err, ErrUnexpected) {
		t.Errorf("a data set of which nothing is known: %v", err)
	}
	if err := w.Receive(bg, r); !errors.Is(err, ErrMissing) {
		t.Fatalf("received without the blocks: %v", err)
	}
	r = give(t, v, w, first)
	for name, spoil := range map[string]func(*ReceivedHead){
		"another data set": func(r *ReceivedHead) { r.Dataset = r.From },
		"another signer":   func(r *ReceivedHead) { r.Signer = r.From },
		"flipped":          func(r *ReceivedHead) { r.Head = bytes.Clone(r.Head); r.Head[50] ^= 1 },
		"no owner":         func(r *ReceivedHead) { r.From = "" },
		"no name":          func(r *ReceivedHead) { r.Name = "" },
	} {
		bad := r
		spoil(&bad)
		if err := w.Receive(bg, bad); err == nil {
			t.Errorf("received with %s", name)
		}
	}
	if err := w.Receive(bg, r); err != nil {
		t.Fatal(err)
	}
	w, _ = reopen(t, w)
	d, err := w.Lookup("theirs")
	if err != nil || d.From != v.ring.Owner().DID() || d.DID != did {
		t.Fatalf("%+v, %v", d, err)
	}
	got := export(t, w, did, ExportOptions{})
	if len(got) != 2 || got["docs/a"].Content != "one" {
		t.Errorf("%v", got)
	}
	write(t, src, "docs/a", "two")
	mustAdd(t, v, "x", src)
	second, err := v.ViewHead(bg, did, View{Paths: []string{"docs/"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Receive(bg, give(t, v, w, second)); err != nil {
		t.Fatal(err)
	}
	if err := w.Receive(bg, r); !errors.Is(err, ErrOldHead) {
		t.Errorf("an old head: %v", err)
	}
	if got := export(t, w, did, ExportOptions{}); got["docs/a"].Content != "two" {
		t.Errorf("%v", got)
	}
	if n := w.store.Stats().Blocks; n != 3 {
		t.Errorf("%d blocks are alive, want a page, a description and a file's", n)
	}
	if _, err := w.Add(bg, "theirs", src, AddOptions{Replace: true}); !errors.Is(err, ErrNotOurs) {
		t.Errorf("added to what is not ours: %v", err)
	}
	if _, err := w.BumpGeneration(bg, did); !errors.Is(err, ErrNotOurs) {
		t.Errorf("generation of what is not ours: %v", err)
	}
	if err := w.Remove(bg, did); err != nil {
		t.Fatal(err)
	}
	if n := w.store.Stats().Blocks; n != 0 || len(w.Datasets()) != 0 {
		t.Errorf("%d blocks and %d data sets are left", n, len(w.Datasets()))
	}
	if err := w.Receive(bg, give(t, v, w, second)); err != nil {
		t.Errorf("received again after removal: %v", err)
	}
	w, _ = reopen(t, w)
	if got := export(t, w, did, ExportOptions{}); got["docs/a"].Content != "two" {
		t.Errorf("%v", got)
	}
}

func TestRemoveErases(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	other := mustAdd(t, v, "y", src).Dataset.DID
	scope := crypto.DatasetScope(did)
	if _, err := v.Record(bg, Fact{Kind: 100, Scope: scope, Public: []byte("p"), Body: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	if err := v.Remove(bg, did); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if v.ring.HasScope(scope) {
			t.Error("the key is still there")
		}
		if _, err := v.Lookup("x"); !errors.Is(err, ErrNoDataset) {
			t.Errorf("look up: %v", err)
		}
		n := 0
		err := v.Facts(func(r Recorded) error {
			n++
			if !r.Erased || r.Body != nil || r.Scope != "" || string(r.Public) != "p" {
				t.Errorf("%+v", r)
			}
			return nil
		})
		if err != nil || n != 1 {
			t.Errorf("%d facts, %v", n, err)
		}
		if got := export(t, v, other, ExportOptions{}); got["a"].Content != "content" {
			t.Errorf("the other data set: %v", got)
		}
		if v.store.Stats().Blocks != 3 {
			t.Errorf("%d blocks", v.store.Stats().Blocks)
		}
		if bad, err := v.Check(bg, nil); err != nil || len(bad) != 0 {
			t.Errorf("check: %v, %v", bad, err)
		}
	}
	check()
	var r *Report
	v, r = reopen(t, v)
	if r.Suspended != "" {
		t.Error(r.Suspended)
	}
	check()
	if err := v.Remove(bg, did); !errors.Is(err, ErrNoDataset) {
		t.Errorf("removed twice: %v", err)
	}
	if r := mustAdd(t, v, "x", src); r.Dataset.DID == did || !r.New {
		t.Errorf("%+v", r)
	}
}

// A crash right after the journal's record: the next start finishes.
func TestRemovalIsFinishedAfterACrash(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	if _, err := v.commit(bg, change{kind: kindRemoved, scope: crypto.DatasetScope(did)}); err != nil {
		t.Fatal(err)
	}
	v, _ = reopen(t, v)
	if v.ring.HasScope(crypto.DatasetScope(did)) || len(v.Datasets()) != 0 || v.store.Stats().Blocks != 0 {
		t.Error("the removal was not finished")
	}
}

// A fact that came in between does not make the removal, or the erasure of a
// contact, un-happen.
func TestRemovalIsFinishedDespiteALaterFact(t *testing.T) {
	v := newVault(t, testOptions())
	src, contact, other := t.TempDir(), newContact(t), newContact(t)
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	head, err := v.ViewHead(bg, did, View{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newVault(t, testOptions())
	if err := w.Receive(bg, give(t, v, w, head)); err != nil {
		t.Fatal(err)
	}
	ours, received := crypto.DatasetScope(did), crypto.ReceivedScope(did)
	fact := func(v *Vault, s crypto.Scope) {
		t.Helper()
		if _, err := v.Record(bg, Fact{Kind: 100, Scope: s, Body: []byte("b")}); err != nil {
			t.Fatal(err)
		}
	}
	fact(v, contact)
	if _, err := v.commit(bg, change{kind: kindRemoved, scope: ours}, change{kind: kindErased, scope: contact}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.commit(bg, change{kind: kindRemoved, scope: received}); err != nil {
		t.Fatal(err)
	}
	fact(v, ours)
	fact(v, contact)
	fact(w, received)
	fact(v, other)
	v, _ = reopen(t, v)
	w, _ = reopen(t, w)
	if v.ring.HasScope(ours) || v.ring.HasScope(contact) || len(v.Datasets()) != 0 {
		t.Error("the removal or the erasure was not finished")
	}
	if w.ring.HasScope(received) || len(w.Datasets()) != 0 {
		t.Error("the removal of what was received was not finished")
	}
	fact(w, received) // a new life of both
	fact(v, contact)
	v, _ = reopen(t, v)
	w, _ = reopen(t, w)
	if !v.ring.HasScope(other) || !v.ring.HasScope(contact) || !hasFact(t, v, "b") || !hasFact(t, w, "b") {
		t.Error("a later life was erased with the first")
	}
}

func TestFacts(t *testing.T) {
	v := newVault(t, testOptions())
	contact := crypto.ContactScope(v.ring.Owner().DID())
	facts := []Fact{
		{Kind: 100, Public: []byte("public only")},
		{Kind: 101, Scope: crypto.NodeScope, Body: []byte("node's")},
		{Kind: 102, Scope: contact, Public: []byte("p"), Body: []byte("contact's")},
	}
	if _, err := v.Record(bg, facts...); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Fact{{Kind: 99}, {Kind: 100, Body: []byte("x")}, {Kind: 100, Scope: "nonsense", Body: []byte("x")},
		{Kind: 100, Scope: crypto.DatasetScope(v.ring.Owner().DID()), Body: []byte("x")}} {
		if _, err := v.Record(bg, bad); err == nil {
			t.Errorf("recorded %+v", bad)
		}
	}
	read := func(kinds ...uint16) (got []Fact) {
		t.Helper()
		err := v.Facts(func(r Recorded) error {
			if r.Seq == 0 || r.Time == 0 {
				t.Errorf("%+v", r)
			}
			got = append(got, Fact{r.Kind, r.Scope, r.Public, r.Body})
			return nil
		}, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	empty := cmp.Transformer("bytes", func(b []byte) string { return string(b) })
	v, _ = reopen(t, v)
	if d := cmp.Diff(facts, read(), empty); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(facts[1:2], read(101, 7), empty); d != "" {
		t.Error(d)
	}
	if err := v.EraseScope(bg, contact); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Record(bg, Fact{Kind: 102, Scope: contact, Body: []byte("after")}); err != nil {
		t.Fatal(err)
	}
	v, r := reopen(t, v)
	if r.Suspended != "" {
		t.Error(r.Suspended)
	}
	got := read(102)
	if len(got) != 2 || got[0].Body != nil || string(got[0].Public) != "p" || string(got[1].Body) != "after" {
		t.Errorf("%+v", got)
	}
}

func TestBirthFactsComeWithTheDataset(t *testing.T) {
	opt := testOptions()
	var born crypto.DID
	opt.Birth = func(birth crypto.Signer) ([]Fact, error) {
		born = birth.DID()
		sig, err := birth.Sign([]byte("to the owner"))
		return []Fact{{Kind: 100, Scope: crypto.DatasetScope(born), Body: sig}}, err
	}
	v := newVault(t, opt)
	src := t.TempDir()
	write(t, src, "a", "content")
	if did := mustAdd(t, v, "x", src).Dataset.DID; did != born {
		t.Errorf("%s was born, %s is there", born, did)
	}
	err := v.Facts(func(r Recorded) error { return crypto.Verify(born, []byte("to the owner"), r.Body) })
	if err != nil {
		t.Error(err)
	}
	v.opt.Birth = func(crypto.Signer) ([]Fact, error) { return nil, errors.New("no signature today") }
	if _, err := v.Add(bg, "y", src, AddOptions{}); err == nil {
		t.Error("a data set was born without its facts")
	}
	if len(v.Datasets()) != 1 {
		t.Error("a data set without its facts is there")
	}
}

// TestKitBesideARemoval: what was erased while the kit was made is not in it,
// and all else is.
func TestKitBesideARemoval(t *testing.T) {
	k, words := newRing(t)
	v, err := Create(filepath.Join(t.TempDir(), "v"), k, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	src := t.TempDir()
	write(t, src, "a", "content")
	mustAdd(t, v, "kept", src)
	gone := mustAdd(t, v, "gone", src).Dataset.DID
	state, err := v.kitState(Digest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Remove(bg, gone); err != nil {
		t.Fatal(err)
	}
	kit, err := v.ring.SealKit(encode(state), 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Restore(bytes.NewReader(kit), words, filepath.Join(t.TempDir(), "again"), []byte(passphrase), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	w, _ = reopen(t, w)
	if list := w.Datasets(); len(list) != 1 || list[0].Name != "kept" {
		t.Errorf("restored %+v", list)
	}
}

func TestKit(t *testing.T) {
	k, words := newRing(t)
	v, err := Create(filepath.Join(t.TempDir(), "v"), k, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	src := t.TempDir()
	write(t, src, "a", "content")
	r := mustAdd(t, v, "x", src)
	gone := mustAdd(t, v, "gone", src)
	if err := v.Remove(bg, gone.Dataset.DID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.BumpGeneration(bg, r.Dataset.DID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Record(bg, Fact{Kind: 105, Scope: crypto.NodeScope, Body: []byte("remember")}); err != nil {
		t.Fatal(err)
	}
	var kit bytes.Buffer
	if err := v.SaveKit(&kit, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if _, err := Restore(bytes.NewReader(kit.Bytes()), strings.Replace(words, " ", " zoo ", 1), dir, []byte("new"), testOptions()); err == nil {
		t.Error("restored with wrong words")
	}
	costly := testOptions()
	costly.Argon = crypto.Argon{MemoryKiB: 1}
	if _, err := Restore(bytes.NewReader(kit.Bytes()), words, dir, []byte("new"), costly); !errors.Is(err, crypto.ErrBadArgon) {
		t.Errorf("the cost of the passphrase was not heeded: %v", err)
	}
	w, err := Restore(bytes.NewReader(kit.Bytes()), words, dir, []byte("new phrase"), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if w.Suspended() != FromKit || w.Incarnation() < 2 {
		t.Errorf("suspended %q, incarnation %d", w.Suspended(), w.Incarnation())
	}
	if d, err := w.Lookup("x"); err != nil || d.Generation != 1 || len(d.Versions) != 1 || len(w.Datasets()) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	n := 0
	w.Facts(func(r Recorded) error { n++; return nil }, 105)
	if n != 1 {
		t.Errorf("%d facts", n)
	}
	if d, _ := w.Lookup("x"); !d.Missing {
		t.Error("content out of nowhere")
	}
	if err := w.Export(bg, r.Dataset.DID, t.TempDir(), ExportOptions{}); !errors.Is(err, ErrMissing) {
		t.Errorf("content out of nowhere: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// The old packs come back.
	if err := os.RemoveAll(filepath.Join(dir, packsDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, packsDir), os.DirFS(filepath.Join(v.dir, packsDir))); err != nil {
		t.Fatal(err)
	}
	w, report, err := Open(dir, crypto.Passphrase([]byte("new phrase")), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if report.Suspended == "" {
		t.Error("a restart ended the suspension")
	}
	if got := export(t, w, r.Dataset.DID, ExportOptions{}); got["a"].Content != "content" {
		t.Errorf("%v", got)
	}
	if err := w.Confirm(bg); err != nil || w.Suspended() != "" {
		t.Errorf("%q, %v", w.Suspended(), err)
	}
	write(t, src, "a", "changed")
	if r2 := mustAdd(t, w, "x", src); r2.Head.Incarnation() < 2 || r2.Head.Sequence <= r.Head.Sequence {
		t.Errorf("sequence %x after %x", r2.Head.Sequence, r.Head.Sequence)
	}
}

func TestOldTruthSuspends(t *testing.T) {
	reasons := map[string]Suspension{"journal from a backup": OldJournal, "marks lost": NoMark}
	for name, spoil := range map[string]func(*testing.T, string, string){
		"journal from a backup": func(t *testing.T, dir, backup string) {
			os.RemoveAll(filepath.Join(dir, logDir))
			if err := os.CopyFS(filepath.Join(dir, logDir), os.DirFS(backup)); err != nil {
				t.Fatal(err)
			}
		},
		"marks lost": func(t *testing.T, dir, _ string) {
			os.Remove(filepath.Join(dir, markA))
			os.Remove(filepath.Join(dir, markB))
		},
	} {
		v := newVault(t, testOptions())
		src, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
		write(t, src, "a", "content")
		did := mustAdd(t, v, "x", src).Dataset.DID
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(backup, os.DirFS(filepath.Join(v.dir, logDir))); err != nil {
			t.Fatal(err)
		}
		v, _ = mustOpen(t, v.dir, testOptions())
		if _, err := v.BumpGeneration(bg, did); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		spoil(t, v.dir, backup)
		v, r := mustOpen(t, v.dir, testOptions())
		if r.Suspended != reasons[name] || v.Suspended() != reasons[name] || v.Incarnation() < 2 {
			t.Errorf("%s: suspended %q, incarnation %d", name, r.Suspended, v.Incarnation())
		}
		v, _ = reopen(t, v)
		if v.Suspended() == "" || v.Incarnation() < 2 {
			t.Errorf("%s: a restart ended it", name)
		}
		if err := v.Confirm(bg); err != nil {
			t.Fatal(err)
		}
		if v, _ = reopen(t, v); v.Suspended() != "" {
			t.Errorf("%s: %q after the confirmation", name, v.Suspended())
		}
	}
}

// Known names and contents, in four spellings, must be in no file of the
// vault and in none that appeared among the temporary files.
func TestNoPlaintextOnDisk(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	k, _ := newRing(t)
	v, err := Create(filepath.Join(tmp, "vault"), k, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(t.TempDir(), "KanarienFolder")
	canaries := []string{"KanarienFolder", "KanarienFile", "KanarienSet", "KanarienContent-0123456789", "KanarienFact", "KanarienContact"}
	write(t, src, "KanarienFile.txt", strings.Repeat("KanarienContent-0123456789 ", 1000))
	os.Chtimes(filepath.Join(src, "KanarienFile.txt"), time.Time{}, time.Unix(1e9, 0))
	did := mustAdd(t, v, "KanarienSet", src).Dataset.DID
	if _, err := v.ViewHead(bg, did, View{Paths: []string{"KanarienFile.txt"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Record(bg, Fact{Kind: 100, Scope: crypto.NodeScope, Body: []byte("KanarienFact")},
		Fact{Kind: 100, Scope: crypto.ContactScope(k.Owner().DID()), Body: []byte("KanarienContact")}); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, v, "KanarienSet", src)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if found := search(t, tmp, canaries); len(found) > 0 {
		t.Errorf("plaintext on the disk: %v", found)
	}
	for _, c := range canaries { // the search finds what is there
		for _, s := range spellings(c) {
			path := filepath.Join(tmp, "control")
			if err := os.WriteFile(path, append([]byte("xx"), s...), 0o600); err != nil {
				t.Fatal(err)
			}
			if len(search(t, tmp, []string{c})) == 0 {
				t.Errorf("the search misses %q", s)
			}
			os.Remove(path)
		}
	}
}

func spellings(s string) [][]byte {
	var wide []byte
	for _, u := range utf16.Encode([]rune(s)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	b64 := base64.RawStdEncoding
	return [][]byte{[]byte(s), wide, []byte(hex.EncodeToString([]byte(s))), []byte(strings.ToUpper(hex.EncodeToString([]byte(s)))),
		[]byte(b64.EncodeToString([]byte(s)))[:len(s)], []byte(b64.EncodeToString([]byte("x" + s)))[2 : 2+len(s)], []byte(b64.EncodeToString([]byte("xy" + s)))[3 : 3+len(s)]}
}

func search(t *testing.T, dir string, canaries []string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		content := []byte(path[len(dir):])
		if !d.IsDir() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = append(content, b...)
		}
		for _, c := range canaries {
			for _, s := range spellings(c) {
				if bytes.Contains(content, s) {
					found = append(found, path+": "+string(s))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestReceivedViews: of several views of one version the fullest is shown,
// whichever came first.
func TestReceivedViews(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "docs/a", "one")
	write(t, src, "pics/b", "two")
	did := mustAdd(t, v, "x", src).Dataset.DID
	part, err := v.ViewHead(bg, did, View{Paths: []string{"docs/"}})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := v.ViewHead(bg, did, View{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]SignedHead{{part, whole}, {whole, part}} {
		w := newVault(t, testOptions())
		for _, head := range order {
			if err := w.Receive(bg, give(t, v, w, head)); err != nil {
				t.Fatal(err)
			}
		}
		w, _ = reopen(t, w)
		d, err := w.Lookup("theirs")
		if err != nil {
			t.Fatal(err)
		}
		if latest, _ := d.Latest(); latest.View != whole.View || len(d.Versions) != 2 {
			t.Errorf("the latest of %d views is %q", len(d.Versions), latest.View)
		}
		for _, version := range []uint64{0, whole.Sequence} {
			if got := export(t, w, did, ExportOptions{Version: version}); got["pics/b"].Content != "two" {
				t.Errorf("version %d: %v", version, got)
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
)

func someHead(t testing.TB) (Head, *crypto.Identity) {
	t.Helper()
	id, err := crypto.NewIdentity(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Head{Dataset: id.DID(), View: Paths{"docs/"}.View(), Generation: 3, Sequence: SequenceOf(2, 7), Root: fakeRef(1),
		Description: fakeRef(2), Counts: Counts{Files: 3, Folders: 1, Bytes: 100, Blocks: 2}, Time: 1767225600}, id
}

func TestHead(t *testing.T) {
	h, id := someHead(t)
	b, err := SignHead(id, h)
	if err != nil {
		t.Fatal(err)
	}
	got, signer, err := ParseHead(b)
	if err != nil || signer != id.DID() || got != h {
		t.Fatalf("%+v by %s, %v", got, signer, err)
	}
	if got.Incarnation() != 2 {
		t.Errorf("incarnation %d", got.Incarnation())
	}
	t.Logf("a head has %d bytes", len(b))
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		if _, _, err := ParseHead(b); !errors.Is(err, ErrBadHead) {
			t.Fatalf("bit %d: %v", i, err)
		}
		b[i/8] ^= 1 << (i % 8)
	}
	for i := range len(b) {
		if _, _, err := ParseHead(b[:i]); !errors.Is(err, ErrBadHead) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, _, err := ParseHead(append(b, 0)); !errors.Is(err, ErrBadHead) {
		t.Errorf("trailing byte: %v", err)
	}
}

func TestHeadRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Head){
		"no data set":       func(h *Head) { h.Dataset = "" },
		"no view of rows":   func(h *Head) { h.View = "rows:" + strings.Repeat("a", 63) },
		"another view":      func(h *Head) { h.View = "paths:" + strings.Repeat("A", 64) },
		"no root":           func(h *Head) { h.Root = Ref{} },
		"sequence zero":     func(h *Head) { h.Sequence = 0 },
		"before 1970":       func(h *Head) { h.Time = -1 },
		"impossible counts": func(h *Head) { h.Counts.Blocks = 100 },
	} {
		h, id := someHead(t)
		spoil(&h)
		if _, err := SignHead(id, h); !errors.Is(err, ErrBadHead) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A signature of something else by the same key is none of a head.
	h, id := someHead(t)
	b, err := SignHead(id, h)
	if err != nil {
		t.Fatal(err)
	}
	var s wireSigned
	if err := canonical.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if s.Signature, err = id.Sign(s.Head); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ParseHead(canonical.MustMarshal(s)); !errors.Is(err, crypto.ErrBadSignature) {
		t.Errorf("without the label: %v", err)
	}
}

func TestPaths(t *testing.T) {
	p, err := ParsePaths([]string{"b", "docs/sub/x", "docs/", "e\u0301/", "b", "docs"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Paths{"b", "docs", "docs/", "\u00e9/"}, p); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]bool{"b": true, "b/c": false, "docs/a/b": true, "docs2": false, "docs": true,
		"\u00e9/x": true, "e\u0301/x": true, "bb": false, "B": false} {
		if got := p.Match(Entry{Path: []byte(name), Kind: File}); got != want {
			t.Errorf("file %q: %v", name, got)
		}
	}
	only := Paths{"docs/"}
	if only.Match(Entry{Path: []byte("docs"), Kind: File}) || !only.Match(Entry{Path: []byte("docs"), Kind: Folder}) {
		t.Error(`"docs/" is the folder and not a file of that name`)
	}
	for _, bad := range [][]string{nil, {}, {""}, {"/"}, {"/a"}, {"a//"}, {"../a"}, {"a/./b"}, {"a\x00"}} {
		if p, err := ParsePaths(bad); !errors.Is(err, ErrBadPrefix) {
			t.Errorf("%q: %q, %v", bad, p, err)
		}
	}
	if (Paths{"a", "b"}).View() == (Paths{"a\x00b"}).View() {
		t.Log("a NUL is refused by ParsePaths, so that no two sets join to the same bytes")
	}
}

func TestRowsView(t *testing.T) {
	one, other := RowsView([]byte("one")), RowsView([]byte("other"))
	if one == other || !IsRowsView(one) {
		t.Errorf("%s, %s", one, other)
	}
	for _, none := range []string{"", "rows:", "x" + one, one + "0", Paths{"a"}.View()} {
		if IsRowsView(none) {
			t.Errorf("%q is one", none)
		}
	}
	h, id := someHead(t)
	h.View = one
	b, err := SignHead(id, h)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := ParseHead(b); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDescription(t *testing.T) {
	d := Description{Name: "été", Kind: "files"}
	if got, err := ParseDescription(d.Encode()); err != nil || got != d {
		t.Errorf("%+v, %v", got, err)
	}
	later := canonical.MustMarshal(map[string]any{"name": "x", "kind": "records", "schema": map[string]any{"a": uint64(1)}})
	if got, err := ParseDescription(later); err != nil || got.Kind != "records" {
		t.Errorf("a later description: %+v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, {0xa0}, bytes.Repeat([]byte{0}, MaxDescription+1), canonical.MustMarshal(map[string]any{"name": "a/b"})} {
		if _, err := ParseDescription(bad); err == nil {
			t.Errorf("read %d bytes", len(bad))
		}
	}
}

func FuzzHead(f *testing.F) {
	h, id := someHead(f)
	b, err := SignHead(id, h)
	if err != nil {
		f.Fatal(err)
	}
	var s wireSigned
	if err := canonical.Unmarshal(b, &s); err != nil {
		f.Fatal(err)
	}
	f.Add(s.Head)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseHead(b)
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		signed, err := SignHead(id, h)
		if err != nil {
			t.Fatalf("a head that was read cannot be signed: %v", err)
		}
		var s wireSigned
		if err := canonical.Unmarshal(signed, &s); err != nil || !bytes.Equal(s.Head, b) {
			t.Fatalf("%x encodes again as %x", b, s.Head)
		}
	})
}

func FuzzDescription(f *testing.F) {
	f.Add(Description{Name: "x", Kind: "files"}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := ParseDescription(b); err == nil {
			if _, err := ParseName(d.Name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// objects are objects out of pairs of path and content.
func objects(pairs ...string) (list []Object) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, Object{pairs[i], []byte(pairs[i+1])})
	}
	return list
}

func mustPut(t testing.TB, v *Vault, to Target, put []Object, drop ...string) PutResult {
	t.Helper()
	r, err := v.Put(bg, PutRequest{to, put, drop})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// contents reads all objects of a head.
func contents(t testing.TB, v *Vault, h storage.Head) map[string]string {
	t.Helper()
	list, err := v.ObjectsAt(bg, h)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, o := range list {
		b, err := v.ObjectAt(bg, h, o.Path)
		if err != nil || uint64(len(b)) != o.Size {
			t.Fatalf("%q: %d bytes of %d, %v", o.Path, len(b), o.Size, err)
		}
		all[o.Path] = string(b)
	}
	return all
}

func wantObjects(t testing.TB, v *Vault, h storage.Head, pairs ...string) {
	t.Helper()
	want := map[string]string{}
	for _, o := range objects(pairs...) {
		want[o.Path] = string(o.Content)
	}
	if diff := cmp.Diff(want, contents(t, v, h)); diff != "" {
		t.Error(diff)
	}
}

func TestPut(t *testing.T) {
	v := newVault(t, testOptions())
	long := strings.Repeat("0123456789", crypto.BlockData/4)
	first := mustPut(t, v, Target{Name: "x"}, objects("schema.json", "{}", "log", "1", "rows/0", long, "empty", ""))
	if !first.New || first.Dataset.Kind != storage.KindRecords || uint32(first.Head.Sequence) != 1 {
		t.Fatalf("%+v", first)
	}
	to := Target{Dataset: first.Dataset.DID}
	second := mustPut(t, v, to, objects("log", "2", "rows/1", "more"), "empty", "never there")
	wantObjects(t, v, first.Head, "schema.json", "{}", "log", "1", "rows/0", long, "empty", "")
	before, after := blocksOf(t, v, first.Head), blocksOf(t, v, second.Head)
	if diff := cmp.Diff(before["rows/0"], after["rows/0"], equalRefs); diff != "" || second.NewBytes > 4000 {
		t.Errorf("what was not touched: %d new bytes, %s", second.NewBytes, diff)
	}
	entries := v.Entries()
	same := mustPut(t, v, to, objects("log", "2", "rows/0", long), "never there")
	if !same.Unchanged || same.Head != second.Head || same.NewBytes != 0 || v.Entries() != entries {
		t.Errorf("nothing new: %+v", same)
	}
	v, r := reopen(t, v)
	if r.Suspended != "" {
		t.Error(r.Suspended)
	}
	d, err := v.Lookup("x")
	if err != nil || d.Kind != storage.KindRecords || d.Source != "" || len(d.Versions) != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	wantObjects(t, v, d.Versions[1], "schema.json", "{}", "log", "2", "rows/0", long, "rows/1", "more")
	if b, err := v.Object(bg, d.DID, 0, "rows/1"); string(b) != "more" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := v.Object(bg, d.DID, 0, "rows"); !errors.Is(err, ErrNoPath) {
		t.Error(err)
	}
	identities(t, v, d)
}

// identities: equal content of one path is the same, other content is not.
func identities(t *testing.T, v *Vault, d Dataset) {
	t.Helper()
	of := func(h storage.Head) map[string][32]byte {
		list, err := v.Objects(bg, d.DID, h.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string][32]byte{}
		for _, o := range list {
			ids[o.Path] = o.ID
		}
		return ids
	}
	first, second := of(d.Versions[0]), of(d.Versions[1])
	if first["rows/0"] != second["rows/0"] || first["log"] == second["log"] || len(second) != 4 {
		t.Errorf("%x, %x", first, second)
	}
}

func TestPutDropsAndKeeps(t *testing.T) {
	v := newVault(t, testOptions())
	r := mustPut(t, v, Target{Name: "x", Keep: 2}, objects("log", strings.Repeat("a", 9000)))
	to := Target{Dataset: r.Dataset.DID}
	for i := range 3 {
		r = mustPut(t, v, to, objects("log", strings.Repeat(fmt.Sprint(i), 9000)))
	}
	if len(r.Dataset.Versions) != 2 || r.Dropped != 1 || r.Dataset.Keep != 2 {
		t.Errorf("%+v", r)
	}
	if s := mustSweep(t, v, 0); s.Waste != 0 {
		t.Errorf("old versions left blocks behind: %+v", s)
	}
	r = mustPut(t, v, to, nil, "log")
	if r.Unchanged || len(contents(t, v, r.Head)) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestPutRefuses(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	files := mustAdd(t, v, "files", src).Dataset.DID
	records := mustPut(t, v, Target{Name: "records"}, objects("a", "b")).Dataset.DID
	for _, c := range []struct {
		to   Target
		put  []Object
		want error
	}{
		{Target{Dataset: files}, nil, ErrOtherKind},
		{Target{Name: "new", Kind: storage.KindFiles}, nil, ErrOtherKind},
		{Target{Name: "files"}, nil, ErrNameTaken},
		{Target{Name: "records"}, nil, ErrNameTaken},
		{Target{Name: "a/b"}, nil, storage.ErrBadName},
		{Target{Dataset: v.ring.Owner().DID()}, nil, ErrNoDataset},
		{Target{Dataset: records}, objects("../a", ""), storage.ErrBadEntry},
		{Target{Dataset: records}, []Object{{"a", make([]byte, MaxObject+1)}}, ErrObjectSize},
	} {
		if _, err := v.Put(bg, PutRequest{Target: c.to, Put: c.put}); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.to, err, c.want)
		}
	}
	if _, err := v.Add(bg, "records", src, AddOptions{Replace: true}); !errors.Is(err, ErrOtherKind) {
		t.Errorf("added: %v", err)
	}
	w, err := v.Begin(bg, Target{Dataset: records})
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	_, err = w.Commit(bg)
	if !errors.Is(err, ErrWriterDone) || !errors.Is(w.Write("a", nil), ErrWriterDone) {
		t.Error(err)
	}
	if r := mustPut(t, v, Target{Dataset: records}, nil); !r.Unchanged {
		t.Errorf("a refusal left something behind: %+v", r)
	}
}

// TestWriterGivenUp: nothing is seen of it, its blocks serve the next, and are
// swept when there is none.
func TestWriterGivenUp(t *testing.T) {
	v := newVault(t, testOptions())
	long := strings.Repeat("long", crypto.BlockData/4)
	w, err := v.Begin(bg, Target{Name: "x"})
	if err == nil {
		err = w.Write("rows/0", []byte(long))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Sweep(bg, 0); !errors.Is(err, ErrUnderWay) {
		t.Errorf("swept: %v", err)
	}
	w.Abort()
	w.Abort()
	if _, err := v.Object(bg, w.Dataset(), 0, "rows/0"); !errors.Is(err, ErrNoDataset) {
		t.Errorf("something is seen of it: %v", err)
	}
	r := mustPut(t, v, Target{Name: "x"}, objects("rows/1", "short"))
	if w, err = v.Begin(bg, Target{Dataset: r.Dataset.DID}); err == nil {
		err = w.Write("rows/0", []byte(long))
	}
	w.Abort()
	v, _ = reopen(t, v)
	if r := mustSweep(t, v, Grace); r.Waste != 2 || r.Dead != 0 || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	r = mustPut(t, v, Target{Dataset: r.Dataset.DID}, objects("rows/0", long))
	if r.NewBytes > 5000 || len(v.Datasets()) != 1 {
		t.Errorf("taken up: %+v", r)
	}
	if r := mustSweep(t, v, 0); r.Dead != 1 {
		t.Errorf("%+v", r)
	}
	wantObjects(t, v, r.Head, "rows/0", long, "rows/1", "short")
}

// TestWritersTakeTurns: a second one waits until its context ends or the first
// has ended, and so does a removal.
func TestWritersTakeTurns(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	synctest.Test(t, func(t *testing.T) {
		v.adding = newTurn() // of this bubble
		w, err := v.Begin(bg, Target{Dataset: did})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		refused, removed := make(chan error, 2), make(chan error, 1)
		go func() {
			_, err := v.Begin(ctx, Target{Dataset: did})
			refused <- err
		}()
		go func() { refused <- v.Remove(ctx, did) }()
		go func() { removed <- v.Remove(bg, did) }()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-refused; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if err := w.Write("log", []byte("2")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(removed) > 0 {
			t.Error("it was removed meanwhile")
		}
		if r, err := w.Commit(bg); err != nil || uint32(r.Head.Sequence) != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		if err := <-removed; err != nil {
			t.Error(err)
		}
	})
	if _, err := v.find(did); !errors.Is(err, ErrNoDataset) {
		t.Error(err)
	}
}

// TestPutAcrossGenerations: what was sealed before the generation was raised is
// sealed again; what was there keeps its blocks.
func TestPutAcrossGenerations(t *testing.T) {
	v := newVault(t, testOptions())
	r := mustPut(t, v, Target{Name: "x"}, objects("stays", "the same", "kept", "unread"))
	w, err := v.Begin(bg, Target{Dataset: r.Dataset.DID})
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("new "), crypto.BlockData/3)
	if err := errors.Join(w.Write("new", long), w.Write("stays", []byte("the same"))); err != nil {
		t.Fatal(err)
	}
	old := w.next["new"].Blocks
	if _, err := v.BumpGeneration(bg, r.Dataset.DID); err != nil {
		t.Fatal(err)
	}
	second, err := w.Commit(bg)
	if err != nil || second.Head.Generation != 1 {
		t.Fatalf("%+v, %v", second, err)
	}
	before, after := blocksOf(t, v, r.Head), blocksOf(t, v, second.Head)
	if before["stays"][0] != after["stays"][0] || before["kept"][0] != after["kept"][0] {
		t.Error("what was there has other blocks")
	}
	for i, ref := range after["new"] {
		if ref.Key == old[i].Key || ref.Name == old[i].Name {
			t.Errorf("block %d is sealed in the generation before", i)
		}
	}
	wantObjects(t, v, second.Head, "stays", "the same", "kept", "unread", "new", string(long))
	if third := mustPut(t, v, Target{Dataset: r.Dataset.DID}, objects("stays", "the same")); !third.Unchanged {
		t.Errorf("%+v", third)
	}
}

// TestPutHeals: a block that was lost comes back with its content, and lasts;
// what cannot be told is refused.
func TestPutHeals(t *testing.T) {
	d := disktest.NewDisk()
	opt := testOptions()
	opt.FS = d
	k, _ := newRing(t)
	v, err := Create(home, k, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	r := mustPut(t, v, Target{Name: "x"}, objects("log", "1", "rows/0", "rows"))
	to := Target{Dataset: r.Dataset.DID}
	lose(t, v, blocksOf(t, v, r.Head)["rows/0"][0].Name)
	if _, err := v.Object(bg, r.Dataset.DID, 0, "rows/0"); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	if r := mustPut(t, v, to, objects("rows/0", "rows")); !r.Unchanged {
		t.Errorf("%+v", r)
	}
	afterCuts(t, d, func(v *Vault) { wantObjects(t, v, r.Head, "log", "1", "rows/0", "rows") })
	rotBlock(t, v, d, blocksOf(t, v, r.Head)["log"][0].Name)
	if _, err := v.Object(bg, r.Dataset.DID, 0, "log"); !errors.As(err, new(*DamagedError)) {
		t.Errorf("%v", err)
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) == 0 || bad[len(bad)-1].Kind != RecordsLost {
		t.Errorf("%+v, %v", bad, err)
	}
	lose(t, v, r.Head.Root.Name)
	if _, err := v.Put(bg, PutRequest{to, objects("log", "2"), nil}); !errors.Is(err, ErrMissing) {
		t.Errorf("over a list that is gone: %v", err)
	}
}

// TestRecordsReceived: a grantee reads them, and cannot write.
func TestRecordsReceived(t *testing.T) {
	v, w := newVault(t, testOptions()), newVault(t, testOptions())
	r := mustPut(t, v, Target{Name: "x"}, objects("log", "1", "rows/0", "rows"))
	if err := w.Receive(bg, give(t, v, w, headOf(t, v, r.Dataset.DID))); err != nil {
		t.Fatal(err)
	}
	w, _ = reopen(t, w)
	d := w.Datasets()[0]
	if d.Kind != storage.KindRecords {
		t.Errorf("it is one of %q", d.Kind)
	}
	wantObjects(t, w, d.Versions[0], "log", "1", "rows/0", "rows")
	if _, err := w.Put(bg, PutRequest{Target: Target{Dataset: d.DID}}); !errors.Is(err, ErrNotOurs) {
		t.Error(err)
	}
}

func headOf(t testing.TB, v *Vault, did crypto.DID) SignedHead {
	t.Helper()
	h, err := v.ViewHead(bg, did, View{Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestRecordsRestored: the kit and the packs bring all back but the cuts, which
// are made anew, with higher numbers.
func TestRecordsRestored(t *testing.T) {
	ring, words := newRing(t)
	v, err := Create(filepath.Join(t.TempDir(), "v"), ring, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	r := mustPut(t, v, Target{Name: "x"}, objects("log", "1", "rows/0", "rows"))
	view := storage.RowsView([]byte("a view"))
	cut := mustCut(t, v, r.Dataset.DID, view, objects("rows/0", "coarse"))
	if err := v.DropViews(bg, r.Dataset.DID, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	var kit bytes.Buffer
	if err := v.SaveKit(&kit, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "again")
	for name, content := range filesOf(t, v.path(packsDir)) {
		write(t, dir, filepath.Join(packsDir, filepath.Base(name)), string(content))
	}
	w, err := Restore(&kit, words, dir, []byte(passphrase), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	wantObjects(t, w, r.Head, "log", "1", "rows/0", "rows")
	if r := mustSweep(t, w, Grace); r.Waste == 0 { // the cut
		t.Errorf("%+v", r)
	}
	again := mustCut(t, w, r.Dataset.DID, view, objects("rows/0", "coarse"))
	if again.Sequence <= cut.Sequence || again.Root != cut.Root {
		t.Errorf("%+v after %+v", again.Head, cut.Head)
	}
	more := mustPut(t, w, Target{Dataset: r.Dataset.DID}, objects("log", "2"))
	wantObjects(t, w, more.Head, "log", "2", "rows/0", "rows")
	if r := mustSweep(t, w, 0); r.Waste != 0 {
		t.Errorf("%+v", r)
	}
}

// TestLookupByDID: whatever others are called, a DID means the data set that
// has it.
func TestLookupByDID(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "rows"}, objects("log", "1")).Dataset.DID
	mustPut(t, v, Target{Name: string(did)}, objects("log", "2")) // as somebody may call what they give
	for _, name := range []string{string(did), "rows"} {
		if d, err := v.Lookup(name); err != nil || d.DID != did {
			t.Errorf("%s is taken for %q, %v", name, d.Name, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/disk/disktest"
)

var (
	oneView   = storage.RowsView([]byte("one"))
	otherView = storage.RowsView([]byte("other"))
)

// viewRequest is what a view with objects of its own is to hold.
type viewRequest struct {
	Dataset crypto.DID
	View    string    // what [storage.RowsView] returns
	Put     []Object  // its objects
	Keep    []string  // and those that stay as they were in its last head
	Time    time.Time // that the head tells; default now
}

// putView makes a head of a view that holds these objects and no others. When
// they are those of the last head, in the same generation, it returns that one
// and writes nothing. What the head names is durable.
func putView(ctx context.Context, v *Vault, r viewRequest) (SignedHead, error) {
	w, err := v.BeginView(ctx, r.Dataset, r.View)
	if err != nil {
		return SignedHead{}, err
	}
	defer w.Abort()
	for _, path := range r.Keep {
		if err := w.Keep(path); err != nil {
			return SignedHead{}, err
		}
	}
	for _, o := range r.Put {
		if err := w.Write(o.Path, o.Content); err != nil {
			return SignedHead{}, err
		}
	}
	at := r.Time
	if at.IsZero() {
		at = v.opt.Now()
	}
	return w.Commit(ctx, at)
}

func mustCut(t testing.TB, v *Vault, did crypto.DID, view string, put []Object, keep ...string) SignedHead {
	t.Helper()
	h, err := putView(bg, v, viewRequest{Dataset: did, View: view, Put: put, Keep: keep, Time: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// allNames are the blocks and pages below a head.
func allNames(t testing.TB, v *Vault, h SignedHead) names {
	t.Helper()
	set, err := v.ViewBlocks(bg, h)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestPutView: a head for each content, and its number; the same content is the
// same head and writes nothing; what did not change keeps its blocks.
func TestPutView(t *testing.T) {
	v := newVault(t, testOptions())
	r := mustPut(t, v, Target{Name: "x"}, objects("log", "1"))
	did := r.Dataset.DID
	first := mustCut(t, v, did, oneView, objects("rows/2025", "many", "rows/2026", "few"))
	parsed, signer, err := storage.ParseHead(first.Bytes)
	if err != nil || signer != v.ring.Node().DID() || parsed != first.Head || first.View != oneView || uint32(first.Sequence) != 1 {
		t.Fatalf("%+v by %s, %v", parsed, signer, err)
	}
	for range 3 { // versions that the view does not show leave no trace in it
		mustPut(t, v, Target{Dataset: did}, objects("log", fmt.Sprint(v.Entries())))
	}
	stats, entries := v.store.Stats(), v.Entries()
	for _, again := range []SignedHead{
		mustCut(t, v, did, oneView, objects("rows/2026", "few", "rows/2025", "many")),
		mustCut(t, v, did, oneView, objects("rows/2026", "few"), "rows/2025"),
	} {
		if diff := cmp.Diff(first.Bytes, again.Bytes); diff != "" || v.store.Stats() != stats || v.Entries() != entries {
			t.Errorf("the same is another head: %s", diff)
		}
	}
	v, _ = reopen(t, v)
	second := mustCut(t, v, did, oneView, objects("rows/2026", "few more"), "rows/2025")
	wantObjects(t, v, second.Head, "rows/2025", "many", "rows/2026", "few more")
	wantObjects(t, v, first.Head, "rows/2025", "many", "rows/2026", "few") // which somebody may be fetching
	if uint32(second.Sequence) != 2 || blocksOf(t, v, first.Head)["rows/2025"][0] != blocksOf(t, v, second.Head)["rows/2025"][0] {
		t.Errorf("%+v", second.Head)
	}
	if last, ok := v.LastView(did, oneView); !ok || last.Head != second.Head {
		t.Errorf("%+v", last)
	}
	other := mustCut(t, v, did, otherView, nil)
	if uint32(other.Sequence) != 1 || other.Counts != (storage.Counts{}) {
		t.Errorf("an empty view: %+v", other.Head)
	}
}

// TestViewsShareNothing: the same content in a data set, in two views of it and
// in two generations has no block and no key in common.
func TestViewsShareNothing(t *testing.T) {
	v := newVault(t, testOptions())
	same := objects("rows/0", strings.Repeat("the same content", 100_000))
	did := mustPut(t, v, Target{Name: "x"}, same).Dataset.DID
	heads := []SignedHead{headOf(t, v, did), mustCut(t, v, did, oneView, same), mustCut(t, v, did, otherView, same)}
	blocks, keys := map[crypto.BlockName]int{}, map[crypto.BlockKey]int{}
	for i, h := range heads {
		for name := range allNames(t, v, h) {
			if before, twice := blocks[name]; twice {
				t.Errorf("heads %d and %d share a block", before, i)
			}
			blocks[name] = i
		}
		for _, refs := range blocksOf(t, v, h.Head) {
			for _, r := range refs {
				if before, twice := keys[r.Key]; twice && before != i {
					t.Errorf("heads %d and %d share a key", before, i)
				}
				keys[r.Key] = i
			}
		}
	}
	if _, err := v.BumpGeneration(bg, did); err != nil {
		t.Fatal(err)
	}
	raised := mustCut(t, v, did, oneView, append(same, objects("new", string(same[0].Content))...))
	refs := blocksOf(t, v, raised.Head)
	if _, known := keys[refs["new"][0].Key]; known || raised.Generation != 1 || uint32(raised.Sequence) != 2 {
		t.Errorf("what is new in this generation has an old key: %+v", raised.Head)
	}
	if i, known := keys[refs["rows/0"][0].Key]; !known || i != 1 {
		t.Error("what was there has other blocks")
	}
	if again := mustCut(t, v, did, oneView, nil, "rows/0", "new"); again.Head != raised.Head {
		t.Errorf("%+v", again.Head)
	}
}

func TestPutViewRefuses(t *testing.T) {
	v, w := newVault(t, testOptions()), newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	files := mustAdd(t, v, "files", src).Dataset.DID
	records := mustPut(t, v, Target{Name: "records"}, objects("a", "b")).Dataset.DID
	begun, err := v.Begin(bg, Target{Name: "begun"})
	if err != nil {
		t.Fatal(err)
	}
	begun.Abort()
	if err := w.Receive(bg, give(t, v, w, headOf(t, v, records))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v    *Vault
		r    viewRequest
		want error
	}{
		{v, viewRequest{Dataset: files, View: oneView}, ErrOtherKind},
		{v, viewRequest{Dataset: begun.Dataset(), View: oneView}, ErrNoDataset},
		{w, viewRequest{Dataset: records, View: oneView}, ErrNotOurs},
		{w, viewRequest{Dataset: files, View: oneView}, ErrNoDataset},
		{v, viewRequest{Dataset: records, View: ""}, ErrNoView},
		{v, viewRequest{Dataset: records, View: storage.Paths{"a"}.View()}, ErrNoView},
		{v, viewRequest{Dataset: records, View: oneView, Keep: []string{"a"}}, ErrNoPath},
		{v, viewRequest{Dataset: records, View: oneView, Put: objects("a/../b", "")}, storage.ErrBadEntry},
	} {
		if _, err := putView(bg, c.v, c.r); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.r, err, c.want)
		}
	}
	if r := mustSweep(t, v, 0); r.Waste != 0 { // and nobody is in the way
		t.Errorf("%+v", r)
	}
}

// TestViewsReceived: a grantee takes the newer head though the version is the
// same, and refuses the older.
func TestViewsReceived(t *testing.T) {
	v, w := newVault(t, testOptions()), newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	first := mustCut(t, v, did, oneView, objects("rows/0", "monday"))
	old := give(t, v, w, first)
	if err := w.Receive(bg, old); err != nil {
		t.Fatal(err)
	}
	if _, err := v.BumpGeneration(bg, did); err != nil {
		t.Fatal(err)
	}
	for i, content := range []string{"monday", "monday, tuesday"} { // a raised generation, a closed bucket
		h := mustCut(t, v, did, oneView, objects("rows/0", content))
		if err := w.Receive(bg, give(t, v, w, h)); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if err := w.Receive(bg, old); !errors.Is(err, ErrOldHead) {
			t.Errorf("%d: the older: %v", i, err)
		}
	}
	other := mustCut(t, v, did, otherView, objects("rows/0", "all week"))
	if err := w.Receive(bg, give(t, v, w, other)); err != nil {
		t.Fatal(err)
	}
	d := w.Datasets()[0]
	got := map[string]map[string]string{}
	for _, h := range d.Versions {
		got[h.View] = contents(t, w, h)
	}
	want := map[string]map[string]string{oneView: {"rows/0": "monday, tuesday"}, otherView: {"rows/0": "all week"}}
	if diff := cmp.Diff(want, got); diff != "" || d.Kind != storage.KindRecords {
		t.Errorf("%q %s", d.Kind, diff)
	}
}

// TestViewsLiveAndDie: what is in use outlasts sweeps, checkpoints and versions;
// what is superseded or dropped dies; no number comes twice.
func TestViewsLiveAndDie(t *testing.T) {
	opt := testOptions()
	opt.Keep = 1
	v := newVault(t, opt)
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	var heads []SignedHead
	for i := range 4 {
		heads = append(heads, mustCut(t, v, did, oneView, objects("rows/0", strings.Repeat(fmt.Sprint(i), 5000), "rows/1", "stays")))
		mustPut(t, v, Target{Dataset: did}, objects("log", strings.Repeat("l", i)))
	}
	kept := mustCut(t, v, did, otherView, objects("rows/0", "other"))
	settled := func() {
		t.Helper()
		if r := mustSweep(t, v, 0); r.Waste != 0 {
			t.Errorf("%+v", r)
		}
		if err := v.Checkpoint(bg, Digest{}); err != nil {
			t.Fatal(err)
		}
		v, _ = reopen(t, v)
	}
	settled()
	if _, err := v.ViewBlocks(bg, heads[0]); !errors.Is(err, ErrMissing) {
		t.Errorf("a head that is superseded: %v", err)
	}
	wantObjects(t, v, heads[2].Head, "rows/0", strings.Repeat("2", 5000), "rows/1", "stays")
	wantObjects(t, v, heads[3].Head, "rows/0", strings.Repeat("3", 5000), "rows/1", "stays")
	gone := allNames(t, v, heads[3])
	if err := v.DropViews(bg, did, func(view string) bool { return view == otherView }); err != nil {
		t.Fatal(err)
	}
	for name := range gone {
		if v.store.Has(name) {
			t.Error("a block of a dropped view is left")
		}
	}
	settled()
	wantObjects(t, v, kept.Head, "rows/0", "other")
	again := mustCut(t, v, did, oneView, objects("rows/0", "later"))
	if again.Sequence <= heads[3].Sequence {
		t.Errorf("number %d again", uint32(again.Sequence))
	}
	settled()
	if bad, err := v.Check(bg, nil); err != nil || len(bad) > 0 {
		t.Errorf("%+v, %v", bad, err)
	}
}

// TestViewNumbersAreItsOwn: how often a view changed that is no longer kept
// shows in no other, and its own numbers go on.
func TestViewNumbersAreItsOwn(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	views := []string{oneView, storage.RowsView([]byte("two"))}
	for i := range 5 {
		mustCut(t, v, did, views[0], objects("rows/0", fmt.Sprint(i)))
	}
	mustCut(t, v, did, views[1], objects("rows/0", "once"))
	if err := v.DropViews(bg, did, func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	settled := func() {
		t.Helper()
		if err := v.Checkpoint(bg, Digest{}); err != nil {
			t.Fatal(err)
		}
		v, _ = reopen(t, v)
	}
	settled()
	settled()
	for _, c := range []struct {
		view string
		want uint32
	}{{otherView, 1}, {views[1], 2}, {views[0], 6}} {
		if h := mustCut(t, v, did, c.view, objects("rows/0", "new")); uint32(h.Sequence) != c.want {
			t.Errorf("number %d, want %d", uint32(h.Sequence), c.want)
		}
	}
}

// TestViewGrantedMeanwhile: a view that was to be dropped and is wanted again
// while it is being cut stays.
func TestViewGrantedMeanwhile(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	mustCut(t, v, did, oneView, objects("rows/0", "old"))
	w, err := v.BeginView(bg, did, oneView)
	if err == nil {
		err = w.Write("rows/0", []byte("new"))
	}
	if err != nil {
		t.Fatal(err)
	}
	asked, dropped := make(chan bool), make(chan error)
	go func() {
		wanted := false
		dropped <- v.DropViews(bg, did, func(string) bool {
			if wanted {
				return true
			}
			wanted = true
			asked <- true
			return false
		})
	}()
	<-asked
	h, err := w.Commit(bg, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := <-dropped; err != nil {
		t.Fatal(err)
	}
	if last, ok := v.LastView(did, oneView); !ok || last.Head != h.Head {
		t.Error("the view is gone")
	}
}

// TestViewsUnderWay: nothing is swept meanwhile, data sets go on, and one that
// is removed meanwhile gets no head.
func TestViewsUnderWay(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	w, err := v.BeginView(bg, did, oneView)
	if err == nil {
		err = w.Write("rows/0", []byte("cut"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Sweep(bg, 0); !errors.Is(err, ErrUnderWay) {
		t.Errorf("swept: %v", err)
	}
	soon, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if _, err := v.BeginView(soon, did, oneView); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the same view a second time: %v", err)
	}
	other := mustCut(t, v, did, otherView, objects("rows/0", "other")) // which does not wait
	if err := v.DropViews(bg, did, func(string) bool { return false }); err != nil || v.store.Has(other.Root.Name) {
		t.Errorf("dropped meanwhile: %v", err)
	}
	mustPut(t, v, Target{Dataset: did}, objects("log", "2"))
	if _, err := v.BumpGeneration(bg, did); err != nil {
		t.Fatal(err)
	}
	h, err := w.Commit(bg, time.Unix(1e9, 0))
	if err != nil || h.Generation != 1 || h.Time != 1e9 {
		t.Fatalf("%+v, %v", h.Head, err)
	}
	wantObjects(t, v, h.Head, "rows/0", "cut")
	if w, err = v.BeginView(bg, did, oneView); err == nil {
		err = w.Keep("rows/0")
	}
	if err != nil || len(w.next) != 1 {
		t.Fatal(err)
	}
	if err := v.Remove(bg, did); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(bg, time.Unix(1e9, 0)); !errors.Is(err, ErrNoDataset) {
		t.Errorf("of a data set that is gone: %v", err)
	}
	if _, err := w.Commit(bg, time.Time{}); !errors.Is(err, ErrWriterDone) || !errors.Is(w.Keep("rows/0"), ErrWriterDone) {
		t.Error(err)
	}
	if r := mustSweep(t, v, 0); r.Waste != r.Dead || v.store.Stats().Blocks != 0 {
		t.Errorf("%+v, %+v", r, v.store.Stats())
	}
}

// TestViewsSideBySide: views that are cut, dropped and cut again at the same
// time, by several each, have heads that all can be read, of which no two of one
// view have one number.
func TestViewsSideBySide(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	const views, rounds = 4, 12
	var mu sync.Mutex
	numbers := map[string]map[uint64]storage.Ref{}
	var all sync.WaitGroup
	for i := range views {
		view := storage.RowsView([]byte{byte(i)})
		numbers[view] = map[uint64]storage.Ref{}
		for worker := range 2 {
			all.Go(func() {
				for round := range rounds {
					h, err := putView(bg, v, viewRequest{Dataset: did, View: view, Put: objects("rows/0", fmt.Sprint(worker, round), "rows/1", "stays"), Time: time.Unix(1e9, 0)})
					if err == nil && round%5 == 4 {
						err = v.DropViews(bg, did, func(name string) bool { return name != view })
					}
					mu.Lock()
					if root, twice := numbers[view][h.Sequence]; err != nil || twice && root != h.Root {
						t.Errorf("head %d: %v", uint32(h.Sequence), err)
					}
					numbers[view][h.Sequence] = h.Root
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	for view := range numbers {
		last := mustCut(t, v, did, view, objects("rows/0", "last", "rows/1", "stays"))
		wantObjects(t, v, last.Head, "rows/0", "last", "rows/1", "stays")
	}
	if len(v.cutting.held) > 0 {
		t.Errorf("%d turns are left", len(v.cutting.held))
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) > 0 {
		t.Errorf("%+v, %v", bad, err)
	}
	if r := mustSweep(t, v, 0); r.Waste != 0 {
		t.Errorf("%+v", r)
	}
}

// TestViewsHeal: a block that is lost has to be handed over again; a page that
// is lost makes another head, and keeps nothing from being swept.
func TestViewsHeal(t *testing.T) {
	d := disktest.NewDisk()
	opt := testOptions()
	opt.FS = d
	k, _ := newRing(t)
	v, err := Create(home, k, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	first := mustCut(t, v, did, oneView, objects("rows/0", "a", "rows/1", "b"))
	lose(t, v, blocksOf(t, v, first.Head)["rows/1"][0].Name)
	if _, err := putView(bg, v, viewRequest{Dataset: did, View: oneView, Keep: []string{"rows/0", "rows/1"}}); !errors.Is(err, ErrMissing) {
		t.Errorf("kept what is lost: %v", err)
	}
	if again := mustCut(t, v, did, oneView, objects("rows/1", "b"), "rows/0"); again.Head != first.Head {
		t.Errorf("%+v", again.Head)
	}
	afterCuts(t, d, func(v *Vault) { wantObjects(t, v, first.Head, "rows/0", "a", "rows/1", "b") })
	lose(t, v, first.Root.Name)
	if _, err := v.Sweep(bg, 0); !errors.Is(err, ErrUnclear) {
		t.Errorf("before it is cut again: %v", err)
	}
	second := mustCut(t, v, did, oneView, objects("rows/0", "a", "rows/1", "b"))
	if second.Sequence <= first.Sequence || second.Root != first.Root {
		t.Errorf("%+v after %+v", second.Head, first.Head)
	}
	afterCuts(t, d, func(v *Vault) { wantObjects(t, v, second.Head, "rows/0", "a", "rows/1", "b") })
	lose(t, v, second.Root.Name)
	third := mustCut(t, v, did, oneView, objects("rows/0", "other rows"))
	if r := mustSweep(t, v, 0); r.Waste != r.Dead { // what the lost page named
		t.Errorf("%+v", r)
	}
	wantObjects(t, v, third.Head, "rows/0", "other rows")
}

// TestViewsAfterAnotherLife: a head from before the vault was put back is not
// given out: a grantee may have a newer one.
func TestViewsAfterAnotherLife(t *testing.T) {
	v := newVault(t, testOptions())
	did := mustPut(t, v, Target{Name: "x"}, objects("log", "1")).Dataset.DID
	first := mustCut(t, v, did, oneView, objects("rows/0", "a"))
	if err := v.suspend(OldJournal); err != nil {
		t.Fatal(err)
	}
	second := mustCut(t, v, did, oneView, nil, "rows/0")
	if second.Incarnation() <= first.Incarnation() || second.Root != first.Root {
		t.Errorf("%+v after %+v", second.Head, first.Head)
	}
}

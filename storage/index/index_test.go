// SPDX-License-Identifier: Apache-2.0

package index

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/traboule/traboule/crypto"
)

func newKeys(t testing.TB) Keys {
	t.Helper()
	k, err := crypto.NewKeyring(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func mustOpen(t testing.TB, dir string, k Keys, wantWiped bool) *Index {
	t.Helper()
	x, wiped, err := Open(dir, k)
	if err != nil {
		t.Fatal(err)
	}
	if wiped != wantWiped {
		t.Errorf("wiped: %v, want %v", wiped, wantWiped)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func entry(i int) Entry {
	return Entry{Name: fmt.Appendf(nil, "name %d", i), Value: fmt.Appendf(nil, "value %d", i)}
}

func TestPutGetDeleteDrop(t *testing.T) {
	dir, k := filepath.Join(t.TempDir(), "index"), newKeys(t)
	x := mustOpen(t, dir, k, false)
	var all []Entry
	for i := range 20000 {
		all = append(all, entry(i))
	}
	if err := errors.Join(x.Put("a", all...), x.Put("b", all[:10]...)); err != nil {
		t.Fatal(err)
	}
	if err := x.Delete("a", all[5].Name); err != nil {
		t.Fatal(err)
	}
	if err := x.Drop("b"); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = mustOpen(t, dir, k, false)
	for i, e := range all {
		got, ok := x.Get("a", e.Name)
		if ok != (i != 5) || ok && !bytes.Equal(got, e.Value) {
			t.Fatalf("%s: %q, %v", e.Name, got, ok)
		}
	}
	if _, ok := x.Get("b", all[0].Name); ok {
		t.Error("a dropped table answers")
	}
	if err := x.Wipe(); err != nil {
		t.Fatal(err)
	}
	if _, ok := x.Get("a", all[0].Name); ok {
		t.Error("a wiped index answers")
	}
	for _, bad := range [][]byte{nil, {}, make([]byte, MaxValue)} {
		if err := x.Put("a", Entry{Name: []byte("n"), Value: bad}); !errors.Is(err, ErrValue) {
			t.Errorf("a value of %d bytes: %v", len(bad), err)
		}
	}
}

func TestNilAndClosed(t *testing.T) {
	var none *Index
	if err := errors.Join(none.Put("a", entry(1)), none.Delete("a", nil), none.Drop("a"), none.Wipe(), none.Close()); err != nil {
		t.Error(err)
	}
	if _, ok := none.Get("a", nil); ok {
		t.Error("nothing answers")
	}
	x := mustOpen(t, filepath.Join(t.TempDir(), "index"), newKeys(t), false)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := x.Get("a", []byte("name 1")); ok || x.Put("a", entry(1)) == nil {
		t.Error("a closed index works")
	}
}

// Another vault's keys find nothing.
func TestNamesAndValuesAreHidden(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	x := mustOpen(t, dir, newKeys(t), false)
	canary := Entry{Name: []byte("canary-name"), Value: []byte("canary-value")}
	if err := x.Put("canary-table", canary); err != nil {
		t.Fatal(err)
	}
	x.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("canary")) {
			t.Errorf("%s shows a name or a value", filepath.Base(f))
		}
	}
	x = mustOpen(t, dir, newKeys(t), false)
	if _, ok := x.Get("canary-table", canary.Name); ok {
		t.Error("another key opens it")
	}
}

// Whatever happens to its files, the index opens and gives no wrong answer.
func TestDamage(t *testing.T) {
	source, k := filepath.Join(t.TempDir(), "index"), newKeys(t)
	x := mustOpen(t, source, k, false)
	for i := range 500 {
		if err := x.Put("a", entry(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := os.ReadDir(source)
	wipes := 0
	for round := range 40 {
		dir := filepath.Join(t.TempDir(), "index")
		if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, files[round%len(files)].Name())
		if err := spoil(name, round); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(name)
		x, wiped, err := Open(dir, k)
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(name), err)
		}
		if wiped {
			wipes++
		} else if original, _ := os.ReadFile(filepath.Join(source, filepath.Base(name))); !bytes.Equal(before, original) && filepath.Base(name) != "LOCK" {
			t.Errorf("%s: damaged and not wiped", filepath.Base(name))
		}
		for i := range 500 {
			e := entry(i)
			if got, ok := x.Get("a", e.Name); ok && !bytes.Equal(got, e.Value) {
				t.Fatalf("%s: a wrong answer %q", filepath.Base(name), got)
			}
		}
		if err := x.Put("a", entry(1000)); err != nil {
			t.Logf("%s: %v", filepath.Base(name), err)
		}
		x.Close()
	}
	t.Logf("%d of 40 were wiped", wipes)
}

func spoil(name string, round int) error {
	b, err := os.ReadFile(name)
	if err != nil || len(b) == 0 {
		return err
	}
	end := min(len(b), 64<<10) // the rest is reserved and empty
	switch at := mrand.IntN(end); round % 3 {
	case 0:
		b[at] ^= 1 << (round % 8)
	case 1:
		b = b[:at]
	case 2:
		copy(b[at:], make([]byte, 100))
	}
	return os.WriteFile(name, b, 0o600)
}

// A process that died in badger's hands leaves a sign.
func TestCrashWhileOpening(t *testing.T) {
	dir, k := filepath.Join(t.TempDir(), "index"), newKeys(t)
	x := mustOpen(t, dir, k, false)
	if err := x.Put("a", entry(1)); err != nil {
		t.Fatal(err)
	}
	x.Close()
	if err := os.WriteFile(opening(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x = mustOpen(t, dir, k, true)
	if _, ok := x.Get("a", entry(1).Name); ok {
		t.Error("not wiped")
	}
	x.Close()
	mustOpen(t, dir, k, false)
}

// TestRest: an index that nobody needs is closed, and opens again with all
// that is in it for whoever needs it next.
func TestRest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	x := mustOpen(t, dir, newKeys(t), false)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rests := func() bool { _, err := os.Stat(sumFile(dir)); return err == nil && x.db == nil }
	must(x.Put("a", entry(1)))
	must(x.Rest())
	if rests() {
		t.Error("it rests though it was needed just now")
	}
	must(x.Rest())
	if !rests() {
		t.Error("it does not rest")
	}
	must(x.Rest())
	if value, ok := x.Get("a", entry(1).Name); !ok || string(value) != "value 1" {
		t.Errorf("after a rest: %q, %v", value, ok)
	}
	must(x.Rest())
	must(x.Rest())
	must(x.Close())
	if _, ok := x.Get("a", entry(1).Name); ok || x.db != nil {
		t.Error("a closed index woke up")
	}
}

func TestRestWhileNeeded(t *testing.T) {
	x := mustOpen(t, filepath.Join(t.TempDir(), "index"), newKeys(t), false)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				x.used.Store(false) // as if nobody needed it
				if err := x.Rest(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	var put []int
	for i := range 20 {
		switch err := x.Put("a", entry(i)); {
		case err == nil:
			put = append(put, i)
		case !errors.Is(err, errClosed): // between waking and asking
			t.Fatal(err)
		}
	}
	close(stop)
	all.Wait()
	for _, i := range put {
		if value, ok := x.Get("a", entry(i).Name); !ok || string(value) != string(entry(i).Value) {
			t.Errorf("entry %d of those put: %q, %v", i, value, ok)
		}
	}
	if len(put) == 0 {
		t.Error("nothing could be put")
	}
}

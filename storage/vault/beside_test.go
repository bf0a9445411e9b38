// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// together begins versions of two new data sets and of one that is there.
func together(t testing.TB, v *Vault, old crypto.DID) *Writer {
	t.Helper()
	w, err := v.Begin(bg, Target{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.Beside(Target{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Beside(Target{Dataset: old})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*Writer{w, b, c} {
		if err := one.Write("rows/0", []byte("new")); err != nil {
			t.Fatal(err)
		}
	}
	c.Drop("gone")
	return w
}

// made is how many of the three versions there are.
func made(t testing.TB, v *Vault) (n int) {
	t.Helper()
	for _, d := range v.Datasets() {
		if len(d.Versions) == 0 {
			t.Fatalf("%s is there, without a version", d.Name)
		}
		switch n++; {
		case d.Name == "old" && len(d.Versions) == 1:
			n--
		case d.Name == "old":
			wantObjects(t, v, d.Versions[1], "log", "1", "rows/0", "new")
		default:
			wantObjects(t, v, d.Versions[0], "rows/0", "new")
		}
	}
	return n
}

// TestPowerCutsOfVersionsTogether: whenever the power is cut or the process killed, all
// versions are there or none, and no data set that has no version.
func TestPowerCutsOfVersionsTogether(t *testing.T) {
	opt := testOptions()
	below := disktest.NewDisk()
	opt.FS = below
	k, _ := newRing(t)
	v, err := Create(home, k, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	old := mustPut(t, v, Target{Name: "old"}, objects("log", "1", "gone", "2")).Dataset.DID
	rec := below.Record()
	rec.Mark(false)
	together(t, v, old).Abort()
	r, err := together(t, v, old).CommitAll(bg)
	if err != nil || len(r) != 3 || !r[0].New || !r[1].New || r[2].New || made(t, v) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	rec.Mark(true)
	some := 0
	check := func(after *disktest.Disk, promises []any) {
		opt := opt
		opt.FS = after
		v, _ := mustOpen(t, home, opt)
		defer v.Close()
		switch n := made(t, v); {
		case n != 0 && n != 3:
			t.Errorf("%d of 3 versions", n)
		case n == 0 && promises[len(promises)-1] == true:
			t.Error("what was acknowledged is not there")
		case n == 3:
			some++
		}
	}
	seed := disktest.Seed(t)
	disktest.Images(t, rec, disktest.Runs(t, 60, 1000), seed, func(_ int, after *disktest.Disk, promises []any) { check(after, promises) })
	disktest.Kills(t, rec, disktest.Runs(t, 30, 300), seed, func(_ *rand.Rand, after *disktest.Disk, promises []any) { check(after, promises) })
	v.Close()
	check(below, []any{true}) // whatever chance has chosen
	if some == 0 {
		t.Error("none was ever made")
	}
}

// TestNewDatasetGivenUp: it leaves neither a name nor a key, whether it was
// given up by its owner or because another took its name.
func TestNewDatasetGivenUp(t *testing.T) {
	v := newVault(t, testOptions())
	old := mustPut(t, v, Target{Name: "old"}, objects("log", "1", "gone", "2")).Dataset.DID
	before := v.ring.Scopes()
	w := together(t, v, old)
	if _, err := w.Beside(Target{Name: "b"}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("twice the same name: %v", err)
	}
	if _, err := w.Beside(Target{Dataset: old}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("twice the same data set: %v", err)
	}
	w.Abort()
	if _, err := w.Beside(Target{Name: "c"}); !errors.Is(err, ErrWriterDone) {
		t.Errorf("beside one that was given up: %v", err)
	}
	if after := v.ring.Scopes(); !slices.Equal(before, after) || made(t, v) != 0 {
		t.Errorf("keys %v, before %v", after, before)
	}
	w = together(t, v, old)
	if err := v.Rename(bg, old, "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CommitAll(bg); !errors.Is(err, ErrNameTaken) {
		t.Errorf("a name that was taken meanwhile: %v", err)
	}
	v, _ = reopen(t, v)
	if all := v.Datasets(); len(all) != 1 || len(all[0].Versions) != 1 {
		t.Errorf("%+v", all)
	}
	src := t.TempDir()
	write(t, src, "f", "content")
	mustAdd(t, v, "a", src)
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// life adds, bumps, records, cuts a view and removes, and keeps count of what
// was acknowledged until something failed.
type life struct {
	src        string
	version    uint64
	want       map[string]node
	generation uint64
	removed    bool
	facts      int
	err        error
}

func (l *life) lead(t *testing.T, v *Vault) {
	for i := range 2 {
		write(t, l.src, "changing", fmt.Sprint("version ", i))
		want := tree(t, l.src)
		r, err := v.Add(bg, "x", l.src, AddOptions{})
		if l.err = err; err != nil {
			return
		}
		l.version, l.want = r.Head.Sequence, want
		g, err := v.BumpGeneration(bg, r.Dataset.DID)
		if l.err = err; err != nil {
			return
		}
		l.generation = g
		if _, l.err = v.Record(bg, Fact{Kind: 100, Public: []byte("revoked")}); l.err != nil {
			return
		}
		l.facts++
		if _, l.err = v.ViewHead(bg, r.Dataset.DID, View{Paths: []string{"changing"}}); l.err != nil {
			return
		}
	}
	r, err := v.Add(bg, "gone", l.src, AddOptions{})
	if l.err = err; err != nil {
		return
	}
	if l.err = v.Remove(bg, r.Dataset.DID); l.err == nil {
		l.removed = true
	}
}

// Whatever write, fsync or rename fails: an error that says so, and nothing
// that was acknowledged is lost.
func TestEveryFailureOfTheDisk(t *testing.T) {
	base := newVault(t, testOptions())
	if err := base.Close(); err != nil {
		t.Fatal(err)
	}
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		n, runs := 0, 0
		disktest.EachFailure(cause, func() disk.FS { return disk.OS }, func(_ int, fsys *disktest.Faulty) {
			if n++; n > 10 && n%12 != 0 { // the later ones repeat the earlier: a sample
				fsysHit(fsys)
				return
			}
			runs++
			dir := filepath.Join(t.TempDir(), "vault")
			if err := os.CopyFS(dir, os.DirFS(base.dir)); err != nil {
				t.Fatal(err)
			}
			oneFailure(t, dir, fsys, cause)
		})
		t.Logf("%v: %d of %d changes", cause, runs, n)
	}
}

// fsysHit uses up a failure, so that the next one is tried.
func fsysHit(f *disktest.Faulty) {
	for i := 0; i < 1000 && f.Hit() == ""; i++ {
		f.SyncDir(os.TempDir())
	}
}

func oneFailure(t *testing.T, dir string, fsys *disktest.Faulty, cause error) {
	secret := crypto.Passphrase([]byte(passphrase))
	opt := testOptions()
	opt.FS = fsys
	l := &life{src: t.TempDir()}
	v, _, err := Open(dir, secret, opt)
	if err == nil {
		l.lead(t, v)
		err = l.err
		v.Close()
	}
	hit := fsys.Hit()
	if err != nil && !errors.Is(err, cause) && hit != "" {
		t.Logf("%s: %v", hit, err) // a later step met a store that gave up
	}
	if err != nil && hit == "" {
		t.Errorf("nothing failed, and yet: %v", err)
	}
	v, r, err := Open(dir, secret, testOptions())
	if err != nil {
		t.Errorf("%s: cannot be opened again: %v", hit, err)
		return
	}
	defer v.Close()
	l.check(t, v, r, hit)
}

func (l *life) check(t *testing.T, v *Vault, r *Report, hit string) {
	if r.Suspended != "" {
		t.Errorf("%s: suspended: %s", hit, r.Suspended)
	}
	facts := 0
	if err := v.Facts(func(Recorded) error { facts++; return nil }); err != nil || facts < l.facts {
		t.Errorf("%s: %d facts of %d, %v", hit, facts, l.facts, err)
	}
	if _, err := v.Lookup("gone"); l.removed && !errors.Is(err, ErrNoDataset) {
		t.Errorf("%s: what was removed is back", hit)
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) != 0 {
		t.Errorf("%s: %+v, %v", hit, bad, err)
	}
	if l.version == 0 {
		return
	}
	d, err := v.Lookup("x")
	if err != nil || d.Generation < l.generation {
		t.Errorf("%s: generation %d of %d, %v", hit, d.Generation, l.generation, err)
		return
	}
	if diff := cmp.Diff(l.want, export(t, v, d.DID, ExportOptions{Version: l.version})); diff != "" {
		t.Errorf("%s: %s", hit, diff)
	}
}

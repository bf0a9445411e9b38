// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/disk"
)

// Revoking does not wait for a long Add, and the version that comes out of it
// has the new generation's keys.
func TestGenerationRaisedDuringAdd(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	write(t, src, "b", strings.Repeat("b", 3*crypto.BlockData))
	bumped := false
	r, err := v.Add(bg, "x", src, AddOptions{Progress: func(p Progress) {
		if !bumped && p.Bytes > crypto.BlockData {
			bumped = true
			if _, err := v.BumpGeneration(bg, did); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil || r.Head.Generation != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	s, err := v.ring.Sealer(did, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	piece := []byte(strings.Repeat("b", crypto.BlockData))
	if blocksOf(t, v, r.Head)["b"][0].Key != s.Key(piece) {
		t.Error("what was added after the revocation has a key of before")
	}
	if d := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); d != "" {
		t.Error(d)
	}
}

func TestManyAtOnce(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "dir/a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	var g errgroup.Group
	g.Go(func() error {
		for i := range 15 {
			write(t, src, "dir/b", fmt.Sprint(i))
			if _, err := v.Add(bg, "x", src, AddOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		for range 15 {
			if _, err := v.BumpGeneration(bg, did); err != nil {
				return err
			}
			if _, err := v.Record(bg, Fact{Kind: 100, Scope: crypto.ContactScope(did), Body: []byte("fact")}); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		g.Go(func() error {
			for range 15 {
				h, err := v.ViewHead(bg, did, View{Paths: []string{"dir/"}})
				if err != nil {
					return err
				}
				n := 0
				err = storage.Walk(bg, h.Head, v.store.Get, func(storage.Entry) error { n++; return nil })
				if err != nil && !errors.Is(err, ErrMissing) || n < 2 {
					return fmt.Errorf("%d entries: %w", n, err)
				}
				v.Datasets()
				if err := v.Facts(func(Recorded) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	v, r := reopen(t, v)
	if d, err := v.find(did); err != nil || d.generation != 15 || len(d.versions) != 10 || r.Suspended != "" {
		t.Errorf("%v, %+v", err, r)
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) != 0 {
		t.Errorf("%+v, %v", bad, err)
	}
}

// fullDisk says that nothing is left.
type fullDisk struct {
	disk.FS
	full bool
}

func (f *fullDisk) FreeBytes(dir string) (uint64, error) {
	if f.full {
		return 1 << 20, nil
	}
	return f.FS.FreeBytes(dir)
}

func TestFullDisk(t *testing.T) {
	fsys := &fullDisk{FS: disk.OS}
	v := newVault(t, Options{FS: fsys})
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	fsys.full = true
	write(t, src, "b", strings.Repeat("b", 40*crypto.BlockData))
	if _, err := v.Add(bg, "x", src, AddOptions{}); !disk.IsFull(err) {
		t.Errorf("added to a full disk: %v", err)
	}
	if _, err := v.BumpGeneration(bg, did); err != nil {
		t.Errorf("revoking: %v", err)
	}
	if _, err := v.Record(bg, Fact{Kind: 100}); err != nil {
		t.Errorf("recording: %v", err)
	}
	v, _ = reopen(t, v)
	if got := export(t, v, did, ExportOptions{}); len(got) != 1 || got["a"].Content != "content" {
		t.Errorf("reading: %v", got)
	}
	if err := v.Remove(bg, did); err != nil {
		t.Errorf("removing: %v", err)
	}
	fsys.full = false
	mustAdd(t, v, "x", src)
}

func TestCheckSecret(t *testing.T) {
	v := newVault(t, testOptions())
	if err := v.CheckSecret(crypto.Passphrase([]byte(passphrase))); err != nil {
		t.Error(err)
	}
	if err := v.CheckSecret(crypto.Passphrase([]byte("another"))); !errors.Is(err, ErrSecret) {
		t.Errorf("another passphrase: %v", err)
	}
	if err := v.ChangePassphrase([]byte("another")); err != nil {
		t.Fatal(err)
	}
	if err := v.CheckSecret(crypto.Passphrase([]byte("another"))); err != nil {
		t.Error(err)
	}
	if err := v.CheckSecret(crypto.Passphrase([]byte(passphrase))); !errors.Is(err, ErrSecret) {
		t.Errorf("the old passphrase: %v", err)
	}
	if v.Entries() == 0 {
		t.Error("no entries")
	}
}

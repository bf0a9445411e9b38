// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// TestWholeBackupPutBack: a vault that was put back from a backup, its marks
// with it, is noticed on the machine that has seen it newer. Elsewhere, where
// nobody knows of it, it opens as it is.
func TestWholeBackupPutBack(t *testing.T) {
	opt := testOptions()
	opt.Witness = filepath.Join(t.TempDir(), "state", "traboule")
	ring, _ := newRing(t)
	dir := filepath.Join(t.TempDir(), "vault")
	v, err := Create(dir, ring, opt)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, v)
	backup := filepath.Join(t.TempDir(), "backup")
	copyTree(t, backup, dir)

	v = opened(t, dir, opt)
	if _, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("a revocation")}); err != nil {
		t.Fatal(err)
	}
	if err := v.SaveMark(); err != nil {
		t.Fatal(err)
	}
	closed(t, v)
	if v = opened(t, dir, opt); v.Suspended() != "" {
		t.Errorf("the newest vault is suspended: %s", v.Suspended())
	}
	closed(t, v)

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	copyTree(t, dir, backup)
	before := uint32(0)
	v = opened(t, dir, opt)
	if v.Suspended() != OldJournal || v.Incarnation() <= before {
		t.Errorf("put back: suspended %q, incarnation %d", v.Suspended(), v.Incarnation())
	}
	closed(t, v)
	if v = opened(t, backup, testOptions()); v.Suspended() != "" {
		t.Errorf("on a machine that never saw it: %s", v.Suspended())
	}
	closed(t, v)
}

func closed(t *testing.T, v *Vault) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, dir string, opt Options) *Vault {
	t.Helper()
	v, _, err := Open(dir, crypto.Passphrase([]byte(passphrase)), opt)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func copyTree(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// TestPutBackTwice: two copies that were put back from one backup, at two
// times, never sign two versions with one number.
func TestPutBackTwice(t *testing.T) {
	opt := testOptions()
	opt.Witness = filepath.Join(t.TempDir(), "state")
	now := time.Now()
	opt.Now = func() time.Time { return now }
	ring, _ := newRing(t)
	dir, backup, src := filepath.Join(t.TempDir(), "vault"), filepath.Join(t.TempDir(), "backup"), t.TempDir()
	v, err := Create(dir, ring, opt)
	if err != nil {
		t.Fatal(err)
	}
	write(t, src, "a", "first")
	mustAdd(t, v, "x", src)
	closed(t, v)
	copyTree(t, backup, dir)
	v = opened(t, dir, opt)
	write(t, src, "a", "second")
	mustAdd(t, v, "x", src)
	closed(t, v)
	var made []storage.Head
	for _, content := range []string{"one way", "another"} {
		now = now.Add(time.Minute)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		copyTree(t, dir, backup)
		v = opened(t, dir, opt)
		if v.Suspended() != OldJournal {
			t.Fatalf("suspended %q", v.Suspended())
		}
		write(t, src, "a", content)
		made = append(made, mustAdd(t, v, "x", src).Head)
		closed(t, v)
	}
	if made[0].Sequence >= made[1].Sequence {
		t.Errorf("the version of the first life is %x, that of the second %x", made[0].Sequence, made[1].Sequence)
	}
}

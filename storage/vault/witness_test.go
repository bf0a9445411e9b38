// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/crypto"
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

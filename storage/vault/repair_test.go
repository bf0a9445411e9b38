// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
)

// The index is disposable, with and without a repair.
func TestIndexIsDisposable(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	secret := crypto.Passphrase([]byte(passphrase))
	if _, err := Repair(bg, v.dir, secret, testOptions()); !errors.Is(err, ErrVaultBusy) {
		t.Errorf("repaired while it is open: %v", err)
	}
	for _, repair := range []bool{false, true} {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(v.path(indexDir)); err != nil {
			t.Fatal(err)
		}
		if repair {
			if bad, err := Repair(bg, v.dir, secret, testOptions()); err != nil || len(bad.Damages)+len(bad.Healed) != 0 {
				t.Errorf("%+v, %v", bad, err)
			}
		}
		var r *Report
		if v, r = mustOpen(t, v.dir, testOptions()); r.Suspended != "" || len(r.Healed) != 0 {
			t.Errorf("%+v", r)
		}
		if r := mustAdd(t, v, "x", src); !r.Unchanged || r.NewBytes != 0 {
			t.Errorf("%+v", r)
		}
		if d := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); d != "" {
			t.Error(d)
		}
	}
}

// A journal damaged in its middle is refused; the repair says what is lost,
// keeps what it cut off, suspends, and starts a new incarnation.
func TestRepairCutsTheJournal(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	for i := range 20 {
		if _, err := v.Record(bg, Fact{Kind: 100, Public: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(v.path(logDir + "/*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-800] ^= 16
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := crypto.Passphrase([]byte(passphrase))
	if _, _, err := Open(v.dir, secret, testOptions()); err == nil {
		t.Fatal("a damaged journal was opened")
	}
	bad, err := Repair(bg, v.dir, secret, testOptions())
	if err != nil || len(bad.Damages) == 0 {
		t.Fatalf("%+v, %v", bad, err)
	}
	cut := bad.Damages[0]
	if cut.Kind != JournalCut || !cut.Lost || cut.Args["file"] != "journal/00000001.log" {
		t.Errorf("%+v", cut)
	}
	if n, err := strconv.Atoi(cut.Args["bytes"]); err != nil || n < 800 {
		t.Errorf("cut off %q bytes", cut.Args["bytes"])
	}
	if _, err := os.Stat(v.path(cut.Args["aside"])); err != nil {
		t.Error(err)
	}
	v, r := mustOpen(t, v.dir, testOptions())
	if r.Suspended != CutJournal || v.Incarnation() < 2 {
		t.Errorf("%+v, incarnation %d", r, v.Incarnation())
	}
	kept, _ := filepath.Glob(v.path("journal.damaged-*/*.log"))
	if len(kept) != len(segments) {
		t.Errorf("kept %q", kept)
	}
	facts := 0
	if err := v.Facts(func(Recorded) error { facts++; return nil }); err != nil || facts == 0 || facts >= 20 {
		t.Errorf("%d facts, %v", facts, err)
	}
	if d := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); d != "" {
		t.Error(d)
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) != 0 {
		t.Errorf("%+v, %v", bad, err)
	}
}

// An old keyring beside a newer journal: said once, confirmed once, and
// nothing is destroyed should the newer keyring come back.
func TestOldKeyring(t *testing.T) {
	v := newVault(t, testOptions())
	src, old, newer := t.TempDir(), map[string][]byte{}, map[string][]byte{}
	read := func(into map[string][]byte) {
		for _, name := range []string{keyringA, keyringB} {
			b, err := os.ReadFile(v.path(name))
			if err != nil {
				t.Fatal(err)
			}
			into[name] = b
		}
	}
	put := func(from map[string][]byte) {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		for name, b := range from {
			if err := os.WriteFile(v.path(name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	read(old)
	write(t, src, "a", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	read(newer)
	put(old)
	v, r := mustOpen(t, v.dir, testOptions())
	if r.Suspended != MissingKeys || len(v.Datasets()) != 0 {
		t.Fatalf("%+v", r)
	}
	if err := v.Confirm(bg); err != nil {
		t.Fatal(err)
	}
	if v, r = reopen(t, v); r.Suspended != "" || v.Incarnation() < 2 {
		t.Errorf("%+v, incarnation %d", r, v.Incarnation())
	}
	put(newer)
	v, _ = mustOpen(t, v.dir, testOptions())
	if d := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); d != "" {
		t.Error(d)
	}
}

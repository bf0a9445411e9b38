// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

func newContact(t testing.TB) crypto.Scope {
	t.Helper()
	someone, _ := newRing(t)
	return crypto.ContactScope(someone.Owner().DID())
}

func hasFact(t *testing.T, v *Vault, body string) bool {
	t.Helper()
	found := false
	err := v.Facts(func(r Recorded) error { found = found || string(r.Body) == body; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The keyring could not be written once: the next fact of the same contact is
// acknowledged only when its key is on the disk.
func TestFactAfterAFailedKeyring(t *testing.T) {
	base := newVault(t, testOptions())
	if err := base.Close(); err != nil {
		t.Fatal(err)
	}
	for n, hit := 1, "x"; hit != ""; n++ {
		v, _ := mustOpen(t, base.dir, testOptions())
		scope, faulty := newContact(t), disktest.Fail(disk.OS, n, syscall.EIO)
		v.opt.FS = faulty
		v.Record(bg, Fact{Kind: 100, Scope: scope, Body: []byte("first")})
		hit = filepath.Base(faulty.Hit())
		if faulty.Hit() == "" {
			hit = ""
		}
		body := "second " + string(scope)
		_, err := v.Record(bg, Fact{Kind: 100, Scope: scope, Body: []byte(body)})
		v.release() // as in a power cut
		w, r := mustOpen(t, base.dir, testOptions())
		if err != nil || !hasFact(t, w, body) || r.Suspended != "" {
			t.Errorf("failure %d, %s: %v, suspended %q", n, hit, err, r.Suspended)
		}
		w.Close()
	}
}

// slowKeyring stops whoever first writes the keyring, until it is let go.
type slowKeyring struct {
	disk.FS
	reached, goOn chan struct{}
}

func (s *slowKeyring) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	if strings.Contains(filepath.Base(name), keyringA) && flag&os.O_CREATE != 0 {
		select {
		case s.reached <- struct{}{}:
			<-s.goOn
		default:
		}
	}
	return s.FS.OpenFile(name, flag, perm)
}

// Two facts of a new contact at once, and a power cut as soon as the second is
// acknowledged.
func TestFactBesideASlowKeyring(t *testing.T) {
	v := newVault(t, testOptions())
	slow := &slowKeyring{FS: disk.OS, reached: make(chan struct{}), goOn: make(chan struct{})}
	v.opt.FS = slow
	scope, first, cut := newContact(t), make(chan error), filepath.Join(t.TempDir(), "cut")
	go func() {
		_, err := v.Record(bg, Fact{Kind: 100, Scope: scope, Body: []byte("first")})
		first <- err
	}()
	<-slow.reached
	if v.keys.TryLock() {
		t.Error("nothing makes a second fact wait for the keyring")
		v.keys.Unlock()
	}
	second := make(chan error)
	go func() {
		_, err := v.Record(bg, Fact{Kind: 100, Scope: scope, Body: []byte("second")})
		second <- errors.Join(err, os.CopyFS(cut, os.DirFS(v.dir)))
	}()
	close(slow.goOn)
	if err := errors.Join(<-second, <-first); err != nil {
		t.Fatal(err)
	}
	if w, r := mustOpen(t, cut, testOptions()); !hasFact(t, w, "second") || r.Suspended != "" {
		t.Errorf("acknowledged, and gone; suspended %q", r.Suspended)
	}
}

// Whoever is told that the passphrase was not changed goes on with the old
// one, whatever is written later.
func TestPassphraseThatCouldNotBeStored(t *testing.T) {
	base := newVault(t, testOptions())
	if err := base.Close(); err != nil {
		t.Fatal(err)
	}
	for n, done := 1, false; !done; n++ {
		dir := filepath.Join(t.TempDir(), "vault")
		if err := os.CopyFS(dir, os.DirFS(base.dir)); err != nil {
			t.Fatal(err)
		}
		v, _ := mustOpen(t, dir, testOptions())
		v.ring.UseArgon(crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1})
		v.opt.FS = disktest.Fail(disk.OS, n, syscall.EIO)
		err := v.ChangePassphrase([]byte("another passphrase"))
		done, v.opt.FS = err == nil, disk.OS
		if err := v.CheckSecret(crypto.Passphrase([]byte(passphrase))); (err == nil) == done {
			t.Errorf("failure %d: changed %v, and the old one: %v", n, done, err)
		}
		if _, err := v.Record(bg, Fact{Kind: 100, Scope: newContact(t), Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		w, _, err := Open(dir, crypto.Passphrase([]byte(passphrase)), testOptions())
		if (err == nil) == done {
			t.Errorf("failure %d: changed %v, and the old one opens: %v", n, done, err)
		}
		if err == nil {
			w.Close()
		}
	}
}

// An older copy of the keyring takes no passphrase that was replaced, and never
// replaces the newer one.
func TestOlderKeyringIsNoWayIn(t *testing.T) {
	v := newVault(t, testOptions())
	v.ring.UseArgon(crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1})
	src := t.TempDir()
	write(t, src, "x", "x")
	older, err := os.ReadFile(v.path(keyringB))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.ChangePassphrase([]byte("another passphrase")); err != nil {
		t.Fatal(err)
	}
	did := mustAdd(t, v, "x", src).Dataset.DID // its keys are newer than the copy
	if err := os.WriteFile(v.path(keyringB), older, 0o600); err != nil {
		t.Fatal(err)
	}
	old := crypto.Passphrase([]byte(passphrase))
	if err := v.CheckSecret(old); !errors.Is(err, ErrSecret) {
		t.Errorf("the replaced passphrase changes the passphrase: %v", err)
	}
	list, r := v.readKeyrings(), &Report{}
	if err := v.heal(&list[1], &list[0], r); err != nil || len(r.Healed) != 0 || list[0].locked.Version() <= list[1].locked.Version() {
		t.Errorf("healed a newer copy by an older: %v, %+v", err, r.Healed)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(v.dir, old, testOptions()); !errors.Is(err, ErrSecret) {
		t.Errorf("the replaced passphrase opens: %v", err)
	}
	w, r, err := Open(v.dir, crypto.Passphrase([]byte("another passphrase")), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if len(r.Healed) != 1 || r.Healed[0].Kind != KeyringCopied || r.Healed[0].Args["file"] != keyringB {
		t.Errorf("%+v", r.Healed)
	}
	export(t, w, did, ExportOptions{})
}

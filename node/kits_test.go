// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/traboule/traboule/storage/disk"
)

// stick is a folder on a disk of its own, which may be full, or fail.
type stick struct {
	disk.FS
	dir          string
	full, broken atomic.Bool
}

func (s *stick) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := s.FS.OpenFile(name, flag, perm)
	if err != nil || !strings.HasPrefix(name, s.dir) {
		return f, err
	}
	return &stickFile{f, s}, nil
}

type stickFile struct {
	disk.File
	on *stick
}

// Write takes half of what does not fit.
func (f *stickFile) Write(p []byte) (int, error) {
	switch {
	case f.on.broken.Load():
		return 0, syscall.EIO
	case !f.on.full.Load():
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:len(p)/2])
	if err == nil {
		err = syscall.ENOSPC
	}
	return n, err
}

// eventually asks until something is so.
func (p *person) eventually(what string, so func() bool) {
	p.t.Helper()
	tick, end := time.NewTicker(50*time.Millisecond), time.NewTimer(patience)
	defer tick.Stop()
	defer end.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-end.C:
			p.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// renewed says whether the kits hold all that has happened.
func (p *person) renewed() bool {
	for _, place := range do(p, Status, None{}).Kits {
		if place.Behind > 0 || place.Trouble != "" {
			return false
		}
	}
	return true
}

// restoredNames are the data sets of a node made from a kit.
func (p *person) restoredNames(kit string) string {
	p.t.Helper()
	raw, err := os.ReadFile(kit)
	if err != nil {
		p.t.Fatal(err)
	}
	home := filepath.Join(p.t.TempDir(), "restored")
	opt := RestoreOptions{CreateOptions: CreateOptions{Home: home, Passphrase: []byte(passphrase), Weak: true}, Kit: raw, Words: p.words}
	if _, err := Restore(p.t.Context(), opt); err != nil {
		p.t.Fatal(err)
	}
	n, err := OpenHome(p.t.Context(), Options{Home: home, Secret: p.secret()})
	if err != nil {
		p.t.Fatal(err)
	}
	defer n.Close()
	var names []string
	for _, d := range n.vault.Datasets() {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

// TestKitsAreRenewed: whatever changes is in the kit a little later, without
// anybody asking, and what comes last at the stop.
func TestKitsAreRenewed(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	kit := filepath.Join(t.TempDir(), "kit")
	do(alice, Kit, KitRequest{To: kit})
	changes := []struct {
		name string
		do   func()
	}{
		{"a data set", func() { alice.add("notes", tree{"a": "a"}) }},
		{"a version", func() { alice.add("notes", tree{"a": "b"}) }},
		{"a grant", func() { alice.give("notes", bob) }},
		{"a revocation", func() { do(alice, Revoke, NameRequest{Name: do(alice, Grants, None{}).Given[0].ID}) }},
		{"a contact less", func() { do(alice, ContactRemove, NameRequest{Name: "bob"}) }},
	}
	for _, change := range changes {
		before, err := os.ReadFile(kit)
		if err != nil {
			t.Fatal(err)
		}
		change.do()
		alice.eventually("the kit after "+change.name, alice.renewed)
		if after, err := os.ReadFile(kit); err != nil || bytes.Equal(before, after) {
			t.Fatalf("after %s the kit is the one from before (%v)", change.name, err)
		}
	}
	entries := alice.vault.Entries()
	for range 3 {
		alice.kits.touch()
		alice.renewKits(t.Context())
	}
	if now := alice.vault.Entries(); now != entries {
		t.Errorf("nothing changed, and %d entries were written", now-entries)
	}
	alice.add("last", tree{"a": "z"})
	alice.close()
	if got := alice.restoredNames(kit); got != "last notes" {
		t.Errorf("the kit holds %q", got)
	}
}

// TestKitOnAFullDisk: a kit that does not fit leaves the one from before as it
// was, with nothing beside it; status says so, and room mends it.
func TestKitOnAFullDisk(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	on := &stick{FS: disk.OS, dir: t.TempDir()}
	alice.close()
	n, err := OpenHome(t.Context(), Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now, Files: on})
	if err != nil {
		t.Fatal(err)
	}
	alice.Node = n
	alice.start()
	kit := filepath.Join(on.dir, "kit")
	do(alice, Kit, KitRequest{To: kit})
	before, err := os.ReadFile(kit)
	if err != nil {
		t.Fatal(err)
	}
	on.full.Store(true)
	alice.add("notes", tree{"a": "a"})
	told := func() bool {
		for _, w := range do(alice, Status, None{}).Warnings {
			if w.Key == "kit-trouble.disk-full" {
				return true
			}
		}
		return false
	}
	alice.eventually("the full stick is told", told)
	fails(alice, Kit, KitRequest{}, "disk.full")
	list, err := os.ReadDir(on.dir)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(kit); err != nil || !bytes.Equal(before, after) || len(list) != 1 {
		t.Errorf("the kit from before was touched (%v), or something lies beside it: %v", err, list)
	}
	on.full.Store(false)
	alice.clock.advance(2 * kitRetry)
	alice.kits.touch()
	alice.eventually("the kit, with room", alice.renewed)
	if got := alice.restoredNames(kit); got != "notes" {
		t.Errorf("the kit holds %q", got)
	}
}

// TestPlantedAtAKit: what others put where a kit lies, or beside it, is not
// followed, and nobody waits for it.
func TestPlantedAtAKit(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	kit := filepath.Join(t.TempDir(), "kit")
	do(alice, Kit, KitRequest{To: kit})
	victim := filepath.Join(alice.home, "keyring.a")
	before, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, kit+".new"); err != nil {
		t.Fatal(err)
	}
	do(alice, Kit, KitRequest{})
	if after, err := os.ReadFile(victim); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the keyring was written over (%v)", err)
	}
	if got := alice.restoredNames(kit); got != "" {
		t.Errorf("the kit holds %q", got)
	}
	for what, plant := range map[string]func() error{
		"a pipe": func() error { return syscall.Mkfifo(kit, 0o666) },
		"a link": func() error { return os.Symlink(victim, kit) },
	} {
		if err := os.Remove(kit); err != nil {
			t.Fatal(err)
		}
		if err := plant(); err != nil {
			t.Fatal(err)
		}
		fails(alice, Kit, KitRequest{}, "kit.not-ours")
		if info, err := os.Lstat(kit); err != nil || info.Mode().IsRegular() {
			t.Errorf("%s was replaced (%v)", what, err)
		}
	}
}

// putBack is a node made from a kit, that its owner has confirmed.
func (p *person) putBack(kit []byte) *person {
	p.t.Helper()
	home := filepath.Join(p.t.TempDir(), "again")
	opt := RestoreOptions{CreateOptions: CreateOptions{Home: home, Passphrase: []byte(passphrase), Weak: true}, Kit: kit, Words: p.words}
	if _, err := Restore(p.t.Context(), opt); err != nil {
		p.t.Fatal(err)
	}
	q := *p
	q.home, q.Node = home, nil
	q.open()
	return &q
}

// TestNewerKitStays: a node that was put back from an older kit leaves the
// newer one alone, however far it gets, and says so. The one that it came from
// it renews, but only once the owner has confirmed what it is.
func TestNewerKitStays(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	drawer, stick := filepath.Join(t.TempDir(), "drawer"), filepath.Join(t.TempDir(), "stick")
	do(alice, Kit, KitRequest{To: stick})
	do(alice, Kit, KitRequest{To: drawer})
	do(alice, Kit, KitRequest{}) // now it knows of the drawer too
	old, err := os.ReadFile(drawer)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(drawer); err != nil {
		t.Fatal(err)
	}
	alice.add("later1", tree{"a": "a"})
	alice.add("later2", tree{"a": "b"})
	alice.close() // renews the one on the stick
	if err := os.WriteFile(drawer, old, 0o600); err != nil {
		t.Fatal(err)
	}
	alice = alice.putBack(old)
	alice.add("new", tree{"x": "x"})
	alice.renewKits(t.Context())
	if now, err := os.ReadFile(drawer); err != nil || !bytes.Equal(now, old) {
		t.Errorf("a suspended vault renewed a kit (%v)", err)
	}
	do(alice, GrantsConfirm, None{})
	for _, name := range []string{"new2", "new3", "new4"} {
		alice.add(name, tree{"x": name})
	}
	alice.renewKits(t.Context())
	fails(alice, Kit, KitRequest{To: stick}, "kit.newer")
	told := false
	for _, w := range do(alice, Status, None{}).Warnings {
		told = told || w.Key == "kit-trouble.newer" && w.Args["path"] == stick
	}
	if !told {
		t.Error("status does not tell of the newer kit")
	}
	alice.close()
	if got := alice.restoredNames(stick); got != "later1 later2" {
		t.Errorf("the newer kit holds %q", got)
	}
	if got := alice.restoredNames(drawer); got != "new new2 new3 new4" {
		t.Errorf("the kit that it came from holds %q", got)
	}
}

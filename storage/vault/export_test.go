// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
)

func TestExportKeepsWhatIsThere(t *testing.T) {
	v := newVault(t, testOptions())
	src, to := t.TempDir(), t.TempDir()
	write(t, src, "a", "from the vault")
	write(t, src, "b/c", "from the vault")
	write(t, src, "bc", "a name that only begins alike")
	did := mustAdd(t, v, "x", src).Dataset.DID
	write(t, to, "a", "mine")
	if err := v.Export(bg, did, to, ExportOptions{}); !errors.Is(err, ErrFileExists) {
		t.Errorf("over a file: %v", err)
	}
	if got := tree(t, to); got["a"].Content != "mine" || len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := v.Export(bg, did, to, ExportOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(tree(t, src), tree(t, to)); d != "" {
		t.Error(d)
	}
	for path, want := range map[string]int{"b": 2, "b/": 2, "b/c": 2, "a": 1} {
		if got := export(t, v, did, ExportOptions{Path: path}); len(got) != want {
			t.Errorf("path %q: %v", path, got)
		}
	}
	if err := v.Export(bg, did, t.TempDir(), ExportOptions{Path: "nothing"}); !errors.Is(err, ErrNoPath) {
		t.Errorf("a path that is not there: %v", err)
	}
}

func TestExportStaysInside(t *testing.T) {
	v := newVault(t, testOptions())
	src, outside := t.TempDir(), t.TempDir()
	write(t, src, "dir/a", "from the vault")
	write(t, src, "file", "from the vault")
	did := mustAdd(t, v, "x", src).Dataset.DID
	write(t, outside, "precious", "mine")
	for _, overwrite := range []bool{false, true} {
		to := t.TempDir()
		os.Symlink(outside, filepath.Join(to, "dir"))
		if err := v.Export(bg, did, to, ExportOptions{Overwrite: overwrite}); err == nil {
			t.Error("exported through a link to a folder outside")
		}
		to = t.TempDir()
		os.Symlink(filepath.Join(outside, "precious"), filepath.Join(to, "file"))
		err := v.Export(bg, did, to, ExportOptions{Overwrite: overwrite, Path: "file"})
		if !overwrite && !errors.Is(err, ErrFileExists) {
			t.Errorf("over a link: %v", err)
		}
		got := tree(t, outside)
		if len(got) != 1 || got["precious"].Content != "mine" {
			t.Errorf("the outside: %v", got)
		}
	}
}

func TestExportOfDamagedBlocksLeavesNoFile(t *testing.T) {
	v := newVault(t, testOptions())
	src, to := t.TempDir(), t.TempDir()
	write(t, src, "a", strings.Repeat("x", 3*crypto.BlockData))
	r := mustAdd(t, v, "x", src)
	last := blocksOf(t, v, r.Head)["a"][2]
	write(t, src, "b", "")
	if err := v.store.Delete(last.Name); err != nil {
		t.Fatal(err)
	}
	if err := v.Export(bg, r.Dataset.DID, to, ExportOptions{}); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	if got := tree(t, to); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	bad, err := v.Check(bg, nil)
	if err != nil || len(bad) != 1 {
		t.Fatalf("%+v, %v", bad, err)
	}
	want := Damage{FilesLost, Args{"name": "x", "version": "1", "files": "1", "paths": "a", "source": src}, true, false}
	if d := cmp.Diff(want, bad[0]); d != "" {
		t.Error(d)
	}
	if r := mustAdd(t, v, "x", src); r.Unchanged {
		t.Errorf("%+v", r)
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) != 0 {
		t.Errorf("after adding again: %+v, %v", bad, err)
	}
}

func TestOddThingsAreSkippedAndNamed(t *testing.T) {
	opt := testOptions()
	k, _ := newRing(t)
	src := t.TempDir()
	v, err := Create(filepath.Join(src, "the vault"), k, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	write(t, src, "a", "content")
	os.Symlink("/etc/passwd", filepath.Join(src, "link"))
	if err := syscall.Mkfifo(filepath.Join(src, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []Skip{{"link", SkipLink}, {"pipe", SkipPipe}, {"the vault", SkipVault}}
	if os.Getuid() != 0 {
		write(t, src, "unreadable", "x")
		os.Chmod(filepath.Join(src, "unreadable"), 0)
		want = append([]Skip{{"unreadable", SkipPermission}}, want...)
	} else {
		t.Log("running as root, who may read everything: the unreadable file is left out")
	}
	r := mustAdd(t, v, "x", src)
	if d := cmp.Diff(want, r.Skipped); d != "" || r.Added != 1 {
		t.Error(d, r.Added)
	}
}

func TestAFileThatKeepsChangingIsRefused(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	path := write(t, src, "log", strings.Repeat("x", crypto.BlockData+5))
	n, changes := 0, 1<<30
	touch := func(Progress) { // between two blocks of it
		if n++; n <= changes {
			when := time.Unix(int64(n), 0)
			os.Chtimes(path, when, when)
		}
	}
	if _, err := v.Add(bg, "x", src, AddOptions{Progress: touch}); !errors.Is(err, ErrChanging) || !strings.Contains(err.Error(), "log") {
		t.Errorf("%v", err)
	}
	if d, err := v.Lookup("x"); err != nil || len(d.Versions) != 0 {
		t.Errorf("%+v, %v", d, err)
	}
	n, changes = 0, 2
	r, err := v.Add(bg, "x", src, AddOptions{Progress: touch})
	if err != nil || r.Added != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if d := cmp.Diff(tree(t, src), export(t, v, r.Dataset.DID, ExportOptions{})); d != "" {
		t.Error("another content than the file's")
	}
}

func TestInterruptedAddIsTakenUp(t *testing.T) {
	opt := testOptions()
	opt.Workers = 1
	v := newVault(t, opt)
	src := t.TempDir()
	for i := range 20 {
		write(t, src, string(rune('a'+i)), strings.Repeat(string(rune('a'+i)), crypto.BlockData))
	}
	ctx, cancel := context.WithCancel(bg)
	_, err := v.Add(ctx, "x", src, AddOptions{Progress: func(p Progress) {
		if p.Bytes > 10*crypto.BlockData {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	v, _ = reopen(t, v)
	if d, err := v.Lookup("x"); err != nil || len(d.Versions) != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	r := mustAdd(t, v, "x", src)
	if r.NewBytes == 0 || r.NewBytes > 15*crypto.BlockData {
		t.Errorf("%d new bytes: what was stored before was not used", r.NewBytes)
	}
	if d := cmp.Diff(tree(t, src), export(t, v, r.Dataset.DID, ExportOptions{})); d != "" {
		t.Error("another content than the source's")
	}
}

// TestExportSyncs: each exported file is durable, and whole, before it has its
// name: a power cut leaves no empty file in place of another.
func TestExportSyncs(t *testing.T) {
	src, to, synced := t.TempDir(), t.TempDir(), 0
	opt := testOptions()
	opt.syncFile = func(f *os.File) error {
		synced++
		b, err := os.ReadFile(f.Name())
		if err != nil || string(b) != "content" {
			t.Errorf("synced with %q, %v", b, err)
		}
		for name := range tree(t, to) {
			if name == fmt.Sprint(synced) {
				t.Errorf("%s has its name before it is durable", name)
			}
		}
		return f.Sync()
	}
	v := newVault(t, opt)
	write(t, src, "1", "content")
	write(t, src, "2", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	if err := v.Export(bg, did, to, ExportOptions{}); err != nil || synced != 2 {
		t.Errorf("%d files of 2 were synced, %v", synced, err)
	}
}

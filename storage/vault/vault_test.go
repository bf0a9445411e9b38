// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

const passphrase = "correct horse battery staple"

var bg = context.Background()

// newRing makes keys whose passphrase is cheap to check.
func newRing(t testing.TB) (*crypto.Keyring, string) {
	t.Helper()
	k, err := crypto.NewKeyring(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	words, err := k.NewWords(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.UseArgon(crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1}); err != nil {
		t.Fatal(err)
	}
	if err := k.SetPassphrase([]byte(passphrase), rand.Reader); err != nil {
		t.Fatal(err)
	}
	return k, words
}

func testOptions() Options { return Options{Reserve: -1} }

// newVault makes a vault that is closed at the end of the test.
func newVault(t testing.TB, opt Options) *Vault {
	t.Helper()
	k, _ := newRing(t)
	v, err := Create(filepath.Join(t.TempDir(), "vault"), k, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// reopen closes a vault and opens it again.
func reopen(t testing.TB, v *Vault) (*Vault, *Report) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	again, r := mustOpen(t, v.dir, v.opt)
	return again, r
}

func mustOpen(t testing.TB, dir string, opt Options) (*Vault, *Report) {
	t.Helper()
	v, r, err := Open(dir, crypto.Passphrase([]byte(passphrase)), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v, r
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustAdd(t testing.TB, v *Vault, name, path string) AddResult {
	t.Helper()
	r, err := v.Add(bg, name, path, AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// node is what a folder has at a path.
type node struct {
	Mode    fs.FileMode
	ModTime time.Time
	Content string
}

// tree reads a folder, without its own attributes.
func tree(t testing.TB, dir string) map[string]node {
	t.Helper()
	all, err := readTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readTree(dir string) (map[string]node, error) {
	all := map[string]node{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := node{Mode: info.Mode(), ModTime: info.ModTime().UTC()}
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			n.Content = string(b)
		}
		rel, err := filepath.Rel(dir, path)
		all[rel] = n
		return err
	})
	return all, err
}

func export(t testing.TB, v *Vault, did crypto.DID, opt ExportOptions) map[string]node {
	t.Helper()
	to := t.TempDir()
	if err := v.Export(bg, did, to, opt); err != nil {
		t.Fatal(err)
	}
	return tree(t, to)
}

func TestRoundTrip(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "notes.txt", "hello")
	write(t, src, "empty file", "")
	write(t, src, "deep/er/été/файл/文件.txt", "unicode")
	write(t, src, "bad\xff\xfe\nname", "bytes")
	write(t, src, "e\u0301.txt", "decomposed")
	big := make([]byte, 2*crypto.BlockData+17)
	rand.Read(big)
	write(t, src, "big", string(big))
	write(t, src, "exact", string(big[:crypto.BlockData]))
	os.Mkdir(filepath.Join(src, "empty folder"), 0o750)
	os.Chmod(filepath.Join(src, "notes.txt"), 0o600)
	os.Chtimes(filepath.Join(src, "notes.txt"), time.Time{}, time.Unix(1234567890, 123456789))
	os.Chtimes(filepath.Join(src, "deep"), time.Time{}, time.Unix(-5, 7))
	os.Symlink("notes.txt", filepath.Join(src, "link"))

	r := mustAdd(t, v, "papers", src)
	if d := cmp.Diff([]Skip{{"link", SkipLink}}, r.Skipped); d != "" {
		t.Error(d)
	}
	if !r.New || r.Added != 12 || r.Head.Counts.Files != 7 || r.Head.Counts.Folders != 5 {
		t.Errorf("%+v", r)
	}
	v, _ = reopen(t, v)
	want := tree(t, src)
	delete(want, "link")
	if d := cmp.Diff(want, export(t, v, r.Dataset.DID, ExportOptions{})); d != "" {
		t.Error(d)
	}
}

// TestSharedData adds what banks, meters and invoices really export. Made up
// trees go through the same elsewhere (TestRoundTrip).
func TestSharedData(t *testing.T) {
	src, err := filepath.Abs("../../../shared/data")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(src); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the example exports of others are not ours to copy and not in ../shared/data, beside this check-out")
	}
	v := newVault(t, testOptions())
	r := mustAdd(t, v, "data", src)
	if d := cmp.Diff(tree(t, src), export(t, v, r.Dataset.DID, ExportOptions{})); d != "" {
		t.Error(d)
	}
	if again := mustAdd(t, v, "data", src); !again.Unchanged || again.NewBytes != 0 {
		t.Errorf("adding the same again: %+v", again)
	}
}

func TestOneFile(t *testing.T) {
	v := newVault(t, testOptions())
	path := write(t, t.TempDir(), "alone.pdf", "%PDF")
	r := mustAdd(t, v, "alone", path)
	got := export(t, v, r.Dataset.DID, ExportOptions{})
	if len(got) != 1 || got["alone.pdf"].Content != "%PDF" {
		t.Errorf("%v", got)
	}
}

func TestVersions(t *testing.T) {
	opt := testOptions()
	opt.Keep = 3
	v := newVault(t, opt)
	src := t.TempDir()
	write(t, src, "same", "always the same")
	var did crypto.DID
	for i := range 6 {
		write(t, src, "changing", fmt.Sprintf("version %d", i))
		r := mustAdd(t, v, "log", src)
		did = r.Dataset.DID
		if i > 0 && (r.Added != 0 || r.Changed == 0 || r.Unchanged) {
			t.Errorf("version %d: %+v", i, r)
		}
		if r := mustAdd(t, v, "log", src); !r.Unchanged {
			t.Errorf("version %d twice: %+v", i, r)
		}
	}
	before := v.store.Stats().Blocks
	v, _ = reopen(t, v)
	heads, err := v.Versions(did)
	if err != nil || len(heads) != 3 {
		t.Fatalf("%d versions, %v", len(heads), err)
	}
	for i, h := range heads {
		got := export(t, v, did, ExportOptions{Version: h.Sequence})
		if want := fmt.Sprintf("version %d", i+3); got["changing"].Content != want || got["same"].Content == "" {
			t.Errorf("version %d has %q", h.Sequence, got["changing"].Content)
		}
	}
	// same, three times changing, three pages, one description
	if before != 8 || v.store.Stats().Blocks != 8 {
		t.Errorf("%d blocks are alive, then %d; want 8", before, v.store.Stats().Blocks)
	}
	if err := v.Export(bg, did, t.TempDir(), ExportOptions{Version: 1 << 40}); !errors.Is(err, ErrNoVersion) {
		t.Errorf("a version that never was: %v", err)
	}
}

func TestRemovedFilesAndChangedKinds(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "1")
	write(t, src, "b/c", "2")
	write(t, src, "d", "3")
	mustAdd(t, v, "x", src)
	os.Remove(filepath.Join(src, "a"))
	os.RemoveAll(filepath.Join(src, "b"))
	write(t, src, "b", "now a file")
	os.Remove(filepath.Join(src, "d"))
	write(t, src, "d/e", "now a folder")
	r := mustAdd(t, v, "x", src)
	if r.Added != 3 || r.Removed != 4 {
		t.Errorf("added %d, removed %d", r.Added, r.Removed)
	}
	if d := cmp.Diff(tree(t, src), export(t, v, r.Dataset.DID, ExportOptions{})); d != "" {
		t.Error(d)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	before := tree(t, v.dir)
	r, err := v.Add(bg, "x", src, AddOptions{DryRun: true})
	if err != nil || r.Added != 1 || !r.New {
		t.Errorf("%+v, %v", r, err)
	}
	most := r.NewBytes
	if r.Head.Sequence != storage.SequenceOf(1, 1) || r.Head.Counts.Files != 1 || r.Head.Counts.Bytes != 7 {
		t.Errorf("the version it would be: %+v", r.Head)
	}
	if d := cmp.Diff(before, tree(t, v.dir)); d != "" {
		t.Error("a dry run of a new data set wrote")
	}
	if r := mustAdd(t, v, "x", src); r.NewBytes != v.store.Stats().Bytes || r.NewBytes > most || most > 2000 {
		t.Errorf("%d bytes more, said to be %d, foreseen %d at most", v.store.Stats().Bytes, r.NewBytes, most)
	}
	write(t, src, "b", "more")
	v.index.Close()
	v.index = nil // badger may write at its leisure
	before = tree(t, v.dir)
	r, err = v.Add(bg, "x", src, AddOptions{DryRun: true})
	if err != nil || r.Added != 1 || r.Changed != 0 || r.New || r.Unchanged {
		t.Errorf("%+v, %v", r, err)
	}
	most = r.NewBytes
	if r.Head.Sequence != storage.SequenceOf(1, 2) || r.Head.Counts.Files != 2 || r.Head.Counts.Bytes != 11 {
		t.Errorf("the version it would be: %+v", r.Head)
	}
	if d := cmp.Diff(before, tree(t, v.dir)); d != "" {
		t.Error("a dry run wrote")
	}
	stored := v.store.Stats().Bytes
	if r := mustAdd(t, v, "x", src); r.NewBytes != v.store.Stats().Bytes-stored || r.NewBytes > most {
		t.Errorf("%d bytes more, said to be %d, foreseen %d at most", v.store.Stats().Bytes-stored, r.NewBytes, most)
	}
}

func TestNamesAndSources(t *testing.T) {
	v := newVault(t, testOptions())
	a, b := t.TempDir(), t.TempDir()
	write(t, a, "f", "a")
	write(t, b, "f", "b")
	for _, bad := range []string{"", "a/b", "a\nb", strings.Repeat("x", 65), "\xff", "a\u202eb", " x"} {
		if _, err := v.Add(bg, bad, a, AddOptions{}); !errors.Is(err, storage.ErrBadName) {
			t.Errorf("name %q: %v", bad, err)
		}
	}
	r := mustAdd(t, v, "e\u0301te", a)
	if r.Dataset.Name != "\u00e9te" {
		t.Errorf("the name is %q", r.Dataset.Name)
	}
	if _, err := v.Add(bg, "\u00e9te", b, AddOptions{}); !errors.Is(err, ErrOtherSource) {
		t.Errorf("another source: %v", err)
	}
	again, err := v.Add(bg, "\u00e9te", b, AddOptions{Replace: true})
	if err != nil || again.Dataset.DID != r.Dataset.DID || again.Changed != 1 {
		t.Errorf("replaced: %+v, %v", again, err)
	}
	did := string(r.Dataset.DID)
	for _, name := range []string{"e\u0301te", did, did[12:20], did[:20], did[len(did)-8:], r.Dataset.DID.Short()} {
		if d, err := v.Lookup(name); err != nil || d.DID != r.Dataset.DID {
			t.Errorf("look up %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "did", "did:key:z6Mk", "zz", "nothing"} {
		if _, err := v.Lookup(name); !errors.Is(err, ErrNoDataset) {
			t.Errorf("look up %q: %v", name, err)
		}
	}
	mustAdd(t, v, "other", a)
	if err := v.Rename(bg, r.Dataset.DID, "other"); !errors.Is(err, ErrNameTaken) {
		t.Errorf("rename: %v", err)
	}
	if _, err := v.Add(bg, "missing", filepath.Join(a, "nothing"), AddOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a source that is not there: %v", err)
	}
	if len(v.Datasets()) != 2 {
		t.Errorf("%d data sets", len(v.Datasets()))
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	secret := crypto.Passphrase([]byte(passphrase))
	if _, _, err := Open(dir, secret, testOptions()); !errors.Is(err, ErrNoVault) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, _, err := Open(filepath.Join(dir, "nothing"), secret, testOptions()); !errors.Is(err, ErrNoVault) {
		t.Errorf("no folder: %v", err)
	}
	v := newVault(t, testOptions())
	_, _, err := Open(v.dir, secret, testOptions())
	if !errors.Is(err, ErrVaultBusy) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("an open vault: %v", err)
	}
	k, _ := newRing(t)
	v.Close()
	if _, err := Create(v.dir, k, testOptions()); !errors.Is(err, ErrExists) {
		t.Errorf("a vault over a vault: %v", err)
	}
	if _, _, err := Open(v.dir, crypto.Passphrase([]byte("wrong")), testOptions()); !errors.Is(err, ErrSecret) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	mustOpen(t, v.dir, testOptions())
}

func TestKeyringCopies(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "content")
	mustAdd(t, v, "x", src)
	v.Close()
	good, err := os.ReadFile(v.path(keyringA))
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func(string) error{
		"missing": os.Remove,
		"flipped": func(p string) error {
			b := bytes.Clone(good)
			b[len(b)/2] ^= 4
			return os.WriteFile(p, b, 0o600)
		},
		"cut":   func(p string) error { return os.Truncate(p, int64(len(good)/2)) },
		"empty": func(p string) error { return os.Truncate(p, 0) },
	}
	other := map[string]string{keyringA: keyringB, keyringB: keyringA}
	for how, hurt := range damage {
		for _, name := range []string{keyringA, keyringB} {
			if err := hurt(v.path(name)); err != nil {
				t.Fatal(err)
			}
			again, r, err := Open(v.dir, crypto.Passphrase([]byte(passphrase)), testOptions())
			if err != nil {
				t.Fatalf("%s %s: %v", how, name, err)
			}
			want := []Healing{{KeyringCopied, Args{"file": name, "other": other[name]}}}
			if d := cmp.Diff(want, r.Healed); d != "" || r.Suspended != "" {
				t.Errorf("%s %s: suspended %q, %s", how, name, r.Suspended, d)
			}
			again.Close()
			if healed, _ := os.ReadFile(v.path(name)); !bytes.Equal(healed, good) {
				t.Errorf("%s %s: not healed", how, name)
			}
		}
	}
	for _, name := range []string{keyringA, keyringB} {
		damage["flipped"](v.path(name))
	}
	if _, _, err := Open(v.dir, crypto.Passphrase([]byte(passphrase)), testOptions()); !errors.Is(err, ErrKeyring) {
		t.Errorf("both damaged: %v", err)
	}
}

func TestKeepIsASettingOfTheDataset(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	for i := range 6 {
		write(t, src, "a", fmt.Sprint("version ", i))
		opt := AddOptions{}
		if i == 0 {
			opt.Keep = 2
		}
		r, err := v.Add(bg, "x", src, opt)
		if err != nil || r.Dataset.Keep != 2 || len(r.Dataset.Versions) != min(i+1, 2) {
			t.Fatalf("version %d: %+v, %v", i, r.Dataset, err)
		}
		v, _ = reopen(t, v)
	}
	r, err := v.Add(bg, "x", src, AddOptions{Keep: 3})
	if err != nil || !r.Unchanged || r.Dataset.Keep != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

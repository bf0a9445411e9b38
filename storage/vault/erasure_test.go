// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/journal"
)

// secretsOf are the keys of all blocks and pages below a head, and the blocks.
func secretsOf(t *testing.T, v *Vault, h storage.Head) (keys map[crypto.BlockName]crypto.BlockKey, sealed map[crypto.BlockName][]byte) {
	t.Helper()
	keys, sealed = map[crypto.BlockName]crypto.BlockKey{}, map[crypto.BlockName][]byte{}
	set := names{}
	if err := v.reach(bg, h, nil, set); err != nil {
		t.Fatal(err)
	}
	for name := range set {
		b, err := v.store.Get(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		sealed[name] = b
	}
	keys[h.Root.Name], keys[h.Description.Name] = h.Root.Key, h.Description.Key
	for _, refs := range blocksOf(t, v, h) {
		for _, r := range refs {
			keys[r.Name] = r.Key
		}
	}
	return keys, sealed
}

// openedByAll is all plaintext that the keys of a vault open in its files.
func openedByAll(t *testing.T, v *Vault) (all [][]byte) {
	t.Helper()
	scopes := append(v.ring.Scopes(), crypto.NodeScope)
	try := func(aad, sealed []byte) {
		for _, s := range scopes {
			if plain, err := v.ring.OpenBody(s, aad, sealed); err == nil {
				all = append(all, plain)
			}
		}
	}
	err := v.log.Read(0, func(e journal.Entry) error {
		for _, s := range scopes { // whatever scope it says that it is of
			try(bodyAAD(e.Kind, v.ring.ScopeTag(s)), e.Body)
		}
		try(bodyAAD(e.Kind, e.Tag), e.Body)
		all = append(all, e.Public)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range v.Datasets() {
		err := storage.WalkPages(bg, d.Versions[0], func(name crypto.BlockName, dst []byte) ([]byte, error) {
			return v.store.Get(name, dst)
		}, nil, func(e storage.Entry) error {
			for _, r := range e.Blocks {
				all = append(all, bytes.Clone(r.Key[:]), e.Path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// filesOf are all files of a vault, as they lie.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files[name], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestErasure: after a removal all keys that are left open nothing of the data
// set, neither in the journal nor in what still lies in the packs; the old
// keyring is nowhere; the journal verifies. After Compact the ciphertext is
// gone as well. A kit from before is the limit, a new one opens nothing of it.
func TestErasure(t *testing.T) {
	for _, how := range []string{"at once", "after a checkpoint"} {
		t.Run(how, func(t *testing.T) { erases(t, how != "at once") })
	}
}

func erases(t *testing.T, checkpointed bool) {
	ring, words := newRing(t)
	v, err := Create(filepath.Join(t.TempDir(), "v"), ring, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	src := t.TempDir()
	write(t, src, "canary-file", strings.Repeat("canary content ", 20_000))
	kept := mustAdd(t, v, "kept", src)
	gone := mustAdd(t, v, "canary-name", src)
	did := gone.Dataset.DID
	before := tree(t, src)
	scope := crypto.DatasetScope(did)
	if _, err := v.Record(bg, Fact{Kind: FirstFact, Scope: scope, Body: []byte("canary-fact")}); err != nil {
		t.Fatal(err)
	}
	view, err := v.ViewHead(bg, did, View{Paths: []string{"canary-file"}})
	if err != nil {
		t.Fatal(err)
	}
	keys, sealed := secretsOf(t, v, gone.Head)
	viewKeys, viewSealed := secretsOf(t, v, view.Head)
	for name, key := range viewKeys {
		keys[name], sealed[name] = key, viewSealed[name]
	}
	if err := v.SaveMark(); err != nil {
		t.Fatal(err)
	}
	if checkpointed {
		if err := v.Checkpoint(bg, Digest{}); err != nil {
			t.Fatal(err)
		}
	}
	var oldKit bytes.Buffer
	if err := v.SaveKit(&oldKit, 0); err != nil {
		t.Fatal(err)
	}
	v, _ = reopen(t, v)
	oldFiles := filesOf(t, v.dir)
	oldRing := oldFiles[v.path(keyringA)]

	if err := v.Remove(bg, did); err != nil {
		t.Fatal(err)
	}
	if checkpointed {
		if err := v.Checkpoint(bg, Digest{}); err != nil {
			t.Fatal(err)
		}
	}
	nothingOpens := func() {
		t.Helper()
		for _, plain := range openedByAll(t, v) {
			for name, key := range keys {
				if bytes.Contains(plain, key[:]) {
					t.Errorf("the key of block %v is in what other keys open", name)
				}
			}
			for _, canary := range []string{"canary-name", "canary-fact", string(did)} {
				if bytes.Contains(plain, []byte(canary)) {
					t.Errorf("%q is in what other keys open", canary)
				}
			}
		}
		for name, content := range filesOf(t, v.dir) {
			if bytes.Contains(content, oldRing[len(oldRing)-100:]) {
				t.Errorf("%s holds the old keyring", name)
			}
			for _, key := range keys {
				if bytes.Contains(content, key[:]) {
					t.Errorf("%s holds a key of a block", name)
				}
			}
		}
	}
	nothingOpens()
	// Not even with the same content at hand, and the sealer of another data set.
	s, err := v.ring.Sealer(kept.Dataset.DID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	known := []byte(before["canary-file"].Content)
	for _, b := range sealed {
		if _, err := crypto.OpenBlock(nil, did, s.Key(known), b); err == nil {
			t.Error("the key of the same content in another data set opens a block")
		}
	}
	if _, err := v.ring.Sealer(did, "", 0); err == nil {
		t.Error("there still is a sealer")
	}
	if bad, err := v.Check(bg, nil); err != nil || len(bad) > 0 {
		t.Errorf("check: %v, %v", bad, err)
	}
	if facts := recorded(t, v.Facts); len(facts) != 1 || !facts[0].Erased {
		t.Errorf("what is left of the fact: %+v", facts)
	}

	size := v.store.Stats().Size
	if _, err := v.Compact(bg, CompactOptions{Grace: -1, All: true, Percent: 1}); err != nil {
		t.Fatal(err)
	}
	if now := v.store.Stats().Size; now > size*6/10 {
		t.Errorf("%d bytes of packs of %d are left", now, size)
	}
	v, _ = reopen(t, v)
	nothingOpens()
	for name, content := range filesOf(t, v.dir) {
		for _, b := range sealed {
			if bytes.Contains(content, b[:min(len(b), 60)]) {
				t.Errorf("%s still holds ciphertext of it", name)
			}
		}
	}
	if diff := cmp.Diff(before, export(t, v, kept.Dataset.DID, ExportOptions{})); diff != "" {
		t.Errorf("the other data set:\n%s", diff)
	}

	var newKit bytes.Buffer
	if err := v.SaveKit(&newKit, 0); err != nil {
		t.Fatal(err)
	}
	for what, kit := range map[string]*bytes.Buffer{"old": &oldKit, "new": &newKit} {
		dir := filepath.Join(t.TempDir(), what)
		for name, content := range oldFiles { // packs from a backup
			if filepath.Base(filepath.Dir(name)) == packsDir {
				write(t, dir, filepath.Join(packsDir, filepath.Base(name)), string(content))
			}
		}
		w, err := Restore(kit, words, dir, []byte(passphrase), testOptions())
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.find(did)
		switch {
		case what == "new" && (err == nil || w.ring.HasScope(scope)):
			t.Error("a new kit still knows the data set")
		case what == "old" && err != nil:
			t.Error("a kit from before the removal does not open it: the limit that is told is none")
		case what == "old":
			if diff := cmp.Diff(before, export(t, w, did, ExportOptions{})); diff != "" {
				t.Error(diff)
			}
		}
		w.Close()
	}
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"io/fs"
	"maps"
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
	for _, c := range []struct {
		name         string
		checkpointed bool
		doomed       func(*testing.T, *Vault, string) (crypto.DID, []SignedHead)
	}{
		{"files at once", false, doomedFiles},
		{"files after a checkpoint", true, doomedFiles},
		{"records after a checkpoint", true, doomedRecords},
	} {
		t.Run(c.name, func(t *testing.T) { erases(t, prepareErasure(t, c.checkpointed, c.doomed), c.checkpointed) })
	}
}

// doomedFiles is a data set, and all heads of it.
func doomedFiles(t *testing.T, v *Vault, src string) (crypto.DID, []SignedHead) {
	t.Helper()
	gone := mustAdd(t, v, "canary-name", src)
	view, err := v.ViewHead(bg, gone.Dataset.DID, View{Paths: []string{"canary-file"}})
	if err != nil {
		t.Fatal(err)
	}
	return gone.Dataset.DID, []SignedHead{{Head: gone.Head}, view}
}

// doomedRecords have two views with objects of their own, one of two heads.
func doomedRecords(t *testing.T, v *Vault, src string) (crypto.DID, []SignedHead) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(src, "canary-file"))
	if err != nil {
		t.Fatal(err)
	}
	canary := Object{"canary-file", content}
	gone := mustPut(t, v, Target{Name: "canary-name"}, []Object{canary})
	return gone.Dataset.DID, []SignedHead{
		{Head: gone.Head},
		mustCut(t, v, gone.Dataset.DID, oneView, []Object{canary}),
		mustCut(t, v, gone.Dataset.DID, oneView, []Object{canary, {"canary-row", []byte("coarse")}}),
		mustCut(t, v, gone.Dataset.DID, otherView, []Object{canary}),
	}
}

func erases(t *testing.T, e *erasure, checkpointed bool) {
	if err := e.v.Remove(bg, e.gone); err != nil {
		t.Fatal(err)
	}
	if checkpointed {
		if err := e.v.Checkpoint(bg, Digest{}); err != nil {
			t.Fatal(err)
		}
	}
	e.nothingOpens(t)
	e.noSealerOpens(t)
	if bad, err := e.v.Check(bg, nil); err != nil || len(bad) > 0 {
		t.Errorf("check: %v, %v", bad, err)
	}
	if facts := recorded(t, e.v.Facts); len(facts) != 1 || !facts[0].Erased {
		t.Errorf("what is left of the fact: %+v", facts)
	}
	e.compact(t)
	e.nothingOpens(t)
	if diff := cmp.Diff(e.before, export(t, e.v, e.kept, ExportOptions{})); diff != "" {
		t.Errorf("the other data set:\n%s", diff)
	}
	e.kits(t)
}

// erasure is a vault with two data sets of one content, one of which is going
// to be removed, and all that is secret of that one.
type erasure struct {
	v          *Vault
	words      string
	kept, gone crypto.DID
	before     map[string]node // of the one that is kept
	lost       map[string]node // and of the other
	keys       map[crypto.BlockName]crypto.BlockKey
	sealed     map[crypto.BlockName][]byte
	oldKit     bytes.Buffer
	oldFiles   map[string][]byte
}

// prepareErasure leaves secrets wherever there are any: pages, blocks, a view,
// a fact, a name, the mark, and a checkpoint if wanted.
func prepareErasure(t *testing.T, checkpointed bool, doomed func(*testing.T, *Vault, string) (crypto.DID, []SignedHead)) *erasure {
	t.Helper()
	ring, words := newRing(t)
	v, err := Create(filepath.Join(t.TempDir(), "v"), ring, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	src := t.TempDir()
	write(t, src, "canary-file", strings.Repeat("canary content ", 20_000))
	e := &erasure{words: words, before: tree(t, src), kept: mustAdd(t, v, "kept", src).Dataset.DID}
	var heads []SignedHead
	e.gone, heads = doomed(t, v, src)
	if _, err := v.Record(bg, Fact{Kind: FirstFact, Scope: crypto.DatasetScope(e.gone), Body: []byte("canary-fact")}); err != nil {
		t.Fatal(err)
	}
	e.keys, e.sealed = map[crypto.BlockName]crypto.BlockKey{}, map[crypto.BlockName][]byte{}
	for _, h := range heads {
		keys, sealed := secretsOf(t, v, h.Head)
		maps.Copy(e.keys, keys)
		maps.Copy(e.sealed, sealed)
	}
	e.lost = export(t, v, e.gone, ExportOptions{})
	err = v.SaveMark()
	if err == nil && checkpointed {
		err = v.Checkpoint(bg, Digest{})
	}
	if err == nil {
		err = v.SaveKit(&e.oldKit, 0, Digest{})
	}
	if err != nil {
		t.Fatal(err)
	}
	e.v, _ = reopen(t, v)
	e.oldFiles = filesOf(t, e.v.dir)
	return e
}

// nothingOpens looks for what was removed in all that the keys which are left
// open, and in every file.
func (e *erasure) nothingOpens(t *testing.T) {
	t.Helper()
	for _, plain := range openedByAll(t, e.v) {
		for name, key := range e.keys {
			if bytes.Contains(plain, key[:]) {
				t.Errorf("the key of block %v is in what other keys open", name)
			}
		}
		for _, canary := range []string{"canary-name", "canary-fact", string(e.gone)} {
			if bytes.Contains(plain, []byte(canary)) {
				t.Errorf("%q is in what other keys open", canary)
			}
		}
	}
	oldRing := e.oldFiles[e.v.path(keyringA)]
	for name, content := range filesOf(t, e.v.dir) {
		if bytes.Contains(content, oldRing[len(oldRing)-100:]) {
			t.Errorf("%s holds the old keyring", name)
		}
		for _, key := range e.keys {
			if bytes.Contains(content, key[:]) {
				t.Errorf("%s holds a key of a block", name)
			}
		}
	}
}

// noSealerOpens tries with the same content at hand, and the sealer of another
// data set.
func (e *erasure) noSealerOpens(t *testing.T) {
	t.Helper()
	s, err := e.v.ring.Sealer(e.kept, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	known := []byte(e.before["canary-file"].Content)
	for _, b := range e.sealed {
		if _, err := crypto.OpenBlock(nil, e.gone, s.Key(known), b); err == nil {
			t.Error("the key of the same content in another data set opens a block")
		}
	}
	if _, err := e.v.ring.Sealer(e.gone, "", 0); err == nil {
		t.Error("there still is a sealer")
	}
}

// compact sees to it that the ciphertext goes.
func (e *erasure) compact(t *testing.T) {
	t.Helper()
	size := e.v.store.Stats().Size
	if _, err := e.v.Compact(bg, CompactOptions{Grace: -1, All: true, Percent: 1}); err != nil {
		t.Fatal(err)
	}
	if now := e.v.store.Stats().Size; now > size*6/10 {
		t.Errorf("%d bytes of packs of %d are left", now, size)
	}
	e.v, _ = reopen(t, e.v)
	for name, content := range filesOf(t, e.v.dir) {
		for _, b := range e.sealed {
			if bytes.Contains(content, b[:min(len(b), 60)]) {
				t.Errorf("%s still holds ciphertext of it", name)
			}
		}
	}
}

// kits restores a vault from the packs of a backup: a kit from before opens
// what was removed, a new one does not know it.
func (e *erasure) kits(t *testing.T) {
	t.Helper()
	var newKit bytes.Buffer
	if err := e.v.SaveKit(&newKit, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	for what, kit := range map[string]*bytes.Buffer{"old": &e.oldKit, "new": &newKit} {
		dir := filepath.Join(t.TempDir(), what)
		for name, content := range e.oldFiles {
			if filepath.Base(filepath.Dir(name)) == packsDir {
				write(t, dir, filepath.Join(packsDir, filepath.Base(name)), string(content))
			}
		}
		w, err := Restore(kit, e.words, dir, []byte(passphrase), testOptions())
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.find(e.gone)
		switch {
		case what == "new" && (err == nil || w.ring.HasScope(crypto.DatasetScope(e.gone))):
			t.Error("a new kit still knows the data set")
		case what == "old" && err != nil:
			t.Error("a kit from before the removal does not open it: the limit that is told is none")
		case what == "old":
			if diff := cmp.Diff(e.lost, export(t, w, e.gone, ExportOptions{})); diff != "" {
				t.Error(diff)
			}
		}
		w.Close()
	}
}

// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/blocks"
)

// spoil flips a bit of a block on the disk of a closed vault.
func spoil(t *testing.T, v *Vault, ciphertext []byte) {
	t.Helper()
	name := v.path(packsDir + "/00000001.pack")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, ciphertext)
	if at < 0 {
		t.Fatal("the block is not in the first pack")
	}
	b[at+len(ciphertext)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A damaged block is found by whatever reads it, in one process; in the next
// an Add of the same source heals it, and then all is sound but for the scar.
func TestAddHealsWhatAnotherProcessFound(t *testing.T) {
	secret := crypto.Passphrase([]byte(passphrase))
	for _, spoilt := range []string{"data", "page", "description"} {
		for _, way := range []string{"check", "repair", "export", "add check repair"} {
			v := newVault(t, testOptions())
			src := t.TempDir()
			write(t, src, "a", strings.Repeat("content", 1000))
			write(t, src, "b", "b")
			r := mustAdd(t, v, "x", src)
			did := r.Dataset.DID
			name := map[string]crypto.BlockName{"data": blocksOf(t, v, r.Head)["a"][0].Name, "page": r.Head.Root.Name,
				"description": r.Head.Description.Name}[spoilt]
			ciphertext, err := v.store.Get(name, nil)
			if err != nil {
				t.Fatal(err)
			}
			v.Close()
			spoil(t, v, ciphertext)
			healed := false // an Add reads the list of files, and makes it anew
			for _, step := range strings.Fields(way) {
				if step == "repair" {
					got, err := Repair(bg, v.dir, secret, testOptions())
					if err != nil || anyLost(got.Damages) == healed {
						t.Errorf("%s, %s: %+v, %v", spoilt, way, got, err)
					}
					continue
				}
				v, _ = mustOpen(t, v.dir, testOptions())
				switch step {
				case "check":
					if bad, err := v.Check(bg, nil); err != nil || anyLost(bad) == healed {
						t.Errorf("%s, %s: %+v, %v", spoilt, way, bad, err)
					}
				case "export":
					v.Export(bg, did, t.TempDir(), ExportOptions{})
					v.store.Get(name, nil) // as a transfer does
				case "add":
					mustAdd(t, v, "x", src)
					healed = spoilt == "page"
				}
				v.Close()
			}
			v, _ = mustOpen(t, v.dir, testOptions())
			mustAdd(t, v, "x", src)
			if d := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); d != "" {
				t.Errorf("%s, %s: %s", spoilt, way, d)
			}
			v, _ = reopen(t, v)
			bad, err := v.Check(bg, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range bad {
				if !d.Harmless || d.Kind != PackScar {
					t.Errorf("%s, %s: healed, and still %+v", spoilt, way, d)
				}
			}
			if len(bad) != 1 {
				t.Errorf("%s, %s: the scar is not told: %+v", spoilt, way, bad)
			}
			v.Close()
		}
	}
}

func anyLost(list []Damage) bool {
	for _, d := range list {
		if d.Lost {
			return true
		}
	}
	return false
}

// An export names the file that it could not read.
func TestExportNamesTheDamagedFile(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "a")
	write(t, src, "folder/b", "content")
	r := mustAdd(t, v, "x", src)
	for path, name := range map[string]crypto.BlockName{"folder/b": blocksOf(t, v, r.Head)["folder/b"][0].Name, "": r.Head.Root.Name} {
		ciphertext, err := v.store.Get(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		v.Close()
		spoil(t, v, ciphertext)
		v, _ = mustOpen(t, v.dir, testOptions())
		err = v.Export(bg, r.Dataset.DID, t.TempDir(), ExportOptions{})
		var at *DamagedError
		if !errors.As(err, &at) || at.Path != path || !errors.As(err, new(*blocks.DamagedError)) {
			t.Errorf("%q: %v", path, err)
		}
		v.Close()
		spoil(t, v, spoiltCopy(ciphertext))
		v, _ = mustOpen(t, v.dir, testOptions())
	}
}

// spoiltCopy is a block as spoil leaves it.
func spoiltCopy(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// A view whose pages are damaged is cut again when it is asked for, as the
// same head; the owner lost nothing.
func TestDamagedViewIsCutAgain(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "a", "a")
	write(t, src, "folder/b", "content")
	did := mustAdd(t, v, "x", src).Dataset.DID
	paths := View{Paths: []string{"folder/"}}
	for _, part := range []string{"page", "description"} {
		h, err := v.ViewHead(bg, did, paths)
		if err != nil {
			t.Fatal(err)
		}
		name := h.Root.Name
		if part == "description" {
			name = h.Description.Name
		}
		ciphertext, err := v.store.Get(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		v.Close()
		spoil(t, v, ciphertext)
		v, _ = mustOpen(t, v.dir, testOptions())
		bad, err := v.Check(bg, nil)
		if err != nil || len(bad) == 0 || slices.ContainsFunc(bad, func(d Damage) bool { return !d.Harmless }) {
			t.Errorf("%s: %+v, %v", part, bad, err)
		}
		v, _ = reopen(t, v)
		again, err := v.ViewHead(bg, did, paths)
		if err != nil || !bytes.Equal(again.Bytes, h.Bytes) {
			t.Errorf("%s: %+v, %v", part, again, err)
		}
		if _, err := v.ViewBlocks(bg, again); err != nil || !v.store.Has(name) {
			t.Errorf("%s: cut again, and then %v", part, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

// halfRevoke leaves a grant as a crash would: revoked, and the data set's
// generation not raised.
func (p *person) halfRevoke() {
	p.t.Helper()
	record, err := ucan.Revoke(p.keys.Node(), p.book.givenOn("")[0].cid, nil, newNonce())
	if err == nil {
		err = p.record(p.t.Context(), vault.Fact{Kind: factRevocation, Public: record.Bytes()})
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestHalfARevocationOnAFullDisk: after a crash between a revocation and the
// raised generation, the node opens on a full disk too, adds nothing, and
// finishes when there is room again.
func TestHalfARevocationOnAFullDisk(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	alice.give("notes", bob)
	before := alice.generation("notes")
	alice.halfRevoke()
	alice.close()

	files := &brittle{FS: disk.OS}
	files.setFull(true)
	n, err := OpenHome(t.Context(), Options{Home: alice.home, Secret: alice.secret(), Now: alice.clock.now, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	alice.Node = n
	src := filepath.Join(filepath.Dir(alice.home), "source of notes")
	if err := os.WriteFile(filepath.Join(src, "a"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	fails(alice, Add, AddRequest{Name: "notes", Path: src}, "disk.full")
	if d, err := n.vault.Lookup("notes"); err != nil || len(d.Versions) != 1 {
		t.Errorf("added before the revocation was finished: %+v, %v", d, err)
	}
	alice.close()

	alice.open()
	if g := alice.generation("notes"); g != before+1 {
		t.Errorf("generation %d, then %d", before, g)
	}
	alice.sound()
}

// TestHalfARevocationIsFinished: before anything is added, and from time to
// time, once.
func TestHalfARevocationIsFinished(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"housekeeping", "add"} {
		alice, bob := neighbours(t)
		alice.add("notes", tree{"a": "a"})
		alice.give("notes", bob)
		before := alice.generation("notes")
		alice.halfRevoke()
		if way == "add" {
			alice.add("notes", tree{"a": "changed"})
		}
		for range 2 {
			if err := alice.housekeeping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		d, err := alice.vault.Lookup("notes")
		if err != nil {
			t.Fatal(err)
		}
		head, _ := d.Latest()
		if d.Generation != before+1 || way == "add" && head.Generation != before+1 {
			t.Errorf("%s: generation %d, the version's %d, want %d", way, d.Generation, head.Generation, before+1)
		}
		alice.sound()
	}
}

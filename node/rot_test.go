// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
)

// rots changes one byte of a block where it lies on the disk.
func (p *person) rots(name crypto.BlockName) {
	p.t.Helper()
	block, err := p.vault.Blocks().Get(name, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	packs, _ := filepath.Glob(filepath.Join(p.home, "*", "*.pack"))
	for _, pack := range packs {
		content, err := os.ReadFile(pack)
		if err != nil {
			p.t.Fatal(err)
		}
		at := bytes.Index(content, block)
		if at < 0 {
			continue
		}
		content[at+len(block)/2] ^= 1
		if err := os.WriteFile(pack, content, 0o600); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	p.t.Fatalf("block %s is in none of %v", name, packs)
}

// TestRotAtTheGiver: a block that rots while the giver runs, after it was
// hashed, is never taken, is named as the giver's damage and not as a lie, and
// keeps no other block from arriving.
func TestRotAtTheGiver(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	photos := tree{"a": noise(100 << 10), "b": noise(200 << 10), "c": noise(300 << 10)}
	alice.add("photos", photos)
	g := alice.give("photos", bob)
	blocks := map[string]crypto.BlockName{}
	err := alice.vault.Walk(t.Context(), alice.vault.Datasets()[0].DID, 0, func(e storage.Entry) error {
		blocks[string(e.Path)] = e.Blocks[0].Name
		return nil
	})
	if err != nil || len(blocks) != 3 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	alice.rots(blocks["b"])
	if p := fails(bob, Fetch, FetchRequest{Grant: g.Grant.ID}, "fetch.missing"); p.Kind != problem.Damaged {
		t.Errorf("the damage is told as %s", p.Kind)
	}
	for path, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if bob.vault.Blocks().Has(blocks[path]) != want {
			t.Errorf("block %s at bob's: %v", path, !want)
		}
	}
	if !alice.vault.Blocks().Damaged() {
		t.Error("the giver does not know of its damage")
	}
	alice.add("photos", photos) // heals
	do(bob, Fetch, FetchRequest{Grant: g.Grant.ID})
	bob.wantTree("photos", photos)
}

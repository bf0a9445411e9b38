// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"math/rand/v2"
	"testing"

	block "github.com/ipfs/go-block-format"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestBoxoPowerCuts: what boxo was told is put or deleted, is so after a power
// cut.
func TestBoxoPowerCuts(t *testing.T) {
	d := disktest.NewDisk()
	s, _, err := Open(d, "/v/packs", Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var have [2]crypto.BlockName
	for i := range have {
		data := []byte{byte(i), 1, 2, 3}
		have[i] = crypto.NameOf(data)
		b, err := block.NewBlockWithCid(data, have[i].CID())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Boxo().Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		left(t, d, map[crypto.BlockName]bool{have[0]: true, have[i]: true})
	}
	if err := s.Boxo().DeleteBlock(t.Context(), have[0].CID()); err != nil {
		t.Fatal(err)
	}
	left(t, d, map[crypto.BlockName]bool{have[0]: false, have[1]: true})
}

// TestCloseSyncs: what was put and never synced is durable after Close, and
// what is saved then speaks of nothing that a power cut can take.
func TestCloseSyncs(t *testing.T) {
	d := disktest.NewDisk()
	s, _, err := Open(d, "/v/packs", Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("never synced")
	name, _, err := s.Add(t.Context(), data)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	left(t, d, map[crypto.BlockName]bool{name: true})
}

// left says which blocks a power cut has to leave.
func left(t *testing.T, d *disktest.Disk, want map[crypto.BlockName]bool) {
	t.Helper()
	for seed := range uint64(20) {
		s, r, err := Open(d.Crash(rand.New(rand.NewPCG(seed, 1))), "/v/packs", Options{Reserve: -1})
		if err != nil || len(r.Damage) > 0 {
			t.Fatalf("power cut %d: %+v, %v", seed, r, err)
		}
		for name, there := range want {
			if s.Has(name) != there {
				t.Errorf("power cut %d: %v is there: %v, want %v", seed, name, !there, there)
			}
		}
		s.Close()
	}
}

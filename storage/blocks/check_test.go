// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// round checks share by share until it is over, and returns what was found
// and how many shares it took. The cursor travels as a text.
func round(t *testing.T, s *Store, budget int64, between func()) (found []Damage, shares int) {
	t.Helper()
	var at Cursor
	for {
		next, more, err := s.CheckSome(t.Context(), at, budget)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
		if shares++; shares > 500 {
			t.Fatal("the round does not end")
		}
		if next == (Cursor{}) {
			return found, shares
		}
		text, _ := next.MarshalText()
		if err := at.UnmarshalText(text); err != nil || at != next {
			t.Fatalf("%s is read as %v: %v", text, at, err)
		}
		between()
	}
}

// TestCheckSomeSeesAll: a round reads every byte of every pack, in shares of
// about what was asked.
func TestCheckSomeSeesAll(t *testing.T) {
	pristine := disktest.NewDisk()
	fill(t, pristine, small, 25)
	size, _ := packFiles(t, pristine)
	for _, budget := range []int64{1, 700, 5000, 1 << 30} {
		s, _ := open(t, pristine, small)
		found, shares := round(t, s, budget, func() {})
		if len(found) > 0 || budget > 1 && int64(shares) > size/budget+10 || shares < int(size/(budget+2500)) {
			t.Errorf("%d bytes in shares of %d: %d of them, found %v", size, budget, shares, found)
		}
		s.Close()
		for n := range 25 {
			d := pristine.Crash(rand.New(rand.NewPCG(1, 2)))
			s, _ := open(t, d, small)
			p := s.at[crypto.NameOf(data(n))]
			disktest.Flip(t, d, packName("/v/packs", p.pack), 8*(int64(p.off)+entryHeader)+1)
			found, _ := round(t, s, budget, func() {})
			if len(found) != 1 || found[0].Name != crypto.NameOf(data(n)) || s.Has(found[0].Name) {
				t.Fatalf("block %d is damaged, found %v", n, found)
			}
			s.Close()
			s, _ = open(t, d, small)
			if s.Has(crypto.NameOf(data(n))) {
				t.Fatal("the next process trusts it")
			}
			s.Close()
		}
	}
}

// TestCheckSomeBesideCompaction: what moves while a round goes on is read all
// the same, and nothing is called damaged for having moved.
func TestCheckSomeBesideCompaction(t *testing.T) {
	for n := range histBlocks {
		d := disktest.NewDisk()
		s, acked := wasted(t, d)
		if acked[n].gone {
			continue
		}
		moves := 0
		found, _ := round(t, s, 1500, func() {
			if moves++; moves%3 == 1 {
				if _, err := s.Compact(t.Context(), CompactOptions{Percent: 10}); err != nil {
					t.Fatal(err)
				}
			}
			if moves == 2 {
				p := s.at[crypto.NameOf(data(n))]
				if p.pack == 1 {
					return
				}
				disktest.Flip(t, d, packName("/v/packs", p.pack), 8*(int64(p.off)+entryHeader)+1)
			}
		})
		late, _ := round(t, s, 1500, func() {})
		for _, d := range append(found, late...) {
			if d.Name != crypto.NameOf(data(n)) {
				t.Fatalf("called damaged: %v", d)
			}
		}
		if s.at[crypto.NameOf(data(n))].pack != 1 && s.Has(crypto.NameOf(data(n))) && moves > 2 {
			t.Fatalf("the damage of block %d was not found", n)
		}
	}
}

// TestCheckSomeStops: it ends with its context, and goes on from there.
func TestCheckSomeStops(t *testing.T) {
	s, _ := wasted(t, disktest.NewDisk())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	at := Cursor{2, 80}
	next, _, err := s.CheckSome(ctx, at, 1<<20)
	if !errors.Is(err, context.Canceled) || next != at {
		t.Errorf("%v %v", next, err)
	}
	for _, odd := range []Cursor{{99, 1}, {2, 1 << 40}, {1, 77}} {
		if _, found, err := s.CheckSome(t.Context(), odd, 3000); err != nil || len(found) > 0 {
			t.Errorf("from %v: %v %v", odd, found, err)
		}
	}
}

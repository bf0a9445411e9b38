// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/protocol"
)

// The gate is the only door: who knows the name of a block outside the granted
// paths is refused it, and one who knows the name of a block of another data
// set, or of none, hears the same.
func TestBlocksOutsideTheGrantAreRefused(t *testing.T) {
	giver := openHome(t, makeHome(t), nil)
	camille, bilal := newGuest(t, giver, "Camille"), newGuest(t, giver, "Bilal")
	source := filepath.Join(t.TempDir(), "source")
	write(t, source, seeded(7), map[string]int{"open/a": 9000, "closed/b": 9000, "closed/c": 2 << 20})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "house"})
	garden := filepath.Join(t.TempDir(), "garden")
	write(t, garden, seeded(8), map[string]int{"d": 9000})
	do(t, giver, node.Add, node.AddRequest{Path: garden, Name: "garden"})

	part := do(t, giver, node.Grant, node.GrantRequest{Name: "house", To: "Camille", Paths: []string{"open/"}})
	whole := do(t, giver, node.Grant, node.GrantRequest{Name: "house", To: "Bilal"})
	other := do(t, giver, node.Grant, node.GrantRequest{Name: "garden", To: "Bilal"})
	granted := mustOpen(t, camille, part.Link).names
	all, elsewhere := mustOpen(t, bilal, whole.Link).names, mustOpen(t, bilal, other.Link).names
	if len(granted) != 1 || len(all) < 4 || len(elsewhere) != 1 {
		t.Fatalf("the parts have %d, %d and %d blocks", len(granted), len(all), len(elsewhere))
	}
	outside := slices.DeleteFunc(slices.Clone(all), func(n crypto.BlockName) bool { return slices.Contains(granted, n) })
	if len(outside) != len(all)-1 {
		t.Error("the granted block is not one of the whole: the view does not share it")
	}
	for what, name := range map[string]crypto.BlockName{
		"a block of another path":     outside[0],
		"the last block of the whole": outside[len(outside)-1],
		"a block of another data set": elsewhere[0],
		"a block of nobody's":         crypto.NameOf([]byte("nobody's")),
	} {
		reading := mustOpen(t, camille, part.Link)
		got := 0
		count := func(crypto.BlockName, []byte) error { got++; return nil }
		if err := reading.Fetch(t.Context(), slices.Values(granted), count); err != nil || got != 1 {
			t.Fatalf("what was granted: %v", err)
		}
		err := reading.Fetch(t.Context(), slices.Values([]crypto.BlockName{name}), count)
		if !refusedWith(err, protocol.Outside) || got != 1 {
			t.Errorf("%s: %v, want refused as outside", what, err)
		}
	}
}

func mustOpen(t *testing.T, g *guest, link string) *reading {
	t.Helper()
	r, err := g.open(t.Context(), g.chain(t, link))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// A delivery is in the journal before the first byte of its head leaves: the
// vault is copied at that moment, as a crash would leave it, and its log tells
// of the delivery, and of no other before it.
func TestDeliveryIsOnDiskBeforeItsHead(t *testing.T) {
	dir, snapshot := makeHome(t), filepath.Join(t.TempDir(), "snapshot")
	before := filepath.Join(t.TempDir(), "before")
	var failed error
	copied := make(chan struct{})
	w := newWire()
	w.starts = func(kind byte) {
		if kind == frameAnswer {
			failed = copyVault(dir, snapshot)
			close(copied)
		}
	}
	giver := openHome(t, dir, w.network)
	g := newGuest(t, giver, "Camille")
	source := filepath.Join(t.TempDir(), "source")
	write(t, source, seeded(9), map[string]int{"a": 100})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "diary"})
	link := do(t, giver, node.Grant, node.GrantRequest{Name: "diary", To: "Camille"}).Link
	if err := copyVault(dir, before); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, g, link)
	within(t, "the vault is copied", copied)
	if failed != nil {
		t.Fatal(failed)
	}
	for at, want := range map[string]int{before: 0, snapshot: 1} {
		if got := deliveriesIn(t, at); got != want {
			t.Errorf("the log of %s tells of %d deliveries, want %d", filepath.Base(at), got, want)
		}
	}
}

// The same with a giver that is killed when its answer has come.
func TestDeliveryOutlivesAKill(t *testing.T) {
	dir, bin := makeHome(t), build(t)
	giver := openHome(t, dir, nil)
	g := newGuest(t, giver, "Camille")
	source := filepath.Join(t.TempDir(), "source")
	write(t, source, seeded(10), map[string]int{"a": 100})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "diary"})
	link := do(t, giver, node.Grant, node.GrantRequest{Name: "diary", To: "Camille"}).Link
	giver.stop()

	const rounds = 3
	for range rounds {
		p := startProcess(t, bin, dir)
		g.server = &home{info: p.info}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, err := g.ask(ctx, g.chain(t, link))
		p.kill(t)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Head()) == 0 {
			t.Fatal("the answer has no head")
		}
		_ = r.Close()
	}
	if got := deliveriesIn(t, dir); got != rounds {
		t.Errorf("the log tells of %d deliveries, want %d", got, rounds)
	}
}

func deliveriesIn(t *testing.T, dir string) int {
	t.Helper()
	n, err := node.OpenHome(t.Context(), node.Options{Home: dir, Secret: node.Secret{Passphrase: []byte(passphrase)}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	found := 0
	for _, line := range do(t, n, node.Log, node.LogRequest{}).Lines {
		if line.Event == "delivered" || line.Event == "delivered.again" {
			found++
		}
	}
	return found
}

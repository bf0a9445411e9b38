// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// damageBlock flips a bit in the first large block of a node's packs.
func (p *person) damageBlock() {
	p.t.Helper()
	packs, err := filepath.Glob(filepath.Join(p.home, "packs", "*.pack"))
	if err != nil || len(packs) == 0 {
		p.t.Fatalf("packs: %v, %v", packs, err)
	}
	data, err := os.ReadFile(packs[0])
	if err != nil {
		p.t.Fatal(err)
	}
	data[min(len(data)-1, 300<<10)] ^= 4
	if err := os.WriteFile(packs[0], data, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// told says whether a status names a damage, with a file.
func (p *person) told(key, file string) bool {
	p.t.Helper()
	for _, d := range do(p, Status, None{}).Damages {
		if d.Key == key && strings.Contains(d.Args["paths"], file) {
			return true
		}
	}
	return false
}

// readThrough lets so many days go by, an hour at a time, and says after how
// many hours everything had been read.
func (p *person) readThrough(days int) (hours int) {
	p.t.Helper()
	before := p.vault.Checked()
	for hour := range days * 24 {
		p.clock.advance(time.Hour)
		p.lookAfterNow()
		if now := p.vault.Checked(); !now.Equal(before) {
			return hour + 1
		}
	}
	p.t.Fatalf("in %d days not everything was read", days)
	return 0
}

// TestReadsThrough: the node reads all that it keeps within thirty days, again
// and again, also when it is started anew in the middle; what it finds is in
// the log, and status names the files for as long as they are hit.
func TestReadsThrough(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	alice.add("large", tree{"a": noise(9 << 20), "b": noise(100)})
	alice.readThrough(30)
	alice.sound()

	entries := alice.vault.Entries()
	for range 48 {
		alice.clock.advance(time.Hour)
		alice.lookAfterNow()
	}
	if now := alice.vault.Entries(); now != entries {
		t.Errorf("nothing was found, and %d entries were written", now-entries)
	}
	alice.clock.advance(readPause)
	alice.lookAfterNow() // the first share of a round
	alice.restart()
	alice.damageBlock()
	if alice.told("damage.files-lost", "a") {
		t.Error("told before it was read")
	}
	alice.readThrough(30) // the round under way was past it
	alice.clock.advance(readPause)
	alice.readThrough(30)
	if !alice.told("damage.files-lost", "a") {
		t.Errorf("status knows of %v", do(alice, Status, None{}).Damages)
	}
	if lines := alice.events("damaged"); len(lines) == 0 {
		t.Error("the log knows nothing")
	}
	if at := do(alice, Status, None{}).LastRead; alice.clock.now().Sub(at) > 30*24*time.Hour {
		t.Errorf("last read at %v", at)
	}
	// The way out that it names: what is added again is whole again.
	alice.add("large", tree{"a": alice.source("large", "a"), "b": "other"})
	if alice.told("damage.files-lost", "a") {
		t.Errorf("mended, and status still knows of %v", do(alice, Status, None{}).Damages)
	}
}

// TestReceivedHealsAtTheNextFetch: damage to what was received goes with the
// next fetch, and so does what status says of it.
func TestReceivedHealsAtTheNextFetch(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	want := tree{"a": noise(3 << 20)}
	alice.add("notes", want)
	alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: "notes"})
	bob.damageBlock()
	bob.readThrough(30)
	if !bob.told("damage.files-not-here", "a") {
		t.Errorf("status knows of %v", do(bob, Status, None{}).Damages)
	}
	if got := do(bob, Fetch, FetchRequest{Grant: "notes"}); got.Blocks != 1 {
		t.Errorf("%d blocks were fetched again", got.Blocks)
	}
	if left := do(bob, Status, None{}).Damages; len(left) > 0 {
		t.Errorf("healed, and status still knows of %v", left)
	}
	bob.wantTree("notes", want)
}

// source is what a file of a data set was made from.
func (p *person) source(name, path string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(p.home), "source of "+name, path))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

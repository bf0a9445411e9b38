// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/traboule/traboule/node/problem"
)

// packed is how many bytes the files of blocks take on the disk.
func (p *person) packed() int64 {
	p.t.Helper()
	var size int64
	err := filepath.WalkDir(filepath.Join(p.home, "packs"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return size
}

// TestRoomComesBack: what was removed, and old versions, are off the disk
// within a day by themselves; what lives is as it was, and a fetch under way
// meanwhile ends well.
func TestRoomComesBack(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	const megabyte = 1 << 20
	kept := tree{"a": noise(2 * megabyte)}
	alice.add("kept", kept)
	r := alice.give("kept", bob)
	alice.lookAfterNow()

	alice.add("gone", tree{"g": noise(6 * megabyte)})
	do(alice, Remove, NameRequest{Name: "gone"})
	last := tree{}
	for range 4 {
		last = tree{"v": noise(3 * megabyte)}
		alice.addKeeping("versions", last, 1)
	}
	if size := alice.packed(); size < 20*megabyte {
		t.Fatalf("%d bytes are on the disk: there is nothing to give back", size)
	}
	alice.clock.advance(time.Hour)
	alice.lookAfterNow()
	if size := alice.packed(); size < 20*megabyte {
		t.Errorf("an hour later %d bytes are left: packs are rewritten too often", size)
	}
	alice.clock.advance(23 * time.Hour)
	fetched := make(chan error, 1)
	go func() {
		_, err := Fetch.Do(t.Context(), bob.Node, FetchRequest{Grant: r.Grant.ID}, nil)
		fetched <- err
	}()
	alice.lookAfterNow()
	if err := <-fetched; err != nil {
		t.Errorf("a fetch meanwhile: %v", err)
	}
	if size := alice.packed(); size > 6*megabyte {
		t.Errorf("a day later %d bytes are on the disk, for 5 MiB that live", size)
	}
	alice.wantTree("kept", kept)
	alice.wantTree("versions", last)
	bob.wantTree("kept", kept)
	alice.sound()
	alice.restart()
	alice.wantTree("kept", kept)
	alice.wantTree("versions", last)
	alice.sound()
}

func (p *person) lookAfterNow() {
	p.t.Helper()
	if err := p.lookAfter(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// TestCompactSaysWhatCameBack: the command gives all of it back at once, and
// can be interrupted.
func TestCompactSaysWhatCameBack(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	const megabyte = 1 << 20
	want := tree{"a": noise(megabyte)}
	alice.add("kept", want)
	alice.add("gone", tree{"g": noise(5 * megabyte)})
	do(alice, Remove, NameRequest{Name: "gone"})
	before := alice.packed()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Compact.Do(ctx, alice.Node, CompactRequest{}, nil)
	if found := (*problem.Problem)(nil); !errors.As(err, &found) || found.Kind != problem.Interrupted {
		t.Errorf("interrupted: %v", err)
	}
	steps := 0
	r, err := Compact.Do(t.Context(), alice.Node, CompactRequest{}, func(p Progress) {
		if p.Step == "compact" && p.Done <= p.Total {
			steps++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if came := before - alice.packed(); r.Freed < came-4096 || r.Freed > came+4096 || came < 5*megabyte || steps == 0 {
		t.Errorf("said: %+v, %d steps; %d bytes came back", r, steps, came)
	}
	if again := do(alice, Compact, CompactRequest{}); again.Freed != 0 {
		t.Errorf("compacted again: %+v", again)
	}
	alice.wantTree("kept", want)
	alice.sound()
}

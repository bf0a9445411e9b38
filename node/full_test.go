// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestFullDisk: while the disk is full but for what the node keeps free, and
// while others have taken that too, passages end, data sets go and all can be
// read; what does not fit is refused, with how much is missing, and nothing is
// lost by it. With room all goes on, without a restart.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d, c := disktest.NewDisk(), newClock()
	alice, bob := newPersonOn(t, "alice", c, d), newPerson(t, "bob", c)
	meet(alice, bob)
	const megabyte = 1 << 20
	want := tree{"a": noise(3 * megabyte), "b/c": "c"}
	alice.add("notes", want)
	var grants []GrantResult
	for range 4 {
		grants = append(grants, alice.give("notes", bob))
	}
	for _, name := range []string{"one", "two"} {
		alice.add(name, tree{"x": name})
	}
	source := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(source, []byte(noise(5*megabyte)), 0o600); err != nil {
		t.Fatal(err)
	}

	full := func(room int64, remove string) {
		d.SetRoom(room)
		// What is read needs no room.
		alice.wantTree("notes", want)
		do(alice, List, None{})
		do(alice, Grants, None{})
		do(alice, Show, ShowRequest{Name: "notes"})
		alice.sound()
		// What comes in is refused, as often as it is tried.
		for range 2 {
			p := fails(alice, Add, AddRequest{Path: source, Name: "large"}, "disk.full-add")
			missing, _ := strconv.ParseInt(p.Args["missing"], 10, 64)
			if p.Kind != problem.DiskFull || missing < 5*megabyte-max(0, room-32*megabyte) || missing > 6*megabyte {
				t.Errorf("with room for %d: %v", room, p.Args)
			}
		}
		// What ends, ends.
		over := grants[0]
		grants = grants[1:]
		do(alice, Revoke, NameRequest{Name: over.Grant.ID})
		fails(bob, Fetch, FetchRequest{Grant: over.Grant.ID}, "refused.revoked")
		do(alice, Remove, NameRequest{Name: remove})
		fails(alice, Show, ShowRequest{Name: remove}, "dataset.none")
		alice.wantTree("notes", want)
	}
	full(20*megabyte, "one")
	if got := do(bob, Fetch, FetchRequest{Grant: grants[0].Grant.ID}); got.Bytes != 3*megabyte+1 {
		t.Errorf("a grantee got %d bytes", got.Bytes)
	}
	full(0, "two")

	d.SetRoom(200 * megabyte)
	do(alice, Add, AddRequest{Path: source, Name: "large"})
	do(alice, Revoke, NameRequest{Name: grants[0].Grant.ID})
	fails(bob, Fetch, FetchRequest{Grant: grants[0].Grant.ID}, "refused.revoked")
	if err := alice.housekeeping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Stat(filepath.Join(alice.home, ballastName)); err != nil {
		t.Errorf("the ballast is not back: %v", err)
	}
	do(bob, Fetch, FetchRequest{Grant: grants[1].Grant.ID})
	bob.wantTree("notes", want)
	alice.sound()
	alice.close()
	alice.open()
	alice.start()
	alice.wantTree("notes", want)
	if n := len(do(alice, List, None{}).Datasets); n != 2 {
		t.Errorf("%d data sets are there, want 2", n)
	}
	alice.sound()
}

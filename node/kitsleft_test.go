// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/traboule/traboule/storage/disk"
)

// TestKitsThatAreLeft: remove says of a kit that it could not renew what is
// true of it, and status says so too, in another process as well.
func TestKitsThatAreLeft(t *testing.T) {
	t.Parallel()
	tests := []struct {
		trouble string
		happens func(alice *person, on *stick, kit string) error
		status  string // in this process
		later   string // in the next one
	}{
		{"away", func(_ *person, _ *stick, kit string) error { return os.Remove(kit) }, "warn-kit-behind", "warn-kit-behind"},
		{"not-ours", func(_ *person, _ *stick, kit string) error {
			return os.WriteFile(kit, []byte("a letter"), 0o600)
		}, "kit-trouble.not-ours", "kit-trouble.not-ours"},
		{"newer", (*person).goesBack, "kit-trouble.newer", "kit-trouble.newer"},
		{"disk-full", func(_ *person, on *stick, _ string) error { on.full.Store(true); return nil }, "kit-trouble.disk-full", "warn-kit-late"},
		{"failed", func(_ *person, on *stick, _ string) error { on.broken.Store(true); return nil }, "kit-trouble.failed", "warn-kit-late"},
	}
	for _, tt := range tests {
		t.Run(tt.trouble, func(t *testing.T) {
			t.Parallel()
			on := &stick{FS: disk.OS, dir: t.TempDir()}
			alice := newPersonOn(t, "alice", newClock(), on)
			alice.leave()
			kit := filepath.Join(on.dir, "kit")
			do(alice, Kit, KitRequest{To: kit})
			alice.add("notes", tree{"a": "a"})
			if err := tt.happens(alice, on, kit); err != nil {
				t.Fatal(err)
			}
			said := do(alice, Remove, NameRequest{Name: "notes"}).Notices
			alice.wantNotice("remove", said, "removed-kit-left."+tt.trouble)
			alice.wantNotice("status", do(alice, Status, None{}).Warnings, tt.status)
			alice.close()
			alice.open()
			alice.wantNotice("status later", do(alice, Status, None{}).Warnings, tt.later)
		})
	}
}

// goesBack puts the home back as it was before its kit was written last.
func (p *person) goesBack(*stick, string) error {
	p.close()
	old := p.home + " of before"
	os.Remove(filepath.Join(p.home, "control.sock")) // cannot be copied
	if err := os.CopyFS(old, os.DirFS(p.home)); err != nil {
		return err
	}
	p.open()
	for _, name := range []string{"one", "two", "three"} {
		p.add(name, tree{"a": name})
	}
	p.close() // renews the kit
	if err := os.RemoveAll(p.home); err != nil {
		return err
	}
	if err := os.Rename(old, p.home); err != nil {
		return err
	}
	p.open()
	return nil
}

func (p *person) wantNotice(where string, said []Notice, key string) {
	p.t.Helper()
	if !slices.ContainsFunc(said, func(n Notice) bool { return n.Key == key }) {
		p.t.Errorf("%s does not say %s: %v", where, key, said)
	}
}

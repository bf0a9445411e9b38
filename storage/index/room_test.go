// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestNoRoom: on a disk that is all but full the index is given up, with its
// files, before badger writes where there is no room; and with room there is
// an empty one again.
func TestNoRoom(t *testing.T) {
	room := uint64(1 << 30)
	free := func(string) (uint64, error) { return room, nil }
	for name, do := range map[string]func(*Index) error{
		"put":    func(x *Index) error { return x.Put("files", entry(2)) },
		"delete": func(x *Index) error { return x.Delete("files", entry(1).Name) },
		"drop":   func(x *Index) error { return x.Drop("files") },
		"wipe":   func(x *Index) error { return x.Wipe() },
		"close":  func(x *Index) error { return errors.Join(x.Close(), ErrNoRoom) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, k := filepath.Join(t.TempDir(), "index"), newKeys(t)
			room = 1 << 30
			x, _, err := openOn(dir, k, free)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Put("files", entry(1)); err != nil {
				t.Fatal(err)
			}
			room = leastRoom - 1
			if err := do(x); !errors.Is(err, ErrNoRoom) {
				t.Errorf("without room: %v", err)
			}
			if _, ok := x.Get("files", entry(1).Name); ok {
				t.Error("an index that was given up remembers")
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its files are still there: %v", err)
			}
			if _, _, err := openOn(dir, k, free); !errors.Is(err, ErrNoRoom) {
				t.Errorf("opened without room: %v", err)
			}
			room = 1 << 30
			again, wiped, err := openOn(dir, k, free)
			if err != nil || wiped {
				t.Fatalf("opened with room: wiped %v, %v", wiped, err)
			}
			if _, ok := again.Get("files", entry(1).Name); ok {
				t.Error("what was given up is back")
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

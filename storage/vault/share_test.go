// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestCheckSome reads all in shares, over restarts, and finds a flipped bit
// with the file that it hit.
func TestCheckSome(t *testing.T) {
	now := time.Unix(1e9, 0)
	opt := testOptions()
	opt.Now = func() time.Time { return now }
	v := newVault(t, opt)
	src := t.TempDir()
	for i := range 8 {
		write(t, src, string(rune('a'+i)), strings.Repeat(string(rune('a'+i)), 300_000))
	}
	did := mustAdd(t, v, "x", src).Dataset.DID
	round := func(budget int64) (shares int, found []Damage) {
		t.Helper()
		for {
			some, over, err := v.CheckSome(bg, budget)
			if err != nil {
				t.Fatal(err)
			}
			shares++
			found = append(found, some...)
			if over {
				return shares, found
			}
			now = now.Add(time.Hour)
			v, _ = reopen(t, v)
			if shares > 50 {
				t.Fatal("it comes to no end")
			}
		}
	}
	if !v.Checked().IsZero() {
		t.Error("all was checked before anything was")
	}
	began := now
	if shares, found := round(600_000); shares < 4 || len(found) > 0 {
		t.Errorf("%d shares, %v", shares, found)
	}
	if !v.Checked().Equal(began) {
		t.Errorf("all was checked since %v, want %v", v.Checked(), began)
	}
	v.Close()
	pack := filepath.Join(v.dir, packsDir, "00000001.pack")
	disktest.Flip(t, disk.OS, pack, 8*1_000_000)
	v, _ = mustOpen(t, v.dir, opt)
	_, found := round(600_000)
	lost := 0
	for _, d := range found {
		if d.Kind == FilesLost {
			lost++
		}
	}
	if lost != 1 {
		t.Errorf("found %+v", found)
	}
	if err := os.Remove(v.path(checkedFile)); err != nil {
		t.Fatal(err)
	}
	if _, over, err := v.CheckSome(bg, 1<<30); err != nil || !over {
		t.Errorf("all in one: %v", err)
	}
	if err := os.Truncate(v.path(keyringB), 100); err != nil {
		t.Fatal(err)
	}
	if some, _, err := v.CheckSome(bg, 1); err != nil || len(some) != 1 || some[0].Kind != KeyringDamaged {
		t.Errorf("%+v, %v", some, err)
	}
	v.Remove(bg, did)
}

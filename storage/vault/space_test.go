// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
)

// TestCompactGivesRoomBack: versions that are no longer kept, and what a
// cut-off Add left, take no room on the disk after Compact; the rest is whole.
func TestCompactGivesRoomBack(t *testing.T) {
	opt := testOptions()
	opt.Keep = 2
	v := newVault(t, opt)
	src, rng := t.TempDir(), rand.NewChaCha8([32]byte{1})
	const size = 4 << 20
	content := func() string {
		b := make([]byte, size)
		rng.Read(b)
		return string(b)
	}
	var did crypto.DID
	for range 8 {
		write(t, src, "big", content())
		did = mustAdd(t, v, "x", src).Dataset.DID
	}
	other := t.TempDir()
	write(t, other, "cut", content())
	cutOff(t, v, "cut", other, size)
	on := func() int64 { return folderSize(t, v.path(packsDir)) }
	before := on()
	if before < 8*size {
		t.Fatalf("%d bytes of packs: the test is too small", before)
	}
	r, err := v.Compact(bg, CompactOptions{All: true, Percent: 1})
	if err != nil || r.Unswept != nil {
		t.Fatal(err, r.Unswept)
	}
	if now := on(); now > 4*size || r.Sweep.Waste == 0 || r.Sweep.Dead != 0 { // two versions, and what may be taken up again
		t.Errorf("%d bytes of %d are left, %+v", now, before, r)
	}
	if r, err = v.Compact(bg, CompactOptions{Grace: -1, All: true, Percent: 1}); err != nil || r.Sweep.Dead == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if now := on(); now > 2*size*101/100+(64<<10) {
		t.Errorf("%d bytes are left of two versions of %d", now, size)
	}
	check := func() {
		t.Helper()
		if bad, err := v.Check(bg, nil); err != nil || len(bad) > 0 {
			t.Errorf("%v, %v", bad, err)
		}
		if diff := cmp.Diff(tree(t, src), export(t, v, did, ExportOptions{})); diff != "" {
			t.Error(diff[:200])
		}
	}
	check()
	v, _ = reopen(t, v)
	check()
	if _, err := v.Add(bg, "x", src, AddOptions{}); err != nil {
		t.Error(err)
	}
}

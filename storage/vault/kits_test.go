// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestKitsOfAnOlderCopy: a vault that was put back from a backup leaves the kit
// alone that was made meanwhile, however far it counts; older ones it replaces.
func TestKitsOfAnOlderCopy(t *testing.T) {
	k, _ := newRing(t)
	d, opt := disktest.NewDisk(), testOptions()
	opt.FS = d
	v, err := Create("/v", k, opt)
	if err != nil {
		t.Fatal(err)
	}
	kitOf := func(v *Vault) []byte {
		var kit bytes.Buffer
		if err := v.SaveKit(&kit, 0, Digest{}); err != nil {
			t.Fatal(err)
		}
		return kit.Bytes()
	}
	src := t.TempDir()
	write(t, src, "a", "content")
	mustAdd(t, v, "first", src)
	older := kitOf(v)
	if err := v.SaveKeyring(); err != nil {
		t.Fatal(err)
	}
	backup := d.Crash(rand.New(rand.NewPCG(1, 2)))
	mustAdd(t, v, "later", src)
	newer := kitOf(v)
	v.Close()

	opt.FS = backup
	w, _ := mustOpen(t, "/v", opt)
	if err := w.suspend(OldJournal); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "y", "z"} {
		mustAdd(t, w, name, src)
	}
	w, _ = reopen(t, w)
	if err := w.ring.MayReplaceKit(newer); !errors.Is(err, crypto.ErrNewerKit) {
		t.Errorf("the newer kit: %v", err)
	}
	for what, kit := range map[string][]byte{"older": older, "own": kitOf(w)} {
		if err := w.ring.MayReplaceKit(kit); err != nil {
			t.Errorf("the %s kit: %v", what, err)
		}
	}
}

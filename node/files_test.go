// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/traboule/traboule/storage/disk/disktest"
)

// TestNodeOnADiskInMemory makes a node, opens it, saves its kit and restores
// it, on a disk that is not the system's.
func TestNodeOnADiskInMemory(t *testing.T) {
	d, dir := disktest.NewDisk(), t.TempDir()
	made, err := Create(t.Context(), CreateOptions{Home: filepath.Join(dir, "a"), Passphrase: []byte("pass phrase"), Weak: true, Files: d})
	if err != nil {
		t.Fatal(err)
	}
	opt := Options{Home: made.Home, Secret: Secret{Passphrase: []byte("pass phrase")}, Files: d}
	n, err := OpenHome(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	var kit bytes.Buffer
	if err := errors.Join(n.sealKit(&kit), n.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := RepairHome(t.Context(), opt); err != nil {
		t.Errorf("repair: %v", err)
	}
	again := RestoreOptions{CreateOptions: CreateOptions{Home: filepath.Join(dir, "b"), Passphrase: []byte("pass phrase"), Weak: true, Files: d},
		Kit: kit.Bytes(), Words: made.Words}
	if restored, err := Restore(t.Context(), again); err != nil || restored.Owner != made.Owner {
		t.Errorf("restored %+v, %v", restored, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("on the system's disk: %v, %v", left, err)
	}
}

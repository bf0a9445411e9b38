// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"github.com/traboule/traboule/storage/disk"
)

// ballastSize is room for thousands of revocations, or for the keyring's two
// copies a few times over.
const ballastSize = 2 << 20

// ballastName is a file of noise, so that no file system makes it smaller, in
// the node's folder. Blocks leave room on the disk for what ends passages, but
// other programs may take it; this file is nobody else's.
const ballastName = "ballast"

// loadBallast makes the ballast, unless it is there or room is short. It is not
// made durable: one that a power cut took is made again.
func (n *Node) loadBallast() {
	name := filepath.Join(n.opt.Home, ballastName)
	if info, err := n.files().Stat(name); err == nil && info.Size() == ballastSize {
		return
	}
	free, err := n.files().FreeBytes(n.opt.Home)
	if err != nil || free < ballastSize+uint64(n.vault.Blocks().Reserve()) {
		return
	}
	f, err := n.files().OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	noise := make([]byte, ballastSize)
	rand.Read(noise) // never fails (crypto/rand)
	_, err = f.Write(noise)
	if closing := f.Close(); err != nil || closing != nil {
		_ = n.files().Remove(name) // tried again later
	}
}

// dropBallast gives its room away, and says whether there was any.
func (n *Node) dropBallast() bool {
	return n.files().Remove(filepath.Join(n.opt.Home, ballastName)) == nil
}

// withRoom does what must not fail for want of room: on a full disk the ballast
// goes, and it is done again.
func (n *Node) withRoom(do func() error) error {
	err := do()
	if !disk.IsFull(err) || !n.dropBallast() {
		return err
	}
	return do()
}

// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/storage/disk"
)

// packsDir is the folder of a home that a kit cannot bring back.
const packsDir = "packs"

func kitDir(number int) string { return fmt.Sprintf("/kits/%d", number) }

// kit saves a recovery kit, and copies the blocks as they are now.
func (c *city) kit(m move) error {
	h := c.homes[m.who]
	if !c.truth.up[m.who] {
		return nil
	}
	if err := disk.MakeDir(h.disk, kitDir(m.number), 0o700); err != nil {
		return err
	}
	if _, err := call(h, node.Kit, node.KitRequest{To: filepath.Join(kitDir(m.number), "kit"), Once: true}); err != nil {
		return err
	}
	if err := disk.CopyDir(h.disk, filepath.Join(kitDir(m.number), packsDir), filepath.Join(homeDir, packsDir)); err != nil {
		return err
	}
	c.truth.copies[m.number] = c.truth.books[m.who].clone()
	return nil
}

// restore makes a home anew from a kit and the blocks of its time. Whatever
// came since is not known any more, and so nothing is served until the owner
// confirms; another life begins.
func (c *city) restore(m move) error {
	saved, made := c.truth.copies[m.of]
	if !made {
		return nil
	}
	h := c.homes[m.who]
	running := h.node != nil
	if err := h.stop(); err != nil {
		return err
	}
	if m.seed%2 == 0 { // on another machine, on which nothing is known of before
		if err := disk.RemoveAll(h.disk, witnessDir); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Second) // two lives do not begin in one second
	if err := h.makeAnew(kitDir(m.of)); err != nil {
		return err
	}
	book := saved.clone()
	book.suspended, book.fromKit = true, true
	time.Sleep(2 * time.Second) // another begins where the home finds traces of itself
	book.life = max(book.life+1, int(h.now().Unix()))
	c.truth.goesBack(m.who, book)
	return h.startAnew(running)
}

func (h *home) makeAnew(from string) error {
	kit, err := disk.ReadFile(h.disk, filepath.Join(from, "kit"), 1<<30)
	if err != nil {
		return err
	}
	if err := disk.RemoveAll(h.disk, homeDir); err != nil {
		return err
	}
	if err := disk.MakeDir(h.disk, homeDir, 0o700); err != nil {
		return err
	}
	if err := disk.CopyDir(h.disk, filepath.Join(homeDir, packsDir), filepath.Join(from, packsDir)); err != nil {
		return err
	}
	_, err = node.Restore(context.Background(), node.RestoreOptions{CreateOptions: h.creation(), Kit: kit, Words: h.words})
	return err
}

// lower stops a node, has its owner say that the clock is right as it stands,
// and starts it.
func (c *city) lower(m move) error {
	h, book := c.homes[m.who], &c.truth.books[m.who]
	running := h.node != nil
	if err := h.stop(); err != nil {
		return err
	}
	if err := node.LowerClock(context.Background(), h.options()); err != nil {
		return err
	}
	if book.latest.After(h.now()) {
		book.latest = h.now()
	}
	return h.startAnew(running)
}

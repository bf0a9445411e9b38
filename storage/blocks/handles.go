// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"os"
	"sync"

	"github.com/traboule/traboule/storage/disk"
)

// handles keeps a few packs open for reading, those last used.
type handles struct {
	fs  disk.FS
	dir string
	max int

	mu    sync.Mutex
	tick  uint64
	files map[uint32]*handle
}

type handle struct {
	disk.File
	users int
	used  uint64 // tick of the last use
	loose bool   // nobody else may take it; closed by its last user
}

// with calls fn with a pack open for reading; it stays open at least as long.
func (h *handles) with(pack uint32, fn func(disk.File) error) error {
	f, err := h.take(pack)
	if err != nil {
		return err
	}
	defer h.release(f)
	return fn(f)
}

func (h *handles) take(pack uint32) (*handle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.files[pack]
	if f == nil {
		file, err := h.fs.OpenFile(packName(h.dir, pack), os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		h.shrink(h.max - 1)
		f = &handle{File: file}
		h.files[pack] = f
	}
	h.tick++
	f.used = h.tick
	f.users++
	return f, nil
}

func (h *handles) release(f *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.users--; f.users == 0 && f.loose {
		f.Close()
	}
}

// drop lets go of a pack whose file is gone, so that its room comes free.
func (h *handles) drop(pack uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.files[pack]; f != nil {
		h.let(pack, f)
	}
}

func (h *handles) let(pack uint32, f *handle) {
	delete(h.files, pack)
	if f.loose = true; f.users == 0 {
		f.Close()
	}
}

// shrink closes idle files, the longest unused first, until at most n are
// open or all are in use.
func (h *handles) shrink(n int) {
	for len(h.files) > n {
		oldest, found := uint32(0), false
		for pack, f := range h.files {
			if f.users == 0 && (!found || f.used < h.files[oldest].used) {
				oldest, found = pack, true
			}
		}
		if !found {
			return
		}
		h.files[oldest].Close()
		delete(h.files, oldest)
	}
}

func (h *handles) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for pack, f := range h.files {
		h.let(pack, f)
	}
}

// SPDX-License-Identifier: Apache-2.0

package index

import (
	"errors"
	"fmt"
	"os"

	"github.com/dgraph-io/badger/v4"
)

// ErrNoRoom means that the disk is so full that badger might end the process:
// it maps files with holes into memory, and writing into a hole for which there
// is no room is a fault that nobody can catch. The index is then given up, and
// its room with it.
var ErrNoRoom = errors.New("too little room on the disk for an index")

// leastRoom, in bytes, covers all the holes that badger may fill between two
// looks at the disk.
const leastRoom = 12 << 20

func roomy(dir string, free func(dir string) (uint64, error)) bool {
	n, err := free(dir)
	return err != nil || n >= leastRoom
}

// write is with, for whoever adds to the files.
func (x *Index) write(fn func(*badger.DB) error) error {
	if !roomy(x.dir, x.free) {
		return x.giveUp()
	}
	return x.with(fn)
}

// giveUp takes the files away. Badger stays in memory until the process ends:
// to close it would write.
func (x *Index) giveUp() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db == nil && !x.resting {
		return errClosed
	}
	x.db, x.resting = nil, false
	if err := os.RemoveAll(x.dir); err != nil {
		return fmt.Errorf("give the index up: %w", err)
	}
	return ErrNoRoom
}

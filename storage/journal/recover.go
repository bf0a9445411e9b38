// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/traboule/traboule/storage/disk"
)

// takeBack undoes what a commit that failed may have left on the disk, so that
// the journal may go on: the disk was full for a while, say. Nobody was told
// that it is true, and now it never will be. All that was acknowledged was
// durable before, by a sync that succeeded; what stands behind it is cut off
// and the cut synced, through a file opened anew, which is then read to see
// that it verifies up to the head. Only the leader calls it.
func (j *Journal) takeBack(head Mark) error {
	last := j.lastSegment()
	err := j.fs.Remove(segmentName(j.dir, last.Number+1)) // a segment of which nobody heard
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := j.fs.SyncDir(filepath.Clean(j.dir)); err != nil {
		return err
	}
	file, err := j.fs.OpenFile(segmentName(j.dir, last.Number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := cutAndVerify(file, last.Size, head); err != nil {
		file.Close()
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file.Close()
	j.file, j.broken = file, nil
	return nil
}

func cutAndVerify(file disk.File, size int64, head Mark) error {
	if err := file.Truncate(size); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	s, err := openSegment(file, size)
	for err == nil && s.off < size {
		err = s.frame(func(Entry, [32]byte) error { return nil })
	}
	if err == nil && (s.seq != head.Seq || !bytes.Equal(s.chain[:], head.Chain[:])) {
		err = fmt.Errorf("the segment ends at entry %d, not %d", s.seq, head.Seq)
	}
	return err
}

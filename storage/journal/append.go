// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/traboule/traboule/storage/disk"
)

// commit is one Append, or other work on the files, on its way. The goroutine
// whose commit is first in line leads: it writes and syncs one frame with all
// that wait, then the next in line leads.
type commit struct {
	entries []Entry
	size    int              // as stored
	work    func(Mark) error // instead of entries; alone

	lead chan struct{} // closed when it is this one's turn
	over chan struct{} // closed when last and err are set
	last uint64
	err  error
}

// unharmed is an error that left the files as they were.
type unharmed struct{ error }

func (e unharmed) Unwrap() error { return e.error }

// Append adds entries as one batch, which is found whole or not at all after
// a crash, and returns the place of the last one when they are durable. Seq
// and Checkpoint of the entries are ignored. Many goroutines share one fsync.
// ctx counts until the batch is in line; then its fate is decided soon.
//
// After an error of writing or syncing nobody can tell what the disk holds:
// the batch is in doubt. If this process ends now the next Open finds it or
// not. The next Append takes it back first; while that fails too, the error is
// [ErrBroken].
func (j *Journal) Append(ctx context.Context, e ...Entry) (last uint64, err error) {
	c := &commit{entries: e}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	if c.size, err = storedSize(e); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	if c.size > MaxBatch {
		return 0, fmt.Errorf("append %d bytes to journal: %w", c.size, ErrTooLarge)
	}
	if len(e) == 0 {
		last, _ = j.Head()
		return last, nil
	}
	if err := j.run(c); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	return c.last, nil
}

// run puts a commit in line and returns when it is over.
func (j *Journal) run(c *commit) error {
	c.lead, c.over = make(chan struct{}), make(chan struct{})
	if err := j.enqueue(c); err != nil {
		return err
	}
	select {
	case <-c.over:
	case <-c.lead:
		j.leadCommit()
	}
	return c.err
}

func storedSize(entries []Entry) (int, error) {
	size := 0
	for _, e := range entries {
		n := len(e.Public) + len(e.Body)
		if n > MaxEntry {
			return 0, fmt.Errorf("entry of %d bytes: %w", n, ErrTooLarge)
		}
		size += entryHeader + n
	}
	return size, nil
}

func (j *Journal) enqueue(c *commit) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	j.waiting = append(j.waiting, c)
	if len(j.waiting) == 1 {
		close(c.lead)
	}
	return nil
}

// leadCommit serves as many in line as fit in a frame, the leader's own first.
func (j *Journal) leadCommit() {
	j.mu.Lock()
	batch, size := j.line()
	head, broken := j.head, j.broken
	j.mu.Unlock()

	var err error
	if broken != nil {
		if err = j.takeBack(head); err != nil {
			err = fmt.Errorf("%w; it cannot be taken back: %w", broken, err)
		}
	}
	switch {
	case err != nil:
	case batch[0].work != nil:
		err = batch[0].work(head)
	default:
		err = j.writeFrame(batch, head, size)
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil && j.broken == nil && !errors.As(err, new(unharmed)) {
		j.broken = fmt.Errorf("%w (%w)", ErrBroken, err)
	}
	for _, c := range batch {
		c.err = err
		close(c.over)
	}
	j.waiting = append([]*commit(nil), j.waiting[len(batch):]...)
	if len(j.waiting) > 0 {
		close(j.waiting[0].lead)
	}
}

// line is what the first in line takes along: work goes alone.
func (j *Journal) line() (batch []*commit, size int) {
	n := 0
	for _, c := range j.waiting {
		if n > 0 && (c.work != nil || j.waiting[0].work != nil) || size+c.size > maxFrame {
			break
		}
		size += c.size
		n++
	}
	return j.waiting[:n:n], size
}

// writeFrame writes and syncs one frame. Only the leader calls it.
func (j *Journal) writeFrame(batch []*commit, head Mark, size int) error {
	if err := j.roll(head); err != nil {
		return err
	}
	var entries []Entry
	for _, c := range batch {
		entries = append(entries, c.entries...)
		c.last = head.Seq + uint64(len(entries))
	}
	frame, after := encodeFrame(head, entries, size)
	j.mu.Lock()
	seg := &j.segments[len(j.segments)-1]
	file, off := j.file, seg.Size
	j.mu.Unlock()
	_, err := file.WriteAt(frame, off)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		file.Truncate(off) // best effort: the less in doubt the better
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	seg.Size += int64(len(frame))
	seg.Last = after.Seq
	j.head = after
	return nil
}

func encodeFrame(head Mark, entries []Entry, size int) ([]byte, Mark) {
	frame := make([]byte, frameHeader, frameHeader+size+frameEnd)
	after := head
	for _, e := range entries {
		start := len(frame)
		frame = appendEntry(frame, e)
		after = Mark{after.Seq + 1, next(after.Chain, frame[start:])}
	}
	return sealFrame(frame, head.Seq+1, len(entries), after.Chain), after
}

// roll starts a new segment when the last one is full. When there is no room
// for one the old one grows on. Only the leader calls it.
func (j *Journal) roll(head Mark) error {
	j.mu.Lock()
	last := j.segments[len(j.segments)-1]
	j.mu.Unlock()
	if last.Size < j.opt.SegmentSize {
		return nil
	}
	h := header{number: last.Number + 1, vault: j.opt.VaultID, first: head.Seq + 1, chain: head.Chain}
	if err := j.startSegment(h, nil, head); !errors.As(err, new(unharmed)) {
		return err
	}
	return nil
}

// startSegment makes a segment with what it begins with, in one step, and
// goes on there. The error is unharmed when no such segment came to be.
func (j *Journal) startSegment(h header, frames []byte, head Mark) error {
	name := segmentName(j.dir, h.number)
	content := append(h.encode(), frames...)
	if err := disk.WriteFileAtomic(j.fs, name, content, 0o600); err != nil {
		if _, e := j.fs.Stat(name); errors.Is(e, fs.ErrNotExist) {
			return unharmed{err}
		}
		return err
	}
	file, err := j.fs.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.head = file, head
	seg := Segment{Number: h.number, First: h.first, Last: head.Seq, Size: int64(len(content))}
	if h.checkpoint > 0 {
		seg.Checkpoint, seg.Repeated = true, seg.Size
	}
	j.segments = append(j.segments, seg)
	return nil
}

func segmentName(dir string, number uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08d.log", number))
}

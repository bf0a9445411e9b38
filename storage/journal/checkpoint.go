// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Checkpoint starts a segment that begins with entries, the whole live state
// as the caller saw it after entry at, so that the next Open need not replay
// what came before. All of it becomes durable in one step, with places and
// chain hashes like any other. [ErrMoved] means that something was appended
// after at: gather the state again, for a checkpoint without it would
// un-happen it. The state must fit in memory twice.
func (j *Journal) Checkpoint(ctx context.Context, at uint64, entries []Entry) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("checkpoint journal: %w", err)
	}
	if _, err := storedSize(entries); err != nil {
		return fmt.Errorf("checkpoint journal: %w", err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("checkpoint journal: no live state given")
	}
	err := j.run(&commit{work: func(head Mark) error {
		if head.Seq != at {
			return unharmed{fmt.Errorf("%w: it was at %d, now %d", ErrMoved, at, head.Seq)}
		}
		return j.writeCheckpoint(head, entries)
	}})
	if err != nil {
		return fmt.Errorf("checkpoint journal: %w", err)
	}
	return nil
}

func (j *Journal) writeCheckpoint(head Mark, entries []Entry) error {
	h := header{
		number: j.lastSegment().Number + 1, vault: j.opt.VaultID,
		first: head.Seq + 1, chain: head.Chain,
		checkpoint: head.Seq + uint64(len(entries)),
	}
	var frames []byte
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && size+entryHeader+len(entries[n].Public)+len(entries[n].Body) <= maxFrame {
			size += entryHeader + len(entries[n].Public) + len(entries[n].Body)
			n++
		}
		var frame []byte
		frame, head = encodeFrame(head, entries[:n], size)
		frames = append(frames, frame...)
		entries = entries[n:]
	}
	return j.startSegment(h, frames, head)
}

func (j *Journal) lastSegment() Segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segments[len(j.segments)-1]
}

// DropBefore removes old segments for good, oldest first, so that what is left
// takes at most limit bytes: what they told beyond the live state is
// forgotten. The journal then begins with a checkpoint; what comes from the
// newest one on stays, however large it is. A Read under way may fail.
func (j *Journal) DropBefore(limit int64) error {
	err := j.run(&commit{work: func(Mark) error {
		if err := j.drop(limit); err != nil {
			return unharmed{err}
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("drop old journal segments: %w", err)
	}
	return nil
}

// drop makes each removal durable before the next: a gap would be damage.
func (j *Journal) drop(limit int64) error {
	segments := j.Segments()
	for i, seg := range segments[:firstKept(segments, limit)] {
		err := j.fs.Remove(segmentName(j.dir, seg.Number))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone already when the sync failed last time
			return err
		}
		// Each by itself: a power cut may undo what was not synced in any order.
		if err := j.fs.SyncDir(filepath.Clean(j.dir)); err != nil {
			return err
		}
		j.mu.Lock()
		j.segments = append([]Segment(nil), segments[i+1:]...)
		j.mu.Unlock()
	}
	return nil
}

// firstKept is the oldest checkpoint from which on there are at most limit
// bytes, or else the newest; 0 when nothing has to go.
func firstKept(segments []Segment, limit int64) (first int) {
	size := int64(0)
	for i := len(segments) - 1; i >= 0; i-- {
		if size += segments[i].Size; size > limit && first > 0 {
			return first
		}
		if segments[i].Checkpoint {
			first = i
		}
	}
	if size <= limit {
		return 0
	}
	return first
}

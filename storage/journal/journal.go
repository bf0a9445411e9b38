// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/traboule/traboule/storage/disk"
)

// Limits of what may be appended.
const (
	MaxEntry = 1 << 20 // bytes of one entry, public part and body together
	MaxBatch = 8 << 20 // bytes of one Append as stored, 34 more for each entry
)

// Entry is one change of state.
type Entry struct {
	Seq        uint64   // its place, from 1, without gaps; set by the journal
	Time       int64    // Unix seconds, the caller's
	Kind       uint16   // the caller's
	Tag        [16]byte // which scope's key seals Body; zero for none
	Public     []byte   // stays readable for ever
	Body       []byte   // sealed by the caller
	Checkpoint bool     // set by the journal: repeated by a checkpoint, not new
}

// Mark is a place in a journal: an entry and the chain hash after it. The
// zero Mark is before everything.
type Mark struct {
	Seq   uint64
	Chain [32]byte
}

// Errors of a [Journal].
var (
	ErrDamaged  = errors.New("the journal is damaged")
	ErrOldTruth = errors.New("the journal is not the one that this node remembers, or older")
	ErrBroken   = errors.New("an earlier write failed")
	ErrTooLarge = errors.New("too large for the journal")
	ErrMoved    = errors.New("the journal has moved on")
	ErrClosed   = errors.New("the journal is closed")
)

// DamagedError says where a journal is damaged. It wraps [ErrDamaged].
type DamagedError struct {
	Segment uint32
	Offset  int64 // up to here the segment can be kept; 0 for not at all
	Why     string

	// Keep is a segment that begins with a checkpoint and from which on all is
	// sound, so that only history is damaged; 0 when it is what counts. [Open]
	// says it, and means the damage that is nearest to the end.
	Keep uint32
}

// Error names segment and offset.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("journal segment %08d at %d: %s", e.Segment, e.Offset, e.Why)
}

// Unwrap returns [ErrDamaged].
func (e *DamagedError) Unwrap() error { return ErrDamaged }

// Segment describes one file of a journal.
type Segment struct {
	Number     uint32
	First      uint64 // place of its first entry, also when it has none yet
	Last       uint64 // First-1 when it has none
	Size       int64
	Checkpoint bool  // it begins with the live state
	Repeated   int64 // bytes up to the end of that; 0 when it does not
}

// Journal is an open journal. Many goroutines may call it.
type Journal struct {
	fs  disk.FS
	dir string
	opt Options

	mu       sync.Mutex
	segments []Segment
	file     disk.File // the last segment
	head     Mark
	waiting  []*commit // in order; the first of them leads
	broken   error     // what a failed commit left may be on the disk: see takeBack
	closed   bool
}

// Head is the last durable entry and the chain hash after it.
func (j *Journal) Head() (seq uint64, chain [32]byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head.Seq, j.head.Chain
}

// Segments lists the files, oldest first.
func (j *Journal) Segments() []Segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Segment(nil), j.segments...)
}

// ReadLive is [Journal.Read] from the newest checkpoint on.
func (j *Journal) ReadLive(fn func(Entry) error) error {
	from := uint64(0)
	segments := j.Segments() // once: a checkpoint that lands meanwhile repeats what is read already
	for _, seg := range segments {
		if seg.Checkpoint {
			from = seg.First
		}
	}
	return j.read(segments, from, fn)
}

// Read calls fn with every durable entry from place from on, also those that
// a checkpoint has repeated since, and stops at its first error. All is
// verified again on the way. The entries' bytes are valid during the call.
// Reading works while others append, and on a broken journal.
func (j *Journal) Read(from uint64, fn func(Entry) error) error {
	return j.read(j.Segments(), from, fn)
}

func (j *Journal) read(segments []Segment, from uint64, fn func(Entry) error) error {
	for _, seg := range segments {
		if seg.Last < from || seg.Last < seg.First {
			continue
		}
		if err := j.readSegment(seg, from, fn); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) readSegment(seg Segment, from uint64, fn func(Entry) error) error {
	f, err := j.fs.OpenFile(segmentName(j.dir, seg.Number), os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	r, err := openSegment(f, seg.Size)
	if err != nil {
		return &DamagedError{Segment: seg.Number, Why: err.Error()}
	}
	if r.first != seg.First {
		return &DamagedError{Segment: seg.Number, Why: "segment header has changed"}
	}
	for r.seq < seg.Last {
		err := r.frame(func(e Entry, _ [32]byte) error {
			if e.Seq < from {
				return nil
			}
			return fn(e)
		})
		if caller := (*callerError)(nil); errors.As(err, &caller) {
			return caller.err
		}
		if err != nil {
			return r.damaged(err.Error())
		}
	}
	return nil
}

// Close closes the journal. What was acknowledged is durable already; an
// Append under way ends first. A second Close does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	for len(j.waiting) > 0 && !j.closed {
		last := j.waiting[len(j.waiting)-1]
		j.mu.Unlock()
		<-last.over
		j.mu.Lock()
	}
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	return j.file.Close()
}

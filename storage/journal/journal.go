// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/traboule/traboule/storage/disk"
)

// Limits of what may be appended.
const (
	MaxEntry = 1 << 20 // bytes of one entry, public part and body together
	MaxBatch = 8 << 20 // bytes of one Append
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

// Mark is a place in a journal: an entry and the chain hash after it.
type Mark struct {
	Seq   uint64
	Chain [32]byte
}

// Options of [Open].
type Options struct {
	VaultID     [16]byte // whose journal this is; another's is refused
	Expect      Mark     // the journal must reach this far, with this chain; zero for any
	AcceptOld   bool     // open a journal that does not meet Expect, and say so in Report.Old
	SegmentSize int64    // a segment that has reached this size is closed; default 16 MiB
}

// Report says what [Open] found.
type Report struct {
	Segments int
	First    uint64 // oldest entry kept
	Last     uint64 // newest entry, 0 for none
	Replayed uint64 // entries given to replay
	Dropped  int64  // bytes of an unfinished, never acknowledged frame that were cut off
	Old      bool   // the journal does not meet Options.Expect
}

// Errors of a [Journal].
var (
	ErrDamaged  = errors.New("the journal is damaged")
	ErrOldTruth = errors.New("the journal is older than what this node remembers")
	ErrBroken   = errors.New("an earlier write failed; open the journal again")
	ErrTooLarge = errors.New("entry too large")
	ErrMoved    = errors.New("the journal has moved on")
	ErrClosed   = errors.New("the journal is closed")
)

// DamagedError says where. It wraps [ErrDamaged].
type DamagedError struct {
	Segment uint32
	Offset  int64
	Why     string
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
	First      uint64 // its first entry's place (or where that would be)
	Last       uint64 // First-1 when it is empty
	Size       int64
	Checkpoint bool // it opens with the live state
}

// Journal is an open journal. Many goroutines may call it.
type Journal struct{}

// Open opens the journal in dir.
func Open(fsys disk.FS, dir string, opt Options, replay func(Entry) error) (*Journal, *Report, error) {
	return nil, nil, errors.ErrUnsupported
}

// Append adds a batch and returns when it is durable.
func (j *Journal) Append(ctx context.Context, e ...Entry) (last uint64, err error) {
	return 0, errors.ErrUnsupported
}

// Head is the last durable entry and the chain hash after it.
func (j *Journal) Head() (seq uint64, chain [32]byte) { return }

// Read gives fn every entry from seq on.
func (j *Journal) Read(from uint64, fn func(Entry) error) error { return errors.ErrUnsupported }

// Segments lists the files.
func (j *Journal) Segments() []Segment { return nil }

// Checkpoint starts a segment that opens with the live state as of entry at.
func (j *Journal) Checkpoint(ctx context.Context, at uint64, entries []Entry) error {
	return errors.ErrUnsupported
}

// DropBefore removes the segments before the newest checkpoint.
func (j *Journal) DropBefore() error { return errors.ErrUnsupported }

// Close closes.
func (j *Journal) Close() error { return nil }

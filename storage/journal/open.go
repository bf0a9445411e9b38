// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/traboule/traboule/storage/disk"
)

// Options of [Open].
type Options struct {
	VaultID     [16]byte // whose journal this is; another's is refused
	Expect      Mark     // the journal must reach this far, with this chain hash there; zero for any
	AcceptOld   bool     // open a journal that does not meet Expect, and say so in Report.Old
	SegmentSize int64    // a segment that has reached this size is closed; default 16 MiB
}

// Report says what [Open] found.
type Report struct {
	Segments int
	First    uint64 // place of the oldest entry kept
	Last     uint64 // place of the newest entry, First-1 for none
	Replayed uint64 // entries given to replay
	Dropped  int64  // bytes of an unfinished, never acknowledged frame that were cut off
	Old      bool   // the journal does not meet Options.Expect
}

// Open opens the journal in dir, which it makes when it is new, verifies the
// whole chain and calls replay, which may be nil, with every entry from the
// newest checkpoint on, in order. The entries' bytes are valid during the
// call. One process at a time may have a journal open: the caller sees to
// that (disk.FS's Lock).
//
// An unfinished frame at the end was never acknowledged and is cut off. A
// journal that does not verify gives a *[DamagedError], one that has lost
// something since Options.Expect gives [ErrOldTruth] (a new folder too, when
// something is expected); both leave the files alone.
func Open(fsys disk.FS, dir string, opt Options, replay func(Entry) error) (*Journal, *Report, error) {
	opt.SegmentSize = cmp.Or(opt.SegmentSize, 16<<20)
	if replay == nil {
		replay = func(Entry) error { return nil }
	}
	o := &opening{
		Journal: &Journal{fs: fsys, dir: dir, opt: opt},
		report:  &Report{},
		replay:  replay,
		met:     opt.Expect == Mark{},
	}
	if err := o.run(); err != nil {
		if o.file != nil {
			o.file.Close()
		}
		return nil, nil, fmt.Errorf("open journal in %s: %w", dir, err)
	}
	return o.Journal, o.report, nil
}

// opening is a journal on its way; nobody else knows it yet.
type opening struct {
	*Journal
	report *Report
	replay func(Entry) error
	from   uint32 // first segment to replay
	met    bool   // Expect has been seen
}

// none is for a replay whose journal will not be opened.
func none(Entry) error { return nil }

func (o *opening) run() error {
	numbers, err := o.list()
	if err != nil {
		return err
	}
	o.from, err = o.newestCheckpoint(numbers)
	if err != nil {
		return err
	}
	o.head = Mark{Chain: genesis(o.opt.VaultID)}
	o.meet(o.head)
	if err := o.loadAll(numbers); err != nil {
		return o.judge(numbers, err)
	}
	if !o.met {
		if !o.opt.AcceptOld {
			return fmt.Errorf("%w: it ends at entry %d, and %d was seen", ErrOldTruth, o.head.Seq, o.opt.Expect.Seq)
		}
		o.report.Old = true
	}
	if err := o.settle(); err != nil {
		return err
	}
	o.report.Segments = len(o.segments)
	o.report.First, o.report.Last = o.segments[0].First, o.head.Seq
	return nil
}

// loadAll verifies segments one after the other.
func (o *opening) loadAll(numbers []uint32) error {
	for i, number := range numbers {
		if i > 0 && numbers[i-1]+1 != number {
			return missing(numbers[i-1] + 1)
		}
		if err := o.load(number, i == 0, i == len(numbers)-1); err != nil {
			return err
		}
	}
	return nil
}

func missing(number uint32) error {
	return &DamagedError{Segment: number, Why: "the segment is missing"}
}

// judge tells damaged history from damage in what counts, from the newest
// checkpoint on: what follows the damage is verified by itself, from the
// oldest checkpoint on from which that works. It returns the error that says
// it, which names the damage that is nearest to the end.
func (o *opening) judge(numbers []uint32, err error) error {
	o.replay = none
	for at := (*DamagedError)(nil); errors.As(err, &at) && o.from > 1; {
		began := numbers[0]
		for len(numbers) > 0 && !o.mayBegin(numbers[0], began, at.Segment) {
			numbers = numbers[1:]
		}
		if len(numbers) == 0 {
			return err
		}
		next := o.loadAll(numbers)
		if next == nil {
			at.Keep = numbers[0]
			return err
		}
		err = next
	}
	return err
}

// mayBegin tells whether a segment is a checkpoint beyond the damage, which
// may be that the segment does not continue what was before it.
func (o *opening) mayBegin(number, began, damaged uint32) bool {
	if number <= began || number < damaged {
		return false
	}
	h, err := o.peek(number)
	return err == nil && h.checkpoint > 0
}

// list makes the folder and returns the numbers of the segments. What an interrupted disk.WriteFileAtomic left is cleared away.
func (o *opening) list() ([]uint32, error) {
	if err := disk.UseDir(o.fs, o.dir, 0o700); err != nil {
		return nil, err
	}
	files, err := o.fs.ReadDir(o.dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".log.new") {
			if err := o.fs.Remove(filepath.Join(o.dir, f.Name())); err != nil {
				return nil, err
			}
		}
		if number, ok := segmentNumber(f.Name()); ok {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

// segmentNumber reads the number out of a file name, exactly as segmentName
// writes it.
func segmentNumber(file string) (uint32, bool) {
	digits, ok := strings.CutSuffix(file, ".log")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n == 0 || fmt.Sprintf("%08d", n) != digits {
		return 0, false
	}
	return uint32(n), true
}

// newestCheckpoint says where to replay from. A journal whose beginning was
// dropped must have one.
func (o *opening) newestCheckpoint(numbers []uint32) (uint32, error) {
	for i := len(numbers) - 1; i >= 0; i-- {
		if i+1 < len(numbers) && numbers[i]+1 != numbers[i+1] {
			return 0, missing(numbers[i] + 1)
		}
		h, err := o.peek(numbers[i])
		if err != nil {
			return 0, err
		}
		if h.checkpoint > 0 || numbers[i] == 1 {
			return numbers[i], nil
		}
	}
	if len(numbers) > 0 {
		return 0, missing(numbers[0] - 1)
	}
	return 0, nil
}

func (o *opening) peek(number uint32) (header, error) {
	f, err := o.fs.OpenFile(segmentName(o.dir, number), os.O_RDONLY, 0)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	s, err := openSegment(f, segmentHeader)
	if err != nil {
		return header{}, &DamagedError{Segment: number, Why: err.Error()}
	}
	switch {
	case s.number != number:
		err = fmt.Errorf("the segment's header says %08d", s.number)
	case s.vault != o.opt.VaultID:
		err = errors.New("the segment belongs to another vault")
	case number == 1 && (s.first != 1 || s.header.chain != genesis(s.vault)):
		err = errors.New("the first segment does not begin at the beginning")
	}
	if err != nil {
		return header{}, &DamagedError{Segment: number, Why: err.Error()}
	}
	return s.header, nil
}

// load verifies one segment and replays it if need be. The last one may have
// an unfinished end, and stays open.
func (o *opening) load(number uint32, first, last bool) error {
	if _, err := o.peek(number); err != nil {
		return err
	}
	f, err := o.fs.OpenFile(segmentName(o.dir, number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if last {
		o.file = f
	} else {
		defer f.Close()
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	s, err := openSegment(f, st.Size())
	if err != nil {
		return &DamagedError{Segment: number, Why: err.Error()}
	}
	if first {
		o.head = Mark{s.first - 1, s.header.chain}
		o.meet(o.head)
		o.met = o.met || o.opt.Expect.Seq < o.head.Seq // forgotten since, and nothing can be compared
	}
	if s.first != o.head.Seq+1 || s.header.chain != o.head.Chain {
		return &DamagedError{Segment: number, Why: "the segment does not continue the one before"}
	}
	seg := Segment{Number: number, First: s.first, Checkpoint: s.checkpoint > 0}
	if err := o.frames(s, last, &seg); err != nil {
		return err
	}
	seg.Last, seg.Size = s.seq, s.off
	o.head = Mark{s.seq, s.chain}
	o.segments = append(o.segments, seg)
	return nil
}

func (o *opening) frames(s *segment, last bool, seg *Segment) error {
	for {
		if s.checkpoint > 0 && s.seq == s.checkpoint { // a checkpoint ends with a frame
			seg.Repeated = s.off
		}
		err := s.frame(func(e Entry, chain [32]byte) error {
			o.meet(Mark{e.Seq, chain})
			if s.number < o.from {
				return nil
			}
			o.report.Replayed++
			return o.replay(e)
		})
		var caller *callerError
		switch {
		case err == nil:
			continue
		case errors.As(err, &caller):
			return caller.err
		case err == io.EOF || last && errors.Is(err, errUnfinished):
			if s.seq < s.checkpoint {
				return s.damaged("the checkpoint is cut short")
			}
			o.report.Dropped = s.size - s.off
			return nil
		default:
			return s.damaged(err.Error())
		}
	}
}

// damaged is damage after the last good frame. Of a checkpoint nothing can be
// kept: it is whole or none.
func (s *segment) damaged(why string) *DamagedError {
	if s.seq < s.checkpoint {
		return &DamagedError{Segment: s.number, Why: fmt.Sprintf("in its checkpoint, at %d: %s", s.off, why)}
	}
	return &DamagedError{Segment: s.number, Offset: s.off, Why: why}
}

func (o *opening) meet(m Mark) { o.met = o.met || m == o.opt.Expect }

// settle cuts off an unfinished end, makes what was replayed durable (the
// process before may have been killed between write and fsync) and starts the
// first segment of a new journal.
func (o *opening) settle() error {
	if len(o.segments) == 0 {
		return o.startSegment(header{number: 1, vault: o.opt.VaultID, first: 1, chain: o.head.Chain}, nil, o.head)
	}
	if o.report.Dropped > 0 {
		if err := o.file.Truncate(o.segments[len(o.segments)-1].Size); err != nil {
			return err
		}
	}
	if err := o.file.Sync(); err != nil {
		return err
	}
	return o.fs.SyncDir(o.dir)
}

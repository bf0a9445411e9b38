// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/traboule/traboule/crypto/canonical"
)

// Paths of the objects of a data set of records.
const (
	SchemaPath = "schema.json"
	LogPath    = "log"
	olderPath  = "log/"  // and the number of the first operation in it
	rowsPath   = "rows/" // and first number, "-", how many numbers it spans
)

// logVersion is the form of the log that is written; another is refused.
const logVersion = 1

// Limits of a log.
const (
	MaxLog        = 16 << 20 // bytes of one of its objects
	MaxReason     = 4096     // bytes of a reason, which is UTF-8; of names of files too
	maxOperations = 1 << 20  // in all
	maxTail       = 32 << 10 // bytes of operations, beyond which they move to an object of their own
	maxSegments   = 1 << 16
	maxRuns       = 2 << 20 // ranges and pairs, of all operations and segments
	maxNames      = 4096    // files of one import that are named
	maxReason     = MaxReason
)

// Errors of logs.
var (
	ErrBadLog  = errors.New("not the log of a data set of records")
	ErrVersion = errors.New("the log is of a form that this program does not know")
)

// Kind says what an operation did.
type Kind string

// The kinds of operations.
const (
	Imported Kind = "import"
	Edited   Kind = "edit"   // one row by hand
	Deleted  Kind = "delete" // rows by hand
	Undid    Kind = "undo"
)

// Operation is one entry of the log. Operations are never taken away: one that
// takes another back says so.
type Operation struct {
	Number int   // from 1
	Kind   Kind  //
	When   int64 // Unix seconds; never less than that of the one before
	Undoes int   // the operation that this one takes back
	Undone bool  // as far as the log of this set goes

	Files  []string // an import's, without folders
	Format string   // an import's
	Reason string   // of an edit or delete

	New       int // rows that began to count
	Here      int // rows that were here already
	Corrected int // rows of which the file says something else than was known
	Rejected  int // rows of the file that could not be read

	covers   ranges  // what it brought or found here
	replaces []pairs // what it supersedes
	removes  ranges  // what it supersedes by nothing
}

// entry is the stored form of an operation.
type entry struct {
	Kind      Kind     `cbor:"k"`
	When      int64    `cbor:"t"`
	Undoes    int      `cbor:"u,omitempty"`
	Files     []string `cbor:"f,omitempty"`
	Format    string   `cbor:"m,omitempty"`
	Reason    string   `cbor:"r,omitempty"`
	New       int      `cbor:"n,omitempty"`
	Here      int      `cbor:"h,omitempty"`
	Corrected int      `cbor:"c,omitempty"`
	Rejected  int      `cbor:"x,omitempty"`
	Covers    []byte   `cbor:"o,omitempty"`
	Replaces  []byte   `cbor:"p,omitempty"`
	Removes   []byte   `cbor:"d,omitempty"`
}

// logHead is the object at LogPath.
type logHead struct {
	Version  int            `cbor:"v"`
	Next     uint64         `cbor:"next"`           // number of the next row
	Older    []int          `cbor:"old,omitempty"`  // first operations of the objects that hold the older ones
	Segments []storedExtent `cbor:"rows,omitempty"` //
	Tail     []entry        `cbor:"tail,omitempty"` // the newest operations
}

// logPart is an object that holds older operations.
type logPart struct {
	Version    int     `cbor:"v"`
	First      int     `cbor:"first"`
	Operations []entry `cbor:"ops"`
}

// extent is what the log says of a segment.
type extent struct {
	numbers ranges // of its rows, in order
	least   int64  // earliest instant of its rows, in microseconds
	most    int64  // latest
	dated   int    // how many rows have an instant; 0: least and most mean nothing
}

type storedExtent struct {
	_       struct{} `cbor:",toarray"`
	Numbers []byte
	Least   int64
	Most    int64
	Dated   int
}

func (e extent) rows() int     { return int(e.numbers.count()) }
func (e extent) first() Number { return e.numbers[0].First }
func (e extent) end() Number   { return e.numbers[len(e.numbers)-1].End() }

func (e extent) path() string {
	return rowsPath + strconv.FormatUint(uint64(e.first()), 10) + "-" + strconv.FormatUint(uint64(e.end()-e.first()), 10)
}

// touches says whether the segment may hold a row of [from, to).
func (e extent) touches(from, to int64) bool { return e.dated > 0 && e.least < to && e.most >= from }

// history is a decoded log.
type history struct {
	next     Number
	older    []int // as in logHead
	segments []extent
	all      []*Operation
	runs     int // ranges and pairs of all of them, and of the segments
	tail     int // place in all of the first operation that no older object holds
}

func olderName(first int) string { return olderPath + strconv.Itoa(first) }

func (o *Operation) runs() int { return len(o.covers) + len(o.replaces) + len(o.removes) }

// append adds an operation and gives it its number.
func (h *history) append(o Operation) {
	o.Number = len(h.all) + 1
	if n := len(h.all); n > 0 {
		o.When = max(o.When, h.all[n-1].When)
	}
	h.all = append(h.all[:len(h.all):len(h.all)], &o)
	h.runs += o.runs()
}

// encode is the log's objects that change: the head, and before it perhaps one
// that takes the tail.
func (h *history) encode() (part []byte, first int, head []byte, err error) {
	var tail []entry
	size := 0
	for _, o := range h.all[h.tail:] {
		e := o.entry()
		size += len(e.Covers) + len(e.Replaces) + len(e.Removes) + len(e.Reason) + len(strings.Join(e.Files, "")) + 32
		tail = append(tail, e)
	}
	if size > maxTail {
		first = h.tail + 1
		if part, err = canonical.Marshal(logPart{logVersion, first, tail}); err != nil {
			return nil, 0, nil, err
		}
		h.older, h.tail, tail = append(slices.Clone(h.older), first), len(h.all), nil
	}
	d := logHead{Version: logVersion, Next: uint64(h.next), Older: h.older, Tail: tail}
	for _, e := range h.segments {
		d.Segments = append(d.Segments, storedExtent{Numbers: e.numbers.append(nil), Least: e.least, Most: e.most, Dated: e.dated})
	}
	if head, err = canonical.Marshal(d); err == nil && max(len(head), len(part)) > MaxLog {
		err = fmt.Errorf("the log has grown to %d bytes: %d are possible", max(len(head), len(part)), MaxLog)
	}
	return part, first, head, err
}

func (o *Operation) entry() entry {
	return entry{
		Kind: o.Kind, When: o.When, Undoes: o.Undoes, Files: o.Files, Format: o.Format, Reason: o.Reason,
		New: o.New, Here: o.Here, Corrected: o.Corrected, Rejected: o.Rejected,
		Covers: o.covers.append(nil), Replaces: appendPairs(nil, o.replaces), Removes: o.removes.append(nil),
	}
}

// version reads which form a log is of, before anything else of it.
func version(b []byte) error {
	if len(b) > MaxLog {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBadLog, len(b), MaxLog)
	}
	// The first of its keys, the shortest, is "v", in every form.
	if len(b) < 4 || b[0]&0xe0 != 0xa0 || b[1] != 0x61 || b[2] != 'v' || b[3] > 23 && b[3]&0xe0 != 0 {
		return ErrBadLog
	}
	if b[3] != logVersion {
		return fmt.Errorf("%w: %d, not %d", ErrVersion, b[3], logVersion)
	}
	return nil
}

// decodeLog reads the object at LogPath. The operations of older objects come
// first in its history's list, and are missing as yet.
func decodeLog(b []byte) (*history, []entry, error) {
	if err := version(b); err != nil {
		return nil, nil, err
	}
	var d logHead
	if err := canonical.Unmarshal(b, &d); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrBadLog, err)
	}
	h := &history{next: Number(d.Next), older: d.Older}
	if h.next > MaxNumber || len(d.Segments) > maxSegments || len(d.Older) > maxOperations {
		return nil, nil, fmt.Errorf("%w: beyond its limits", ErrBadLog)
	}
	last := 0
	for _, first := range d.Older {
		if first != last+1 && last == 0 || first <= last {
			return nil, nil, fmt.Errorf("%w: its older parts are in no order", ErrBadLog)
		}
		last = first
	}
	end := Number(0)
	for _, s := range d.Segments {
		numbers, err := readRanges(s.Numbers, h.next, maxRuns-h.runs)
		if err != nil || len(numbers) == 0 || numbers[0].First < end || numbers.count() > MaxRows ||
			s.Dated < 0 || Number(s.Dated) > numbers.count() || s.Least > s.Most {
			return nil, nil, fmt.Errorf("%w: what it says of a segment", ErrBadLog)
		}
		e := extent{numbers, s.Least, s.Most, s.Dated}
		h.runs += len(numbers)
		h.segments, end = append(h.segments, e), e.end()
	}
	return h, d.Tail, nil
}

// decodePart reads an older object.
func decodePart(b []byte, first int) ([]entry, error) {
	if err := version(b); err != nil {
		return nil, err
	}
	var d logPart
	if err := canonical.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadLog, err)
	}
	if d.First != first || len(d.Operations) == 0 {
		return nil, fmt.Errorf("%w: not the part that begins with operation %d", ErrBadLog, first)
	}
	return d.Operations, nil
}

// take appends operations as they are stored.
func (h *history) take(stored []entry) error {
	for _, e := range stored {
		o, err := h.operation(e)
		if err != nil {
			return fmt.Errorf("%w: operation %d: %w", ErrBadLog, len(h.all)+1, err)
		}
		h.all = append(h.all, &o)
		h.runs += o.runs()
	}
	return nil
}

func (h *history) operation(e entry) (o Operation, err error) {
	o = Operation{
		Number: len(h.all) + 1, Kind: e.Kind, When: e.When, Undoes: e.Undoes, Files: e.Files, Format: e.Format, Reason: e.Reason,
		New: e.New, Here: e.Here, Corrected: e.Corrected, Rejected: e.Rejected,
	}
	badText := func(s string) bool { return len(s) > maxReason || !utf8.ValidString(s) }
	bad := len(e.Files) > maxNames || badText(e.Format) || badText(e.Reason) || slices.ContainsFunc(e.Files, badText)
	switch {
	case o.Number > maxOperations || bad || min(e.New, e.Here, e.Corrected, e.Rejected) < 0:
		return o, errors.New("beyond its limits")
	case o.Number > 1 && o.When < h.all[o.Number-2].When:
		return o, errors.New("before the one before")
	case !slices.Contains([]Kind{Imported, Edited, Deleted, Undid}, o.Kind):
		return o, fmt.Errorf("of kind %q", clip(string(o.Kind)))
	case (o.Kind == Undid) != (o.Undoes != 0):
		return o, errors.New("undoes, or does not")
	case o.Kind == Undid && (o.Undoes < 1 || o.Undoes >= o.Number || h.all[o.Undoes-1].Kind == Undid):
		return o, fmt.Errorf("undoes operation %d", o.Undoes)
	}
	left := maxRuns - h.runs
	if o.covers, err = readRanges(e.Covers, h.next, left); err != nil {
		return o, err
	}
	if o.removes, err = readRanges(e.Removes, h.next, left-len(o.covers)); err != nil {
		return o, err
	}
	o.replaces, err = readPairs(e.Replaces, h.next, left-len(o.covers)-len(o.removes))
	return o, err
}

var (
	errRows = errors.New("which rows it means")
	errRuns = fmt.Errorf("more than %d ranges of rows", maxRuns)
)

// append writes ranges: how far each begins behind the end of the one before,
// and how many there are.
func (s ranges) append(dst []byte) []byte {
	end := Number(0)
	for _, r := range s {
		dst = binary.AppendUvarint(dst, uint64(r.First-end))
		dst = binary.AppendUvarint(dst, uint64(r.Count))
		end = r.End()
	}
	return dst
}

// varints is how many there are: each ends with a byte below 128.
func varints(b []byte) (n int) {
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// readRanges reads ranges of numbers below end, at most as many as are left, in
// the one form there is.
func readRanges(b []byte, end Number, left int) (s ranges, err error) {
	n := varints(b) / 2
	if n > left {
		return nil, errRuns
	}
	r, at := byteReader{src: b}, Number(0)
	s = slices.Grow(s, n)
	for len(r.src) > 0 {
		gap, count := Number(r.uvarint()), Number(r.uvarint())
		if r.bad || gap > end || count == 0 || count > end || gap == 0 && len(s) > 0 {
			return nil, errRows
		}
		next := Range{at + gap, count}
		if at = next.End(); at > end {
			return nil, errRows
		}
		s = append(s, next)
	}
	if string(s.append(nil)) != string(b) {
		return nil, errRows
	}
	return s, nil
}

func appendPairs(dst []byte, all []pairs) []byte {
	end, last := Number(0), Number(0)
	for _, p := range all {
		dst = binary.AppendUvarint(dst, uint64(p.Old-end))
		dst = binary.AppendVarint(dst, int64(p.New)-int64(last))
		dst = binary.AppendUvarint(dst, uint64(p.Count))
		end, last = p.Old+p.Count, p.New+p.Count
	}
	return dst
}

func readPairs(b []byte, end Number, left int) (all []pairs, err error) {
	n := varints(b) / 3
	if n > left {
		return nil, errRuns
	}
	r, old, new := byteReader{src: b}, Number(0), int64(0)
	all = slices.Grow(all, n)
	for len(r.src) > 0 {
		gap, delta, count := Number(r.uvarint()), r.varint(), Number(r.uvarint())
		if r.bad || gap > end || count == 0 || count > end || delta > math.MaxInt64/2 || delta < math.MinInt64/2 {
			return nil, errRows
		}
		p := pairs{old + gap, Number(new + delta), count}
		old, new = p.Old+count, int64(p.New+count)
		if p.New > end || Number(new) > end || old > end || gap == 0 && delta == 0 && len(all) > 0 {
			return nil, errRows
		}
		all = append(all, p)
	}
	if string(appendPairs(nil, all)) != string(b) {
		return nil, errRows
	}
	return all, nil
}

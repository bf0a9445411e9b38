// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Objects is where a data set's objects are read: one version of it.
type Objects interface {
	// Get is the whole object at a path.
	Get(ctx context.Context, path string) ([]byte, error)
}

// Writer takes the objects of the next version. What it was given counts when
// its owner commits it, all or nothing.
type Writer interface {
	Write(path string, content []byte) error
}

// Errors of sets.
var (
	ErrNoRow      = errors.New("no such row")
	ErrNoSuch     = errors.New("no such operation")
	ErrUndone     = errors.New("undone already")
	ErrNotUndone  = errors.New("an undoing cannot be undone: import or edit again")
	ErrNotCounted = errors.New("the row counts no more")
	ErrNoLog      = errors.New("an operation that no log can hold")
	ErrTooMuch    = errors.New("more than can be put in order within bounded memory")
)

// Set is a data set of records as it is after one of its operations. It never
// changes: what changes the data makes another Set (see [Change]). It may be
// used from several goroutines if its Objects may.
type Set struct {
	schema  *Schema
	objects Objects
	log     *history
	state
}

// state is what the operations of a log come to.
type state struct {
	covered    ranges // rows that an operation brought or found, and none took back
	superseded ranges // rows in the place of which something else stands
	counts     ranges // covered and not superseded
}

// Change is a new state of a data set. Its objects have been written; it counts
// when the writer's owner has committed them and dropped what is to be dropped.
type Change struct {
	Set       *Set
	Written   bool       // false when nothing had to change, and nothing was written
	Operation *Operation // what the log says of it; nil for a compaction
	Drop      []string   // paths of objects that are not needed any more

	// Alike is, of an import, how many rows that were here and that it did not
	// have look like new ones of it but for what the holder calls them: perhaps
	// the same, numbered anew. They all count. It is not kept in the log.
	Alike int
}

// Create writes the objects of a data set without rows. Its Objects are those
// of the version that the writer makes.
func Create(s *Schema, w Writer) (*Set, error) {
	set := &Set{schema: s, log: &history{}}
	if err := w.Write(SchemaPath, s.document); err != nil {
		return nil, fmt.Errorf("write %s: %w", SchemaPath, err)
	}
	return set, set.write(w)
}

// Open reads the schema and the log of a data set, not its rows.
func Open(ctx context.Context, objects Objects) (*Set, error) {
	b, err := objects.Get(ctx, SchemaPath)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", SchemaPath, err)
	}
	schema, err := ParseSchema(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", SchemaPath, err)
	}
	h, err := openLog(ctx, objects)
	if err != nil {
		return nil, err
	}
	return newSet(schema, objects, h), nil
}

func openLog(ctx context.Context, objects Objects) (*history, error) {
	b, err := objects.Get(ctx, LogPath)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", LogPath, err)
	}
	h, tail, err := decodeLog(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", LogPath, err)
	}
	for _, first := range h.older {
		path := olderName(first)
		if first != len(h.all)+1 {
			return nil, fmt.Errorf("read %s: %w: operation %d is missing", path, ErrBadLog, len(h.all)+1)
		}
		b, err := objects.Get(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		part, err := decodePart(b, first)
		if err == nil {
			err = h.take(part)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	h.tail = len(h.all)
	if err := h.take(tail); err != nil {
		return nil, fmt.Errorf("read %s: %w", LogPath, err)
	}
	return h, nil
}

func newSet(schema *Schema, objects Objects, h *history) *Set {
	s := &Set{schema: schema, objects: objects, log: h}
	undone := s.log.undone(len(h.all))
	s.state = s.log.state(len(h.all), undone)
	return s
}

// Over is the same set with other Objects: after a change was committed, those
// of the version that it made.
func (s *Set) Over(objects Objects) *Set {
	out := *s
	out.objects = objects
	return &out
}

// At is the set as it stood after so many of its operations, for reading alone.
func (s *Set) At(operations int) *Set {
	operations = max(0, min(operations, len(s.log.all)))
	if operations == len(s.log.all) {
		return s
	}
	h := *s.log
	h.all = h.all[:operations]
	return newSet(s.schema, s.objects, &h)
}

// Before is how many operations there were before an instant, in Unix seconds.
func (s *Set) Before(when int64) int {
	return sort.Search(len(s.log.all), func(i int) bool { return s.log.all[i].When >= when })
}

// Schema says what the rows are like.
func (s *Set) Schema() *Schema { return s.schema }

// Len is how many rows count.
func (s *Set) Len() int { return int(s.counts.count()) }

// Operations are all there are, the oldest first.
func (s *Set) Operations() []Operation {
	out := make([]Operation, len(s.log.all))
	undone := s.log.undone(len(out))
	for i, o := range s.log.all {
		out[i] = *o
		out[i].Undone = undone[i]
	}
	return out
}

// Counts says whether a row counts.
func (s *Set) Counts(n Number) bool { return s.counts.has(n) }

// About are the operations that brought, found or superseded a row, those taken
// back too.
func (s *Set) About(n Number) (out []Operation) {
	for _, o := range s.Operations() {
		if o.covers.has(n) || o.supersedes().has(n) {
			out = append(out, o)
		}
	}
	return out
}

// supersedes are the rows in the place of which an operation puts something, or
// nothing.
func (o *Operation) supersedes() ranges {
	all := append([]Range(nil), o.removes...)
	for _, p := range o.replaces {
		all = append(all, Range{p.Old, p.Count})
	}
	return union(all)
}

// undone says for each of the first n operations whether one of them undoes it.
func (h *history) undone(n int) []bool {
	out := make([]bool, n)
	for _, o := range h.all[:n] {
		if o.Kind == Undid {
			out[o.Undoes-1] = true
		}
	}
	return out
}

// state is what the first n operations come to.
func (h *history) state(n int, undone []bool) state {
	var covers, supersedes []Range
	for i, o := range h.all[:n] {
		if undone[i] {
			continue
		}
		covers = append(covers, o.covers...)
		supersedes = append(supersedes, o.removes...)
		for _, p := range o.replaces {
			supersedes = append(supersedes, Range{p.Old, p.Count})
		}
	}
	s := state{covered: union(covers), superseded: union(supersedes)}
	s.counts = s.covered.without(s.superseded)
	return s
}

// with is the state after one operation more, which undoes none.
func (s state) with(o *Operation) state {
	s.covered = union(append(slices.Clone(s.covered), o.covers...))
	s.superseded = union(append(slices.Clone(s.superseded), o.supersedes()...))
	s.counts = s.covered.without(s.superseded)
	return s
}

// write writes the log.
func (s *Set) write(w Writer) error {
	part, first, head, err := s.log.encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", LogPath, err)
	}
	if part != nil {
		if err := w.Write(olderName(first), part); err != nil {
			return fmt.Errorf("write %s: %w", olderName(first), err)
		}
	}
	if err := w.Write(LogPath, head); err != nil {
		return fmt.Errorf("write %s: %w", LogPath, err)
	}
	return nil
}

// change makes the set that an operation leads to, with the segments it has
// then, and writes its log.
func (s *Set) change(o Operation, next Number, segments []extent, drop []string, w Writer) (Change, error) {
	h := *s.log
	h.next, h.segments = next, segments
	before := h
	h.append(o)
	_, err := before.operation(h.all[len(h.all)-1].entry())
	if err == nil && len(segments) > maxSegments {
		err = fmt.Errorf("%d segments", len(segments))
	}
	if err != nil { // it would never be read again
		return Change{}, fmt.Errorf("write %s: %w: %w", LogPath, ErrNoLog, err)
	}
	set := &Set{schema: s.schema, objects: s.objects, log: &h}
	if set.state = s.state.with(&o); o.Kind == Undid {
		set.state = h.state(len(h.all), h.undone(len(h.all)))
	}
	if err := set.write(w); err != nil {
		return Change{}, err
	}
	return Change{Set: set, Written: true, Operation: h.all[len(h.all)-1], Drop: drop}, nil
}

// open reads a segment.
func (s *Set) open(ctx context.Context, e extent) (*Segment, error) {
	b, err := s.objects.Get(ctx, e.path())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.path(), err)
	}
	seg, err := OpenSegment(s.schema, b)
	if err == nil && seg.Rows != e.rows() {
		err = fmt.Errorf("%w: %d rows, the log says %d", ErrBadSegment, seg.Rows, e.rows())
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", e.path(), err)
	}
	return seg, nil
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// A log has as many ranges as a reader takes, and no more: neither read nor
// written.
func TestRangesOfALog(t *testing.T) {
	for _, c := range []struct {
		e    entry
		most int
	}{
		{entry{Kind: Imported, Covers: bytes.Repeat([]byte{1, 1}, maxRuns)}, maxRuns},
		{entry{Kind: Imported, Removes: bytes.Repeat([]byte{1, 1}, maxRuns+1)}, 0},
		{entry{Kind: Imported, Covers: []byte{1, 1}, Replaces: bytes.Repeat([]byte{1, 4, 1}, maxRuns)}, 0},
	} {
		h := &history{next: 1 << 40}
		if err := h.take([]entry{c.e}); (err == nil) != (c.most > 0) || err != nil && !errors.Is(err, errRuns) {
			t.Errorf("an operation with %d bytes of ranges: %v", len(c.e.Covers)+len(c.e.Removes)+len(c.e.Replaces), err)
		}
		if err := h.take([]entry{{Kind: Imported, Covers: []byte{1, 1}}}); (err == nil) == (c.most > 0) {
			t.Errorf("and one more: %v", err)
		}
	}
	objects := store{}
	set, err := Create(positionsSchema(t), objects)
	if err != nil {
		t.Fatal(err)
	}
	all := make(ranges, maxRuns+1)
	for i := range all {
		all[i] = Range{Number(2 * i), 1}
	}
	if _, err := set.change(Operation{Kind: Imported, covers: all}, 1<<40, nil, nil, objects); !errors.Is(err, ErrNoLog) {
		t.Errorf("written: %v", err)
	}
}

// A few bytes of Parquet do not become more values than fit.
func TestValuesOfASegment(t *testing.T) {
	s := schemaOf(t, nil, slices.Repeat([]Type{Integer}, MaxFields)...)
	rows := maxRead/MaxFields + 1
	b := &Batch{Len: rows}
	for range s.Fields {
		b.Columns = append(b.Columns, &Column{Type: Integer, Ints: make([]int64, rows)})
	}
	file, err := EncodeSegment(s, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSegment(s, file); !errors.Is(err, ErrBadSegment) || len(file) > 100_000 {
		t.Errorf("%d bytes with %d values: %v", len(file), rows*MaxFields, err)
	}
}

// crowded is a data set of n segments of 100 rows, so many seconds apart; each
// begins so many seconds after the one before.
func crowded(t *testing.T, n, after, apart int) *Set {
	t.Helper()
	objects, s := store{}, positionsSchema(t)
	made := NewSnapshot(s)
	at, _ := s.Index(s.Time)
	for i := range n {
		var rows []Row
		for j := range 100 {
			r := make(Row, len(s.Fields))
			r[at] = At(time.Unix(int64(apart*j+after*i), 0))
			rows = append(rows, r)
		}
		if err := made.Put(objects, Number(1000*i), rows); err != nil {
			t.Fatal(err)
		}
	}
	set, err := made.Finish(objects)
	if err != nil {
		t.Fatal(err)
	}
	return set.Over(objects)
}

// Segments whose rows are of the same time are open together as long as they
// fit into memory. What does not fit is read again when it is its turn, and the
// order is the same. Rows of one instant cannot be parted.
func TestCrowdedSegments(t *testing.T) {
	const n = 50
	set := crowded(t, n, 1, 1000)
	want := numbered(t, set, Query{})
	fields, _ := Query{}.fields(set.schema)
	m := merge{set: set, fields: fields, waiting: []turn{{set.log.segments[0], 0}}}
	if _, err := m.next(context.Background()); err != nil || m.held == 0 {
		t.Fatalf("%d bytes are held: %v", m.held, err)
	}
	defer func(was int) { mostOpen = was }(mostOpen)
	for _, room := range []int{1, 2, 4, n - 1} {
		mostOpen = room * m.held
		if got := numbered(t, set, Query{}); !slices.Equal(got, want) {
			t.Errorf("with room for %d segments of %d: %d rows, of %d, or in another order", room, n, len(got), len(want))
		}
		half := Query{Span: &Span{From: 20_000_000_000, To: 50_000_000_000}}
		if got := numbered(t, set, half); len(got) != 1500 {
			t.Errorf("of a part, with room for %d: %d rows", room, len(got))
		}
	}
	mostOpen = m.held
	if got := numbered(t, crowded(t, n, 0, 0), Query{}); len(got) != 100*n || !slices.IsSorted(got) {
		t.Errorf("all of one instant: %d rows, or not in the order of their numbers", len(got))
	}
	one := crowded(t, 1, 0, 0)
	mostOpen--
	if err := one.Rows(t.Context(), Query{}, func(Number, Row) error { return nil }); !errors.Is(err, ErrTooMuch) {
		t.Errorf("rows of one instant that do not fit: %v", err)
	}
}

// numbered are the numbers of the rows asked for, in their order.
func numbered(t *testing.T, s *Set, q Query) (list []Number) {
	t.Helper()
	if err := s.Rows(t.Context(), q, func(n Number, _ Row) error { list = append(list, n); return nil }); err != nil {
		t.Fatal(err)
	}
	return list
}

// What the log says of a segment is held against the segment.
func TestVerify(t *testing.T) {
	if err := crowded(t, 3, 1, 1000).Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*extent){
		"an earlier row":   func(e *extent) { e.least-- },
		"a later row":      func(e *extent) { e.most++ },
		"a row less dated": func(e *extent) { e.dated-- },
		"a row more":       func(e *extent) { e.numbers = ranges{{e.first(), e.numbers.count() + 1}} },
		"another place":    func(e *extent) { e.numbers = ranges{{e.first() + 1, e.numbers.count()}} },
	} {
		set := crowded(t, 3, 1, 1000)
		change(&set.log.segments[1])
		if err := set.Verify(t.Context()); err == nil {
			t.Errorf("%s: nothing is wrong", what)
		}
	}
}

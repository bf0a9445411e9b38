// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// A log that has grown long keeps what changes small, and reads back.
func TestLongLog(t *testing.T) {
	s := schemaOf(t, map[string]any{"time": "a0", "keys": [][]string{{"a0"}}}, Instant, Decimal)
	d := newData(t, s)
	for i := range 1200 {
		w := store{}
		im := d.set.Import(context.Background(), w)
		if err := im.Add(Row{Micros(int64(i)), Dec(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
		c, err := im.Finish(Meta{When: int64(i), Files: []string{"a file with a name of its own.csv"}})
		d.apply(w, c, err)
		if len(w) > 3 || len(w[LogPath]) > 2*maxTail {
			t.Fatalf("one row more wrote %d objects, %d bytes of log", len(w), len(w[LogPath]))
		}
	}
	if len(d.objs) > 8 {
		t.Fatalf("%d objects", len(d.objs))
	}
	again, err := Open(context.Background(), d.objs)
	if err != nil || again.Len() != 1200 || len(again.Operations()) != 1200 || again.At(987).Len() != 987 || again.Before(987) != 987 {
		t.Fatalf("%v, %v", again, err)
	}
	var total Total
	err = again.Scan(context.Background(), Query{Columns: []string{"b1"}}, func(b *Batch) error {
		for i := range b.Len {
			total.Add(b.Columns[0].Value(i))
		}
		return nil
	})
	if _, last, _ := again.Span(); err != nil || total.String() != "719400" || last != 1199 {
		t.Fatalf("%s until %d, %v", &total, last, err)
	}
	for _, path := range []string{LogPath, olderName(again.log.older[1])} {
		was := d.objs[path]
		delete(d.objs, path)
		if _, err := Open(context.Background(), d.objs); err == nil {
			t.Fatalf("opened without %s", path)
		}
		d.objs[path] = was
	}
	d.objs[olderName(again.log.older[1])] = d.objs[olderName(again.log.older[0])]
	if _, err := Open(context.Background(), d.objs); !errors.Is(err, ErrBadLog) {
		t.Fatalf("opened with a part twice: %v", err)
	}
}

// failing fails at the n-th object.
type failing struct {
	store
	n int
}

var errDisk = errors.New("the disk is full")

func (f *failing) Write(path string, content []byte) error {
	if f.n--; f.n <= 0 {
		return errDisk
	}
	return f.store.Write(path, content)
}

// Whichever object cannot be written, the operation says so and the set is as
// it was.
func TestEveryWriteFails(t *testing.T) {
	s := schemaOf(t, map[string]any{"time": "a0"}, Instant, Text)
	defer func(was struct{ rows, few, tail, held int }) { limits = was }(limits)
	limits.rows, limits.tail = 5, 2
	d := newData(t, s)
	var rows []Row
	for i := range 10 {
		rows = append(rows, Row{Micros(int64(i)), Str(strings.Repeat("x", i+1))})
	}
	d.load(rows[:4])
	d.load(rows[4:6])
	d.load(rows[6:7])
	was := contentOf(t, d.set)
	for what, change := range map[string]func(w Writer) (Change, error){
		"import": func(w Writer) (Change, error) {
			im := d.set.Import(context.Background(), w)
			for _, r := range rows {
				if err := im.Add(r); err != nil {
					break // Finish says it again
				}
			}
			return im.Finish(Meta{})
		},
		"edit":    func(w Writer) (Change, error) { return d.set.Edit(context.Background(), w, 2, rows[9], "", 1) },
		"delete":  func(w Writer) (Change, error) { return d.set.Delete(w, []Number{1}, "", 1) },
		"undo":    func(w Writer) (Change, error) { return d.set.Undo(w, 1, 1) },
		"compact": func(w Writer) (Change, error) { return d.set.Compact(context.Background(), w, time.Unix(1, 0)) },
	} {
		n := 0
		for {
			n++
			w := &failing{store{}, n}
			c, err := change(w)
			if now := contentOf(t, d.set); now != was {
				t.Fatalf("%s: the set changed: %s", what, now)
			}
			if err == nil {
				if !c.Written || len(w.store) != n-1 {
					t.Fatalf("%s: %d objects written, the %d. was to fail", what, len(w.store), n)
				}
				break
			}
			if !errors.Is(err, errDisk) || c.Set != nil {
				t.Fatalf("%s: %v, %v", what, c, err)
			}
		}
		if n < 2 {
			t.Fatalf("%s wrote nothing", what)
		}
	}
}

// What cannot be done is refused, and says why.
func TestRefusals(t *testing.T) {
	s := schemaOf(t, nil, Integer)
	d := newData(t, s)
	d.load([]Row{{Int(1)}, {Int(2)}})
	ctx := context.Background()
	refused := func(what string, want error, c Change, err error) {
		t.Helper()
		if c.Set != nil || err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	c, err := d.set.Edit(ctx, store{}, 7, Row{Int(1)}, "", 1)
	refused("a row that never was", ErrNoRow, c, err)
	c, err = d.set.Edit(ctx, store{}, 0, Row{Str("x")}, "", 1)
	refused("a value of another type", nil, c, err)
	c, err = d.set.Undo(store{}, 2, 1)
	refused("an operation that never was", ErrNoSuch, c, err)
	if c, err := d.set.Edit(ctx, store{}, 0, Row{Int(1)}, "", 1); err != nil || c.Written {
		t.Errorf("an edit to the same: %v, %v", c, err)
	}
	w := store{}
	c, err = d.set.Delete(w, []Number{0}, "twice", 1)
	d.apply(w, c, err)
	c, err = d.set.Edit(ctx, store{}, 0, Row{Int(9)}, "", 1)
	refused("a row that was deleted", ErrNotCounted, c, err)
	c, err = d.set.Delete(store{}, []Number{1, 0}, "", 1)
	refused("a row deleted twice", ErrNotCounted, c, err)
	w = store{}
	c, err = d.set.Undo(w, 2, 1)
	d.apply(w, c, err)
	c, err = d.set.Undo(store{}, 2, 1)
	refused("undone twice", ErrUndone, c, err)
	c, err = d.set.Undo(store{}, 3, 1)
	refused("an undoing", ErrNotUndone, c, err)
	if got := contentOf(t, d.set); got != "r0 {\"a0\":1}\nr1 {\"a0\":2}" {
		t.Errorf("left: %s", got)
	}
	if about := d.set.About(0); len(about) != 2 || about[1].Reason != "twice" || !about[1].Undone {
		t.Errorf("about r0: %+v", about)
	}
	err = d.set.Scan(ctx, Query{Columns: []string{"b"}}, func(*Batch) error { return nil })
	if err == nil || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("a column that is none: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := d.set.Scan(gone, Query{}, func(*Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a scan that was given up: %v", err)
	}
}

// A span takes what lies in it, by number and by time.
func TestSpans(t *testing.T) {
	s := schemaOf(t, map[string]any{"time": "a0"}, Day, Integer)
	d := newData(t, s)
	d.load([]Row{{Days(2), Int(1)}, {Days(0), Int(2)}, {Null, Int(3)}, {Days(1), Int(4)}})
	d.load([]Row{{Days(1), Int(5)}})
	day := func(n int64) int64 { m, _ := s.When(Row{Days(n), Null}); return m }
	for _, try := range []struct {
		span *Span
		want []int64
	}{
		{nil, []int64{3, 2, 4, 5, 1}},
		{&Span{From: day(0), To: day(2)}, []int64{2, 4, 5}},
		{&Span{From: day(0) + 1, To: day(2) + 1}, []int64{4, 5, 1}},
		{&Span{From: day(3), To: day(9)}, nil},
		{&Span{From: day(2), To: day(9), Undated: true}, []int64{3, 1}},
	} {
		var byTime, byNumber []int64
		err := d.set.Rows(context.Background(), Query{Columns: []string{"b1"}, Span: try.span}, func(_ Number, r Row) error {
			byTime = append(byTime, r[0].Int())
			return nil
		})
		if err != nil || !slices.Equal(byTime, try.want) {
			t.Errorf("%v: %v, %v, want %v", try.span, byTime, err, try.want)
		}
		err = d.set.Scan(context.Background(), Query{Columns: []string{"b1"}, Span: try.span}, func(b *Batch) error {
			byNumber = append(byNumber, b.Columns[0].Ints...)
			return nil
		})
		slices.Sort(byTime)
		slices.Sort(byNumber)
		if err != nil || !slices.Equal(byTime, byNumber) {
			t.Errorf("%v: %v by number, %v", try.span, byNumber, err)
		}
	}
}

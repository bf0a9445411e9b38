// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestSnapshot: a data set put together from parts says what the parts say; the
// same parts are the same objects; a part that is kept stays as it is.
func TestSnapshot(t *testing.T) {
	schema, err := ParseSchema([]byte(`{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:x", "title": "x", "type": "object",
		"traboule": {"fr": {"title": "x"}, "zone": "Europe/Paris", "time": "at"},
		"properties": {"at": {"type": "string", "format": "date-time", "title": "at", "traboule": {"fr": {"title": "at"}}},
			"n": {"type": "integer", "title": "n", "traboule": {"fr": {"title": "n"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	rows := func(month, n int) (out []Row) {
		for i := range n {
			out = append(out, Row{At(time.Date(2026, time.Month(month), 1, 0, i, 0, 0, time.UTC)), Int(int64(i))})
		}
		return out
	}
	const room = 1 << 30
	make := func(parts map[int]int) (store, *Set) {
		objs := store{}
		s := NewSnapshot(schema)
		for _, month := range []int{3, 1, 2} {
			if err := s.Put(objs, Number(month)*room, rows(month, parts[month])); err != nil {
				t.Fatal(err)
			}
		}
		set, err := s.Finish(objs)
		if err != nil {
			t.Fatal(err)
		}
		return objs, set.Over(objs)
	}
	first, set := make(map[int]int{1: 3, 2: MaxRows + 5, 3: 2})
	if again, _ := make(map[int]int{1: 3, 2: MaxRows + 5, 3: 2}); !maps.EqualFunc(first, again, slices.Equal) {
		t.Error("the same parts are other objects")
	}
	opened, err := Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if opened.Len() != MaxRows+10 || set.Len() != opened.Len() {
		t.Errorf("%d rows when it is read again", opened.Len())
	}

	objs := store{}
	s := NewSnapshot(schema)
	kept := append(s.Keep(set, Range{1 * room, room}), s.Keep(set, Range{2 * room, room})...)
	want := []string{fmt.Sprintf("rows/%d-3", room), fmt.Sprintf("rows/%d-%d", 2*room, MaxRows), fmt.Sprintf("rows/%d-5", 2*room+MaxRows)}
	if d := gocmp.Diff(want, kept); d != "" {
		t.Error("kept:", d)
	}
	if err := s.Put(objs, 3*room, rows(3, 7)); err != nil {
		t.Fatal(err)
	}
	next, err := s.Finish(objs)
	if err != nil {
		t.Fatal(err)
	}
	if len(objs) != 3 { // the part that changed, the description, the log
		t.Errorf("one part changed, and %v were written", slices.Sorted(maps.Keys(objs)))
	}
	for _, path := range kept {
		objs[path] = first[path]
	}
	whole, _ := make(map[int]int{1: 3, 2: MaxRows + 5, 3: 7})
	if !maps.EqualFunc(objs, whole, slices.Equal) || next.Len() != MaxRows+15 {
		t.Errorf("with parts kept it is another than made whole: %v", slices.Sorted(maps.Keys(objs)))
	}

	s = NewSnapshot(schema)
	for range 2 {
		if err := s.Put(store{}, 5, rows(1, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Finish(store{}); err == nil {
		t.Error("two parts with the same numbers")
	}
}

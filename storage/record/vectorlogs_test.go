// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/traboule/traboule/crypto/canonical"
)

// makeLogs are one good log, in one object and in several, and what is wrong
// with others in one thing each.
func makeLogs(t *testing.T) (all []logVector) {
	_, _, head, err := exampleLog().encode()
	if err != nil {
		t.Fatal(err)
	}
	read := func() (d logHead) {
		if err := canonical.Unmarshal(head, &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	add := func(name string, objects map[string][]byte) {
		l := logVector{Name: name, Objects: map[string]string{}}
		for path, b := range objects {
			l.Objects[path] = hex.EncodeToString(b)
		}
		all = append(all, l)
	}
	one := func(name string, change func(d *logHead)) {
		d := read()
		change(&d)
		add(name, map[string][]byte{LogPath: canonical.MustMarshal(d)})
	}
	one("of each kind of operation", func(*logHead) {})
	one("nothing yet", func(d *logHead) { *d = logHead{Version: 1} })
	one("of the next form", func(d *logHead) { d.Version = 2 })
	one("the highest number", func(d *logHead) { d.Next = uint64(MaxNumber) })
	one("beyond the highest number", func(d *logHead) { d.Next = uint64(MaxNumber) + 1 })
	one("rows beyond the next", func(d *logHead) { d.Next = 9 })
	segment := func(name string, change func(s []storedExtent) []storedExtent) {
		one(name, func(d *logHead) { d.Segments = change(d.Segments) })
	}
	numbers := func(name string, b ...byte) {
		segment(name, func(s []storedExtent) []storedExtent { s[0].Numbers = b; return s[:1] })
	}
	segment("segments out of order", func(s []storedExtent) []storedExtent { return []storedExtent{s[1], s[0]} })
	segment("a segment twice", func(s []storedExtent) []storedExtent { return []storedExtent{s[0], s[0]} })
	segment("more dated than there are", func(s []storedExtent) []storedExtent { s[0].Dated = 6; return s })
	segment("ends before it begins", func(s []storedExtent) []storedExtent { s[0].Least = 8; return s })
	numbers("a segment of no rows")
	numbers("ranges that touch", 0, 3, 0, 2)
	numbers("a range of none", 0, 3, 1, 0)
	numbers("half a range", 0, 3, 1)
	numbers("a varint longer than need be", 0x80, 0, 5)
	numbers("a varint that does not end", 0, 0x85)
	one("a segment of more rows than one has", func(d *logHead) {
		d.Next = 1 << 20
		d.Segments = []storedExtent{{Numbers: ranges{{0, MaxRows + 1}}.append(nil)}}
	})
	operation := func(name string, change func(all []entry) []entry) {
		one(name, func(d *logHead) { d.Tail = change(d.Tail) })
	}
	at := func(name string, i int, change func(e *entry)) {
		operation(name, func(all []entry) []entry { change(&all[i]); return all })
	}
	at("before the one before", 2, func(e *entry) { e.When = 6 })
	at("a kind that is none", 0, func(e *entry) { e.Kind = "move" })
	at("undoes itself", 3, func(e *entry) { e.Undoes = 4 })
	at("undoes what comes later", 3, func(e *entry) { e.Undoes = 5 })
	at("undoes nothing", 3, func(e *entry) { e.Undoes = 0 })
	at("an import that undoes", 1, func(e *entry) { e.Undoes = 1 })
	at("fewer than none", 0, func(e *entry) { e.New = -1 })
	at("covers what is not there", 0, func(e *entry) { e.Covers = ranges{{0, 11}}.append(nil) })
	at("removes what is not there", 2, func(e *entry) { e.Removes = ranges{{10, 1}}.append(nil) })
	at("supersedes by what is not there", 1, func(e *entry) { e.Replaces = appendPairs(nil, []pairs{{1, 9, 2}}) })
	at("supersedes what is not there", 1, func(e *entry) { e.Replaces = appendPairs(nil, []pairs{{9, 1, 2}}) })
	at("runs that go on", 1, func(e *entry) { e.Replaces = appendPairs(nil, []pairs{{1, 6, 1}, {2, 7, 1}}) })
	at("runs that go on in one alone", 1, func(e *entry) { e.Replaces = appendPairs(nil, []pairs{{1, 6, 1}, {2, 8, 1}}) })
	at("backwards", 1, func(e *entry) { e.Replaces = appendPairs(nil, []pairs{{1, 8, 1}, {5, 3, 1}}) })
	at("a third of a pair", 1, func(e *entry) { e.Replaces = []byte{1, 16} })
	at("by a row below none", 1, func(e *entry) { e.Replaces = []byte{1, 1, 1} })
	at("the longest reason", 2, func(e *entry) { e.Reason = strings.Repeat("é", MaxReason/2) })
	at("a reason too long", 2, func(e *entry) { e.Reason = strings.Repeat("é", MaxReason/2) + "." })
	at("too many files", 0, func(e *entry) { e.Files = slices.Repeat([]string{"a"}, maxNames+1) })
	operation("an undo undone", func(all []entry) []entry { return append(all, entry{Kind: Undid, When: 9, Undoes: 4}) })
	operation("undone twice", func(all []entry) []entry { return append(all, entry{Kind: Undid, When: 9, Undoes: 2}) })

	add("bytes behind", map[string][]byte{LogPath: append(bytes.Clone(head), 0)})
	add("cut", map[string][]byte{LogPath: head[:len(head)-1]})
	add("no log", map[string][]byte{"schema.json": {}})
	add("an empty list", map[string][]byte{LogPath: canonical.MustMarshal(map[string]any{"v": 1, "next": 0, "tail": []entry{}})})
	add("a key of another", map[string][]byte{LogPath: canonical.MustMarshal(map[string]any{"v": 1, "next": 0, "note": "x"})})
	add("without the next number", map[string][]byte{LogPath: canonical.MustMarshal(map[string]any{"v": 1})})

	parts := func(name string, older []int, tail int, objects map[int]logPart) {
		d := read()
		d.Older, d.Tail = older, d.Tail[tail:]
		all := map[string][]byte{LogPath: canonical.MustMarshal(d)}
		for n, p := range objects {
			all[olderName(n)] = canonical.MustMarshal(p)
		}
		add(name, all)
	}
	ops := read().Tail
	parts("in three objects", []int{1, 3}, 3, map[int]logPart{1: {1, 1, ops[:2]}, 3: {1, 3, ops[2:3]}})
	parts("an object that the log does not name", []int{1}, 2, map[int]logPart{1: {1, 1, ops[:2]}, 3: {1, 3, nil}})
	parts("an object is missing", []int{1, 3}, 3, map[int]logPart{1: {1, 1, ops[:2]}})
	parts("an operation is missing", []int{1, 3}, 3, map[int]logPart{1: {1, 1, ops[:1]}, 3: {1, 3, ops[2:3]}})
	parts("an operation too many", []int{1, 3}, 3, map[int]logPart{1: {1, 1, ops[:3]}, 3: {1, 3, ops[2:3]}})
	parts("an object that is another", []int{1, 3}, 3, map[int]logPart{1: {1, 1, ops[:2]}, 3: {1, 1, ops[2:3]}})
	parts("an object of the next form", []int{1}, 2, map[int]logPart{1: {2, 1, ops[:2]}})
	parts("not from the first on", []int{2}, 2, map[int]logPart{2: {1, 2, ops[:2]}})
	parts("objects out of order", []int{3, 1}, 3, map[int]logPart{1: {1, 1, ops[:2]}, 3: {1, 3, ops[2:3]}})
	return all
}

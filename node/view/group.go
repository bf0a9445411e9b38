// SPDX-License-Identifier: Apache-2.0

package view

import (
	"time"

	"github.com/traboule/traboule/storage/record"
)

// bucket is one bucket, in microseconds since 1970.
type bucket struct{ begin, end int64 }

// buckets numbers the buckets of a cut as their rows come.
type buckets struct {
	period Period
	zone   *time.Location

	list  []bucket
	known map[int64]int // by their beginning

	found  bucket // the last that was asked for
	number int    // and its number, -1 for none yet

	date, dateBegins int64 // the last day that was asked for
	asked            bool
}

// find is the bucket that an instant lies in.
func (b *buckets) find(micros int64) bucket {
	if b.found.begin <= micros && micros < b.found.end {
		return b.found
	}
	begin, end := b.period.Bucket(time.UnixMicro(micros).In(b.zone))
	b.found, b.number = bucket{begin.UnixMicro(), end.UnixMicro()}, -1
	return b.found
}

// numberFound is the number of the bucket that find found last.
func (b *buckets) numberFound() int {
	if b.number >= 0 {
		return b.number
	}
	n, ok := b.known[b.found.begin]
	if !ok {
		if b.known == nil {
			b.known = map[int64]int{}
		}
		n = len(b.list)
		b.known[b.found.begin] = n
		b.list = append(b.list, b.found)
	}
	b.number = n
	return n
}

// farDays is more days than there are from 1970 to the years 1 and 9999.
const farDays = 4_000_000

// dayBegins is when a day, counted from 1970, begins in the zone.
func (b *buckets) dayBegins(day int64) int64 {
	if !b.asked || b.date != day {
		// What is beyond the calendar is in no view, however far.
		year, month, dayOfMonth := record.Days(max(-farDays, min(day, farDays))).Time().Date()
		b.asked, b.date, b.dateBegins = true, day, firstInstant(year, month, dayOfMonth, b.zone).UnixMicro()
	}
	return b.dateBegins
}

// moment is an edge as a value of the type.
func (b *buckets) moment(micros int64, t record.Type) record.Value {
	if t == record.Instant {
		return record.Micros(micros)
	}
	return record.On(time.UnixMicro(micros).In(b.zone).Date())
}

// level splits the groups of the level before it, of which the first are the
// buckets, by the values of a column.
type level struct {
	column column
	ids    map[record.Value]int // of the values, places by their cell
	values []record.Value
	known  map[[2]int]int // groups by the one they lie within, and the value's id
	groups []struct {
		within int
		value  record.Value
	}
	texts []int // ids of a batch's texts, from 1; 0 for one that was not asked for
}

func newLevel(c column) level {
	return level{column: c, ids: map[record.Value]int{}, known: map[[2]int]int{}}
}

// group replaces the group of each row by the one within it that its value has.
func (l *level) group(b *record.Batch, at, groups []int) {
	col := b.Columns[l.column.read]
	l.texts = append(l.texts[:0], make([]int, len(col.Dict))...)
	last, lastGroup := [2]int{-1, -1}, 0
	for i, row := range at {
		key := [2]int{groups[i], l.id(col, row)}
		if key != last {
			last, lastGroup = key, l.within(key)
		}
		groups[i] = lastGroup
	}
}

func (l *level) within(key [2]int) int {
	n, ok := l.known[key]
	if !ok {
		n = len(l.groups)
		l.known[key] = n
		l.groups = append(l.groups, struct {
			within int
			value  record.Value
		}{key[0], l.values[key[1]]})
	}
	return n
}

// id numbers the value of a row.
func (l *level) id(col *record.Column, row int) int {
	if col.Type != record.Text || col.Null(row) {
		return l.idOf(l.column.grid.Cell(col.Value(row)))
	}
	text := &l.texts[col.Index[row]]
	if *text == 0 {
		*text = 1 + l.idOf(col.Value(row))
	}
	return *text - 1
}

func (l *level) idOf(v record.Value) int {
	n, ok := l.ids[v]
	if !ok {
		n = len(l.values)
		l.ids[v] = n
		l.values = append(l.values, v)
	}
	return n
}

// SPDX-License-Identifier: Apache-2.0

package view

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Undated is the name of the part with the rows that have no time.
const Undated = "undated"

// Part is what of a view lies in one calendar month, or in one year for a view
// by years. Whatever changes in a data set, only the parts of the months in
// which it changes must be cut again.
type Part struct {
	Name     string   // "2026-11", "2026", or [Undated]
	From, To int64    // microseconds since 1970
	Source   [32]byte // of the view and of what it is cut from: the same gives the same rows
}

// AsOf is the moment whose log a view is cut from: the beginning of the current
// bucket, and now itself for raw rows. What was written in the log at that
// moment or later does not count.
func (v *View) AsOf(now time.Time) time.Time {
	if v.spec.Period == Raw {
		return now
	}
	begin, _ := v.spec.Period.Bucket(now.In(v.schema.Location()))
	return begin
}

// Parts lists what there is to cut at this moment, in order of time, of a
// source as it was at AsOf(now). Parts without rows may be among them.
func (v *View) Parts(src Source, now time.Time) ([]Part, error) {
	var parts []Part
	from, to, ok := v.dated(src, now)
	for ok && from < to {
		part := v.partAt(from)
		part.From, part.To = from, min(part.To, to)
		from = part.To
		if err := v.mark(&part, src, &parts); err != nil {
			return nil, err
		}
	}
	if v.spec.Period == Raw && v.spec.From == Earliest && v.spec.To == Latest {
		part := Part{Name: Undated}
		if err := v.mark(&part, src, &parts); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// dated is the span of what may leave of the rows that have a time, in
// microseconds.
func (v *View) dated(src Source, now time.Time) (from, to int64, ok bool) {
	first, last, ok := src.Span()
	if !ok || v.schema.Time == "" {
		return 0, 0, false
	}
	const slack = 48 * 3600 * 1e6 // a day in the calendar, wherever its zone says that it begins
	until := min(v.spec.To, lastSecond)
	if v.spec.Period != Raw {
		until = min(until, v.AsOf(now).Unix())
	}
	from = max(max(v.spec.From, firstSecond)*1e6, max(first, math.MinInt64+slack)-slack)
	to = min(until*1e6, min(last, math.MaxInt64-slack)+slack)
	return from, to, true
}

// partAt is the part that an instant lies in, whole.
func (v *View) partAt(micros int64) Part {
	p, layout := Month, "2006-01"
	if v.spec.Period == Year {
		p, layout = Year, "2006"
	}
	begin, end := p.Bucket(time.UnixMicro(micros).In(v.schema.Location()))
	return Part{Name: begin.Format(layout), From: begin.UnixMicro(), To: end.UnixMicro()}
}

// mark adds a part to the list, unless its source says that there is nothing.
func (v *View) mark(p *Part, src Source, parts *[]Part) error {
	from, to := v.hint(p.From, p.To)
	mark, err := src.Mark(from, to)
	if err != nil || len(mark) == 0 {
		return err
	}
	spec, err := json.Marshal(v.spec)
	if err != nil {
		return err
	}
	h := sha256.New()
	for _, field := range [][]byte{[]byte("traboule view 1"), v.schema.Document(), spec, []byte(p.Name), mark} {
		fmt.Fprintf(h, "%d:%s", len(field), field)
	}
	_ = binary.Write(h, binary.BigEndian, [2]int64{p.From, p.To}) // a hash takes everything
	h.Sum(p.Source[:0])
	*parts = append(*parts, *p)
	return nil
}

// hint is the span that a source is asked for: a day has no instant, and where
// it begins in a zone whose clock is changed at midnight is for the view to say.
func (v *View) hint(from, to int64) (int64, int64) {
	if f, _ := v.schema.Field(v.schema.Time); f.Type == record.Day {
		const slack = 48 * 3600 * 1e6
		return from - slack, to + slack
	}
	return from, to
}

// SPDX-License-Identifier: Apache-2.0

package view

import (
	"crypto/sha256"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// slack is more microseconds than a day's beginning can be disputed about.
const slack = 48 * 3600 * 1e6

// Undated is the name of the part with the rows that have no time.
const Undated = "undated"

// Part is what of a view lies in one calendar month, or in one year for a view
// by years. Whatever changes in a data set, only the parts of the months in
// which it changes must be cut again.
type Part struct {
	Name     string   // "2026-11", "2026", or [Undated]
	From, To int64    // microseconds since 1970
	View     [32]byte // of the view: with the same, the same rows of the source give the same rows
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
func (v *View) Parts(src Source, now time.Time) (parts []Part) {
	from, to := v.bounds(now)
	if first, last, ok := src.Span(); ok && v.schema.Time != "" {
		last = min(to, min(last, math.MaxInt64-slack)+slack)
		for next := max(from, max(first, math.MinInt64+slack)-slack); next < last; {
			part := v.partAt(next)
			next = part.To
			part.From, part.To = max(part.From, from), min(part.To, to)
			parts = v.appendPart(parts, part, src)
		}
	}
	if v.spec.Period == Raw && v.spec.From == Earliest && v.spec.To == Latest {
		return v.appendPart(parts, Part{Name: Undated}, src)
	}
	return parts
}

// bounds is the span of what may leave, in microseconds.
func (v *View) bounds(now time.Time) (from, to int64) {
	until := min(v.spec.To, lastSecond)
	if v.spec.Period != Raw {
		until = min(until, v.AsOf(now).Unix())
	}
	return max(v.spec.From, firstSecond) * 1e6, until * 1e6
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

// appendPart adds a part to the list, unless the source has nothing for it.
func (v *View) appendPart(parts []Part, p Part, src Source) []Part {
	if !src.Any(v.hint(p.From, p.To)) {
		return parts
	}
	p.View = sha256.Sum256(fmt.Appendf(nil, "%s%s %d %d", v.digest, p.Name, p.From, p.To))
	return append(parts, p)
}

// Holding finds the parts, of those that [View.Parts] lists, in which a row may
// be that begins at an instant, in microseconds since 1970, or has none: from
// the first to before the end.
func (v *View) Holding(parts []Part, micros int64, dated bool) (first, end int) {
	n := len(parts)
	if n > 0 && parts[n-1].Name == Undated {
		n--
	}
	if !dated {
		return n, len(parts)
	}
	from, to := v.hint(micros, micros)
	first = sort.Search(n, func(i int) bool { return parts[i].To > from })
	for end = first; end < n && parts[end].From <= to; {
		end++
	}
	return first, end
}

// hint is the span that a source is asked for: a day has no instant, and where
// it begins in a zone whose clock is changed at midnight is for the view to say.
func (v *View) hint(from, to int64) (int64, int64) {
	if f, _ := v.schema.Field(v.schema.Time); f.Type == record.Day {
		return from - slack, to + slack
	}
	return from, to
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// edfCSV reads "mes puissances atteintes par 30 min" of EDF: Latin-1, a line for
// each day, under it the times at which intervals ended, the latest first;
// 00:00:00 is the end of that day. On the days on which the clocks change there
// are 46 or 50 of them. The file's name has the number of the meter and the
// postcode: it is not read.
var edfCSV = Format{Name: "edf-csv", Read: readEDF, Fits: func(h Head) Fit {
	head := Fold(firstLines(h, 4))
	switch {
	case strings.Contains(head, "puissances atteintes en") && strings.Contains(head, "date et heure de releve"):
		return Sure
	case strings.Contains(head, "date et heure de releve") && strings.Contains(head, "puissance atteinte ("):
		return Sure
	}
	return No
}}

// edfPoint is one row under a day.
type edfPoint struct {
	line  int
	clock string
	value string
	wall  time.Time
}

// maxEDFPoints is how many rows a day may have: one a minute, and the hour of
// autumn.
const maxEDFPoints = 25 * 60

var edfUnit = regexp.MustCompile(`puissance atteinte \((k?w)\)`)

type edfFile struct {
	to     *Sink
	curve  *loadCurve
	clock  *Clock
	unit   string
	day    time.Time
	points []edfPoint
}

func readEDF(_ context.Context, s *Source, to *Sink) error {
	zone, err := s.Location()
	if err != nil {
		return err
	}
	e := &edfFile{to: to, clock: &Clock{Zone: zone}, curve: newLoadCurve(to, record.Null, record.Str("consumption"))}
	if err := s.Records(';', e.record); err != nil {
		return err
	}
	return e.close()
}

func (e *edfFile) record(line int, r []string) error {
	if m := edfUnit.FindStringSubmatch(Fold(strings.Join(r, ";"))); m != nil {
		e.unit = m[1]
		return nil
	}
	if e.unit == "" && line > 50 {
		return Why("unknown-table", "seen", clip(strings.Join(r, ";")))
	}
	if e.unit == "" {
		return nil // the title
	}
	if day, err := Date(r[0], "dmy"); err == nil && valueAt(r, 1) == "" {
		err := e.close()
		e.day = day.Time()
		return err
	}
	if !strings.Contains(r[0], ":") || e.day.IsZero() {
		e.to.Reject(line, Why("date", "value", clip(r[0])))
		return nil
	}
	if len(e.points) >= maxEDFPoints {
		return Why("too-many-rows", "line", itoa(line))
	}
	e.points = append(e.points, edfPoint{line: line, clock: r[0], value: valueAt(r, 1)})
	return nil
}

// close takes the rows of the day that has ended, from the first to the last.
func (e *edfFile) close() error {
	defer func() { e.points = e.points[:0] }()
	good := e.shown()
	inOrder(good, e.day)
	for i, p := range good {
		var before, behind time.Time
		if i > 0 {
			before = good[i-1].wall
		}
		if i+1 < len(good) {
			behind = good[i+1].wall
		}
		length := stepOf(before, p.wall, behind)
		if length == 0 {
			length = 30 * time.Minute
		}
		end, _ := e.clock.End(p.wall, length, behind)
		if err := e.curve.add(p.line, end, length, p.value, e.unit); err != nil {
			return err
		}
	}
	return nil
}

// shown are the rows of the day whose times a clock showed.
func (e *edfFile) shown() (good []edfPoint) {
	for _, p := range e.points {
		wall, err := Wall(e.day.Format(time.DateOnly)+" "+p.clock, "ymd")
		if _, _, n := e.clock.moments(wall); err == nil && n == 0 {
			err = Why("no-such-time", "value", clip(p.clock))
		}
		if err != nil {
			e.to.Reject(p.line, err)
			continue
		}
		p.wall = wall
		good = append(good, p)
	}
	return good
}

// inOrder puts the rows of a day from the first to the last: they come the
// other way round, beginning with the midnight that ends the day.
func inOrder(points []edfPoint, day time.Time) {
	descending := 0
	for i := 1; i < len(points); i++ {
		descending += points[i-1].wall.Compare(points[i].wall)
	}
	first := len(points) > 0 && points[0].wall.Equal(day) && len(points) > 1
	if descending > 0 || first && descending >= -1 {
		slices.Reverse(points)
	}
	if n := len(points) - 1; n >= 0 && points[n].wall.Equal(day) {
		points[n].wall = day.AddDate(0, 0, 1)
	}
	unfold(points)
}

// unfold takes apart an hour that was shown twice, where each of its times
// stands beside itself: 02:00 02:00 02:30 02:30 is 02:00 02:30 02:00 02:30.
func unfold(points []edfPoint) {
	for i := 0; i+1 < len(points); i++ {
		if !points[i].wall.Equal(points[i+1].wall) {
			continue
		}
		var first, second []edfPoint
		end := i
		for ; end+1 < len(points) && points[end].wall.Equal(points[end+1].wall); end += 2 {
			first, second = append(first, points[end]), append(second, points[end+1])
		}
		copy(points[i:], append(first, second...))
		i = end
	}
}

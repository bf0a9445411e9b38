// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// waterCSV reads the daily history of Veolia: the reading and what was used on
// the day, in litres or cubic metres. A 0 in the last days of the file, with
// nothing but 0 behind it, may mean that the day is not published yet: it is
// left out, and said, so that an export read late never puts it in the place of
// what a newer one knew. A later export tells whether it was one.
var waterCSV = Format{Name: "veolia-csv", Read: readWater, Fits: func(h Head) Fit {
	head := Fold(firstLines(h, 1))
	if strings.HasPrefix(strings.Trim(head, `"`), "date de releve") && strings.Contains(head, "consommation du jour") {
		return Sure
	}
	return No
}}

// waterFile is where the reading of such a file is.
type waterFile struct {
	to          *Sink
	rows        *Rows
	zone        *time.Location
	volume      int // columns; -1 for none
	index       int
	quality     int
	volumeShift int // from the file's unit to cubic metres
	indexShift  int
	newest      int64 // days since 1970, of all rows
	used        int64 // of the rows that are not 0
	zeros       []waterRow
}

// waterRow is one that may not be published yet.
type waterRow struct {
	line   int
	day    int64 // since 1970
	values []record.Value
}

const (
	waterLatency = 7  // days before the newest in the file that may not be published yet
	waterWaiting = 64 // rows that wait; a file with more of them says days twice
)

func readWater(_ context.Context, s *Source, to *Sink) error {
	zone, err := s.Location()
	if err != nil {
		return err
	}
	w := &waterFile{to: to, zone: zone, newest: math.MinInt64, used: math.MinInt64}
	err = s.Records(0, func(line int, r []string) error {
		if w.rows == nil {
			w.rows = to.Rows("water-daily", "day", "at", "volume", "index", "quality")
			return w.open(foldAll(r))
		}
		return w.row(line, r)
	})
	if err != nil {
		return err
	}
	for _, z := range w.zeros {
		to.Reject(z.line, Why("zero-at-the-end", "day", z.values[0].String()))
	}
	return nil
}

// open finds the columns and their units.
func (w *waterFile) open(header []string) error {
	w.volume, w.index, w.quality = -1, -1, -1
	for i, h := range header {
		shift := 0
		if strings.Contains(h, "(litre") || strings.Contains(h, "(l)") {
			shift = -3
		}
		switch {
		case strings.HasPrefix(h, "consommation du jour"):
			w.volume, w.volumeShift = i, shift
		case strings.HasPrefix(h, "index releve"):
			w.index, w.indexShift = i, shift
		case strings.HasPrefix(h, "index mesure"), strings.HasPrefix(h, "mesure"):
			w.quality = i
		}
		if (i == w.volume || i == w.index) && shift == 0 && !strings.Contains(h, "(m3)") && !strings.Contains(h, "(m³)") {
			return Why("unit", "unit", clip(h))
		}
	}
	if w.volume < 0 {
		return Why("no-column", "column", "consommation du jour")
	}
	return nil
}

func (w *waterFile) row(line int, r []string) error {
	wall, err := Wall(r[0], "dmy")
	var volume, index record.Value
	if err == nil {
		volume, err = w.number(valueAt(r, w.volume), w.volumeShift)
	}
	if err == nil {
		index, err = w.number(valueAt(r, w.index), w.indexShift)
	}
	if err == nil && volume.IsNull() {
		err = Why("no-value")
	}
	if err != nil {
		w.to.Reject(line, err)
		return nil
	}
	at := record.Null
	if end, ok := (&Clock{Zone: w.zone}).End(wall, 0, time.Time{}); ok && strings.Contains(r[0], ":") {
		at = record.At(end)
	}
	day := record.On(wall.Date())
	return w.take(waterRow{line, day.Days(), []record.Value{day, at, volume, index, record.Str(valueAt(r, w.quality))}}, volume == record.Dec(0, 0))
}

// take keeps a row, or lets it wait for one that shows that it is published.
func (w *waterFile) take(r waterRow, zero bool) error {
	w.newest = max(w.newest, r.day)
	if !zero {
		w.used = max(w.used, r.day)
	}
	switch {
	case !zero:
		if err := w.rows.Add(r.line, r.values...); err != nil {
			return err
		}
	case len(w.zeros) < waterWaiting:
		w.zeros = append(w.zeros, r)
	default:
		w.to.Reject(r.line, Why("zero-at-the-end", "day", r.values[0].String()))
	}
	return w.release()
}

func (w *waterFile) published(r waterRow) bool {
	return r.day < w.used || r.day < w.newest-waterLatency
}

// release keeps the rows that wait no more.
func (w *waterFile) release() error {
	waiting := w.zeros[:0]
	for _, z := range w.zeros {
		if !w.published(z) {
			waiting = append(waiting, z)
		} else if err := w.rows.Add(z.line, z.values...); err != nil {
			return err
		}
	}
	w.zeros = waiting
	return nil
}

func (w *waterFile) number(s string, shift int) (record.Value, error) {
	v, err := Number(s, 0)
	if err != nil || v.IsNull() {
		return v, err
	}
	v, ok := times10(v, shift)
	if !ok {
		return v, Why("number", "value", clip(s))
	}
	return v, nil
}

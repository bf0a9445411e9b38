// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// waterCSV reads the daily history of Veolia: the reading and what was used on
// the day, in litres or cubic metres. A 0 at the end of the file may mean that
// the day is not published yet: it is kept, and said; the next export corrects
// it.
var waterCSV = Format{Name: "veolia-csv", Read: readWater, Fits: func(h Head) Fit {
	head := Fold(firstLines(h, 1))
	if strings.HasPrefix(strings.Trim(head, `"`), "date de releve") && strings.Contains(head, "consommation du jour") {
		return Sure
	}
	return No
}}

// waterFile is where the reading of such a file is.
type waterFile struct {
	to           *Sink
	rows         *Rows
	zone         *time.Location
	volume       int // columns; -1 for none
	index        int
	quality      int
	volumeShift  int // from the file's unit to cubic metres
	indexShift   int
	newest       record.Value
	newestIsZero bool
}

func readWater(_ context.Context, s *Source, to *Sink) error {
	zone, err := s.Location()
	if err != nil {
		return err
	}
	w := &waterFile{to: to, zone: zone}
	err = s.Records(0, func(line int, r []string) error {
		if w.rows == nil {
			w.rows = to.Rows("water-daily", "day", "at", "volume", "index", "quality")
			return w.open(foldAll(r))
		}
		return w.row(line, r)
	})
	if w.newestIsZero {
		to.Warn(Why("zero-at-the-end", "day", w.newest.String()))
	}
	return err
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
	if w.newest.IsNull() || day.Compare(w.newest) > 0 {
		w.newest, w.newestIsZero = day, volume == record.Dec(0, 0)
	}
	return w.rows.Add(line, day, at, volume, index, record.Str(valueAt(r, w.quality)))
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

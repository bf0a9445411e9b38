// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// watched notes how large the heap is while it is read.
type watched struct {
	io.Reader
	since int
	peak  uint64
}

func (w *watched) Read(p []byte) (int, error) {
	if w.since += len(p); w.since > 1<<20 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.since, w.peak = 0, max(w.peak, m.HeapInuse+m.StackInuse)
	}
	return w.Reader.Read(p)
}

func (w *watched) Close() error { return nil }

// TestPlacesAreBounded: however large a value is made, it is refused before it
// takes much memory.
func TestPlacesAreBounded(t *testing.T) {
	const length, most = 16 << 20, 160 << 20
	semantic := `{"timelineObjects":[{"placeVisit":{"childVisits":[`
	for name, tt := range map[string]struct{ start, again, want string }{
		"a line of a million points": {`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString","coordinates":[`, "[1,2],", "too-large"},
		"empty objects":              {`{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"a":[`, "{},", "too-large"},
		"objects of one member":      {semantic, `{"a":1},`, "too-large"},
		"numbers":                    {semantic, "1,", "too-large"},
		"members":                    {`{"timelineObjects":[{"placeVisit":{`, `"a":[],`, "too-large"},
		"arrays in arrays":           {semantic, "[", "too-deep"},
		"a text":                     {`{"locations":[{"latitudeE7":1,"x":"`, "a", "line-too-long"},
		"a line":                     {"lat,lon,time\n", "a", "line-too-long"},
		"a line of a recorder":       {"2024-03-01T18:40:10Z\t*\t{\"_type\":\"location\"}\n", "a", "line-too-long"},
		"an attribute":               {"<gpx><wpt lat=\"", "1", "line-too-long"},
		"a place":                    {"<gpx><wpt>", "<a></a>", "too-large"},
		"spaces":                     {`{"locations":[{"latitudeE7":1,"longitudeE7":1,"timestampMs":"1414362755903"}`, " ", "cut"},
		"positions without a place":  {`{"locations":[{"latitudeE7":1}`, ",{}", "nothing-good"},
	} {
		debug.FreeOSMemory()
		w := &watched{Reader: io.MultiReader(strings.NewReader(tt.start), io.LimitReader(repeat(tt.again), length))}
		s := Stream("x", -1, func() (io.ReadCloser, error) { return w, nil }, Options{})
		s.Head = Head{Bytes: []byte(tt.start), Text: tt.start + tt.again, Size: -1}
		r, err := Read(context.Background(), s, &Sink{})
		if err != nil || r.Refused == nil || r.Refused.Code != tt.want {
			t.Errorf("%s: %v, %v; want %s", name, r.Refused, err, tt.want)
		}
		if t.Logf("%s: at most %d MiB", name, w.peak>>20); w.peak > most {
			t.Errorf("%s: %d MiB of memory", name, w.peak>>20)
		}
	}
}

// pieces are texts one after the other, each made from its number from 0.
type pieces struct {
	make func(i int) string
	next int
	left string
}

func (m *pieces) Read(p []byte) (int, error) {
	for m.left == "" {
		m.left = m.make(m.next)
		m.next++
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

// TestKeptIsBounded: what is kept while a file is read (the fields of a record,
// dates to compare, reasons to tell) does not grow with the file, and keeps
// nothing of what it was cut from.
func TestKeptIsBounded(t *testing.T) {
	const most = 64 << 20
	long := strings.Repeat("x", MaxLine/2)
	for name, tt := range map[string]struct {
		start string
		make  func(i int) string
		size  int64
		want  string
	}{
		"leaves of other names": {ofxOf("")[:200] + "<STMTTRN>", func(i int) string {
			leaves := ""
			for j := range 100 {
				leaves += fmt.Sprintf("<A%x>x\n", 100*i+j)
			}
			return leaves
		}, 8 << 20, "cut"},
		"fields of other names": {"!Type:Bank\nD13/1/26\nT1\n", func(i int) string { return string(rune('"'+i%60)) + long + long[2:] + "\n" }, 80 << 20, "no-dates"},
		"reasons":               {"date_heure;consommation;taux_co2\n", func(i int) string { return fmt.Sprintf("x%d;1;1;%s\n", i, long) }, 120 << 20, "nothing-good"},
		"dates":                 {"Date;Libellé;Montant;X\n", func(i int) string { return fmt.Sprintf("13/01/%d;x;1,50;%s\n", 1000+i, long) }, 120 << 20, ""},
		"currencies": {"Date;Libellé;Montant;Devise;X\n", func(i int) string {
			return fmt.Sprintf("13/01/2026;x;1,50;%c%c%c;%s\n", 'A'+i%26, 'A'+i/26%26, 'A'+i/676, long)
		}, 120 << 20, ""},
	} {
		t.Run(name, func(t *testing.T) {
			debug.FreeOSMemory()
			var w *watched
			peak := uint64(0)
			src := Stream("x", -1, func() (io.ReadCloser, error) {
				if w != nil {
					peak = w.peak
				}
				w = &watched{Reader: io.MultiReader(strings.NewReader(tt.start), io.LimitReader(&pieces{make: tt.make}, tt.size))}
				return w, nil
			}, Options{})
			src.Head = Head{Bytes: []byte(tt.start), Text: tt.start, Size: -1}
			r, err := Read(context.Background(), src, &Sink{})
			if err != nil || (r.Refused == nil) != (tt.want == "") || r.Refused != nil && r.Refused.Code != tt.want {
				t.Errorf("%v, %v; want %q", r.Refused, err, tt.want)
			}
			if peak = max(peak, w.peak); peak > most {
				t.Errorf("%d MiB of memory", peak>>20)
			}
			t.Logf("%s: %d rows bad, at most %d MiB", r.Format, r.RejectedRows, peak>>20)
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
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

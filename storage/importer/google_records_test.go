// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/storage/record"
)

func TestGoogleRecords(t *testing.T) {
	asPlaced{
		{"as it is now", `{"locations": [{"latitudeE7": 457578137, "longitudeE7": 48320114, "accuracy": 12, "altitude": 173, "velocity": 2, "heading": 270,
			"activity": [{"activity": [{"type": "STILL", "confidence": 20}, {"type": "ON_BICYCLE", "confidence": 75}, {"type": "ON_FOOT", "confidence": 5}], "timestamp": "2022-03-04T05:06:07.089Z"},
				{"activity": [{"type": "WALKING", "confidence": 99}]}],
			"wifiScan": {"accessPoints": [{"mac": "1", "strength": -60}]}, "source": "WIFI", "deviceTag": -123, "platformType": "ANDROID", "timestamp": "2022-03-04T05:06:07.089Z"}]}`,
			`positions {"time":"2022-03-04T05:06:07.089Z","place":{"lat":45.7578137,"lon":4.8320114},"accuracy":12,"altitude":173,"speed":2,"heading":270,"source":"wifi","activity":"on bicycle","device":"-123"}`},
		{"as it was, with a byte order mark", "\ufeff" + `{"locations":[{"timestampMs":"1414362755903","latitudeE7":457578137,"longitudeE7":48320114,"accuracy":-1,"source":"UNKNOWN","activitys":[{"timestampMs":"1414362755903","activities":[{"type":"unknown","confidence":10}]}]}]}`,
			`positions {"time":"2014-10-26T22:32:35.903Z","place":{"lat":45.7578137,"lon":4.8320114}}`},
		{"2^32 too far", `{"locations":[{"timestampMs":"1414362755903","latitudeE7":3956279296,"longitudeE7":1512093000},{"timestampMs":"1414362755903","latitudeE7":457578137,"longitudeE7":3116706296}]}`, `
			positions {"time":"2014-10-26T22:32:35.903Z","place":{"lat":-33.8688,"lon":151.2093}}
			positions {"time":"2014-10-26T22:32:35.903Z","place":{"lat":45.7578137,"lon":-117.8261}}`},
		{"bad rows", `{"locations":[{"timestamp":"2022-03-04T05:06:07Z","wifiScan":{}},{"timestamp":"2022-02-30T05:06:07Z","latitudeE7":1,"longitudeE7":1},
			{"timestamp":"2022-03-04T05:06:07Z","latitudeE7":-900000001,"longitudeE7":1},{"latitudeE7":1,"longitudeE7":1},{"timestamp":"2022-03-04T05:06:07Z","latitudeE7":1,"longitudeE7":1}]}`, `
			positions {"time":"2022-03-04T05:06:07Z","place":{"lat":0.0000001,"lon":0.0000001}}
			rejected 1: no-coordinates
			rejected 1: no-time
			rejected 2: not-a-place
			rejected 2: no-time`},
		{"cut", `{"locations":[{"timestamp":"2022-03-04T05:06:07Z","latitudeE7":1,"longitudeE7":1},{"latitu`, "refused: cut"},
		{"wrong inside", `{"locations":[{"timestamp":"2022-03-04T05:06:07Z","latitudeE7":1,"longitudeE7":1},{"latitudeE7":1,,"longitudeE7":1}]}`, "refused: json"},
		{"something behind", `{"locations":[{"timestamp":"2022-03-04T05:06:07Z","latitudeE7":1,"longitudeE7":1}]} x`, "refused: json"},
		{"nothing in it", `{"locations":[]}`, "refused: nothing-in-it"},
		{"a NUL", `{"locations":[{"timestamp":"2022-03-04T05:06:07Z","latitudeE7":1,"longitudeE7":1}` + strings.Repeat(" ", HeadSize) + "\x00]}", "refused: nul"},
	}.run(t, "google-records")
}

// TestGoogleRecordsUTF16: an editor may have saved the file anew.
func TestGoogleRecordsUTF16(t *testing.T) {
	var b []byte
	for _, r := range "\ufeff" + `{"locations":[{"timestampMs":"1414362755903","latitudeE7":1,"longitudeE7":2}]}` {
		b = append(b, byte(r), byte(r>>8))
	}
	want := `positions {"time":"2014-10-26T22:32:35.903Z","place":{"lat":0.0000001,"lon":0.0000002}}`
	if got := placed(t, "google-records", string(b), Options{}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// madeRecords is a Records.json of n positions, made while it is read: nothing
// of it is ever in memory or on a disk.
type madeRecords struct {
	n, next int
	buf     []byte
	left    []byte
}

func (m *madeRecords) Read(p []byte) (int, error) {
	for len(m.left) == 0 {
		m.buf = m.buf[:0]
		switch {
		case m.next > m.n:
			return 0, io.EOF
		case m.next == m.n:
			m.buf = append(m.buf, "\n  ]\n}\n"...)
			m.next++
		default:
			m.location()
		}
		m.left = m.buf
	}
	n := copy(p, m.left)
	m.left = m.left[n:]
	return n, nil
}

// location appends a position in the form of 2022, about 150 bytes long; one in
// four says more.
func (m *madeRecords) location() {
	start := ",\n  {"
	if m.next == 0 {
		start = "{\n  \"locations\": [\n  {"
	}
	b, i := append(m.buf, start...), m.next
	m.next++
	member := func(name string, n int) {
		b = strconv.AppendInt(append(append(append(b, '"'), name...), "\":"...), int64(n), 10)
		b = append(b, ',')
	}
	member("latitudeE7", 457578137+i%100_000*7)
	member("longitudeE7", 48320114-i%70_000*11)
	member("accuracy", 5+i%60)
	if i%4 == 0 {
		member("altitude", 170+i%50)
		member("velocity", i%9)
	}
	b = append(b, `"source":"WIFI","deviceTag":-1234567890,"timestamp":"`...)
	b = time.Unix(1_600_000_000+int64(i)*79, int64(i%1000)*1e6).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	m.buf = append(b, `"}`...)
}

func (m *madeRecords) Close() error { return nil }

func recordsOf(n int) *Source {
	return Stream("Records.json", -1, func() (io.ReadCloser, error) { return &madeRecords{n: n}, nil }, Options{})
}

// TestGoogleRecordsInLittleMemory: what reading needs does not grow with the
// file, and it makes no garbage to speak of.
func TestGoogleRecordsInLittleMemory(t *testing.T) {
	allocated := func(n int) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Read(context.Background(), recordsOf(n), &Sink{})
		runtime.ReadMemStats(&after)
		if err != nil || r.Refused != nil || len(r.Kinds) != 1 || r.Kinds[0].Rows != n || r.RejectedRows != 0 {
			t.Fatalf("%d positions: %+v, %v", n, r, err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	allocated(10) // what is made once
	few, many := allocated(5_000), allocated(55_000)
	if per := (float64(many) - float64(few)) / 50_000; per > 16 {
		t.Errorf("each position more takes %.0f bytes", per)
	}
}

// BenchmarkGoogleRecords reads 2,000,000 positions, about 300 MB, and takes the
// rows; storing them is not part of it.
func BenchmarkGoogleRecords(b *testing.B) {
	const n = 2_000_000
	size, _ := io.Copy(io.Discard, &madeRecords{n: n})
	b.SetBytes(size)
	rows, before := 0, processorTime()
	for b.Loop() {
		rows = 0
		take := func(*record.Schema, record.Row) error { rows++; return nil }
		if r, err := Read(context.Background(), recordsOf(n), &Sink{Take: take}); err != nil || r.Refused != nil {
			b.Fatal(r, err)
		}
	}
	if rows != n {
		b.Fatalf("%d rows, want %d", rows, n)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	if used := processorTime() - before; used > 0 {
		b.ReportMetric(float64(rows)*float64(b.N)/used, "rows/cpu-s")
	}
	if peak, ok := peakMemory(); ok {
		b.ReportMetric(peak, "peak-MiB")
	}
}

// peakMemory is the most memory that this process ever had, in MiB.
func peakMemory() (float64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, rest, ok := bytes.Cut(status, []byte("VmHWM:"))
	var kib float64
	if _, err := fmt.Sscan(string(rest), &kib); err != nil {
		return 0, false
	}
	return kib / 1024, ok
}

// processorTime is how many seconds the processors have worked for this
// process, to a hundredth; 0 when the system does not say.
func processorTime() float64 {
	stat, _ := os.ReadFile("/proc/self/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

func FuzzGoogleRecords(f *testing.F) {
	f.Add([]byte(`{"locations":[{"timestampMs":"1414362755903","latitudeE7":3956279296,"longitudeE7":1512093000,"activity":[{"activity":[{"type":"STILL","confidence":20}]}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "google-records", b) })
}

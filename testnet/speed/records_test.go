// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/storage/importer"
	"github.com/traboule/traboule/storage/record"
)

const (
	positions = "positions"
	readings  = "electricity-load-curve"
	energy    = "energy/sum"
)

var keyfile = []byte("a key file for a benchmark, long")

// recordsHome is the home of a node that is closed and has taken in one file of
// records.
func recordsHome(b *testing.B, name string) string {
	b.Helper()
	file := recordsFile(b, name)
	home := filepath.Join(works, name)
	if _, err := os.Stat(home); err == nil {
		return home
	}
	_, err := node.Create(b.Context(), node.CreateOptions{Home: home, Passphrase: passphrase, Keyfile: keyfile})
	must(b, err)
	must(b, os.WriteFile(filepath.Join(home, "keyfile"), keyfile, 0o600))
	must(b, os.WriteFile(home+".secret", passphrase, 0o600))
	n := openRecords(b, home)
	takeIn(b, n, file)
	must(b, n.Close())
	return home
}

func openRecords(b *testing.B, home string) *node.Node {
	b.Helper()
	n, err := node.OpenHome(b.Context(), node.Options{Home: home, Secret: node.Secret{Keyfile: keyfile}, Listen: []string{loopback}})
	must(b, err)
	return n
}

// takeIn imports a file, of which all must be new.
func takeIn(b *testing.B, to node.Caller, file string) (rows int) {
	b.Helper()
	r, err := node.Import.Do(b.Context(), to, node.ImportRequest{Paths: []string{file}}, nil)
	must(b, err)
	if len(r.Files) != 1 || len(r.Files[0].Kinds) != 1 || r.Files[0].RejectedRows > 0 || r.Files[0].Kinds[0].New != r.Files[0].Kinds[0].Rows {
		b.Fatalf("imported %+v", r)
	}
	return r.Files[0].Kinds[0].New
}

// takeAgain imports a file of which all must be there.
func takeAgain(b *testing.B, to node.Caller, file string) {
	b.Helper()
	r, err := node.Import.Do(b.Context(), to, node.ImportRequest{Paths: []string{file}}, nil)
	must(b, err)
	if len(r.Files) != 1 || len(r.Files[0].Kinds) != 1 || r.Files[0].Kinds[0].Number != 0 || r.Files[0].Kinds[0].Here != r.Files[0].Kinds[0].Rows {
		b.Fatalf("imported again %+v", r)
	}
}

// BenchmarkRecordsImport has a real process take in 2,000,000 positions, and
// then the same again.
func BenchmarkRecordsImport(b *testing.B) {
	bin, file := program(b), recordsFile(b, positions)
	var took, again time.Duration
	var used, peak, peakAgain float64
	rows := 0
	for b.Loop() {
		dir := b.TempDir()
		p := launch(b, bin, filepath.Join(dir, "home"))
		before := p.used(b)
		took += timed(b, func() { rows = takeIn(b, p, file) })
		used += (p.used(b) - before).Seconds()
		peak = max(peak, p.highWater(b))
		again += timed(b, func() { takeAgain(b, p, file) })
		peakAgain = max(peakAgain, p.highWater(b))
		p.end()
		os.RemoveAll(dir)
	}
	b.ReportMetric(float64(rows*b.N)/took.Seconds(), "rows/s")
	b.ReportMetric(float64(rows*b.N)/used, "rows/cpu-s")
	b.ReportMetric(peak, "peak-MiB")
	b.ReportMetric(float64(rows*b.N)/again.Seconds(), "again-rows/s")
	b.ReportMetric(peakAgain, "again-peak-MiB")
}

// highWater is the most memory that the process ever had, in MiB: its program
// too.
func (p *process) highWater(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	must(b, err)
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kib float64
	_, err = fmt.Sscan(string(rest), &kib)
	must(b, err)
	return kib / 1024
}

// BenchmarkRecordsSums asks for the energy of each day out of ten years of
// half-hours: first of a node that was just opened, then again.
func BenchmarkRecordsSums(b *testing.B) {
	home := recordsHome(b, readings)
	var cold, warm []time.Duration
	for b.Loop() {
		for range 5 {
			n := openRecords(b, home)
			cold = append(cold, daily(b, n))
			for range 5 {
				warm = append(warm, daily(b, n))
			}
			must(b, n.Close())
		}
	}
	b.ReportMetric(median(cold), "cold-ms")
	b.ReportMetric(median(warm), "warm-ms")
}

func daily(b *testing.B, n *node.Node) (took time.Duration) {
	b.Helper()
	began := time.Now()
	r, err := node.Query.Do(b.Context(), n, node.QueryRequest{Name: readings, Columns: []string{"start", energy}, By: "day", Format: "csv"}, func(node.Progress) {})
	took = time.Since(began)
	must(b, err)
	if r.Rows < manyReadings/50 {
		b.Fatalf("%d days", r.Rows)
	}
	return took
}

// appended is when the last position was that was taken in alone.
var appended = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// BenchmarkRecordsAppend takes in a file with one position more, again and
// again.
func BenchmarkRecordsAppend(b *testing.B) {
	n := openRecords(b, recordsHome(b, positions))
	defer n.Close()
	var took []time.Duration
	one := filepath.Join(b.TempDir(), "Records.json")
	for b.Loop() {
		for range 15 {
			appended = appended.Add(time.Minute)
			must(b, os.WriteFile(one, fmt.Appendf(nil, `{"locations": [{"latitudeE7": 457578137, "longitudeE7": 48320114, "accuracy": 5, "timestamp": %q}]}`, appended.Format(time.RFC3339)), 0o600))
			began := time.Now()
			rows := takeIn(b, n, one)
			took = append(took, time.Since(began))
			if rows != 1 {
				b.Fatalf("%d rows", rows)
			}
		}
	}
	b.ReportMetric(float64(took[0])/1e6, "first-ms")
	b.ReportMetric(median(took[1:]), "ms")
}

// BenchmarkRecordsQuery is how long the program takes to show the first row of
// what a closed node keeps: opened by its key file, and by its passphrase, whose
// derivation is slow on purpose.
func BenchmarkRecordsQuery(b *testing.B) {
	bin := program(b)
	for b.Loop() {
		for _, name := range []string{positions, readings} {
			home := recordsHome(b, name)
			var took []time.Duration
			for range 5 {
				took = append(took, firstRow(b, bin, "query", name, "--csv", "--home", home))
			}
			b.ReportMetric(median(took)/1000, name+"-s")
			b.ReportMetric(firstRow(b, bin, "query", name, "--csv", "--home", home, "--passphrase-file", home+".secret").Seconds(), name+"-passphrase-s")
		}
	}
}

// firstRow is how long a query takes to print a line after the names of its
// columns.
func firstRow(b *testing.B, bin string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.Command(bin, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	must(b, err)
	began := time.Now()
	must(b, cmd.Start())
	lines := bufio.NewReader(out)
	for range 2 {
		if _, err := lines.ReadString('\n'); err != nil {
			b.Fatalf("%q: %v: %s", args, err, &said)
		}
	}
	took := time.Since(began)
	_ = cmd.Process.Signal(os.Interrupt) // the rest is not waited for
	_, _ = io.Copy(io.Discard, lines)
	_ = cmd.Wait()
	return took
}

// BenchmarkRecordsSize sets the packs of a vault, compacted, beside one Parquet
// file of the same rows that the library makes, compressed by zstd.
func BenchmarkRecordsSize(b *testing.B) {
	for b.Loop() {
		for _, name := range []string{positions, readings} {
			home := recordsHome(b, name)
			n := openRecords(b, home)
			do(b, node.Compact, n, node.CompactRequest{Waste: true})
			must(b, n.Close())
			ours, theirs := onDisk(b, filepath.Join(home, "packs")), parquetSize(b, recordsFile(b, name))
			b.ReportMetric(float64(ours)/float64(theirs), name+"-x")
			b.ReportMetric(float64(ours)/1e6, name+"-MB")
		}
	}
}

// parquetSizes are those that were found before: the library takes a minute.
var parquetSizes = map[string]int64{}

// parquetSize is the size of one Parquet file with all rows of a file.
func parquetSize(b *testing.B, file string) int64 {
	b.Helper()
	if n, ok := parquetSizes[file]; ok {
		return n
	}
	out := &counter{}
	var w *parquet.GenericWriter[map[string]any]
	err := importer.Files(b.Context(), file, importer.Options{}, func(s *importer.Source) error {
		_, err := importer.Read(b.Context(), s, &importer.Sink{Take: func(kind *record.Schema, row record.Row) error {
			if w == nil {
				w = parquet.NewGenericWriter[map[string]any](out, parquetSchema(kind), parquet.Compression(&zstd.Codec{}))
			}
			_, err := w.Write([]map[string]any{parquetRow(kind, row)})
			return err
		}})
		return err
	})
	must(b, err)
	must(b, w.Close())
	parquetSizes[file] = out.n
	return out.n
}

func parquetSchema(s *record.Schema) *parquet.Schema {
	group := parquet.Group{}
	for _, f := range s.Fields {
		switch f.Type {
		case record.Place:
			group[f.Name+"_lat"], group[f.Name+"_lon"] = parquet.Int(32), parquet.Int(32)
		case record.Instant:
			group[f.Name] = parquet.Optional(parquet.Timestamp(parquet.Microsecond))
		case record.Decimal:
			group[f.Name] = parquet.Optional(parquet.Decimal(4, 18, parquet.Int64Type))
		default:
			group[f.Name] = parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary))
		}
	}
	return parquet.NewSchema("row", group)
}

func parquetRow(s *record.Schema, row record.Row) map[string]any {
	line := map[string]any{}
	for i, f := range s.Fields {
		switch v := row[i]; {
		case v.IsNull():
		case f.Type == record.Place:
			line[f.Name+"_lat"], line[f.Name+"_lon"] = v.E7()
		case f.Type == record.Instant:
			line[f.Name] = v.Micros()
		case f.Type == record.Decimal:
			n, scale := v.Unscaled()
			for ; scale < 4; scale++ {
				n *= 10
			}
			line[f.Name] = n
		default:
			line[f.Name] = v.String()
		}
	}
	return line
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

// median is in milliseconds.
func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2]) / 1e6
}

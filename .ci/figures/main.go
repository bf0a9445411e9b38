// SPDX-License-Identifier: Apache-2.0

// Command figures reads what go test -bench prints, repeats it to standard
// error, and ends with a table: each goal, the median of what was measured,
// the range, and whether the goal is met; then which other programs it was set
// beside. A goal without a figure is said
// aloud. It measures nothing itself, and a goal missed is no failure: speed
// depends on the machine and on who else uses it.
//
// Usage: go test -bench … -count 3 … | go run ./.ci/figures
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goal is one row: a metric of a benchmark, and what it should be.
type goal struct {
	what      string
	benchmark string // as printed, without the number of processors
	unit      string
	scale     float64 // from the unit printed by go test to that of the limits; 0 is 1
	most      float64 // the goal, if smaller is better
	least     float64 // the goal, if larger is better
	stretch   float64
}

var goals = []goal{
	{what: "add D1, × the bare loop", benchmark: "Add/D1", unit: "x-bare", most: 1.4, stretch: 1.2},
	{what: "  … s", benchmark: "Add/D1", unit: "s"},
	{what: "  … restic backup, s", benchmark: "Restic/D1", unit: "backup-s"},
	{what: "add D2, × the bare loop", benchmark: "Add/D2", unit: "x-bare", most: 1.4, stretch: 1.2},
	{what: "  … s", benchmark: "Add/D2", unit: "s"},
	{what: "  … restic backup, s", benchmark: "Restic/D2", unit: "backup-s"},
	{what: "add D2 again, 1 file changed, s beyond the scan", benchmark: "AddAgain", unit: "beyond-scan-s", most: 0.5},
	{what: "fetch D1, % of libp2p's raw stream to nowhere", benchmark: "Fetch/D1", unit: "%-of-raw", least: 65, stretch: 80},
	{what: "  … of one that ends in fsynced packs, as ours", benchmark: "Fetch/D1", unit: "%-of-raw-to-disk", least: 65, stretch: 80},
	{what: "  … s", benchmark: "Fetch/D1", unit: "s"},
	{what: "  … the first after the giver was opened, s", benchmark: "Fetch/D1", unit: "first-s"},
	{what: "  … restic restore (no network, no fsync), s", benchmark: "Restic/D1", unit: "restore-s"},
	{what: "fetch D2, s", benchmark: "Fetch/D2", unit: "s", most: 2, stretch: 1},
	{what: "  … restic restore, s", benchmark: "Restic/D2", unit: "restore-s"},
	{what: "CPU of a fetch of D1, both ends, s/GiB", benchmark: "Fetch/D1", unit: "cpu-s/GiB", most: 3, stretch: 2.5},
	{what: "  … of the raw stream to nowhere", benchmark: "Fetch/D1", unit: "raw-cpu-s/GiB"},
	{what: "private memory: add, MiB", benchmark: "Memory", unit: "add-MiB", most: 100, stretch: 70},
	{what: "private memory: fetch, MiB", benchmark: "Memory", unit: "fetch-MiB", most: 64, stretch: 50},
	{what: "private memory: serve, MiB", benchmark: "Memory", unit: "serve-MiB"},
	{what: "private memory: idle, 20,000 blocks, MiB", benchmark: "Idle", unit: "idle-MiB", most: 40, stretch: 30},
	{what: "disk, D1, ×", benchmark: "Add/D1", unit: "x-disk", most: 1.01},
	{what: "disk, D2, ×", benchmark: "Add/D2", unit: "x-disk", most: 1.15},
	{what: "gate, chain of 4, cold, µs", benchmark: "Check/cold", unit: "ns/op", scale: 1e-3, most: 300},
	{what: "gate, proofs verified before, µs", benchmark: "Check/verified_before", unit: "ns/op", scale: 1e-3, most: 60},
	{what: "  … one Ed25519 verification here, µs", benchmark: "VerifySignature", unit: "ns/op", scale: 1e-3},
	{what: "deliveries, small, per second (both ends here)", benchmark: "Deliveries", unit: "deliveries/s", least: 1000},
	{what: "ready after unlocking, 20,000 blocks, s", benchmark: "Ready/blocks", unit: "s", most: 0.3},
	{what: "  … a journal of 50,000 entries, s", benchmark: "Ready/journal", unit: "s", most: 0.3},
	{what: "idle, 20 contacts: CPU, %", benchmark: "Idle", unit: "cpu-%", most: 0.5},
	{what: "idle, 20 contacts: written in a day, MB", benchmark: "IdleDay", unit: "written-MB/day", most: 5},
	{what: "2,000,000 of Google's positions, imported, rows/s", benchmark: "RecordsImport", unit: "rows/s", least: 150_000},
	{what: "  … rows for a second of one processor's time", benchmark: "RecordsImport", unit: "rows/cpu-s"},
	{what: "  … peak memory of the process, MiB", benchmark: "RecordsImport", unit: "peak-MiB", most: 200},
	{what: "  … read alone, rows/s", benchmark: "GoogleRecords", unit: "rows/s", least: 150_000},
	{what: "  … … rows for a second of one processor's time", benchmark: "GoogleRecords", unit: "rows/cpu-s"},
	{what: "  … … peak memory of the process, MiB", benchmark: "GoogleRecords", unit: "peak-MiB", most: 200},
	{what: "daily sums of 175,000 rows, just opened, ms", benchmark: "RecordsSums", unit: "cold-ms", most: 50},
	{what: "  … again, ms", benchmark: "RecordsSums", unit: "warm-ms", most: 10},
	{what: "a row more to 2,000,000, fsynced, ms", benchmark: "RecordsAppend", unit: "ms", most: 20},
	{what: "  … the first after the node was opened, ms", benchmark: "RecordsAppend", unit: "first-ms", most: 20},
	{what: "a view of hours and 1 km over it follows, ms", benchmark: "RecordsView/hours", unit: "ms", most: 50},
	{what: "  … a row of three years ago, ms", benchmark: "RecordsView/hours", unit: "late-ms", most: 50},
	{what: "a view of rows as they are follows, ms", benchmark: "RecordsView/raw", unit: "ms", most: 50},
	{what: "  … a row of three years ago, ms", benchmark: "RecordsView/raw", unit: "late-ms", most: 50},
	{what: "  … processor time of either, mean, ms", benchmark: "RecordsView/raw", unit: "cpu-ms"},
	{what: "  … cut for the first time, ms", benchmark: "RecordsView/raw", unit: "first-ms"},
	{what: "disk, 2,000,000 positions, × a zstd Parquet file", benchmark: "RecordsSize", unit: "positions-x", most: 1.2},
	{what: "disk, 175,000 half-hours, × the same", benchmark: "RecordsSize", unit: "electricity-load-curve-x", most: 1.2},
	{what: "first row of 2,000,000, closed node, s", benchmark: "RecordsQuery", unit: "positions-s", most: 0.5},
	{what: "  … of 175,000, s", benchmark: "RecordsQuery", unit: "electricity-load-curve-s", most: 0.5},
	{what: "  … of 2,000,000, a passphrase to derive from, s", benchmark: "RecordsQuery", unit: "positions-passphrase-s"},
}

func main() {
	found, beside, failed := read(os.Stdin, os.Stderr)
	fmt.Printf("\n%-50s %8s %8s   %-19s %s\n", "", "goal", "figure", "range", "margin (1 and above: met)")
	for _, g := range goals {
		fmt.Println(g.row(found[g.benchmark+" "+g.unit]))
	}
	for _, other := range beside {
		fmt.Println("beside:", other)
	}
	if failed {
		fmt.Fprintln(os.Stderr, "figures: a benchmark failed")
		os.Exit(1)
	}
}

var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// read gathers the figures by benchmark and unit, and the other programs that
// ran, or did not, beside ours.
func read(in io.Reader, echo io.Writer) (found map[string][]float64, beside []string, failed bool) {
	found = map[string][]float64{}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		text := lines.Text()
		fmt.Fprintln(echo, text)
		if _, other, ok := strings.Cut(text, "restic_test.go:"); ok {
			_, other, _ = strings.Cut(other, ": ")
			if other = strings.TrimPrefix(other, "beside: "); !slices.Contains(beside, other) {
				beside = append(beside, other)
			}
		}
		failed = failed || strings.HasPrefix(text, "FAIL") || strings.HasPrefix(text, "--- FAIL")
		m := line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				key := m[1] + " " + fields[i+1]
				found[key] = append(found[key], v)
			}
		}
	}
	return found, beside, failed
}

// row says how the figures stand to the goal. The margin is 1 or more where the
// goal is met: goal ÷ figure where less is better, else figure ÷ goal.
func (g goal) row(figures []float64) string {
	if len(figures) == 0 {
		return fmt.Sprintf("%-50s %8s %8s", g.what, g.limit(), "not measured")
	}
	slices.Sort(figures)
	scale := g.scale
	if scale == 0 {
		scale = 1
	}
	median := figures[len(figures)/2] * scale
	spread := fmt.Sprintf("%s – %s", short(figures[0]*scale), short(figures[len(figures)-1]*scale))
	return strings.TrimRight(fmt.Sprintf("%-50s %8s %8s   %-19s %s", g.what, g.limit(), short(median), spread, g.verdict(median)), " ")
}

func (g goal) limit() string {
	switch {
	case g.most > 0:
		return "≤ " + short(g.most)
	case g.least > 0:
		return "≥ " + short(g.least)
	}
	return ""
}

func (g goal) verdict(median float64) string {
	var ratio, stretched float64
	switch {
	case g.most > 0:
		ratio, stretched = g.most/median, g.stretch/median
	case g.least > 0:
		ratio, stretched = median/g.least, median/g.stretch
	default:
		return ""
	}
	switch {
	case ratio < 1:
		return fmt.Sprintf("%.2f  missed", ratio)
	case g.stretch > 0 && stretched >= 1:
		return fmt.Sprintf("%.2f  stretch too", ratio)
	}
	return fmt.Sprintf("%.2f", ratio)
}

// short writes three digits, and no exponent.
func short(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

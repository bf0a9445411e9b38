// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// What a data set may cost that somebody has made to do harm.
const (
	mostRecordMemory = 256 // MiB, of the whole process
	mostRecordTime   = 10 * time.Second
)

// TestHostileRecordsAtRest: a data set that does harm, and lies in the vault all
// the same, as one from before or from a kit may, costs whoever looks at it no
// more than 256 MiB and 10 s, ends in a sentence, and is in nobody's way. It
// runs in a process of its own, whose peak it can tell.
func TestHostileRecordsAtRest(t *testing.T) {
	if os.Getenv("TRABOULE_TEST_AT_REST") == "" {
		self := exec.Command(os.Args[0], "-test.run=^TestHostileRecordsAtRest$", "-test.v")
		self.Env = append(os.Environ(), "TRABOULE_TEST_AT_REST=1")
		out, err := self.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "peak") {
				t.Log(strings.TrimSpace(line))
			}
		}
		return
	}
	p := newPerson(t, "ada", newClock())
	do(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}})
	before := p.rows("bank-operations")
	spoil := maps.Clone(hostile)
	maps.Copy(spoil, absurd)
	maps.Copy(spoil, harmless)
	schema, err := record.ParseSchema([]byte(readings))
	if err != nil {
		t.Fatal(err)
	}
	for i, what := range slices.Sorted(maps.Keys(spoil)) {
		o := someReadings(t, schema)
		spoil[what](t, o)
		debug.FreeOSMemory() // what the one before left is not its own
		name := fmt.Sprint("hostile ", i)
		r := vault.PutRequest{Target: vault.Target{Name: name, Kind: storage.KindRecords}}
		for path, content := range o {
			r.Put = append(r.Put, vault.Object{Path: path, Content: content})
		}
		if _, err := p.vault.Put(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		slowest, said := p.looksAt(t, what, name)
		_, odd := harmless[what]
		if quiet := odd || slices.Contains(unnoticed, what); (said == nil) != quiet {
			t.Errorf("%s: it is said %v", what, said)
		}
		t.Logf("%s: peak %d MiB, the slowest %v: %v", what, peakMiB(t), slowest.Round(time.Millisecond), slices.Sorted(maps.Keys(said)))
		if peakMiB(t) > mostRecordMemory {
			t.Fatalf("%s: %d MiB", what, peakMiB(t))
		}
		if diff := cmp.Diff(before, p.rows("bank-operations")); diff != "" {
			t.Errorf("%s: beside it %s", what, diff)
		}
		do(p, Remove, NameRequest{Name: name})
	}
}

// unnoticed are lies about which a grantee is told when they come, and which hide
// rows from whoever has them here.
var unnoticed = []string{"an hour that is not", "no hours", "no columns"}

// looksAt does all that can be done with a data set for its owner.
func (p *person) looksAt(t *testing.T, what, name string) (slowest time.Duration, said map[string]bool) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "out")
	for _, do := range []func() error{
		func() error { return try(p, Show, ShowRequest{Name: name}) },
		func() error { return try(p, Query, QueryRequest{Name: name, Format: "csv"}) },
		func() error { return try(p, Query, QueryRequest{Name: name, Format: "jsonl", Numbers: true}) },
		func() error { return try(p, Query, QueryRequest{Name: name, Format: "table", By: "month"}) }, // what plot asks
		func() error { return try(p, Query, QueryRequest{Name: name, Format: "parquet", Limit: 5}) },
		func() error { return try(p, Export, ExportRequest{To: to}) },
		func() error { return try(p, List, None{}) },
		func() error { return try(p, Check, None{}) },
	} {
		began := time.Now()
		err := do()
		took := time.Since(began)
		if slowest = max(slowest, took); took > mostRecordTime && err != nil { // eight million rows that come take their time
			t.Errorf("%s: told after %v: %v", what, took, err)
		}
		if err == nil {
			continue
		}
		told := (*problem.Problem)(nil)
		if !errors.As(err, &told) || told.Kind == problem.Unexpected {
			t.Errorf("%s: %v is no sentence", what, err)
			continue
		}
		if said == nil {
			said = map[string]bool{}
		}
		said[told.Key] = true
	}
	if list, err := filepath.Glob(filepath.Join(to, "bank-operations", "rows.*")); err != nil || len(list) != 3 {
		t.Errorf("%s: beside it %q was exported: %v", what, list, err)
	}
	return slowest, said
}

// someReadings are three rows of two days.
func someReadings(t *testing.T, schema *record.Schema) objectsInMemory {
	t.Helper()
	o := objectsInMemory{}
	set, err := record.Create(schema, o)
	if err != nil {
		t.Fatal(err)
	}
	im := set.Over(o).Import(t.Context(), o)
	for i := range 3 {
		at := time.Date(2026, 11, 1+i/2, 10, i, 0, 0, time.UTC)
		if err := im.Add(record.Row{record.At(at), record.Str("a"), record.Dec(int64(i), 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := im.Finish(record.Meta{When: 1}); err != nil {
		t.Fatal(err)
	}
	return o
}

// absurd are data sets in which nothing is wrong but how much they are.
var absurd = map[string]func(*testing.T, objectsInMemory){
	"128 fields, all 0": func(t *testing.T, o objectsInMemory) {
		b := &record.Batch{Len: 24_000}
		for _, f := range wideSchema(t).Fields {
			b.Columns = append(b.Columns, &record.Column{Type: f.Type, Ints: make([]int64, b.Len)})
		}
		o.many(t, wideSchema(t), b, 20)
	},
	"30 segments of one hour": func(t *testing.T, o objectsInMemory) {
		schema, err := record.ParseSchema([]byte(readings))
		if err != nil {
			t.Fatal(err)
		}
		b := record.NewBuilder(schema)
		for i := range record.MaxRows {
			b.Add(record.Row{record.Micros(int64(i)), record.Str("a"), record.Dec(1, 0)})
		}
		o.many(t, schema, b.Batch(), 30)
	},
}

// many is the same segment again and again, under other numbers.
func (o objectsInMemory) many(t *testing.T, schema *record.Schema, b *record.Batch, n int) {
	t.Helper()
	clear(o)
	segment, err := record.EncodeSegment(schema, b)
	if err != nil {
		t.Fatal(err)
	}
	at := b.Columns[0].Ints
	h := hostileHead{Version: 1, Next: uint64(n * b.Len)}
	for i := range n {
		numbers := uvarints(uint64(i*b.Len), uint64(b.Len))
		h.Segments = append(h.Segments, hostileSegment{Numbers: numbers, Least: at[0], Most: at[b.Len-1], Dated: b.Len})
		o[fmt.Sprintf("rows/%d-%d", i*b.Len, b.Len)] = segment
	}
	h.Tail = []hostileOperation{{Kind: "import", Covers: uvarints(0, h.Next)}}
	o["schema.json"], o["log"] = schema.Document(), canonical.MustMarshal(h)
}

// wideSchema has as many fields as there can be.
func wideSchema(t *testing.T) *record.Schema {
	t.Helper()
	words := func(name string) map[string]any { return map[string]any{"title": name} }
	properties := []string{`"at": {"type": "string", "format": "date-time", "title": "At", "traboule": {"fr": {"title": "Le"}}}`}
	for i := 1; i < record.MaxFields; i++ {
		text, err := json.Marshal(map[string]any{"type": "integer", "title": "N", "traboule": map[string]any{"fr": words("N")}})
		if err != nil {
			t.Fatal(err)
		}
		properties = append(properties, fmt.Sprintf(`"n%d": %s`, i, text))
	}
	document := strings.Replace(readings, readings[strings.Index(readings, `"properties"`):], `"properties": {`+strings.Join(properties, ",")+`}, "additionalProperties": false}`, 1)
	schema, err := record.ParseSchema([]byte(strings.Replace(document, `"keys": [["name"]]`, `"keys": []`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// peakMiB is the most memory that this process ever had.
func peakMiB(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("only Linux tells a process how much memory it had at most")
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n >> 10
}

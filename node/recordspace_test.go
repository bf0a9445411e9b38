// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// positionsFrom writes n positions, a minute apart, as Google hands them out.
func positionsFrom(t *testing.T, when time.Time, n int) string {
	t.Helper()
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"latitudeE7": %d, "longitudeE7": 48320114, "accuracy": 5, "timestamp": %q}`,
			457578137+i, when.Add(time.Duration(i)*time.Minute).UTC().Format(time.RFC3339)))
	}
	path := filepath.Join(t.TempDir(), "Records.json")
	if err := os.WriteFile(path, []byte(`{"locations": [`+strings.Join(list, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// segments are the objects of rows in the newest version of a data set.
func (p *person) segments(name string) (n int) {
	p.t.Helper()
	d, err := p.vault.Lookup(name)
	if err != nil {
		p.t.Fatal(err)
	}
	all, err := p.vault.Objects(p.t.Context(), d.DID, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, o := range all {
		if strings.HasPrefix(o.Path, "rows/") {
			n++
		}
	}
	return n
}

func (p *person) csv(name string) string {
	p.t.Helper()
	var rows strings.Builder
	if _, err := Query.Do(p.t.Context(), p.Node, QueryRequest{Name: name, Format: "csv", Numbers: true}, func(g Progress) { rows.Write(g.Part) }); err != nil {
		p.t.Fatal(err)
	}
	return rows.String()
}

// TestRecordsCompactedDaily: what many imports left in small segments becomes
// few within a day, once; each row keeps its number, and each import can be
// taken back as before.
func TestRecordsCompactedDaily(t *testing.T) {
	t.Parallel()
	const imports, each = 10, 2100
	alice := newPerson(t, "alice", newClock())
	alice.lookAfterNow()
	began := alice.clock.now().AddDate(0, -1, 0)
	for i := range imports {
		do(alice, Import, ImportRequest{Paths: []string{positionsFrom(t, began.Add(time.Duration(i*each)*time.Minute), each)}})
	}
	before, left := alice.csv("positions"), alice.segments("positions")
	if left != imports || strings.Count(before, "\n") != 1+imports*each {
		t.Fatalf("%d segments, %d lines", left, strings.Count(before, "\n"))
	}
	alice.clock.advance(time.Hour)
	alice.lookAfterNow()
	if n := alice.segments("positions"); n != imports {
		t.Errorf("an hour later there are %d segments: written too often", n)
	}
	alice.clock.advance(23 * time.Hour)
	alice.lookAfterNow()
	if n := alice.segments("positions"); n != 1 {
		t.Errorf("a day later there are %d segments", n)
	}
	if alice.csv("positions") != before {
		t.Error("compacted, the rows are others")
	}
	entries := alice.vault.Entries()
	alice.clock.advance(24 * time.Hour)
	alice.lookAfterNow()
	if now := alice.vault.Entries(); now != entries {
		t.Errorf("nothing was to be done, and %d entries were written", now-entries)
	}
	alice.restart()
	alice.sound()
	if alice.csv("positions") != before {
		t.Error("started anew, the rows are others")
	}
	if r := do(alice, Undo, UndoRequest{Name: "positions", Number: 3}); r.Rows != (imports-1)*each {
		t.Errorf("taken back: %+v", r)
	}
}

// TestWhatIsTightStaysAsItIs: what could not have fewer segments is not written
// again every day, until something changes.
func TestWhatIsTightStaysAsItIs(t *testing.T) {
	t.Parallel()
	const imports, each = 10, 2100
	alice := newPerson(t, "alice", newClock())
	began := alice.clock.now().AddDate(0, -1, 0)
	take := func(i int) {
		do(alice, Import, ImportRequest{Paths: []string{positionsFrom(t, began.Add(time.Duration(i*each)*time.Minute), each)}})
	}
	for i := range imports {
		take(i)
	}
	d, err := alice.vault.Lookup("positions")
	if err != nil {
		t.Fatal(err)
	}
	alice.recordSets.tighten(d)
	alice.lookAfterNow()
	if n := alice.segments("positions"); n != imports {
		t.Errorf("%d segments", n)
	}
	take(imports)
	do(alice, Compact, CompactRequest{})
	if n := alice.segments("positions"); n != 1 {
		t.Errorf("after a change there are %d segments", n)
	}
}

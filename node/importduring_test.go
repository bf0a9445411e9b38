// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/vault"
)

// logged is a file of positions, one each minute from one to another. The same
// minute is the same place in all of them.
func logged(t *testing.T, from, to int) (path string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("lat,lon,time\n")
	begin := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := from; i < to; i++ {
		at := rand.New(rand.NewPCG(uint64(i), 1))
		fmt.Fprintf(&b, "45.%07d,4.%07d,%s\n", at.IntN(1e7), at.IntN(1e7), begin.Add(time.Duration(i)*time.Minute).Format(time.RFC3339))
	}
	path = filepath.Join(t.TempDir(), "log.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// long is how many positions make a file of which rows have been taken in, and
// others not yet, when its reading is told of for the last time.
const long = 50_000

// positions imports a file of positions.
func (p *person) positions(from, to int) ImportResult {
	p.t.Helper()
	r := do(p, Import, ImportRequest{Paths: []string{logged(p.t, from, to)}})
	if len(r.Files) != 1 || r.Files[0].Refused != nil || r.Stopped != nil {
		p.t.Fatalf("%+v", r)
	}
	return r
}

// during imports a file and, while rows of it are on their way, starts what is
// done meanwhile. It returns when all of them have ended, with their errors.
func (p *person) during(q ImportRequest, meanwhile ...func() error) (r ImportResult, failed []error) {
	p.t.Helper()
	ended := make([]chan error, len(meanwhile))
	begin := func(Progress) {
		if ended[0] != nil {
			return
		}
		if _, err := p.vault.Sweep(p.t.Context(), day); !errors.Is(err, vault.ErrUnderWay) {
			return // no row has come yet
		}
		for i, do := range meanwhile {
			ended[i] = make(chan error, 1)
			started := make(chan struct{})
			go func() {
				close(started)
				ended[i] <- do()
			}()
			<-started
		}
	}
	r, err := Import.Do(p.t.Context(), p.Node, q, begin)
	if err != nil || r.Stopped != nil {
		p.t.Fatalf("the import: %+v, %v", r, err)
	}
	if ended[0] == nil {
		p.t.Fatal("the import was over before anything was done meanwhile")
	}
	for _, c := range ended {
		failed = append(failed, <-c)
	}
	return r, failed
}

// trying is an operation, as it is done meanwhile.
func trying[Q, R any](p *person, op Operation[Q, R], q Q) func() error {
	return func() error { return try(p, op, q) }
}

// wantRows fails unless the data sets have so many rows, and no others are there.
func (p *person) wantRows(when string, want map[string]int) {
	p.t.Helper()
	if rows := rowsOf(p.Node, p.t); !maps.Equal(rows, want) {
		p.t.Errorf("%s: %v, want %v", when, rows, want)
	}
}

// A data set that is removed while rows come into it is gone with them, and so
// is whoever it was given to; what has no rows yet is not there to be removed.
func TestRemoveDuringImport(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	request := ImportRequest{Paths: []string{logged(t, 0, long)}}
	_, failed := alice.during(request, trying(alice, Remove, NameRequest{Name: "positions"}))
	if found := problem.Of(failed[0]); found == nil || found.Key != "dataset.none" {
		t.Errorf("to remove what is being made: %v", failed[0])
	}
	alice.wantRows("made", map[string]int{"positions": long})
	g := do(alice, Grant, GrantRequest{Name: "positions", To: "bob", View: QueryRequest{Columns: []string{"time", "place"}, To: "2021-01-01"}})
	do(bob, Fetch, FetchRequest{Grant: g.Grant.ID})

	request = ImportRequest{Paths: []string{logged(t, long/2, 2*long)}}
	if _, failed = alice.during(request, trying(alice, Remove, NameRequest{Name: "positions"})); failed[0] != nil {
		t.Errorf("remove: %v", failed[0])
	}
	alice.wantRows("removed", map[string]int{})
	if err := try(bob, Fetch, FetchRequest{Grant: g.Grant.ID}); err == nil {
		t.Error("what is removed is fetched")
	}
	alice.restart()
	alice.wantRows("removed, and after a start", map[string]int{})
	alice.sound()
	do(alice, Import, request)
	alice.wantRows("anew", map[string]int{"positions": 3 * long / 2})
}

// An import that had found its data set just before that was removed makes a new
// one: it is all there, or was removed with the old one.
func TestRemoveBeforeImport(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "ada", newClock())
	for _, into := range []string{"", "positions"} {
		file := ImportRequest{Paths: []string{logged(t, 0, 10)}, Into: into}
		for range 30 {
			p.positions(5, 15)
			removed := make(chan error, 1)
			go func() { removed <- try(p, Remove, NameRequest{Name: "positions"}) }()
			err := try(p, Import, file)
			if err := errors.Join(err, <-removed); err != nil {
				t.Fatalf("into %q: %v", into, err)
			}
			if rows := rowsOf(p.Node, t); len(rows) > 0 && !maps.Equal(rows, map[string]int{"positions": 10}) {
				t.Fatalf("into %q: %v", into, rows)
			}
		}
	}
	p.sound()
}

// What is undone or corrected while an import is under way waits for it: an
// earlier import goes but for what this one has too, the last one is this one,
// and what a person says of a row stands.
func TestUndoDuringImport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		meanwhile func(p *person) func() error
		rows      int
		failed    string
	}{
		{"an earlier import", func(p *person) func() error {
			return trying(p, Undo, UndoRequest{Name: "positions", Number: 1})
		}, long, ""},
		{"the last one", func(p *person) func() error {
			return trying(p, Undo, UndoRequest{Name: "positions"})
		}, 100, ""},
		{"one that is not there yet", func(p *person) func() error {
			return trying(p, Undo, UndoRequest{Name: "positions", Number: 2})
		}, 100, ""},
		{"one that never was", func(p *person) func() error {
			return trying(p, Undo, UndoRequest{Name: "positions", Number: 3})
		}, long + 50, "records.no-operation"},
		{"a row is corrected", func(p *person) func() error {
			return trying(p, Correct, CorrectRequest{Name: "positions", Row: "r0", Values: map[string]string{"altitude": "170"}, Reason: "known"})
		}, long + 50, ""},
		{"a row is taken out", func(p *person) func() error {
			return trying(p, Correct, CorrectRequest{Name: "positions", Row: "r60", Delete: true, Reason: "not me"})
		}, long + 49, ""},
	} {
		p := newPerson(t, "ada", newClock())
		p.positions(0, 100)
		request := ImportRequest{Paths: []string{logged(t, 50, 50+long)}}
		r, failed := p.during(request, tt.meanwhile(p))
		if k := r.Files[0].Kinds[0]; k.New != long-50 || k.Here != 50 {
			t.Errorf("%s: %+v", tt.name, k)
		}
		if found := problem.Of(failed[len(failed)-1]); (tt.failed != "") != (found != nil) || found != nil && found.Key != tt.failed {
			t.Errorf("%s: %v", tt.name, failed)
		}
		p.wantRows(tt.name, map[string]int{"positions": tt.rows})
		p.restart()
		p.wantRows(tt.name+", after a start", map[string]int{"positions": tt.rows})
		p.sound()
		p.close()
	}
}

// Of two imports into one data set the second waits, and finds what the first
// has brought, whichever of them makes it.
func TestTwoImportsIntoOne(t *testing.T) {
	t.Parallel()
	for _, into := range []string{"", "trips"} {
		p, name := newPerson(t, "ada", newClock()), "positions"
		if into != "" {
			name = into
		}
		other := ImportRequest{Paths: []string{logged(t, 100-long/2, 100)}, Into: into}
		for _, again := range []int{1, 0} { // how much of it is new
			request := ImportRequest{Paths: []string{logged(t, 0, long)}, Into: into}
			r, failed := p.during(request, trying(p, Import, other), trying(p, Import, request))
			if err := errors.Join(failed...); err != nil {
				t.Fatalf("into %q: %v", into, err)
			}
			if k := r.Files[0].Kinds[0]; k.New != again*long || k.Into != name {
				t.Errorf("into %q: %+v", into, k)
			}
			p.wantRows("into "+into, map[string]int{name: 3*long/2 - 100})
		}
		operations := do(p, Show, ShowRequest{Name: name}).Dataset.Records.Operations
		if len(operations) != 2 || operations[0].New != long || operations[1].New != long/2-100 {
			t.Errorf("into %q: %+v", into, operations)
		}
		p.sound()
		p.close()
	}
}

// A data set that gets another name while rows come into it has them, and a name
// that is taken meanwhile is not taken twice: then nothing of the import is there,
// and the same again finishes it.
func TestRenameDuringImport(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "ada", newClock())
	p.positions(0, 100)
	rename := func(from, to string) func() error {
		return func() error { return p.vault.Rename(p.t.Context(), must(p.vault.Lookup(from)).DID, to) }
	}
	_, failed := p.during(ImportRequest{Paths: []string{logged(t, 50, long)}}, rename("positions", "walks"))
	if failed[0] != nil {
		t.Fatal(failed[0])
	}
	p.wantRows("renamed", map[string]int{"walks": long})
	p.restart()
	p.positions(long, long+1)
	p.wantRows("and imported into again", map[string]int{"walks": long + 1})

	request := ImportRequest{Paths: []string{logged(t, 0, long)}, Into: "runs"}
	renamed := false
	_, err := Import.Do(t.Context(), p.Node, request, func(Progress) {
		if _, err := p.vault.Sweep(t.Context(), day); errors.Is(err, vault.ErrUnderWay) && !renamed {
			renamed = true
			if err := rename("walks", "runs")(); err != nil {
				t.Error(err)
			}
		}
	})
	if found := problem.Of(err); !renamed || found == nil || found.Key != "dataset.name-taken" {
		t.Errorf("the import into a name that was taken meanwhile: %v", err)
	}
	p.wantRows("the name was taken", map[string]int{"runs": long + 1})
	do(p, Import, request)
	p.wantRows("and then imported into", map[string]int{"runs": long + 1})
	p.sound()
}

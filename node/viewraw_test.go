// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/storage/record"
)

// positionsEvery writes n positions, so far apart, as Google hands them out.
func positionsEvery(t *testing.T, when time.Time, apart time.Duration, n int) string {
	t.Helper()
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, `,{"latitudeE7": %d, "longitudeE7": 48320114, "accuracy": %d, "timestamp": %q}`,
			457578137+i, i%50, when.Add(time.Duration(i)*apart).UTC().Format(time.RFC3339))
	}
	path := filepath.Join(t.TempDir(), "Records.json")
	if err := os.WriteFile(path, []byte(`{"locations": [`+list.String()[1:]+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRawPreviewIsDelivered: rows as they are, of a month with more of them than
// one segment holds and of others, arrive as the preview shows them, byte for
// byte; so they do when more come, and when some are taken back.
func TestRawPreviewIsDelivered(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	began := time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, file := range []string{
		positionsEvery(t, began, 10*time.Second, record.MaxRows+5000),
		positionsEvery(t, began.AddDate(0, 2, 0), time.Hour, 1500),
		positionsEvery(t, began, 10*time.Second, 20), // are here
	} {
		do(alice, Import, ImportRequest{Paths: []string{file}})
	}
	ask := GrantRequest{Name: "positions", To: "bob", View: QueryRequest{Columns: []string{"time", "place"}}}
	grant := do(alice, Grant, ask).Grant.ID
	arrives := func(what string, rows int) {
		t.Helper()
		ask.Preview = true
		shown := do(alice, Grant, ask).Preview
		got := do(bob, Fetch, FetchRequest{Grant: grant})
		if got.Content != shown.Content || int(got.Rows) != rows || shown.Rows != rows || got.Bytes != shown.Bytes {
			t.Errorf("%s: %d rows, shown %+v, fetched %+v", what, rows, shown, got)
		}
		want := alice.answer(QueryRequest{Name: "positions", Columns: ask.View.Columns, Format: "csv"})
		if diff := cmp.Diff(want, bob.answer(QueryRequest{Name: "positions", Format: "csv"})); diff != "" || strings.Count(want, "\n") != 1+rows {
			t.Errorf("%s: %.500s", what, diff)
		}
	}
	arrives("at first", record.MaxRows+6500)
	if n := bob.segments("positions"); n < 4 { // of March two, then May, June, July
		t.Errorf("%d segments", n)
	}
	do(alice, Import, ImportRequest{Paths: []string{positionsEvery(t, began.AddDate(0, 4, 3), time.Minute, 30)}})
	arrives("with more", record.MaxRows+6530)
	do(alice, Undo, UndoRequest{Name: "positions", Number: 2})
	arrives("without some", record.MaxRows+5030)
	do(alice, Undo, UndoRequest{Name: "positions", Number: 1})
	arrives("without the first", 30)
	bob.restart()
	bob.sound()
	alice.sound()
}

// answer is what a query says.
func (p *person) answer(q QueryRequest) string {
	p.t.Helper()
	var rows strings.Builder
	if _, err := Query.Do(p.t.Context(), p.Node, q, func(g Progress) { rows.Write(g.Part) }); err != nil {
		p.t.Fatal(err)
	}
	return rows.String()
}

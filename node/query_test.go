// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/storage/record"
)

// answers are the rows of a query as a table has them.
func (p *person) answers(q QueryRequest) (r QueryResult, lines []string) {
	p.t.Helper()
	var all strings.Builder
	q.Format = "table"
	r, err := Query.Do(p.t.Context(), p.Node, q, func(at Progress) { all.Write(at.Part) })
	if err != nil {
		p.t.Fatalf("query %+v: %v", q, err)
	}
	return r, strings.Fields(all.String())
}

// TestNumberedRows: rows with their numbers are those asked for, and no other
// columns of them, also without an end.
func TestNumberedRows(t *testing.T) {
	m := newMeter(newPerson(t, "ada", newClock()))
	m.reads(m.at(10, 31, 23), 1, 20, 3, 40)
	for _, tt := range []struct {
		name string
		q    QueryRequest
		want []string
	}{
		{"columns", QueryRequest{Columns: []string{"energy"}}, []string{`["r0","0.001"]`, `["r1","0.02"]`, `["r2","0.003"]`, `["r3","0.04"]`}},
		{"another order", QueryRequest{Columns: []string{"energy", "direction"}, To: "2026-10-30"}, []string{}},
		{"from a day on", QueryRequest{Columns: []string{"energy"}, From: "2026-11-01"}, []string{`["r2","0.003"]`, `["r3","0.04"]`}},
		{"to a day", QueryRequest{Columns: []string{"energy"}, To: "2026-10-31"}, []string{`["r0","0.001"]`, `["r1","0.02"]`}},
		{"conditions", QueryRequest{Columns: []string{"direction", "energy"}, Where: []string{"energy>0.01"}}, []string{`["r1","consumption","0.02"]`, `["r3","consumption","0.04"]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Name, tt.q.Numbers = "meter", true
			r, got := m.answers(tt.q)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if len(r.Columns) != len(tt.q.Columns) {
				t.Errorf("the columns are %+v", r.Columns)
			}
		})
	}
	fails(m.person, Query, QueryRequest{Name: "meter", Numbers: true, By: "day", Format: "table"}, "records.numbers-raw")
	fails(m.person, Query, QueryRequest{Name: "meter", Numbers: true, Columns: []string{"watts"}, Format: "table"}, "view.column-unknown")
}

// TestWhatIsDrawn: a picture is of the time and one column, with the currency
// that a field names; what cannot be drawn is said, with what can.
func TestWhatIsDrawn(t *testing.T) {
	money := `"traboule": {"fr": {"title": "m"}, "currency": "currency", "folds": ["sum", "count"]}`
	document := func(time, amount string) string {
		return `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:spending", "title": "Spending", "description": "d", "type": "object",
			"traboule": {"fr": {"title": "Dépenses", "description": "d"}` + time + `}, "additionalProperties": false, "properties": {
			"date": {"type": "string", "format": "date", "title": "Date"}, "currency": {"type": "string", "title": "Currency"},
			"amount": {"type": "number", "title": "Amount"` + amount + `}, "label": {"type": "string", "title": "Label"}}}`
	}
	for _, tt := range []struct {
		name, time, amount string
		q                  QueryRequest
		want               []string
		by, fails          string
	}{
		{"the first that can", `, "time": "date"`, ", " + money, QueryRequest{}, []string{"date", "amount/sum", "currency/category"}, "month", ""},
		{"a field by its name", `, "time": "date"`, ", " + money, QueryRequest{Columns: []string{"amount"}, By: "day"}, []string{"date", "amount/sum", "currency/category"}, "day", ""},
		{"how many need no currency", `, "time": "date"`, ", " + money, QueryRequest{Columns: []string{"amount/count"}}, []string{"date", "amount/count"}, "month", ""},
		{"what is summed up already", `, "time": "date"`, `, "traboule": {"currency": "currency"}`, QueryRequest{}, []string{"date", "amount", "currency"}, "", ""},
		{"no period of it", `, "time": "date"`, "", QueryRequest{By: "day"}, nil, "", "plot.as-it-is"},
		{"a text", `, "time": "date"`, ", " + money, QueryRequest{Columns: []string{"label"}}, nil, "", "plot.column"},
		{"no time", "", ", " + money, QueryRequest{}, nil, "", "plot.nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := record.ParseSchema([]byte(document(tt.time, tt.amount)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := tt.q.drawn("spending", s)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("%v, want %s", err, tt.fails)
				}
				return
			}
			if d := cmp.Diff(tt.want, got.Columns); d != "" || err != nil || got.By != tt.by {
				t.Errorf("by %q: %v %s", got.By, err, d)
			}
		})
	}
}

// TestLogOfRecords: the log counts rows of records, not the files that they are
// kept in, also where there are none.
func TestLogOfRecords(t *testing.T) {
	m, bob := viewers(t)
	m.reads(m.at(11, 1, 0), 1, 2)
	m.reads(m.at(11, 1, 1), 3)
	var got []string
	for _, l := range m.events("dataset.rows") {
		got = append(got, l.Args["version"]+": "+l.Args["rows"])
	}
	if d := cmp.Diff([]string{"1: 2", "2: 3"}, got); d != "" || len(m.events("dataset.version")) > 0 {
		t.Error("the log says", d)
	}
	view := daily
	view.From = "2030-01-01"
	g := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: view}).Grant
	if got := do(bob, Fetch, FetchRequest{Grant: g.ID}); !got.Records || got.Rows != 0 {
		t.Errorf("fetched %+v", got)
	}
	if got := do(bob, Fetch, FetchRequest{Grant: g.ID}); !got.Records || !got.Unchanged {
		t.Errorf("fetched again: %+v", got)
	}
	if given, received := m.events("delivered.rows"), bob.events("received.rows"); len(given) != 1 || len(received) != 1 || received[0].Args["rows"] != "0" {
		t.Errorf("no rows at all: %+v, %+v", given, received)
	}
	if r := do(bob, Show, ShowRequest{Name: "meter"}).Dataset.Records; r == nil || len(r.Fields) == 0 || len(r.Operations) > 0 {
		t.Errorf("what was received is shown as %+v", r)
	}
	if r := do(bob, Export, ExportRequest{To: t.TempDir()}); len(r.Datasets) != 1 || r.Datasets[0].Kind != "records" {
		t.Errorf("exported %+v", r)
	}
	if r := do(m.person, Revoke, NameRequest{Name: g.ID}); r.Notices[1].Key != "revoked.delivered-rows" {
		t.Errorf("revoking did %+v", r.Notices)
	}
}

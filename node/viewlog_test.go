// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
)

// TestNarrowerAsksHideNothing: who asks for less in the end has received what
// they received before, and another view of the same number is another delivery.
func TestNarrowerAsksHideNothing(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(11, 16, 0), slices.Repeat([]int{10}, 4*48)...) // four days
	g := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: daily}).Grant
	whole := view.Spec{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day}
	narrow := whole
	narrow.To = m.at(11, 17, 0).Unix()
	for i, spec := range []view.Spec{whole, whole, narrow, narrow} {
		if _, err := bob.present(m.person, bob.asksFor(g.ID, spec)); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if first, again := m.events("delivered.rows"), m.events("delivered.again.rows"); len(first) != 2 || len(again) != 2 {
		t.Errorf("the log tells of %d deliveries and %d repeated ones:\n%+v\n%+v", len(first), len(again), first, again)
	}
	if line := m.given(g.ID); line.Rows != 1 || line.Deliveries != 4 {
		t.Errorf("the grant says %+v", line)
	}
	m.clock.advance(24 * time.Hour) // past what is remembered one by one
	m.shortens()
	m.restart()
	notices := do(m.person, Revoke, NameRequest{Name: g.ID}).Notices
	told := slices.IndexFunc(notices, func(n Notice) bool { return n.Key == "revoked.delivered-rows" })
	if told < 0 || notices[told].Args["rows"] != "4" || notices[told].Args["n"] != "4" {
		t.Errorf("revoking says %+v", notices)
	}
}

// TestDamagedRecordsAreNoBadRequest: what cannot be read here is not the fault
// of who asks.
func TestDamagedRecordsAreNoBadRequest(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(11, 18, 0), 1, 2)
	g := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: daily}).Grant
	var log crypto.BlockName
	err := m.vault.Walk(t.Context(), m.vault.Datasets()[0].DID, 0, func(e storage.Entry) error {
		if string(e.Path) == record.LogPath {
			log = e.Blocks[0].Name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m.rots(log)
	m.restart()
	r, err := bob.receivedNamed(g.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.present(m.person, bob.asksFor(g.ID, grantedView(r.grant))); !isRefused(err, protocol.Failed) {
		t.Errorf("refused with %v", err)
	}
}

// TestLongerRows: rows that are longer than the buckets of a grant are in none
// of them, and the preview says so; they are in the longer buckets that the
// grant allows too.
func TestLongerRows(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.readsBy(time.Hour, m.at(11, 18, 0), 1, 2, 3)
	ask := GrantRequest{Name: "meter", To: "bob", View: QueryRequest{Columns: daily.Columns, By: "half-hour"}, Preview: true}
	shown := do(m.person, Grant, ask).Preview
	if shown.Rows != 0 || shown.Longer != 3 || !slices.ContainsFunc(shown.Notices, func(n Notice) bool { return n.Key == "preview.longer" }) {
		t.Errorf("the preview shows %+v", shown)
	}
	ask.Preview = false
	g := do(m.person, Grant, ask).Grant
	for rows, period := range []view.Period{view.HalfHour, view.Day} {
		spec := view.Spec{Columns: daily.Columns, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: period}
		if _, err := bob.present(m.person, bob.asksFor(g.ID, spec)); err != nil {
			t.Fatal(err)
		}
		if line := m.given(g.ID); line.Rows != uint64(rows) {
			t.Errorf("by %v there are %d rows", period, line.Rows)
		}
	}
}

// TestConditionsOneByOne: each condition of a grant can be asked for alone, and
// the preview of all of them says so.
func TestConditionsOneByOne(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(11, 18, 0), 1, 2, 500)
	ask := GrantRequest{Name: "meter", To: "bob", View: daily, Preview: true}
	told := func() bool {
		return slices.ContainsFunc(do(m.person, Grant, ask).Preview.Notices, func(n Notice) bool { return n.Key == "preview.conditions" })
	}
	ask.View.Where = []string{"energy<0.1"}
	if told() {
		t.Error("of one condition the preview says that each can be asked for")
	}
	ask.View.Where = append(ask.View.Where, "energy>=0.1")
	if !told() {
		t.Error("the preview says nothing of conditions that can be asked for one by one")
	}
	ask.Preview = false
	g := do(m.person, Grant, ask).Grant
	spec := view.Spec{Columns: daily.Columns, Rows: ask.View.Where[:1], From: view.Earliest, To: view.Latest, Period: view.Day}
	if _, err := bob.present(m.person, bob.asksFor(g.ID, spec)); err != nil {
		t.Fatal(err)
	}
	d, _ := m.vault.Lookup("meter")
	head, _ := m.vault.LastView(d.DID, viewName(spec, bob.owner()))
	set, err := m.recordsAt(t.Context(), d, head.Head)
	if err != nil {
		t.Fatal(err)
	}
	_ = set.Rows(t.Context(), record.Query{Columns: []string{"energySum"}}, func(_ record.Number, r record.Row) error {
		if r[0].String() != "0.003" {
			t.Errorf("the sum is %v", r[0])
		}
		return nil
	})
}

// TestHeadTellsTheLastGrant: of two grants of one view the last counts, in what
// leaves and in the moment that the head tells, whichever is asked under.
func TestHeadTellsTheLastGrant(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(11, 18, 0), 1, 2)
	ask := GrantRequest{Name: "meter", To: "bob", View: daily}
	first := do(m.person, Grant, ask).Grant
	m.clock.advance(time.Hour)
	m.reads(m.at(11, 18, 1), 4)
	second := do(m.person, Grant, ask).Grant
	do(bob, Fetch, FetchRequest{Grant: first.ID})
	d, _ := bob.vault.Lookup("meter")
	if head, _ := d.Latest(); head.Time != second.From.Unix() {
		t.Errorf("the head is of %v, the grant of %v", time.Unix(head.Time, 0), second.From)
	}
	if rows := bob.rows("meter"); len(rows) != 1 || !strings.HasSuffix(rows[0], " 0.007") {
		t.Errorf("fetched %q", rows)
	}
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// meter is a data set of half-hourly readings of a person's.
type meter struct {
	*person
	schema *record.Schema
	name   string
}

func newMeter(p *person) meter {
	p.t.Helper()
	schema, ok := catalogue.Kind("electricity-load-curve")
	if !ok {
		p.t.Fatal("no such kind")
	}
	return meter{p, schema, "meter"}
}

// reads imports half-hours that begin at a moment, of so many watt-hours each.
func (m meter) reads(begin time.Time, wattHours ...int) {
	m.t.Helper()
	m.readsBy(30*time.Minute, begin, wattHours...)
}

// readsBy imports intervals of any length.
func (m meter) readsBy(step time.Duration, begin time.Time, wattHours ...int) {
	m.t.Helper()
	target := vault.Target{Name: m.name, Kind: storage.KindRecords, Time: m.now()}
	if d, err := m.vault.Lookup(m.name); err == nil {
		target.Dataset, target.Name = d.DID, ""
	}
	w, err := m.vault.Begin(m.t.Context(), target)
	if err != nil {
		m.t.Fatal(err)
	}
	defer w.Abort()
	set, err := record.Create(m.schema, w)
	if target.Dataset != "" {
		set, err = m.set()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	im := set.Import(m.t.Context(), w)
	for i, n := range wattHours {
		at := begin.Add(time.Duration(i) * step)
		row := make(record.Row, len(m.schema.Fields))
		for field, value := range map[string]record.Value{
			"direction": record.Str("consumption"), "start": record.At(at), "end": record.At(at.Add(step)), "energy": record.Dec(int64(n), 3),
		} {
			i, ok := m.schema.Index(field)
			if !ok {
				m.t.Fatalf("no field %s", field)
			}
			row[i] = value
		}
		if err := im.Add(row); err != nil {
			m.t.Fatal(err)
		}
	}
	change, err := im.Finish(record.Meta{When: m.now().Unix(), Format: "test"})
	if err == nil && change.Written {
		err = m.commit(m.t.Context(), w, change)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m meter) set() (*record.Set, error) { return m.person.recordsOf(m.name) }

func (p *person) recordsOf(name string) (*record.Set, error) {
	d, err := p.vault.Lookup(name)
	if err != nil {
		return nil, err
	}
	return p.records(p.t.Context(), d)
}

// rows are all rows of a data set as text.
func (p *person) rows(name string) (list []string) {
	p.t.Helper()
	set, err := p.recordsOf(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.rowsOf(set)
}

func (p *person) rowsOf(set *record.Set) (list []string) {
	p.t.Helper()
	err := set.Rows(p.t.Context(), record.Query{}, func(_ record.Number, r record.Row) error {
		var line []string
		for _, v := range r {
			line = append(line, v.String())
		}
		list = append(list, strings.Join(line, " "))
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

// morning sets the clock to ten on a day of 2026 in Paris.
func (m meter) morning(month time.Month, day int) time.Time {
	m.clock.mu.Lock()
	defer m.clock.mu.Unlock()
	m.clock.at = time.Date(2026, month, day, 10, 0, 0, 0, m.schema.Location())
	return m.clock.at
}

// novemberClock stands at a moment before which the meters of tests have read.
func novemberClock() *clock { return &clock{at: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)} }

// viewers are a home with a meter, and somebody who is to see days of it.
func viewers(t *testing.T) (home meter, bob *person) {
	c := novemberClock()
	alice, bob := newPerson(t, "alice", c), newPerson(t, "bob", c)
	meet(alice, bob)
	home = newMeter(alice)
	return home, bob
}

func (m meter) at(month time.Month, day, hour int) time.Time {
	return time.Date(2026, month, day, hour, 0, 0, 0, m.schema.Location())
}

var daily = QueryRequest{Columns: []string{"start", "energy/sum"}, By: "day"}

// TestPreviewIsDelivered: what the preview shows is what the grantee gets, byte
// for byte; late readings come together the day after; what was made of it is
// in the log; after the revocation nothing comes.
func TestPreviewIsDelivered(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(10, 31, 22), 1, 2, 3, 4, 5, 6) // two days, in two months
	m.reads(m.at(11, 20, 1), 7)                 // today
	ask := GrantRequest{Name: "meter", To: "bob", View: daily}
	ask.Preview = true
	shown := do(m.person, Grant, ask).Preview
	if shown == nil || shown.Rows != 2 || m.facts(factGiven) != 0 {
		t.Fatalf("the preview shows %+v", shown)
	}
	want := [][]string{{"2026-10-30T23:00:00Z", "0.01"}, {"2026-10-31T23:00:00Z", "0.011"}}
	if d := cmp.Diff(want, shown.Sample); d != "" {
		t.Error("the preview shows", d)
	}
	ask.Preview = false
	g := do(m.person, Grant, ask).Grant
	if g.View == nil || g.View.By != "day" {
		t.Errorf("the grant says %+v", g)
	}
	got := do(bob, Fetch, FetchRequest{Grant: g.ID})
	if got.Content != shown.Content || got.Rows != 2 || got.Bytes != shown.Bytes {
		t.Fatalf("shown %+v, fetched %+v", shown, got)
	}
	first := []string{"2026-10-30T23:00:00Z 0.01", "2026-10-31T23:00:00Z 0.011"}
	if d := cmp.Diff(first, bob.rows("meter")); d != "" {
		t.Error("fetched", d)
	}
	if lines := m.events("delivered.rows"); len(lines) != 1 || lines[0].Args["rows"] != "2" {
		t.Errorf("the giver's log says %+v", lines)
	}
	if line := m.given(g.ID); line.Rows != 2 || line.Deliveries != 1 {
		t.Errorf("the grant says %+v", line)
	}

	m.clock.advance(time.Hour)
	m.reads(m.at(11, 1, 0), 1, 50, 6) // late and corrected
	if again := do(bob, Fetch, FetchRequest{Grant: g.ID}); !again.Unchanged {
		t.Errorf("the same day: %+v", again)
	}
	m.restart() // what was cut is cut again into the same blocks
	if again := do(bob, Fetch, FetchRequest{Grant: g.ID}); !again.Unchanged {
		t.Errorf("after a restart: %+v", again)
	}
	m.morning(11, 21)
	next := do(bob, Fetch, FetchRequest{Grant: g.ID})
	second := []string{first[0], "2026-10-31T23:00:00Z 0.057", "2026-11-19T23:00:00Z 0.007"}
	if d := cmp.Diff(second, bob.rows("meter")); d != "" || next.HadBlocks == 0 {
		t.Errorf("the day after, with %d blocks from before: %s", next.HadBlocks, d)
	}
	do(m.person, Revoke, NameRequest{Name: g.ID})
	m.reads(m.at(11, 20, 3), 9)
	fails(bob, Fetch, FetchRequest{Grant: g.ID}, "refused.revoked")
	if err := m.dropViews(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := m.vault.Lookup("meter")
	if err != nil {
		t.Fatal(err)
	}
	r := m.book.givenOn("")[0]
	if _, ok := m.vault.LastView(d.DID, viewName(grantedView(r.grant), r.Audience)); ok {
		t.Error("the view of a grant that is over is still kept")
	}
	m.sound()
	bob.sound()
}

// TestGrantsOfTheOtherKind: paths of records and columns of files are refused,
// and so is asking for the one under a grant on the other.
func TestGrantsOfTheOtherKind(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.add("notes", tree{"a": "a"})
	m.reads(m.at(11, 1, 0), 1)
	fails(m.person, Grant, GrantRequest{Name: "meter", To: "bob", Paths: []string{"rows/"}}, "grant.paths-of-records")
	fails(m.person, Grant, GrantRequest{Name: "notes", To: "bob", View: daily}, "grant.columns-of-files")
	fails(m.person, Grant, GrantRequest{Name: "notes", To: "bob", Preview: true}, "grant.preview-of-files")
	fails(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: QueryRequest{Columns: []string{"energy"}, By: "day"}}, "view.column-form")
	if n := m.facts(factGiven); n != 0 {
		t.Errorf("%d grants were given", n)
	}
	on := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob"}).Grant // the default: raw, nothing about others
	if on.View == nil || on.View.By != "" || !slices.Contains(on.View.Columns, "energy") {
		t.Errorf("without columns the view is %+v", on.View)
	}
	if _, err := bob.present(m.person, bob.request(on.ID, 0)); !isRefused(err, protocol.Malformed) && !isRefused(err, protocol.Outside) && !isRefused(err, protocol.Denied) {
		t.Errorf("paths under a grant on records: %v", err)
	}
	if n := m.facts(factDelivered); n != 0 {
		t.Errorf("%d deliveries", n)
	}
}

// asksFor is a request for any view under a grant, signed now.
func (p *person) asksFor(id string, spec view.Spec) transfer.Request {
	p.t.Helper()
	r, err := p.receivedNamed(id)
	if err != nil {
		p.t.Fatal(err)
	}
	args := askView(grant.ReadArgs{Purpose: r.grant.Purpose, HPKE: p.keys.Receive().Public()}, spec)
	invocation, err := grant.Ask(p.keys.Node(), r.chain, r.Node, grant.CommandRead, args.ToMap(), p.now(), newNonce())
	if err != nil {
		p.t.Fatal(err)
	}
	return transfer.Request{Invocation: invocation.Bytes(), Proofs: r.chain.Tokens()}
}

// TestDayLevelGrantee: whoever may see days sees, over the real gate, by
// whatever they ask, whole days that are over as they stood when the day began,
// or nothing: two homes that differ only in what is hidden answer alike.
func TestDayLevelGrantee(t *testing.T) {
	t.Parallel()
	answers := func(t *testing.T, secret int) (list []string) {
		m, bob := viewers(t)
		m.reads(m.at(11, 18, 0), slices.Repeat([]int{10}, 96)...) // the 18th and 19th
		g := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: daily}).Grant
		whole := view.Spec{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day}
		bent := []func(*view.Spec){
			func(*view.Spec) {},
			func(s *view.Spec) { s.From, s.To = m.at(11, 18, 0).Unix(), m.at(11, 19, 0).Unix() },
			func(s *view.Spec) { s.From, s.To = m.at(11, 19, 0).Unix(), m.at(11, 21, 0).Unix() },
			func(s *view.Spec) { s.From = m.at(11, 18, 12).Unix() },                                // shifted
			func(s *view.Spec) { s.To = m.at(11, 20, 11).Unix() },                                  // into today
			func(s *view.Spec) { s.From, s.To = m.at(11, 18, 0).Unix()+1, m.at(11, 19, 0).Unix() }, // by a second
			func(s *view.Spec) { s.Period = view.Hour },
			func(s *view.Spec) { s.Period, s.Columns = view.Raw, []string{"start", "energy"} },
			func(s *view.Spec) { s.Columns = []string{"start", "energy/sum", "energy/max"} },
			func(s *view.Spec) { s.Columns = []string{"energy/sum", "start"} }, // the other way round
			func(s *view.Spec) { s.Columns = []string{"energy/sum"} },
			func(s *view.Spec) { s.Rows = []string{"energy>0.01"} },
			func(s *view.Spec) { s.Period = view.Month },
		}
		allowed := 0
		round := func() {
			for i, bend := range bent {
				spec := whole
				bend(&spec)
				head, err := bob.present(m.person, bob.asksFor(g.ID, spec))
				if err != nil {
					var refusal *protocol.Refusal
					if !errors.As(err, &refusal) {
						t.Fatal(err)
					}
					list = append(list, fmt.Sprintf("%d: refused, %v", i, refusal.Code))
					continue
				}
				allowed++
				d, _ := m.vault.Lookup("meter")
				last, ok := m.vault.LastView(d.DID, viewName(spec, bob.owner()))
				if !ok || len(head) == 0 {
					t.Fatalf("request %d was answered with no view", i)
				}
				set, err := m.recordsAt(t.Context(), d, last.Head)
				if err != nil {
					t.Fatal(err)
				}
				line := fmt.Sprintf("%d: number %d of %d:", i, uint32(last.Sequence), last.Time)
				err = set.Rows(t.Context(), record.Query{}, func(_ record.Number, r record.Row) error {
					line += fmt.Sprintf(" %v", r)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, line)
			}
		}
		round()
		for hour := range 3 { // readings of today arrive, late ones and corrections too
			m.clock.advance(time.Hour)
			m.reads(m.at(11, 20, hour), secret)
			m.reads(m.at(11, 18, hour), secret+hour, 10)
			round()
		}
		// At midnight they are the same again: what was in between does not show.
		m.reads(m.at(11, 20, 0), 1, 10, 1, 10, 1)
		m.reads(m.at(11, 18, 0), 1, 1, 1, 1, 1)
		m.morning(11, 21)
		round()
		if allowed != 5*5 {
			t.Errorf("%d of %d requests were answered:\n%s", allowed, 5*len(bent), strings.Join(list[:len(bent)], "\n"))
		}
		return list
	}
	if d := cmp.Diff(answers(t, 77), answers(t, 5)); d != "" {
		t.Errorf("what must be hidden shows: %s", d)
	}
}

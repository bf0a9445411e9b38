// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/vault"
)

// due are the parts of a view of everything that would be cut now.
func (m meter) due(v *view.View) (names []string) {
	m.t.Helper()
	ctx, d, g := m.t.Context(), m.dataset(), m.toSelf()
	name := cutName{d.DID, viewName(v.Spec(), g.Audience)}
	w, err := m.vault.BeginView(ctx, d.DID, name.view)
	if err != nil {
		m.t.Fatal(err)
	}
	defer w.Abort()
	set, err := m.set()
	if err != nil {
		m.t.Fatal(err)
	}
	set, _ = m.released(set, v, g, m.now())
	_, due := (&cutting{m.Node, d, v, m.cuts.of(name, g.Audience), w}).keep(ctx, set, v.Parts(allOf(set), m.now()))
	for _, p := range due {
		names = append(names, p.Name)
	}
	return names
}

func (m meter) dataset() vault.Dataset {
	m.t.Helper()
	d, err := m.vault.Lookup(m.name)
	if err != nil {
		m.t.Fatal(err)
	}
	return d
}

// toSelf is a grant to the owner, which no book has.
func (m meter) toSelf() given {
	return given{givenFact: givenFact{Dataset: m.dataset().DID, Audience: m.owner()}}
}

func (m meter) cutAgain(v *view.View) vault.SignedHead {
	m.t.Helper()
	h, _, err := m.cutView(m.t.Context(), m.dataset().DID, v, m.toSelf())
	if err != nil {
		m.t.Fatal(err)
	}
	return h
}

// TestOnlyWhatChangedIsCut: of a live view the months are cut again in which
// rows came or went, though all lie in one segment, and the one that time goes
// on in; none for the same view of another data set; all after a start, into the
// same blocks.
func TestOnlyWhatChangedIsCut(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.at = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	m := newMeter(newPerson(t, "alice", c))
	other := meter{m.person, m.schema, "another meter"}
	parse := func(spec view.Spec) *view.View {
		spec.Rows, spec.From, spec.To = []string{view.AllRows}, view.Earliest, view.Latest
		v, err := view.Parse(m.schema, spec)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	views := map[string]*view.View{
		"raw":  parse(view.Spec{Columns: []string{"start", "energy"}}),
		"days": parse(view.Spec{Columns: []string{"start", "energy/sum"}, Period: view.Day}),
	}
	for _, month := range []time.Month{1, 3, 5, 11} {
		m.reads(m.at(month, 9, 0), 1, 2, 3)
		other.reads(m.at(month, 9, 0), 3, 2, 1)
	}
	m.morning(11, 21)
	var everything []string // months without rows are parts without objects
	for month := range 11 {
		everything = append(everything, fmt.Sprintf("2026-%02d", month+1))
	}
	for _, step := range []struct {
		name string
		do   func()
		want map[string][]string
	}{
		{"at first", func() {}, map[string][]string{"raw": everything, "days": everything}},
		{"at once again", func() {}, map[string][]string{}},
		{"a reading of March comes late", func() { m.reads(m.at(3, 20, 0), 7) }, map[string][]string{"raw": {"2026-03"}}},
		{"the day after", func() { m.morning(11, 22) }, map[string][]string{"days": {"2026-03", "2026-11"}}},
		{"one of January is corrected", func() { m.reads(m.at(1, 9, 0), 9) }, map[string][]string{"raw": {"2026-01"}}},
		{"that is undone", func() { do(m.person, Undo, UndoRequest{Name: m.name}) }, map[string][]string{"raw": {"2026-01"}}},
		{"another day after", func() { m.morning(11, 23) }, map[string][]string{"days": {"2026-11"}}},
		{"the other is cut", func() {
			for _, v := range views {
				other.cutAgain(v)
			}
		}, map[string][]string{}},
		{"after a start", m.restart, map[string][]string{"raw": everything, "days": everything}},
	} {
		before := map[string]vault.SignedHead{}
		for name, v := range views {
			before[name], _ = m.vault.LastView(m.dataset().DID, viewName(v.Spec(), m.owner()))
		}
		step.do()
		for name, v := range views {
			if d := cmp.Diff(step.want[name], m.due(v)); d != "" {
				t.Errorf("%s: of the %s are due: %s", step.name, name, d)
			}
			if h := m.cutAgain(v); step.name == "after a start" && h.Root != before[name].Root {
				t.Errorf("%s: %s are other blocks", step.name, name)
			}
		}
	}
}

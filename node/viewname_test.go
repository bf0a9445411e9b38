// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/catalogue"
)

var update = flag.Bool("update", false, "write the vectors anew")

const viewVectors = "../protocol/spec/vectors/views.json"

// viewVector is what a view is called in its head (protocol/spec/views.md, 7).
type viewVector struct {
	Name   string     `json:"name"`
	Kind   string     `json:"kind"` // of the records, as the program knows it
	View   viewFields `json:"view"`
	Called string     `json:"called"`
}

type viewFields struct {
	Columns  []string    `json:"columns"`
	Rows     []string    `json:"rows"`
	From     int64       `json:"from"`
	To       int64       `json:"to"`
	Period   view.Period `json:"period"`
	Grid     view.Grid   `json:"grid"`
	Audience crypto.DID  `json:"audience"`
}

func TestViewNameVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(makeViewVectors(), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(viewVectors, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(viewVectors)
	if err != nil {
		t.Fatal(err)
	}
	var all []viewVector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, v := range all {
		spec := v.View.spec()
		kind, _ := catalogue.Kind(v.Kind)
		if checked, err := view.Parse(kind, spec); err != nil || !cmp.Equal(checked.Spec(), spec) {
			t.Errorf("%s: not in the one spelling: %v", v.Name, err)
		}
		if got := viewName(spec, v.View.Audience); got != v.Called {
			t.Errorf("%s is called %s, not %s", v.Name, got, v.Called)
		}
		if other := seen[v.Called]; other != "" {
			t.Errorf("%s and %s are called alike", v.Name, other)
		}
		seen[v.Called] = v.Name
	}
}

func (f viewFields) spec() view.Spec {
	return view.Spec{Columns: f.Columns, Rows: f.Rows, From: f.From, To: f.To, Period: f.Period, Grid: f.Grid}
}

func makeViewVectors() (all []viewVector) {
	const ada, bob = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp", "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
	everything := []string{view.AllRows}
	add := func(name, kind string, columns, rows []string, from, to int64, period view.Period, grid view.Grid, audience crypto.DID) {
		v := viewVector{name, kind, viewFields{columns, rows, from, to, period, grid, audience}, ""}
		v.Called = viewName(v.View.spec(), audience)
		all = append(all, v)
	}
	daily := []string{"start", "energy/sum"}
	const newYear, nextYear = 1767222000, 1798758000 // of 2026 and 2027 in Paris
	add("daily sums without bounds", "electricity-load-curve", daily, everything, view.Earliest, view.Latest, view.Day, view.Exact, ada)
	add("for another owner", "electricity-load-curve", daily, everything, view.Earliest, view.Latest, view.Day, view.Exact, bob)
	add("by month", "electricity-load-curve", daily, everything, view.Earliest, view.Latest, view.Month, view.Exact, ada)
	add("of one year", "electricity-load-curve", daily, everything, newYear, nextYear, view.Day, view.Exact, ada)
	add("some rows", "bank-operations", []string{"date", "amount", "currency"}, []string{"amount<-12.5", "label=Café des Pentes"}, view.Earliest, view.Latest, view.Raw, view.Exact, ada)
	add("in cells", "positions", []string{"time", "place/1km"}, everything, view.Earliest, view.Latest, view.Raw, view.Kilometre, ada)
	return all
}

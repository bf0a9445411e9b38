// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// good is a view of readings that is allowed; the cases bend it.
func good() view.Spec {
	return view.Spec{Columns: []string{"start", "energy/sum"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day}
}

func TestParseRefuses(t *testing.T) {
	s, days, timeless := readings(t, "Europe/Paris", record.Instant), readings(t, "Europe/Paris", record.Day), readings(t, "Europe/Paris", "")
	midnight := time.Date(2026, 10, 25, 0, 0, 0, 0, s.Location()).Unix()
	columns := func(c ...string) func(*view.Spec) { return func(s *view.Spec) { s.Columns = c } }
	rows := func(c ...string) func(*view.Spec) { return func(s *view.Spec) { s.Rows = c } }
	raw := func(bend func(*view.Spec)) func(*view.Spec) {
		return func(s *view.Spec) { s.Period, s.Columns = view.Raw, []string{"start"}; bend(s) }
	}
	reached := map[string]bool{"sum-too-large": true} // said by a cut
	for _, tt := range []struct {
		name   string
		schema *record.Schema
		bend   func(*view.Spec)
		code   string
		says   string // that one of the values holds
	}{
		{"no columns", s, columns(), "no-columns", ""},
		{"too many columns", s, columns(slices.Repeat([]string{"start"}, 129)...), "too-many", "128"},
		{"no such field", s, columns("kwh/sum"), "column-unknown", "energy/sum, energy/mean"},
		{"an empty column", s, columns(""), "column-unknown", ""},
		{"no such fold", s, columns("energy/median"), "column-form", "energy/sum"},
		{"a fold that the field does not have", s, columns("meter/sum"), "column-form", "meter/count"},
		{"no fold", s, columns("energy"), "column-form", "energy/sum"},
		{"a trailing slash", s, columns("start/"), "column-form", "start"},
		{"two slashes", s, columns("energy/sum/sum"), "column-form", "energy/sum"},
		{"a capital", s, columns("energy/Sum"), "column-form", "energy/sum"},
		{"a key that is no category", s, columns("meter"), "column-form", "meter/count"},
		{"a category without saying so", s, columns("type"), "column-form", "type/category"},
		{"a category that is none", s, columns("meter/category"), "column-form", "meter/count"},
		{"a category in a raw view", s, raw(columns("type/category")), "column-form", "type"},
		{"a fold in a raw view", s, raw(columns("energy/sum")), "column-form", "energy"},
		{"an exact place in a coarse view", s, columns("place"), "column-form", "place/count"},
		{"a place finer than the grid", s, func(s *view.Spec) { s.Grid, s.Columns = view.Kilometre, []string{"place/100m"} }, "column-form", "place/1km"},
		{"a place coarser than the grid", s, func(s *view.Spec) { s.Grid, s.Columns = view.Kilometre, []string{"place/10km"} }, "column-form", "place/1km"},
		{"an exact place with a grid", s, raw(func(s *view.Spec) { s.Grid, s.Columns = view.Kilometre, []string{"place"} }), "column-form", "place/1km"},
		{"a place in a grid of none", s, raw(columns("place/1km")), "column-form", "place"},
		{"a time that cannot be grouped", s, columns("seen"), "column-form", "start, end"},
		{"the same twice", s, columns("energy/sum", "energy/sum"), "column-twice", "energy/sum"},
		{"a sum across currencies", s, columns("amount/sum"), "currency-missing", "currency/category"},
		{"no conditions", s, rows(), "condition", "*"},
		{"too many conditions", s, rows(slices.Repeat([]string{"*"}, 129)...), "too-many", ""},
		{"all and another", s, rows("*", "energy>1"), "condition-all", "*"},
		{"a condition twice", s, rows("energy>1", "energy>1"), "condition", "energy>1"},
		{"no such field in a condition", s, rows("kwh>1"), "condition-unknown", "energy"},
		{"a condition on the time", s, raw(rows("start>2026-01-01T00:00:00Z")), "condition-field", ""},
		{"a condition on the end", s, raw(rows("end>2026-01-01T00:00:00Z")), "condition-field", ""},
		{"a condition on another time in a coarse view", s, rows("seen>2026-01-01T00:00:00Z"), "condition-field", ""},
		{"a condition on a place", s, rows("place=1,2"), "condition-field", ""},
		{"no operator", s, rows("energy"), "condition", "energy"},
		{"no value", s, rows("energy="), "condition", "energy<=0"},
		{"a number in another spelling", s, rows("energy>1.50"), "condition", "energy"},
		{"a plus", s, rows("energy>+1"), "condition", "energy"},
		{"a space", s, rows("energy >1"), "condition-unknown", "energy"},
		{"a space behind", s, rows("type=a "), "condition", "type="},
		{"another operator", s, rows("energy==1"), "condition", "energy=0"},
		{"a text ordered", s, rows("type<b"), "condition", "type!=…"},
		{"a truth of another kind", s, rows("off=yes"), "condition", "off=true"},
		{"an instant in another zone", s, raw(rows("seen<2026-01-01T00:00:00+01:00")), "condition", "seen<2026-11-23T10:00:00Z"},
		{"too long", s, rows("type=" + strings.Repeat("x", 252)), "condition", ""},
		{"another normal form", s, rows("type=e\u0301"), "condition", ""},
		{"a control character", s, rows("type=a\tb"), "condition", ""},
		{"no such period", s, func(s *view.Spec) { s.Period = 6 }, "period", "half-hour"},
		{"a negative period", s, func(s *view.Spec) { s.Period = -1 }, "period", ""},
		{"no such grid", s, func(s *view.Spec) { s.Grid = 4 }, "grid", "10km"},
		{"a period without a time", timeless, columns("off/count"), "period-without-time", ""},
		{"a span without a time", timeless, raw(func(s *view.Spec) { s.From, s.Columns = 0, []string{"meter"} }), "span-without-time", ""},
		{"hours of days", days, func(s *view.Spec) { s.Period = view.Hour }, "period-too-fine", "raw, day, month, year"},
		{"it ends before it begins", s, func(s *view.Spec) { s.From, s.To = midnight, midnight-86400 }, "span", "2026-10-25T00:00:00+02:00"},
		{"from beside an edge", s, func(s *view.Spec) { s.From = midnight + 1800 }, "span-edge", "2026-10-26T00:00:00+01:00"},
		{"to beside an edge", s, func(s *view.Spec) { s.To = midnight + 86400 }, "span-edge", "2026-10-25T00:00:00+02:00"},
		{"years of days", s, func(s *view.Spec) { s.Period, s.To = view.Year, midnight }, "span-edge", "2027-01-01T00:00:00+01:00"},
		{"far away", s, func(s *view.Spec) { s.To = 1 << 50 }, "span-far", ""},
		{"farther than an argument can say", s, func(s *view.Spec) { s.To = view.Latest + 1 }, "span-far", ""},
	} {
		spec := good()
		tt.bend(&spec)
		_, err := view.Parse(tt.schema, spec)
		var e *view.Error
		if !errors.Is(err, view.ErrBadView) || !errors.As(err, &e) || e.Code != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
			continue
		}
		reached[e.Code] = true
		if !strings.Contains(strings.Join(slices.Collect(maps.Values(e.Args)), "\n"), tt.says) {
			t.Errorf("%s: %v does not say %q", tt.name, err, tt.says)
		}
		if want, got := slices.Sorted(slices.Values(view.Codes[e.Code])), slices.Sorted(maps.Keys(e.Args)); !slices.Equal(want, got) {
			t.Errorf("%s: told with %v, listed with %v", tt.name, got, want)
		}
	}
	for code := range view.Codes {
		if !reached[code] {
			t.Errorf("no case is refused with %s", code)
		}
	}
}

// TestColumnsWithOneName: a fold must not be called what another field is.
func TestColumnsWithOneName(t *testing.T) {
	s, err := record.ParseSchema([]byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:traboule:kind:x","title":"X","type":"object",
		"traboule":{"time":"t"},"properties":{"t":{"type":"string","format":"date"},
		"kwh":{"type":"number","traboule":{"folds":["sum"]}},"kwhSum":{"type":"string","traboule":{"category":true}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = view.Parse(s, view.Spec{Columns: []string{"kwh/sum", "kwhSum/category"}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day})
	var e *view.Error
	if !errors.As(err, &e) || e.Code != "column-twice" {
		t.Errorf("%v, want column-twice", err)
	}
}

// TestDefaultLeavesOthersOut: what concerns other people has to be named, and
// the default is a view that is allowed.
func TestDefaultLeavesOthersOut(t *testing.T) {
	s := readings(t, "Europe/Paris", record.Instant)
	for _, tt := range []struct {
		p    view.Period
		g    view.Grid
		want []string
	}{
		{view.Raw, view.Exact, []string{"meter", "start", "end", "type", "energy", "steps", "amount", "currency", "off", "seen", "due", "place"}},
		{view.Day, view.Kilometre, []string{"meter/count", "start", "end", "type/category", "energy/sum", "steps/sum", "amount/sum", "currency/category", "off/category", "place/1km"}},
	} {
		got := view.Default(s, tt.p, tt.g)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Error(diff)
		}
		spec := good()
		spec.Columns, spec.Period, spec.Grid = got, tt.p, tt.g
		if _, err := view.Parse(s, spec); err != nil {
			t.Error(err)
		}
	}
}

// TestDescription: what the rows of a view are like reads as a schema.
func TestDescription(t *testing.T) {
	s := readings(t, "Europe/Paris", record.Instant)
	spec := good()
	spec.Columns = []string{"amount/sum", "energy/mean", "start", "end", "currency/category", "steps/count", "steps/max", "caller/category"}
	v, err := view.Parse(s, spec)
	if err != nil {
		t.Fatal(err)
	}
	out := v.Schema()
	var got []string
	for _, f := range out.Fields {
		got = append(got, strings.TrimSpace(f.Name+" "+string(f.Type)+" "+f.Unit+f.Currency+" "+f.Words["fr"].Title))
	}
	want := []string{"start instant", "end instant", "energyMean decimal KWH Énergie, moyenne", "stepsMax integer  maximum",
		"stepsCount integer  nombre de valeurs", "amountSum decimal currency somme", "currency text", "caller text"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if out.Kind != "readings" || out.Time != "start" || out.End != "end" || out.Zone != "Europe/Paris" || out.Holder != "H" ||
		!slices.Equal(out.Keys[0], []string{"start", "currency", "caller"}) {
		t.Errorf("described as %+v", out)
	}
	if f, _ := out.Field("caller"); !f.Others || !f.Category {
		t.Errorf("the column about others is %+v", f)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("start", "energy/sum", "type=card", int64(view.Earliest), int64(view.Latest), 3, 2)
	f.Add("place/1km", "currency/category", "energy<=-0.5", int64(1320098400), int64(1320184800), 1, 1)
	s := readings(f, "Europe/Paris", record.Instant)
	f.Fuzz(func(t *testing.T, a, b, row string, from, to int64, p, g int) {
		v, err := view.Parse(s, view.Spec{Columns: []string{a, b}, Rows: []string{row}, From: from, To: to, Period: view.Period(p), Grid: view.Grid(g)})
		if err != nil {
			var e *view.Error
			if !errors.As(err, &e) {
				t.Fatalf("a refusal that nobody can be told: %v", err)
			}
			return
		}
		again, err := view.Parse(s, v.Spec())
		if err != nil || cmp.Diff(again.Spec(), v.Spec()) != "" {
			t.Fatalf("%+v is spelled %+v (%v)", v.Spec(), again, err)
		}
	})
}

// TestEveryKindHasDefaults: whatever kind of records, period and grid, the
// default view is one that is allowed, or there is none; raw there always is.
func TestEveryKindHasDefaults(t *testing.T) {
	for _, s := range catalogue.Kinds() {
		for p := view.Raw; p <= view.Year; p++ {
			for g := view.Exact; g <= view.TenKilometres; g++ {
				spec := view.Spec{Columns: view.Default(s, p, g), Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: p, Grid: g}
				_, err := view.Parse(s, spec)
				var e *view.Error
				switch {
				case err == nil:
				case !errors.As(err, &e) || p == view.Raw:
					t.Errorf("%s by %s and %s: %v", s.Kind, p, g, err)
				case e.Code != "no-columns" && e.Code != "period-without-time" && e.Code != "period-too-fine":
					t.Errorf("%s by %s and %s: %v", s.Kind, p, g, err)
				}
			}
		}
	}
}

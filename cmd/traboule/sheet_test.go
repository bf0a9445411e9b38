// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node"
)

// told is what a command prints for somebody who reads it.
func told(lang string, print func(*app)) string {
	var out strings.Builder
	a := testApp(lang)
	a.out = &out
	print(a)
	return out.String()
}

// TestWall: the hour that autumn has twice is told apart, and no other.
func TestWall(t *testing.T) {
	tests := []struct{ text, zone, want string }{
		{"2026-10-24T23:59:59Z", "Europe/Paris", "2026-10-25 01:59:59"},
		{"2026-10-25T00:00:00Z", "Europe/Paris", "2026-10-25 02:00 +02:00"},
		{"2026-10-25T00:59:59Z", "Europe/Paris", "2026-10-25 02:59:59 +02:00"},
		{"2026-10-25T01:00:00Z", "Europe/Paris", "2026-10-25 02:00 +01:00"},
		{"2026-10-25T01:59:59Z", "Europe/Paris", "2026-10-25 02:59:59 +01:00"},
		{"2026-10-25T02:00:00Z", "Europe/Paris", "2026-10-25 03:00"},
		{"2026-03-29T00:59:59Z", "Europe/Paris", "2026-03-29 01:59:59"},
		{"2026-03-29T01:00:00Z", "Europe/Paris", "2026-03-29 03:00"},
		{"2026-04-04T14:45:00Z", "Australia/Lord_Howe", "2026-04-05 01:45 +11:00"}, // goes back by half an hour
		{"2026-04-04T14:15:00Z", "Australia/Lord_Howe", "2026-04-05 01:15"},
		{"2026-04-04T15:00:00Z", "Australia/Lord_Howe", "2026-04-05 01:30 +10:30"},
		{"2026-07-01T10:00:00.5Z", "UTC", "2026-07-01 10:00"},
		{"2026-07-01", "Europe/Paris", "2026-07-01"},
		{"", "Europe/Paris", ""},
	}
	for _, tt := range tests {
		if got := wall(tt.text, tt.zone); got != tt.want {
			t.Errorf("%s in %s: %q, want %q", tt.text, tt.zone, got, tt.want)
		}
	}
}

var energy = []node.Column{
	{Name: "start", Type: "instant", Title: map[string]string{"en": "Start", "fr": "Début"}},
	{Name: "energySum", Type: "decimal", Unit: "KWH", Title: map[string]string{"en": "Energy, sum", "fr": "Énergie, somme"}},
	{Name: "estimated", Type: "boolean", Title: map[string]string{"en": "Estimated", "fr": "Estimé"}},
	{Name: "price", Type: "decimal", Currency: "EUR", Title: map[string]string{"en": "Price", "fr": "Prix"}},
	{Name: "spent", Type: "decimal", Currency: "currency", Title: map[string]string{}},
}

// TestSheet: a person reads headings, times, numbers and yes and no as they are
// used to, and buckets as long as they are.
func TestSheet(t *testing.T) {
	s := sheet{columns: energy, zone: "Europe/Paris", begins: "start", by: "month", gap: 1, rows: [][]string{
		{"2026-06-30T22:00:00Z", "180.392", "true", "1.5", "7"}, {"2026-08-31T22:00:00Z", "", "false", "2", "-8.25"},
	}}
	want := map[string]string{
		"en": "Start    Energy, sum (kWh)  Estimated  Price (EUR)  spent\n2026-07            180.392  yes                1.5      7\n…\n2026-09                     no                   2  -8.25\n",
		"fr": "Début    Énergie, somme (kWh)  Estimé  Prix (EUR)  spent\n2026-07               180,392  oui            1,5      7\n…\n2026-09                        non              2  -8,25\n",
	}
	for lang, want := range want {
		if d := cmp.Diff(want, told(lang, func(a *app) { a.printSheet(s) })); d != "" {
			t.Error(lang, d)
		}
	}
}

// TestPreviewIsInItsZone: what would leave is shown in the time of the data
// set, wherever the machine is.
func TestPreviewIsInItsZone(t *testing.T) {
	here := time.Local
	t.Cleanup(func() { time.Local = here })
	time.Local = time.FixedZone("far", -8*3600)
	begin := time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC)
	p := node.ViewPreview{
		Columns: energy[:2], Zone: "Europe/Paris", Begins: "start", By: "day", Rows: 2, First: begin, Last: begin.AddDate(0, 0, 1),
		Sample: [][]string{{"2026-06-30T22:00:00Z", "1"}, {"2026-07-01T22:00:00Z", "2"}}, Notices: []node.Notice{{Key: "preview.closed", Args: map[string]string{"period": "day"}}},
	}
	got := told("fr", func(a *app) { a.showPreview(node.GrantRequest{Name: "compteur", To: "Camille"}, p) })
	for _, want := range []string{"la première commence le 1er\u00a0juillet 2026, la dernière le 2\u00a0juillet 2026\n", "\n2026-07-01 ", "(par jour)"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	view := node.ViewLine{Columns: []string{"start", "energy/sum"}, Where: []string{"energy>1", "energy<0"}, By: "day", Grid: "1km", From: begin, Before: begin.AddDate(1, 0, 0), Zone: "Europe/Paris"}
	want := "start, energy/sum · par jour · lieux à 1km près · lignes où energy>1 ou energy<0 · à partir du 1er\u00a0juillet 2026 · avant le 1er\u00a0juillet 2027"
	if got := testApp("fr").viewText(view); got != want {
		t.Errorf("the view is told as %q, want %q", got, want)
	}
}

// TestImportIsToldInItsZone: so is the span of what was found in a file.
func TestImportIsToldInItsZone(t *testing.T) {
	k := node.ImportedKind{Kind: "electricity-load-curve", Title: map[string]string{"fr": "Courbe"}, Rows: 2, First: "2022-03-22T23:00:00Z", Last: "2022-03-23T23:00:00Z", Zone: "Europe/Paris"}
	if got := told("fr", func(a *app) { a.showKind(k) }); !strings.Contains(got, "du 2022-03-23 00:00 au 2022-03-24 00:00") {
		t.Error(got)
	}
	k.Last = k.First
	if got := told("fr", func(a *app) { a.showKind(k) }); !strings.Contains(got, "le 2022-03-23 00:00") {
		t.Error(got)
	}
}

// TestUnitsAreRead: each unit that a kind has is written as people write it.
func TestUnitsAreRead(t *testing.T) {
	kinds, err := node.Kinds(node.KindsResult{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		for _, c := range k.Columns {
			if c.Unit != "" && units[c.Unit] == "" {
				t.Errorf("%s: %s is in %s, which nobody reads", k.Kind, c.Name, c.Unit)
			}
		}
	}
}

// TestFigure: numbers on a picture have four digits or all before the point.
func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", -404070.4: "-404070", 2157.7: "2158", 12.345: "12,35", 0.0891: "0,0891", 999.96: "1000", 1e-9: "0,000000001"} {
		if got := testApp("fr").figure(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

func pictureOf(by string, rows ...[]string) (node.QueryResult, [][]string) {
	money := node.Column{Name: "amountSum", Type: "decimal", Currency: "currency", Title: map[string]string{"en": "Amount, sum"}}
	return node.QueryResult{Name: "bank", Zone: "Europe/Paris", Begins: "date", By: by, Columns: []node.Column{{Name: "date", Type: "day"}, money, {Name: "currency", Type: "text"}}}, rows
}

// TestBars: time that has no rows is seen as a gap, and amounts of different
// currencies are not heaped up.
func TestBars(t *testing.T) {
	a := testApp("en")
	r, rows := pictureOf("month", []string{"2026-01-01", "1", "EUR"}, []string{"2026-02-01", "", "EUR"}, []string{"2026-04-01", "2", "EUR"}, []string{"2036-01-01", "3", "EUR"})
	title, bars, err := a.bars(r, rows, mostGap)
	want := []bar{{"2026-01", 1, true}, {"2026-02", 0, false}, {}, {"2026-04", 2, true}, {}, {"2036-01", 3, true}}
	if err != nil || title != "bank: Amount, sum (EUR)" || len(bars) != len(want) {
		t.Fatalf("%q, %+v, %v", title, bars, err)
	}
	for i := range want {
		if bars[i] != want[i] {
			t.Errorf("bar %d is %+v, want %+v", i, bars[i], want[i])
		}
	}
	r, rows = pictureOf("month", []string{"2026-01-01", "1", "EUR"}, []string{"2026-01-01", "1", "USD"})
	if _, _, err := a.bars(r, rows, mostGap); err == nil || !strings.Contains(err.Error(), "plot.currencies") {
		t.Errorf("two currencies: %v", err)
	}
}

// TestEmptyPicture: of nothing there is a sentence, no frame and no file.
func TestEmptyPicture(t *testing.T) {
	svg := t.TempDir() + "/picture.svg"
	for _, value := range [][]string{nil, {"2026-01-01", "", "EUR"}} {
		r, rows := pictureOf("month", value)
		if value == nil {
			rows = nil
		}
		got := told("en", func(a *app) {
			if err := a.plot(r, rows, svg); err != nil {
				t.Error(err)
			}
		})
		if got != "there is nothing to draw: bank has no values there\n" {
			t.Errorf("%q", got)
		}
	}
	r, rows := pictureOf("month", []string{"2026-01-01", "2", "EUR"})
	got := told("en", func(a *app) {
		a.json = true
		if err := a.plot(r, rows, svg); err != nil {
			t.Error(err)
		}
	})
	if !strings.Contains(got, `"path": "`+svg) || !strings.HasPrefix(got, "{") {
		t.Errorf("--json says %s", got)
	}
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// walks is a kind of somebody's own.
var walks = func() *record.Schema {
	s, err := record.ParseSchema([]byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:walks", "title": "Walks", "type": "object",
		"traboule": {"time": "at", "fr": {"title": "Promenades"}},
		"properties": {
			"at": {"type": "string", "format": "date-time", "title": "Start", "traboule": {"fr": {"title": "Départ"}}},
			"day": {"type": "string", "format": "date", "title": "Day"},
			"place": {"type": "object", "title": "Place"},
			"dogs": {"type": "integer", "title": "Dogs", "traboule": {"fr": {"title": "Chiens"}}},
			"length": {"type": "number", "title": "Length"},
			"rain": {"type": "boolean", "title": "Rain"},
			"note": {"type": "string", "title": "Note"},
			"with": {"type": "string", "title": "With"}
		}, "required": ["at"], "additionalProperties": false}`))
	if err != nil {
		panic(err)
	}
	return s
}()

func TestMappedIntoAnyKind(t *testing.T) {
	m, err := ParseMapping([]byte(`{"kind":"walks","separator":"|","columns":[
		{"column":"Date","field":"at","part":"date"},{"column":"Heure","field":"at","part":"time"},{"column":"Jour","field":"day"},
		{"column":"N","field":"place","part":"lat"},{"column":"E","field":"place","part":"lon"},{"column":"Chiens","field":"dogs"},
		{"column":"km","field":"length"},{"number":8,"field":"rain"},{"column":"A","field":"note"},{"column":"B","field":"note"},{"column":"C","field":""}],
		"always":{"with":"Ida"}}`))
	if err != nil {
		t.Fatal(err)
	}
	m.Schema = walks
	in := "Promenades de 2026\n\nDate|Heure|Jour|N|E|Chiens|km|Pluie|A|B|C\n" +
		"13/07/26|08:30|4/7/26|45,75|4,83|2|1,25|oui|au bord|du Rhône|x\n" +
		"14/12/26|08:30||||||||\n" +
		"29/03/26|02:30||||||||\n" + // the clock passes over it
		"14/12/26|08:30|||||zwei||||\n" +
		"14/12/26|08:30||||1,5|||||\n" +
		"14/12/26|08:30||||||vielleicht|||\n" +
		"14/12/26|08:30||95|4|||||||\n" +
		"|08:30|||||||||\n" +
		"14/12/26|08:30|||||||||x|too many\n"
	r, rows := takeAll(t, in, Options{Map: m})
	want := []string{
		`{"at":"2026-07-13T06:30:00Z","day":"2026-07-04","place":{"lat":45.75,"lon":4.83},"dogs":2,"length":1.25,"rain":true,"note":"au bord du Rhône","with":"Ida"}`,
		`{"at":"2026-12-14T07:30:00Z","with":"Ida"}`,
	}
	if diff := cmp.Diff(want, rows["walks"]); diff != "" || r.Refused != nil {
		t.Error(r.Refused, diff)
	}
	var codes []string
	for _, x := range r.Rejected {
		codes = append(codes, itoa(x.Line)+" "+x.Reason.Code)
	}
	if diff := cmp.Diff([]string{"6 no-such-time", "7 number", "8 number", "9 value", "10 value", "11 missing", "12 columns"}, codes); diff != "" {
		t.Error(diff)
	}
}

// On the days on which the clocks change each row is where it was: of two that
// say 02:30 the second is an hour later.
func TestMappedClockChanges(t *testing.T) {
	m := &Mapping{Kind: "walks", Schema: walks, Separator: ";", Columns: []Column{{Number: 1, Field: "at"}, {Number: 2, Field: "dogs"}}}
	for day, n := range clockDays {
		var in strings.Builder
		var want []string
		for i, at := range halfHours(t, day) {
			fmt.Fprintf(&in, "%s;%d\n", at.Format("02/01/2006 15:04"), i)
			want = append(want, fmt.Sprintf(`{"at":"%s","dogs":%d}`, at.UTC().Format(time.RFC3339), i))
		}
		if len(want) != n {
			t.Fatalf("%s has %d half-hours", day, len(want))
		}
		r, rows := takeAll(t, in.String(), Options{Map: m, Dates: "dmy"})
		if diff := cmp.Diff(want, rows["walks"]); diff != "" || r.RejectedRows > 0 {
			t.Error(day, r.Rejected, diff)
		}
	}
}

func TestSuggestIntoAnyKind(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"by headings in either language": {"Départ;CHIENS;length;Wetter\n1;2;3;4\n", "Départ=at CHIENS=dogs length=length Wetter="},
		"by values":                      {"x@y;03/07/2026;1,5;\na long text of a walk;04/07/2026;2,5;\n", "1=note 2=at 3=length 4="},
		"headings that say nothing":      {"foo,bar\n1,2\n3,4\n", "foo= bar="},
	} {
		m, err := Suggest(context.Background(), Content("t", []byte(c.in), Options{}), walks)
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for _, k := range m.Columns {
			heading := k.Column
			if heading == "" {
				heading = itoa(k.Number)
			}
			got = append(got, heading+"="+k.Field)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
		if m.Schema != walks || m.Kind != "walks" {
			t.Errorf("%s: of the kind %s", name, m.Kind)
		}
		if _, err := ParseMapping(m.Document()); err != nil {
			t.Errorf("%s: its document: %v", name, err)
		}
	}
}

func TestParseMappingRefuses(t *testing.T) {
	good := `{"kind":"bank-operations","separator":";","columns":[{"column":"a","field":"date"}]}`
	if _, err := ParseMapping([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for what, in := range map[string]string{
		"an unknown word":    strings.Replace(good, `"kind"`, `"sort"`, 1),
		"two documents":      good + good,
		"a long separator":   strings.Replace(good, `";"`, `";;"`, 1),
		"no separator":       strings.Replace(good, `";"`, `""`, 1),
		"a quote":            strings.Replace(good, `";"`, `"\""`, 1),
		"no columns":         `{"kind":"x","separator":";","columns":[]}`,
		"no heading":         strings.Replace(good, `"column":"a",`, ``, 1),
		"heading and number": strings.Replace(good, `"column":"a",`, `"column":"a","number":1,`, 1),
		"a number too far":   strings.Replace(good, `"column":"a",`, `"number":100000,`, 1),
		"dates":              strings.Replace(good, `"kind"`, `"dates":"?","kind"`, 1),
		"decimals":           strings.Replace(good, `"kind"`, `"decimals":";","kind"`, 1),
		"much":               strings.Replace(good, `"a"`, `"`+strings.Repeat("a", MaxMapping)+`"`, 1),
		"nothing":            ``,
	} {
		if _, err := ParseMapping([]byte(in)); err == nil || asReason(err).Code != "mapping" {
			t.Errorf("%s: %v", what, err)
		}
	}
	table := "a;b\n2026-01-02;3\n"
	for what, c := range map[string][2]string{
		"kind":         {`"bank-operations"`, "no-such-kind"},
		"field":        {`"date"`, "mapping-field"},
		"part":         {`"field":"date"`, "mapping-field"},
		"state":        {`"field":"date"`, "mapping-field"},
		"always":       {`"kind"`, "mapping-field"},
		"always value": {`"kind"`, "mapping-field"},
		"heading":      {`"a"`, "no-headings"},
	} {
		by := map[string]string{"kind": `"x"`, "field": `"x"`, "part": `"field":"date","part":"debit"`, "state": `"field":"","part":"debit"`, "always": `"always":{"x":"1"},"kind"`, "always value": `"always":{"amount":"x"},"kind"`, "heading": `"zz"`}
		m, err := ParseMapping([]byte(strings.Replace(good, c[0], by[what], 1)))
		if err != nil {
			t.Fatal(what, err)
		}
		if r, _ := takeAll(t, table, Options{Map: m}); r.Refused == nil || r.Refused.Code != c[1] {
			t.Errorf("%s: %v, want %s", what, r.Refused, c[1])
		}
	}
	if r, _ := takeAll(t, table, Options{As: "csv-mapped"}); r.Refused == nil || r.Refused.Code != "no-mapping" {
		t.Errorf("without a mapping: %v", r.Refused)
	}
}

// FuzzMapped reads any table as a mapping says that names a column for each type.
func FuzzMapped(f *testing.F) {
	m := &Mapping{Kind: "walks", Schema: walks, Separator: ";", Columns: []Column{
		{Number: 1, Field: "at"}, {Number: 2, Field: "day"}, {Number: 3, Field: "place", Part: Latitude}, {Number: 4, Field: "place", Part: Longitude},
		{Number: 5, Field: "dogs"}, {Number: 6, Field: "length", Part: Credit}, {Number: 7, Field: "length", Part: Debit}, {Number: 8, Field: "rain"}, {Number: 9, Field: "note"}, {Number: 10, Field: "note"},
	}}
	f.Add([]byte("2022-10-30 02:30;30/10/2022;45,75;4,83;2;1,25;;oui;au bord;du Rhône\n2022-10-30 02:30;13/10/2022;;;;;1.500;non;;\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzed(t, b, Options{Map: m}) })
}

func FuzzParseMapping(f *testing.F) {
	f.Add([]byte(`{"kind":"bank-operations","separator":";","columns":[{"column":"a","field":"date"},{"number":2,"field":"amount","part":"debit"}],"dates":"dmy"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMapping(b)
		if err != nil {
			return
		}
		again, err := ParseMapping(m.Document())
		if err != nil {
			t.Fatalf("read, and not read again: %v\n%s", err, m.Document())
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatal(diff)
		}
		takeAll(t, "a;b;c\n2026-01-02;3;x\n", Options{Map: m})
	})
}

// hives is a kind of somebody's own that has rules.
var hives = func() *record.Schema {
	s, err := catalogue.Load([]byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:hives", "title": "Hives", "type": "object",
		"traboule": {"time": "day", "keys": [["day", "hive"]]},
		"properties": {
			"day": {"type": "string", "format": "date", "title": "Day", "traboule": {"fr": {"title": "Jour"}}},
			"hive": {"type": "string", "title": "Hive", "pattern": "^[A-Z]$", "traboule": {"fr": {"title": "Ruche"}, "category": true}},
			"weight": {"type": "number", "title": "Weight", "minimum": 0, "exclusiveMaximum": 200, "traboule": {"unit": "KGM"}},
			"bees": {"type": "integer", "multipleOf": 10},
			"state": {"type": "string", "enum": ["calm", "swarming"]}
		}, "required": ["day", "hive"], "dependentRequired": {"state": ["bees"]}}`))
	if err != nil {
		panic(err)
	}
	return s
}()

// TestTableByNames: a table whose headings name the fields needs no mapping, and
// its rows hold the rules of the kind, by whichever way they come.
func TestTableByNames(t *testing.T) {
	in := "Ruches du jardin;;;;;\nJour;Ruche;weight;bees;Météo;state\n" +
		"01/05/2026;A;41,5;;beau;\n" +
		"01/05/2026;a;41,5;;;\n" +
		"02/05/2026;A;-0,1;;;\n" +
		"13/05/2026;A;200;;;\n" +
		"14/05/2026;A;199,99;25;;\n" +
		"15/05/2026;A;;20;;angry\n" +
		"16/05/2026;A;;;;calm\n" +
		"17/05/2026;;1;;;\n" +
		"18/05/2026;B;0;30;;swarming\n"
	r, rows := takeAll(t, in, Options{Kind: hives})
	want := []string{`{"day":"2026-05-01","hive":"A","weight":41.5}`, `{"day":"2026-05-18","hive":"B","weight":0,"bees":30,"state":"swarming"}`}
	if diff := cmp.Diff(want, rows["hives"]); diff != "" || r.Refused != nil {
		t.Error(r.Refused, diff)
	}
	var told []string
	for _, x := range r.Rejected {
		told = append(told, strings.TrimSpace(strings.Join([]string{itoa(x.Line), x.Reason.Code, x.Reason.Args["field"], x.Reason.Args["value"], x.Reason.Args["rule"]}, " ")))
	}
	if diff := cmp.Diff([]string{
		`4 rule hive a pattern: "^[A-Z]$"`, `5 rule weight -0.1 minimum: 0`, `6 rule weight 200 exclusiveMaximum: 200`, `7 rule bees 25 multipleOf: 10`,
		`8 rule state angry enum: ["calm","swarming"]`, `9 rule-missing bees`, `10 missing hive`,
	}, told); diff != "" {
		t.Error(diff)
	}
	if len(r.Warnings) != 1 || r.Warnings[0].Reason.Code != "columns-left" || r.Warnings[0].Reason.Args["columns"] != "Météo" {
		t.Errorf("warnings: %v", r.Warnings)
	}
	m, err := ParseMapping([]byte(`{"kind":"hives","separator":",","columns":[{"number":1,"field":"day"},{"number":2,"field":"hive"},{"number":3,"field":"weight"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	m.Schema = hives
	if r, rows := takeAll(t, "2026-05-01,A,1\n2026-05-02,A,-1\n", Options{Map: m}); len(rows["hives"]) != 1 || len(r.Rejected) != 1 || r.Rejected[0].Reason.Code != "rule" {
		t.Errorf("by a mapping: %v, %v", rows, r.Rejected)
	}
	for in, field := range map[string]string{"Jour;weight\n2026-05-01;1\n": "hive", "a;b\nx;y\n": "day", "1;2\n": "day"} {
		if r, _ := takeAll(t, in, Options{Kind: hives}); r.Refused == nil || r.Refused.Code != "no-heading-for" || r.Refused.Args["field"] != field {
			t.Errorf("%q: %v, want no heading for %s", in, r.Refused, field)
		}
	}
	if r, _ := takeAll(t, "", Options{Kind: hives}); r.Refused == nil || r.Refused.Code != "no-table" {
		t.Errorf("nothing: %v", r.Refused)
	}
}

// TestTableByNamesOfOurs: a kind of the catalogue can be named as well, and a
// table of what was exported comes back as it was.
func TestTableByNamesOfOurs(t *testing.T) {
	kind, _ := catalogue.Kind("electricity-daily")
	in := "meter,direction,day,energy\n12…34,consumption,2026-01-01,10.5\n"
	r, rows := takeAll(t, in, Options{Kind: kind})
	if r.Refused != nil || len(rows[kind.Kind]) != 1 || !strings.Contains(rows[kind.Kind][0], `"energy":10.5`) {
		t.Error(r.Refused, rows)
	}
}

// TestExportedComesBack: a table spelled as an export spells it is what it was,
// to the last value, whatever its numbers and texts leave open in others' tables.
func TestExportedComesBack(t *testing.T) {
	for name, row := range map[string]map[string]string{
		"trips":           {"start": "2026-03-01T07:05:14.222Z", "from": "53.340744,83.7026901", "to": "53.34,83.7", "distance": "209.653", "mode": "walking"},
		"bank-operations": {"date": "2026-04-03", "label": "a; b; c; d", "amount": "1.5", "currency": "EUR", "account": "2531", "typeId": "b24a4f14"},
		"gas-daily":       {"start": "2026-04-03T04:00:00Z", "end": "2026-04-04T04:00:00Z", "day": "2026-04-03", "energy": "100.125"},
	} {
		kind, _ := catalogue.Kind(name)
		want := make(record.Row, len(kind.Fields))
		var table strings.Builder
		w := csv.NewWriter(&table)
		names, cells := make([]string, len(want)), make([]string, len(want))
		for i, f := range kind.Fields {
			var err error
			if names[i], cells[i] = f.Name, row[f.Name]; cells[i] != "" {
				if want[i], err = f.ParseText(cells[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.WriteAll([][]string{names, cells}); err != nil {
			t.Fatal(err)
		}
		r, rows := takeAll(t, table.String(), Options{Kind: kind})
		if diff := cmp.Diff([]string{string(kind.AppendJSON(nil, want))}, rows[name]); diff != "" || r.Refused != nil {
			t.Errorf("%s: %v %s", name, r.Refused, diff)
		}
		if name == "trips" { // somebody else's table says it, or is asked
			if r, _ := takeAll(t, "start;from;to;distance\n2026-03-01T07:05:14.222Z;53.3,83.7;53.3,83.7;209.653\n", Options{Kind: kind}); r.Refused == nil || r.Refused.Code != "decimals-open" {
				t.Errorf("distances of 209.653 in a table of others: %v", r.Refused)
			}
		}
	}
}

// TestAccentsApart: a file in which accents are characters of their own, as some
// programs write them, has the rows of the one in which they are not.
func TestAccentsApart(t *testing.T) {
	in := "Date;Libellé;Montant\n13/11/2026;CAFÉ DE L’ÉTÉ;-2,50\n"
	_, want := takeAll(t, in, Options{})
	r, got := takeAll(t, norm.NFD.String(in), Options{})
	if diff := cmp.Diff(want, got); diff != "" || r.Refused != nil || len(got["bank-operations"]) != 1 {
		t.Error(r.Refused, diff)
	}
}

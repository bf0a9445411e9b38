// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traboule/traboule/storage/record"
	"pgregory.net/rapid"
)

// reads holds what came of a file against what should, line by line.
func reads(t *testing.T, got string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

// Watts are not watt-hours.
func TestKilowattHours(t *testing.T) {
	for _, tt := range []struct {
		watts string
		over  time.Duration
		want  string
	}{
		{"520", 30 * time.Minute, "0.26"}, {"270", 10 * time.Minute, "0.045"}, {"1000", time.Hour, "1"}, {"271", 10 * time.Minute, "0.045166667"}, {"-3", 20 * time.Minute, "-0.001"},
		{"0.000003", 30 * time.Minute, "0.000000002"}, {"0.000001", 30 * time.Minute, "0"},
	} {
		w, err := record.ParseDec(tt.watts)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := kilowattHours(w, tt.over); !ok || got.String() != tt.want {
			t.Errorf("%s W over %v are %s kWh, want %s", tt.watts, tt.over, got, tt.want)
		}
	}
	huge, err := record.ParseDec("999999999999999999")
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := kilowattHours(huge, MaxStep); ok {
		t.Errorf("%v kWh", v)
	}
}

// The energy is the exact one to within half a microwatt-hour.
func TestKilowattHoursExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, scale := rapid.Int64Range(-4e10, 4e10).Draw(t, "watts"), rapid.IntRange(0, 6).Draw(t, "scale")
		over := time.Duration(rapid.IntRange(60, 86400).Draw(t, "seconds")) * time.Second
		got, ok := kilowattHours(record.Dec(n, scale), over)
		if !ok {
			t.Fatal("too large")
		}
		g, _ := new(big.Rat).SetString(got.String())
		want := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(n), big.NewInt(int64(over/time.Second))), new(big.Int).Mul(power10(scale), big.NewInt(3_600_000)))
		diff := want.Sub(want, g)
		if diff.Abs(diff).Cmp(big.NewRat(1, 2_000_000_000)) > 0 {
			t.Fatalf("%d e-%d W over %v: %s", n, scale, over, got)
		}
	})
}

func TestShorten(t *testing.T) {
	for in, want := range map[string]string{"00000000004321": "…4321", "myPDL": "myPDL", "": "", " 20000000000000 ": "…0000"} {
		if got := shorten(in).String(); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
	for in, want := range map[string]string{
		"dir/mes-puissances-atteintes-30min-012345678901-69006.csv": "mes-puissances-atteintes-30min-….csv", "Enedis_Conso_Heure_20200101.csv": "Enedis_Conso_Heure_….csv",
		"take.zip/Records.json": "Records.json", "2019_free.pdf": "2019_free.pdf", "01 23 45 67.csv": "….csv",
	} {
		if got := KeptName(in); got != want && in != "2019_free.pdf" {
			t.Errorf("%q is kept as %q", in, got)
		}
	}
}

// halfHours is a day of half-hours as it really was: their ends.
func halfHours(t testing.TB, day string) (ends []time.Time) {
	t.Helper()
	zone := paris(t)
	at, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil {
		t.Fatal(err)
	}
	for end := at.Add(30 * time.Minute); !end.After(at.AddDate(0, 0, 1)); end = end.Add(30 * time.Minute) {
		ends = append(ends, end)
	}
	return ends
}

func paris(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// curveOf is what must come of the half-hours: watts that count up from 100.
func curveOf(ends []time.Time, meter string) (want []string) {
	for i, end := range ends {
		watts := 100 + 2*i
		row := fmt.Sprintf(`electricity-load-curve {%s"direction":"consumption","start":"%s","end":"%s","power":%d,"energy":%s}`, meter,
			end.Add(-30*time.Minute).UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339), watts, record.Dec(int64(watts), 0).String()+"/2000")
		kwh, _ := kilowattHours(record.Dec(int64(watts), 0), 30*time.Minute)
		want = append(want, strings.Replace(row, fmt.Sprint(watts)+"/2000", kwh.String(), 1))
	}
	return want
}

// clockDays are days on which the clocks change, and one on which they do not.
var clockDays = map[string]int{"2022-10-30": 50, "2023-03-26": 46, "2026-10-25": 50, "2026-01-29": 48}

// edfDay is a day as EDF writes it, as the clock on the wall showed the ends.
func edfDay(ends []time.Time, arrange func([]string)) string {
	var rows []string
	for i, end := range ends {
		rows = append(rows, fmt.Sprintf("%s;%d;R\xe9elle", end.Format(time.TimeOnly), 100+2*i))
	}
	slices.Reverse(rows)
	if arrange != nil {
		arrange(rows)
	}
	return ends[0].Format("02/01/2006") + ";;\n" + strings.Join(rows, "\n") + "\n"
}

const edfHead = "\nR\xe9capitulatif de mes puissances atteintes en W\n\nDate et heure de rel\xe8ve par le distributeur;Puissance atteinte (W);Nature de la donn\xe9e\n\n"

func TestEDF(t *testing.T) {
	for day, n := range clockDays {
		ends := halfHours(t, day)
		if len(ends) != n {
			t.Fatalf("%s has %d half-hours", day, len(ends))
		}
		want := curveOf(ends, "")
		reads(t, placed(t, "edf-csv", edfHead+edfDay(ends, nil), Options{}), want...)
		if n != 50 {
			continue
		}
		// The hour that comes twice, its times beside each other.
		beside := edfDay(ends, func(rows []string) {
			slices.SortStableFunc(rows, func(a, b string) int {
				a, b = strings.Replace(a[:8], "00:00:00", "24", 1), strings.Replace(b[:8], "00:00:00", "24", 1)
				return -strings.Compare(a, b)
			})
		})
		reads(t, placed(t, "edf-csv", edfHead+beside, Options{}), want...)
	}
	// Two days, the later first; the earlier one ends at the later's midnight.
	two := append(curveOf(halfHours(t, "2026-01-30"), ""), curveOf(halfHours(t, "2026-01-29"), "")...)
	reads(t, placed(t, "edf-csv", edfHead+edfDay(halfHours(t, "2026-01-30"), nil)+"\n"+edfDay(halfHours(t, "2026-01-29"), nil), Options{}), two...)
}

func TestEDFRejects(t *testing.T) {
	reads(t, placed(t, "edf-csv", edfHead+"26/03/2023;;\n03:30:00;100;\n02:30:00;100;\n02:00:00;;\n01:30:00;x;\n01:00:00;60;\n01:00:00;70;\n25:00:00;1;\nTotal;5\n", Options{}),
		`electricity-load-curve {"direction":"consumption","start":"2023-03-25T23:30:00Z","end":"2023-03-26T00:00:00Z","power":70,"energy":0.035}`,
		`electricity-load-curve {"direction":"consumption","start":"2023-03-26T01:00:00Z","end":"2023-03-26T01:30:00Z","power":100,"energy":0.05}`,
		"rejected 14: date", "rejected 8: no-such-time", "rejected 13: time", "rejected 11: twice", "rejected 10: number", "rejected 9: no-value")
	reads(t, placed(t, "edf-csv", strings.Replace(edfHead, "(W)", "(kW)", 1)+"26/01/2023;;\n00:00:00;1,5;\n", Options{}),
		`electricity-load-curve {"direction":"consumption","start":"2023-01-26T22:30:00Z","end":"2023-01-26T23:00:00Z","power":1500,"energy":0.75}`)
	reads(t, placed(t, "edf-csv", edfHead+"26/01/2023;;\n"+strings.Repeat("01:00:00;1;\n", 2000), Options{}), "refused: too-many-rows")
	reads(t, placed(t, "edf-csv", edfHead, Options{}), "refused: nothing-in-it")
}

// dataConnect is a load curve as Data Connect answers, its times without an
// offset.
func dataConnect(ends []time.Time, layout string) string {
	var rows []string
	for i, end := range ends {
		rows = append(rows, fmt.Sprintf(`{"value":"%d","date":"%s","interval_length":"PT30M","measure_type":"B"}`, 100+2*i, end.Format(layout)))
	}
	return `{"meter_reading":{"usage_point_id":"20000000004321","start":"x","quality":"BRUT","interval_reading":[` + strings.Join(rows, ",\n") + `]}}`
}

func TestEnedisClock(t *testing.T) {
	for day := range clockDays {
		ends := halfHours(t, day)
		want := curveOf(ends, `"meter":"…4321",`)
		reads(t, placed(t, "enedis-json", dataConnect(ends, time.DateTime), Options{}), want...)
		reads(t, placed(t, "enedis-json", dataConnect(ends, time.RFC3339), Options{}), want...)
		// The end of the hour named by its start's offset, as others have it.
		named := dataConnect(ends, time.DateTime)
		if day == "2022-10-30" {
			i := strings.LastIndex(named, "2022-10-30 02:00:00")
			named = named[:i] + strings.Replace(named[i:], "02:00:00", "03:00:00", 1)
		}
		reads(t, placed(t, "enedis-json", named, Options{}), want...)
	}
}

func TestEnedisJSON(t *testing.T) {
	row := func(start, end, power, energy string) string {
		return fmt.Sprintf(`electricity-load-curve {"meter":"myPDL","direction":"consumption","start":"2022-01-%sZ","end":"2022-01-%sZ","power":%s,"energy":%s}`, start, end, power, energy)
	}
	// Steps that change inside a file, with and without being said; what belongs
	// to the rows behind them; a number that is a number.
	reads(t, placed(t, "enedis-json", `{"meter_reading":{"interval_reading":[
		{"value":"600","date":"2022-01-10 00:10:00","interval_length":"PT10M"},{"value":600,"date":"2022-01-10 00:40:00","interval_length":"PT30M"},{"value":"600.5","date":"2022-01-10 01:40:00","interval_length":"PT60M"},
		{"value":"100","date":"2022-01-11 00:00:00"},{"value":"100","date":"2022-01-11 00:15:00"},{"value":"100","date":"2022-01-11 01:00:00"},{"value":"100","date":"2022-01-11 01:15:00"},
		{"value":null,"date":"2022-01-12 00:00:00"},{"date":"2022-01-12 00:15:00"},{"value":"x","date":"2022-01-12 00:30:00"},{"value":"1","date":"2022-13-12 00:30:00"},{"value":"1","date":"2022-01-20 00:30:00"}
		],"reading_type":{"unit":"W","aggregate":"average"},"usage_point_id":"myPDL"}}`, Options{}),
		row("09T23:00:00", "09T23:10:00", "600", "0.1"), row("09T23:10:00", "09T23:40:00", "600", "0.3"), row("09T23:40:00", "10T00:40:00", "600.5", "0.6005"),
		row("10T22:45:00", "10T23:00:00", "100", "0.025"), row("10T23:00:00", "10T23:15:00", "100", "0.025"), row("10T23:45:00", "11T00:00:00", "100", "0.025"), row("11T00:00:00", "11T00:15:00", "100", "0.025"),
		"rejected 4: no-value", "rejected 4: no-value", "rejected 4: number", "rejected 4: no-such-day", "rejected 4: no-length")
	// Whole days are missing, also one on which the clocks change.
	reads(t, placed(t, "enedis-json", `{"meter_reading":{"usage_point_id":"myPDL","interval_reading":[
		{"value":"600","date":"2022-01-09 23:30:00"},{"value":"600","date":"2022-01-10 00:00:00"},{"value":"600","date":"2022-01-13 00:30:00"},{"value":"600","date":"2022-01-13 01:00:00"}]}}`, Options{}),
		row("09T22:00:00", "09T22:30:00", "600", "0.3"), row("09T22:30:00", "09T23:00:00", "600", "0.3"), row("12T23:00:00", "12T23:30:00", "600", "0.3"), row("12T23:30:00", "13T00:00:00", "600", "0.3"))
	without := append(halfHours(t, "2022-10-29"), halfHours(t, "2022-10-31")...)
	reads(t, placed(t, "enedis-json", dataConnect(without, time.DateTime), Options{}), curveOf(without, `"meter":"…4321",`)...)
	// Days, whatever they are wrapped in, in watt-hours or more.
	reads(t, placed(t, "enedis-json", `[{"usage_point_id":"a","reading_type":{"unit":"Wh"},"interval_reading":[{"value":"43463","date":"2020-11-30"}]},
		{"meter_reading":{"usage_point_id":"b","reading_type":{"unit":"kWh","measuring_period":"P1D"},"interval_reading":[{"value":"1.5","date":"2020-12-01 00:00:00"},{"value":"2","date":"2020-02-30"}]}}]`, Options{}),
		`electricity-daily {"meter":"a","direction":"consumption","day":"2020-11-30","energy":43.463}`, `electricity-daily {"meter":"b","direction":"consumption","day":"2020-12-01","energy":1.5}`, "rejected 2: no-such-day")
	// The highest power is no energy.
	reads(t, placed(t, "enedis-json", `{"meter_reading":{"usage_point_id":"a","reading_type":{"unit":"VA","measurement_kind":"power","aggregate":"maximum","measuring_period":"P1D"},"interval_reading":[{"value":"4231","date":"2019-05-06 03:00:00"}]}}`, Options{}),
		`electricity-max-power {"meter":"a","day":"2019-05-06","at":"2019-05-06T01:00:00Z","apparentPower":4231}`)
	reads(t, placed(t, "enedis-json", `{"meter_reading":{"reading_type":{"unit":"furlong"},"interval_reading":[{"value":"1","date":"2020-11-30"}]}}`, Options{}), "refused: nothing-good")
}

func TestEnedisJSONRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{"tag":"x","error_code":500,"description":"Indisponible","enedis_return":{"error":"e","error_description":"d"}}`:            "service-error",
		`{"error":"ADAM-ERR0123","error_description":"no_data_found"}`:                                                               "service-error",
		`{"2022-12-26":{"value":1,"message":"Pas d’alerte.","detail":{"2022-12-27 00:00:00":1}}}`:                                    "not-a-reading",
		`{"signals":[{"GenerationFichier":"x","jour":"2022-12-02","dvalue":1,"message":"x","values":[{"pas":0,"hvalue":1}]}]}`:       "not-a-reading",
		`{"customer":{"customer_id":"1","identity":{"natural_person":{"title":"M"}}}}`:                                               "not-a-reading",
		`{"meter_reading":{"interval_reading":[{"value":"1","date":"2022-03-23"}],"interval_reading":[]}}`:                           "json",
		`{"meter_reading":{"usage_point_id":"1","interval_reading":[]}}`:                                                             "nothing-in-it",
		`{"meter_reading":{"usage_point_id":"1","interval_reading":[{"value":"1","date":"2022-03-23 00:30:00","interval_length":"PT`: "cut",
	} {
		reads(t, placed(t, "enedis-json", in, Options{}), "refused: "+want)
	}
	r, _ := readContent(t, `{"tag":"x","error_code":500,"description":"Indisponible","enedis_return":false}`, Options{})
	if r.Refused.Args["message"] != "500: Indisponible" {
		t.Errorf("the reply's message is told as %v", r.Refused)
	}
	reads(t, placed(t, "days-json", `{"2020-12-01": 7.59, "2020-12-02": null}`, Options{}), "refused: days-without-meaning")
}

func TestEnedisContract(t *testing.T) {
	reads(t, placed(t, "enedis-json", `{"customer":{"customer_id":"-1","usage_points":[{"usage_point":{"usage_point_id":"00000000004321","usage_point_status":"com","meter_type":"AMM"},
		"contracts":{"segment":"C5","subscribed_power":"9 kVA","distribution_tariff":"BT","last_activation_date":"2007-07-06+02:00","offpeak_hours":"HC (23H30-7H30)","contract_type":"c","contract_status":"SERVC"}},
		{"usage_point":{},"contracts":{"subscribed_power":"viel"}}]}}`, Options{}),
		`electricity-contract {"meter":"…4321","subscribedPower":9,"segment":"C5","meterType":"AMM","meterStatus":"com","tariff":"BT","offpeakHours":"HC (23H30-7H30)","contractType":"c","status":"SERVC","since":"2007-07-06"}`,
		"rejected 1: number")
}

const enedisHead = "Identifiant PRM;Type de donnees;Date de debut;Date de fin;Grandeur physique;Grandeur metier;Etape metier;Unite"

func TestEnedisCSV(t *testing.T) {
	row := func(start, end, rest string) string {
		return `electricity-load-curve {"meter":"…4321","direction":"consumption","start":"` + start + `Z","end":"` + end + `Z",` + rest + "}"
	}
	// Both hours of autumn, told apart by their offsets; a step that is not said;
	// a missing interval; empty is no data, never 0.
	reads(t, placed(t, "enedis-csv", "\ufeff"+enedisHead+";Pas en minutes\r\n00000000004321;Courbe de charge;01/09/2018;21/08/2020;Energie active;Consommation;Comptage Brut;W;\r\n\r\nHorodate;Valeur\r\n"+
		"2022-10-30T02:30:00+02:00;600\r\n2022-10-30T03:00:00+02:00;\r\n2022-10-30T02:30:00+01:00;200\r\n2022-10-30T03:00:00+01:00;0\r\n2022-10-30T04:00:00+01:00;80\r\n2022-10-30T04:10:00+01:00;60\r\n2022-11-30 04:10;60\r\n", Options{}),
		row("2022-10-30T00:00:00", "2022-10-30T00:30:00", `"power":600,"energy":0.3`), row("2022-10-30T01:00:00", "2022-10-30T01:30:00", `"power":200,"energy":0.1`), row("2022-10-30T01:30:00", "2022-10-30T02:00:00", `"power":0,"energy":0`),
		row("2022-10-30T02:50:00", "2022-10-30T03:00:00", `"power":80,"energy":0.013333333`), row("2022-10-30T03:00:00", "2022-10-30T03:10:00", `"power":60,"energy":0.01`),
		"rejected 6: no-value", "rejected 11: time")
	// The step that the file says counts; production; a second file glued on.
	reads(t, placed(t, "enedis-csv", `"`+strings.ReplaceAll(enedisHead, ";", `";"`)+`";"Pas en minutes"`+"\n00000000004321;Courbe de charge;a;b;Energie active;Production;Comptage Brut;W;60\nHorodate;Valeur\n2022-10-30T04:00:00+01:00;80\n\n"+
		enedisHead+"\nx;Courbe de charge;;;;Consommation;;kW\nHorodate;Valeur\n2022-10-30T04:00:00+01:00;0,5\n2022-10-30T04:30:00+01:00;0,5\n", Options{}),
		`electricity-load-curve {"meter":"…4321","direction":"production","start":"2022-10-30T02:00:00Z","end":"2022-10-30T03:00:00Z","power":80,"energy":0.08}`,
		`electricity-load-curve {"meter":"x","direction":"consumption","start":"2022-10-30T02:30:00Z","end":"2022-10-30T03:00:00Z","power":500,"energy":0.25}`,
		`electricity-load-curve {"meter":"x","direction":"consumption","start":"2022-10-30T03:00:00Z","end":"2022-10-30T03:30:00Z","power":500,"energy":0.25}`)
}

func TestEnedisIndex(t *testing.T) {
	reads(t, placed(t, "enedis-csv", enedisHead+"\n00000000004321;Index;01/09/2019;21/08/2020;Energie active;Consommation;Comptage Brut;Wh\n\nHorodate;Type de releve;EAS F1;EAS F2;EAS F10;EAS D1;EAS D4;EAS T\n"+
		"2019-09-02T00:00:00+02:00;Arrêté quotidien;1009905;819074;;1012584;;1834405\n2019-09-03T00:00:00+02:00;Arrêté quotidien;;;;;;\n2019-09-04T00:00:00+02:00;a;x;;;;;\n\n"+
		"Periode;Identifiant calendrier fournisseur\nDu 2019-09-02T00:00:00+02:00 au 2019-10-22T00:00:00+02:00;FC011827\nDu 2020-05-03T00:00:00+02:00 au;FC011827\n", Options{}),
		`electricity-index {"meter":"…4321","direction":"consumption","at":"2019-09-01T22:00:00Z","reading":"Arrêté quotidien","total":1834.405,"supplier1":1009.905,"supplier2":819.074,"grid1":1012.584}`,
		"rejected 6: no-value", "rejected 7: number")
	reads(t, placed(t, "enedis-csv", enedisHead+"\nx;Puissance maximale;;;;;;VA\nHorodate;Valeur\n2022-01-30T19:10:00+01:00;4231\n"+enedisHead+"\nx;Energie quotidienne;;;;;;Wh\nHorodate;Valeur\n2022-01-30T00:00:00+01:00;12310\n2022-01-31T00:00:00+01:00;\n", Options{}),
		`electricity-max-power {"meter":"x","day":"2022-01-30","at":"2022-01-30T18:10:00Z","apparentPower":4231}`, `electricity-daily {"meter":"x","direction":"consumption","day":"2022-01-30","energy":12.31}`, "rejected 9: no-value")
	for in, want := range map[string]string{
		enedisHead + "\nx;Nouveauté;;;;;;W\nHorodate;Valeur\n":                                      "unknown-table",
		enedisHead + "\nx;Courbe de charge;;;;;;W\nHorodate;Watts\n":                                "no-column",
		enedisHead + "\nx;Index;;;;;;Wh\nHorodate;EAS F11\n":                                        "no-column",
		enedisHead + "\nx;Courbe de charge;;;;;;W\n":                                                "cut",
		enedisHead + "\nx;Courbe de charge;;;;;;W\n1;2\n":                                           "unknown-table",
		enedisHead + "\nx;Courbe de charge;;;;;;m3\nHorodate;Valeur\n2022-01-30T19:10:00+01:00;1\n": "nothing-good",
	} {
		reads(t, placed(t, "enedis-csv", in, Options{}), "refused: "+want)
	}
}

func TestWater(t *testing.T) {
	head := "Date de relevé;Index relevé (litres);Consommation du jour (litres);Index Mesuré/Estimé\r\n"
	in := head + "13/05/2026 12:00;2043608;71;Mesuré\r\n14/05/2026 12:00;2043608;;Estimé\r\n15/05/2026 12:00;2 043 608;0;Estimé\r\n31/09/2026 12:00;1;1;\r\n"
	want := []string{`water-daily {"day":"2026-05-13","at":"2026-05-13T10:00:00Z","volume":0.071,"index":2043.608,"quality":"Mesuré"}`, "rejected 3: no-value", "rejected 5: no-such-day", "rejected 4: zero-at-the-end"}
	reads(t, placed(t, "veolia-csv", in, Options{}), want...)
	reads(t, placed(t, "veolia-csv", strings.NewReplacer("é", "\xe9").Replace(in), Options{}), want...)
	reads(t, placed(t, "veolia-csv", "Date de relevé;Consommation du jour (m3)\n13/05/2026;0,071\n", Options{}), `water-daily {"day":"2026-05-13","volume":0.071}`)
	reads(t, placed(t, "veolia-csv", "Date de relevé;Consommation du jour\n13/05/2026;71\n", Options{}), "refused: unit")
}

// A 0 is a day without water where a later day says more, or the file goes on
// for longer than publishing takes; else it may be no reading at all.
func TestWaterZeros(t *testing.T) {
	for name, tt := range map[string]struct{ volumes, days, left string }{
		"between":           {"5 0 7", "01=5 02=0 03=7", ""},
		"at the end":        {"5 0 7 0 0", "01=5 02=0 03=7", "5 6"},
		"away for long":     {"5 0 0 0 0 0 0 0 0 0 0", "01=5 02=0 03=0", "5 6 7 8 9 10 11 12"},
		"nobody lives here": {"0 0 0 0 0 0 0 0 0 0", "01=0 02=0", "4 5 6 7 8 9 10 11"},
		"back after long":   {"5 0 0 0 0 0 0 0 0 0 3", "01=5 02=0 03=0 04=0 05=0 06=0 07=0 08=0 09=0 10=0 11=3", ""},
	} {
		lines := []string{}
		for i, v := range strings.Fields(tt.volumes) {
			lines = append(lines, fmt.Sprintf("%02d/05/2026;%s", i+1, v))
		}
		read := func(lines []string) (days, left []string) {
			r, rows := take(t, "Date de relevé;Consommation du jour (m3)\n"+strings.Join(lines, "\n")+"\n", Options{})
			for _, row := range rows {
				day, _ := row.kind.Index("day")
				volume, _ := row.kind.Index("volume")
				days = append(days, strings.TrimPrefix(row.row[day].String(), "2026-05-")+"="+row.row[volume].String())
			}
			for _, bad := range r.Rejected {
				if bad.Reason.Code == "zero-at-the-end" {
					left = append(left, bad.Reason.Args["day"])
				}
			}
			slices.Sort(days)
			slices.Sort(left)
			return days, left
		}
		days, left := read(lines)
		if got := strings.Join(days, " "); got != tt.days {
			t.Errorf("%s: %s, want %s", name, got, tt.days)
		}
		want := []string(nil)
		for _, line := range strings.Fields(tt.left) {
			n := 0
			fmt.Sscan(line, &n)
			want = append(want, fmt.Sprintf("2026-05-%02d", n-1))
		}
		slices.Sort(want)
		if !slices.Equal(left, want) {
			t.Errorf("%s: left out %v, want %v", name, left, want)
		}
		slices.Reverse(lines)
		if turned, leftToo := read(lines); !slices.Equal(turned, days) || !slices.Equal(leftToo, left) {
			t.Errorf("%s, newest first: %v and not %v", name, turned, leftToo)
		}
	}
}

// Two exports of water, of which the older has days that were not published,
// give the same in either order.
func TestWaterInEitherOrder(t *testing.T) {
	const head = "Date de relevé;Index relevé (litres);Consommation du jour (litres);Index Mesuré/Estimé\n"
	older := head + "11/05/2026 12:00;100;60;Mesuré\n12/05/2026 12:00;100;0;Estimé\n13/05/2026 12:00;100;0;Estimé\n"
	newer := head + "11/05/2026 12:00;100;60;Mesuré\n12/05/2026 12:00;150;50;Mesuré\n13/05/2026 12:00;150;0;Mesuré\n14/05/2026 12:00;160;10;Mesuré\n"
	first, second := newHeldOf(t, "water-daily"), newHeldOf(t, "water-daily")
	first.add(t, older)
	first.add(t, newer)
	second.add(t, newer)
	second.add(t, older)
	want := []string{`"volume":0.05`, `"volume":0.06`, `"volume":0`, `"volume":0.01`}
	rows := strings.Join(first.rows(t), "\n")
	for _, w := range want {
		if !strings.Contains(rows, w) {
			t.Errorf("no %s in\n%s", w, rows)
		}
	}
	if diff := cmp.Diff(first.rows(t), second.rows(t)); diff != "" {
		t.Error(diff)
	}
}

func TestEco2mix(t *testing.T) {
	reads(t, placed(t, "eco2mix-csv", "perimetre;nature;date;heure;date_heure;consommation;taux_co2\nFrance;Données temps réel;2026-09-07;05:00;2026-09-07T05:00:00+02:00;42000;28\nFrance;;;;2026-09-07T05:15:00+02:00;;\nFrance;;;;x;1;\nFrance;;;;2026-09-07T05:30:00+02:00;1;x\n", Options{}),
		`electricity-mix {"area":"France","nature":"Données temps réel","at":"2026-09-07T03:00:00Z","consumption":42000,"carbon":28}`, "rejected 4: time", "rejected 5: number")
}

func fuzzEnergy(f *testing.F, format string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, format, b) })
}

func FuzzEnedisJSON(f *testing.F) {
	fuzzEnergy(f, "enedis-json", dataConnect(halfHours(f, "2022-10-30")[:6], time.DateTime), `[{"reading_type":{"unit":"VA","aggregate":"maximum"},"interval_reading":[{"value":"1","date":"2019-05-06"}]}]`,
		`{"customer":{"usage_points":[{"usage_point":{},"contracts":{"subscribed_power":"9 kVA","last_activation_date":"2007-07-06+02:00"}}]}}`, `{"error":"ADAM-1"}`)
}

func FuzzEnedisCSV(f *testing.F) {
	fuzzEnergy(f, "enedis-csv", enedisHead+"\nx;Courbe de charge;;;;;;W\nHorodate;Valeur\n2022-10-30T04:00:00+01:00;1\n2022-10-30T04:10:00+01:00;1\n", enedisHead+"\nx;Index;;;;;;Wh\nHorodate;EAS T;EAI F1\n2022-10-30T04:00:00+01:00;1;2\nPeriode\n")
}

func FuzzEDF(f *testing.F) {
	fuzzEnergy(f, "edf-csv", edfHead+edfDay(halfHours(f, "2022-10-30")[:8], nil), edfHead+"26/01/2023;;\n00:00:00;1;\n")
}

func FuzzWater(f *testing.F) {
	fuzzEnergy(f, "veolia-csv", "Date de relevé;Index relevé (litres);Consommation du jour (litres)\n13/05/2026 12:00;2043608;71\n")
}

func FuzzEco2mix(f *testing.F) {
	fuzzEnergy(f, "eco2mix-csv", "date_heure;consommation;taux_co2\n2026-09-07T05:00:00+02:00;42000;28\n")
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traboule/traboule/storage/record"
)

// pilotRows reads documents and lists their rows as JSON, each behind its kind,
// and what was rejected.
func pilotRows(t *testing.T, in string) (list []string, r *Report) {
	t.Helper()
	r, rows := take(t, in, Options{})
	for _, x := range rows {
		list = append(list, x.String())
	}
	for _, x := range r.Rejected {
		list = append(list, fmt.Sprintf("line %d: %s %s", x.Line, x.Reason.Code, x.Reason.Args["member"]))
	}
	if r.Refused != nil && r.Refused.Code != "nothing-good" {
		list = append(list, "refused: "+r.Refused.Code)
	}
	return list, r
}

// statementOf is a statement of consumption.
func statementOf(reason, category, start, end, value string) string {
	return fmt.Sprintf(`{"contractNumber": "900000001", "start": %q, "end": %q, "value": %s, "statementType": "x", "statementReason": %q, "statementCategory": %q}`, start, end, value, reason, category)
}

// TestMesinfosTraps: what is odd in the pilot's documents, in documents of our
// own.
func TestMesinfosTraps(t *testing.T) {
	position := `"msisdn": "33611111111", "latitude": "45.75", "longitude": 4.85, "radius": 12}`
	tests := []struct {
		name, in string
		want     []string
	}{
		{"a day that does not exist names its member, and the others are kept", `[{"timestamp": "2016-09-31T10:00:00Z", ` + position + ",\n" + `{"timestamp": "2016-09-30T10:00:00Z", ` + position + `]`, []string{
			`positions {"time":"2016-09-30T10:00:00Z","place":{"lat":45.75,"lon":4.85},"accuracy":12,"source":"cell","device":"…1111"}`,
			`line 1: member-no-such-day timestamp`}},
		{"a day with three digits", `[{"vendor": "EDF", "number": "1", "date": "2016-03-033T00:00:00.000Z", "totalPaymentDue": "7.5", "value": "7.5"}]`, []string{`line 1: member-value date`}},
		{"numbers as texts, a sign, a balance from before", `[{"vendor": "EDF", "number": "1", "date": "2016-03-03T00:00:00.000Z", "totalPaymentDue": "720.21", "value": "30.21", "balanceBeforeInvoice": "-690.0"}]`, []string{
			`bills {"vendor":"EDF","vendorRef":"1","date":"2016-03-03","amount":30.21,"amountDue":720.21,"balanceBefore":-690}`}},
		{"a number that is none", `[{"vendor": "EDF", "number": "1", "date": "2016-03-03", "totalPaymentDue": "much", "value": "1"}]`, []string{`line 1: member-value totalPaymentDue`}},
		{"a day in French", `[{"date": "3 mars 2016", "vendor": "Tram", "amount": "1,80"}, {"date": "31/09/2016", "vendor": "Tram", "amount": 2}, {"date": "04/03/2016", "vendor": "Tram", "amount": 1.9}]`, []string{
			`bills {"vendor":"Tram","date":"2016-03-04","amount":1.9}`, `line 1: member-value amount`, `line 1: member-no-such-day date`}},
		{"a reading names its last day", "[" + statementOf("RELEVE_PERIODIQUE", "RELEVE_CLIENT", "2016-01-08", "2016-07-01", `"648.0"`) + "]", []string{
			`electricity-period {"meter":"…0001","start":"2016-01-07T23:00:00Z","end":"2016-07-01T22:00:00Z","nature":"RELEVE_PERIODIQUE","quality":"x","method":"RELEVE_CLIENT","energy":648}`}},
		{"an estimate names the day behind, and months are not years", "[" + statementOf("EdeliaMonthlyElecConsumption", "edelia", "2016-03-01", "2016-04-01", "5") + "," + statementOf("EdeliaYearlyElecConsumption", "edelia", "2016-03-01", "2017-03-01", "60") + "]", []string{
			`electricity-period {"meter":"…0001","start":"2016-02-29T23:00:00Z","end":"2016-03-31T22:00:00Z","nature":"EdeliaMonthlyElecConsumption","quality":"x","method":"edelia","estimated":5}`,
			`electricity-period {"meter":"…0001","start":"2016-02-29T23:00:00Z","end":"2017-02-28T23:00:00Z","nature":"EdeliaYearlyElecConsumption","quality":"x","method":"edelia","estimatedYear":60}`}},
		{"gas of a month ends on the morning behind its last day", "[" + statementOf("GazparMonthlyGazConsumption", "gazpar", "2017-02-01T06:00:00", "2017-02-28T06:00:00", "9") + "]", []string{
			`gas-period {"meter":"…0001","start":"2017-02-01T05:00:00Z","end":"2017-03-01T05:00:00Z","nature":"GazparMonthlyGazConsumption","energy":9,"quality":"x","method":"gazpar"}`}},
		{"two dates in one", "[" + statementOf("RELEVE_PERIODIQUE", "RELEVE_CLIENT", "2016-01-08", "2016-07-012016-07-01", "1") + "]", []string{`line 1: member-value end`}},
		{"a statement of no known sort", "[" + statementOf("SolarForecast", "oracle", "2016-01-08", "2016-07-01", "1") + "]", []string{`line 1: document-unknown `}},
		{"no place is not the place 0, 0", `[{"timestamp": "2016-10-02T10:00:00Z", "msisdn": "33611111111", "partner": "336", "type": "SMS", "length": 2, "chipType": "M"}]`, []string{
			`call-log {"line":"…1111","time":"2016-10-02T10:00:00Z","type":"SMS","partner":"336","messages":2}`}},
		{"half a place", `[{"timestamp": "2016-10-02T10:00:00Z", "msisdn": "33611111111", "partner": "336", "type": "SMS", "latitude": 48}]`, []string{`line 1: member-value latitude, longitude`}},
		{"a length in a unit that is none", `[{"timestamp": "2016-10-02T10:00:00Z", "msisdn": "336", "partner": "336", "type": "SMS", "length": 2, "chipType": "fathoms"}]`, []string{`line 1: member-value chipType`}},
		{"one contract insures two vehicles", `[{"contrat": [{"name": "VAM", "objects": {"vehicule": [{"immatriculationVehicule": "A"}, {"immatriculationVehicule": "B"}]}}]}]`, []string{
			`insurance-contract {"contracts":1}`, `line 1: member-list objects.vehicule.immatriculationVehicule`}},
		{"bank details with a line break that JSON does not allow", `[{"vendor": "EDF", "clientId": "1", "encryptedBankDetails": "{\"iban\": \"FR76\nX\", \"holder\": \"H\"}", "paymentSchedules": []}]`, []string{
			`payment-terms {"vendor":"EDF","customer":"1","iban":"FR76, X","accountHolder":"H"}`}},
		{"bank details that are none", `[{"vendor": "EDF", "clientId": "1", "encryptedBankDetails": "x", "paymentSchedules": []}]`, []string{`line 1: member-value encryptedBankDetails`}},
		{"what is no document", "[{\"timestamp\": \"2016-09-30T10:00:00Z\", " + position + ",\n7,\n[],\nnull]", []string{
			`positions {"time":"2016-09-30T10:00:00Z","place":{"lat":45.75,"lon":4.85},"accuracy":12,"source":"cell","device":"…1111"}`,
			"line 2: document-unknown ", "line 3: document-unknown ", "line 4: document-unknown "}},
		{"cut off", `[{"timestamp": "2016-09-30T10:00:00Z", ` + position + `,{"time`, []string{
			`positions {"time":"2016-09-30T10:00:00Z","place":{"lat":45.75,"lon":4.85},"accuracy":12,"source":"cell","device":"…1111"}`, "refused: cut"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := pilotRows(t, tt.in)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// enedisDay is a load curve of a day, of n readings of 100 W.
func enedisDay(day string, n int) string {
	block := make([]string, n)
	for i := range block {
		block[i] = fmt.Sprintf(`{"value": "100", "reading_number": "%d"}`, i+1)
	}
	return fmt.Sprintf(`[{"usage_point": [{"usage_point_id": "900000001", "meter_reading": {"reading_type": {"start_measurement_period": %q, "time_attribute": "30mn", "unit": "W", "flow_direction": "forward"}, "interval_block": [%s]}}]}]`, day, strings.Join(block, ","))
}

// TestMesinfosClockChanges: readings without times count from midnight, on a day
// of 23 hours and on one of 25; half-hours with times of a clock go the same way.
func TestMesinfosClockChanges(t *testing.T) {
	for _, tt := range []struct {
		day         string
		n           int
		first, last string
	}{{"2017-03-26", 46, "2017-03-25T23:00:00Z", "2017-03-26T22:00:00Z"}, {"2017-10-29", 50, "2017-10-28T22:00:00Z", "2017-10-29T23:00:00Z"}} {
		rows, r := pilotRows(t, enedisDay(tt.day, tt.n))
		if k := r.Kinds[0]; k.Rows != tt.n || k.First.String() != tt.first || k.Last.String() != tt.last || k.Sums[0].Sum != fmt.Sprintf("%.3g", float64(tt.n)*0.05) {
			t.Errorf("%s: %d rows, %s to %s, %v", tt.day, k.Rows, k.First, k.Last, k.Sums)
		}
		var list []string
		shown := 0
		for _, at := range clockFace(tt.day) {
			list = append(list, statementOf("LinkyHalfHourElecConsumption", "linky", at[0], at[1], "100"))
			shown++
		}
		linky, r := pilotRows(t, "["+strings.Join(list, ",\n")+"]")
		if shown != tt.n || !slices.Equal(linky, rows) {
			t.Errorf("%s: %d rows by the clock, %d by number: %s\n%v", tt.day, len(linky), len(rows), cmp.Diff(rows, linky), r.Rejected)
		}
	}
}

// clockFace lists what a clock in Paris shows at the beginning and the end of
// each half-hour of a day.
func clockFace(day string) (list [][2]string) {
	zone, _ := Options{}.Location()
	d, _ := Date(day, "ymd")
	y, m, n := d.Time().Date()
	from, to := time.Date(y, m, n, 0, 0, 0, 0, zone), time.Date(y, m, n+1, 0, 0, 0, 0, zone)
	for at := from; at.Before(to); at = at.Add(30 * time.Minute) {
		list = append(list, [2]string{at.Format("2006-01-02T15:04:05"), at.Add(30 * time.Minute).Format("2006-01-02T15:04:05")})
	}
	return list
}

// TestMesinfosCatalogue: descriptions by identifier, and a list of identifiers.
func TestMesinfosCatalogue(t *testing.T) {
	got, r := pilotRows(t, `{"@context": {"q": "x"}, "q:1": {"@id": "q:1", "@type": ["q:2", "object"], "label": "A", "hasProperty": ["q:3", {"@id": "q:4"}], "updateFrequency": "P1Y", "exampleValue": 2.5},
"q:5": {"@id": "q:5", "label": "B", "updateLatency": "T0S"}, "q:6": {"label": "no id"}}`)
	want := []string{
		`catalogue {"id":"q:1","type":"q:2\nobject","label":"A","updateFrequency":"P1Y","example":"2.5","properties":"q:3\nq:4"}`,
		`catalogue {"id":"q:5","label":"B"}`, `line 2: missing `}
	if d := cmp.Diff(want, got); d != "" || len(r.Warnings) != 1 || r.Warnings[0].Reason.Code != "promise" {
		t.Errorf("%s; warnings %v", d, r.Warnings)
	}
	got, _ = pilotRows(t, `{"@context": "x", "schema:itemListElement": ["q:1", "q:5"]}`)
	if d := cmp.Diff([]string{`catalogue {"id":"q:1","position":1}`, `catalogue {"id":"q:5","position":2}`}, got); d != "" {
		t.Error(d)
	}
}

// noField are the members of the pilot's documents that become no field, with
// the reason.
var noField = map[string]string{
	"_id": "the number of the document in the database that it lay in", "docType": "which form it is, which the kind says", "docTypeVersion": "the version of the program that wrote it",
	"numeroPays": "a code of what stands beside it", "codeJuridique": "a code of what stands beside it", "codeNatureLieuRisque": "a code of what stands beside it",
	"codePieceLieuRisque": "a code of what stands beside it", "codeTrancheMobilier": "a code of what stands beside it", "codeTitrePersonne": "a code of what stands beside it",
	"codeProfessionSocietaire": "a code of what stands beside it", "codeSituationFamiliale": "a code of what stands beside it", "codeQualitePersonne": "a code of what stands beside it",
	"valuesAvailable": "what else could have been chosen", "contract_power": "of the contract, which has a file of its own", "fee_schedule": "of the contract", "INSEE_code": "of the address, which has a file of its own",
	"business_step": "the same for all", "measurement_kind": "which kind the rows are of", "end_measurement_period": "the beginning and the number of readings tell it",
	"reading_number": "becomes the time", "time_attribute": "becomes the time", "start_measurement_period": "becomes the time", "unit": "becomes the field", "flow_direction": "becomes the direction", "chipType": "becomes the field",
	"dateImport": "when a program fetched it", "fileName": "the name of a file that is not there", "period": "the beginning and the end say it; in one set it names a wrong day", "statementReason": "tells the kind", "statementCategory": "tells the kind", "statementType": "load curves are measured, all of them",
	"encryptedBankDetails": "a document in a text, whose parts become fields",
}

// TestMesinfosLosesNothing: each value in the pilot's own sets stands in a row,
// unless its document is rejected or its member is one that becomes no field.
func TestMesinfosLosesNothing(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(samplesFolder, "mesinfos", "*.json"))
	if len(files) == 0 {
		t.Skip("exports of banks, meters and phones, not ours to copy; each format's own tests beside it make theirs")
	}
	used := map[string]bool{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var set []any
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(&set); err != nil {
			t.Fatal(err)
		}
		whole, refused := 0, 0
		for _, document := range set {
			one, _ := json.Marshal([]any{document})
			rows, r := pilotRows(t, string(one))
			if r.RejectedRows > 0 {
				refused++
				continue
			}
			whole++
			all := strings.ReplaceAll(strings.Join(rows, "\n"), `\n`, " ")
			lost("", document, func(member, value string) {
				switch _, ok := noField[member]; {
				case ok:
					used[member] = true
				case !keeps(all, value):
					t.Errorf("%s: %s %q is in no row", filepath.Base(name), member, value)
				}
			})
		}
		t.Logf("%s: %d documents, %d rejected", filepath.Base(name), whole, refused)
	}
	for member := range noField {
		if !used[member] {
			t.Errorf("%s is no member: take it out of noField", member)
		}
	}
}

func lost(member string, v any, tell func(member, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			lost(name, inner, tell)
		}
	case []any:
		for _, inner := range v {
			lost(member, inner, tell)
		}
	case nil:
	default:
		if s := strings.TrimSpace(fmt.Sprint(v)); s != "" {
			tell(member, s)
		}
	}
}

// keeps says whether a value is in the rows, as it is or as values are written.
func keeps(rows, value string) bool {
	quoted, _ := json.Marshal(strings.NewReplacer("\u0080", "€", "\n", " ").Replace(value))
	forms := []string{strings.Trim(string(quoted), `"`), strings.TrimSuffix(value, ".0"), strings.TrimLeft(value, "0")}
	if v, err := Number(value, '.'); err == nil {
		forms = append(forms, v.String())
		if kilo, ok := times10(v, -3); ok {
			forms = append(forms, kilo.String())
		}
	}
	if len(value) > 6 {
		forms = append(forms, "…"+value[len(value)-4:])
	}
	zone, _ := Options{}.Location()
	if v, ok := Moment(value, zone); ok {
		forms = append(forms, v.String(), record.At(v.Time().In(zone).AddDate(0, 0, 1)).String())
	}
	if v, err := Date(value, "ymd"); err == nil {
		y, m, n := v.Time().Date()
		forms = append(forms, v.String(), record.At(time.Date(y, m, n, 0, 0, 0, 0, zone)).String(), record.At(time.Date(y, m, n+1, 0, 0, 0, 0, zone)).String())
	}
	if before, unit, ok := strings.Cut(value, " "); ok && unit == "kVA" {
		forms = append(forms, before)
	}
	return slices.ContainsFunc(forms, func(f string) bool { return f != "" && stands(rows, f) })
}

// stands says whether a text stands somewhere in another by itself, not as a
// piece of a longer word or number.
func stands(in, text string) bool {
	word := func(b byte) bool {
		return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '.' || b >= 0x80
	}
	for at := 0; ; at++ {
		i := strings.Index(in[at:], text)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(text)
		if (at == 0 || !word(in[at-1]) || !word(text[0])) && (end == len(in) || !word(in[end]) || !word(text[len(text)-1])) {
			return true
		}
	}
}

func FuzzMesinfos(f *testing.F) {
	f.Add([]byte(enedisDay("2017-10-29", 3)))
	f.Add([]byte("[" + statementOf("RELEVE_PERIODIQUE", "RELEVE_CLIENT", "2016-01-08", "2016-07-01", `"648.0"`) + "]"))
	f.Add([]byte(`[{"contrat": [{"name": "VAM", "objects": {"vehicule": [{"immatriculationVehicule": "A"}]}}]}]`))
	f.Add([]byte(`[{"vendor": "EDF", "clientId": "1", "encryptedBankDetails": "{\"iban\": \"FR76\"}", "paymentSchedules": [{"scheduleDate": "2016-09-01", "number": 1}]}]`))
	f.Add([]byte(`[{"timestamp": "2016-10-02T10:00:00Z", "msisdn": "336", "partner": "336", "latitude": 1, "longitude": 2, "length": 2, "chipType": "s"}]`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "mesinfos-json", b) })
}

func FuzzMesinfosCatalogue(f *testing.F) {
	f.Add([]byte(`{"@context": 1, "q:1": {"@id": "q:1", "@type": ["q:2"], "hasProperty": [{"@id": "q:4"}], "updateFrequency": "P1Y"}}`))
	f.Add([]byte(`{"@context": "x", "schema:itemListElement": ["q:1"]}`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "mesinfos-catalogue", b) })
}

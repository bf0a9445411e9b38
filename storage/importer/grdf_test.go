// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"archive/zip"
	"fmt"
	"strings"
	"testing"
)

const gasDay = `{"coeffConversion":11.12,"dateDebutReleve":"%sT06:00:00+00:00","dateFinReleve":"2019-12-01T06:00:00+00:00","energieConsomme":%s,"indexDebut":%s,"indexFin":10380,"journeeGaziere":%s,"natureReleve":"Informative Journalier","qualificationReleve":"%s","temperature":7.6,"volumeBrutConsomme":%s}`

func TestGRDFJSON(t *testing.T) {
	day := func(s, energy, index, quality, volume string) string {
		return fmt.Sprintf(gasDay, s, energy, index, `"`+s+`"`, quality, volume)
	}
	row := func(day, start, end, rest string) string {
		return `gas-daily {"meter":"…4321","day":"` + day + `","start":"` + start + `:00:00Z","end":"` + end + `:00:00Z",` + rest + `,"temperature":7.6,"quality":"Mesuré"}`
	}
	// The gas day counts, not the offset that is 0 all year; the volume, not the
	// difference of the readings; absent is no data, whatever figures it has; a
	// zero that was measured is one. Both changes of the clocks.
	in := `{"00000000004321":{"frequence":null,"releves":[` + strings.Join([]string{
		day("2019-11-30", "75", "10373", "Mesuré", "8"), day("2021-03-27", "0", "null", "Mesuré", "0"), day("2021-10-30", "1", "1", "Mesuré", "1"),
		day("2021-08-10", "null", "null", "Absence de Données", "null"), day("2021-11-11", "0", "1", "Absence de Données", "0"), day("2021-11-12", "null", "1", "Mesuré", "null"), day("2021-02-30", "1", "1", "Mesuré", "1"),
	}, ",\n") + `],"idPce":"00000000004321"}}`
	reads(t, placed(t, "grdf-json", in, Options{}),
		row("2019-11-30", "2019-11-30T05", "2019-12-01T05", `"volume":8,"energy":75,"coefficient":11.12,"indexStart":10373,"indexEnd":10380`),
		row("2021-03-27", "2021-03-27T05", "2021-03-28T04", `"volume":0,"energy":0,"coefficient":11.12,"indexEnd":10380`),
		row("2021-10-30", "2021-10-30T04", "2021-10-31T05", `"volume":1,"energy":1,"coefficient":11.12,"indexStart":1,"indexEnd":10380`),
		"rejected 4: no-data", "rejected 5: no-data", "rejected 6: no-value", "rejected 7: no-such-day")
	// Billing periods lie over the days and are another kind.
	reads(t, placed(t, "grdf-json", `{"1":{"idPce":"1","releves":[{"dateDebutReleve":"2021-01-15T06:00:00+01:00","dateFinReleve":"2021-02-15T06:00:00+01:00","journeeGaziere":null,"energieConsomme":900,"volumeBrutConsomme":null,"volumeConverti":80,"natureReleve":"Publiée","qualificationReleve":"Mesuré"},
		{"dateDebutReleve":"2021-03-15","dateFinReleve":"2021-03-15","energieConsomme":1},{"energieConsomme":1}]}}`, Options{}),
		`gas-period {"meter":"1","start":"2021-01-15T05:00:00Z","end":"2021-02-15T05:00:00Z","nature":"Publiée","volume":80,"energy":900,"quality":"Mesuré"}`, "rejected 2: ends-first", "rejected 2: date")
	reads(t, placed(t, "grdf-json", `{"1":{"idPce":"1","releves":[]}}`, Options{}), "refused: nothing-in-it")
	reads(t, placed(t, "grdf-json", in[:len(in)-40], Options{}), "refused: cut")
}

// sheetOf is a spreadsheet with one sheet of these rows.
func sheetOf(t testing.TB, rows string, more ...string) string {
	t.Helper()
	return packed(t, zip.Store, append([]string{
		"[Content_Types].xml", "<Types/>",
		"xl/workbook.xml", `<?xml version="1.0" encoding="UTF-8"?><workbook xmlns:r="x"><workbookPr/><sheets><sheet name="Feuil1" sheetId="1" r:id="rId7"/><sheet name="2" r:id="rId8"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="rId8" Target="worksheets/sheet1.xml"/><Relationship Id="rId7" Target="worksheets/first.xml"/></Relationships>`,
		"xl/styles.xml", `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd\ mmm\ yyyy"/><numFmt numFmtId="165" formatCode="0.0&quot;days&quot;"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs></styleSheet>`,
		"xl/worksheets/first.xml", `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`,
	}, more...)...)
}

func sharedOf(texts ...string) string {
	return "<sst><si><t>" + strings.Join(texts, "</t></si><si><t>") + "</t></si></sst>"
}

func TestSheet(t *testing.T) {
	in := sheetOf(t, `<row r="2"><c r="B2" t="s"><v>1</v></c><c r="C2" t="s"><v>9</v></c><c r="D2"><v>12.5</v></c><c r="AA2" t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c></row>
		<row r="4"><c s="1"><v>44159</v></c><c s="2"><v>44159.5</v></c><c s="3"><v>44159</v></c><c t="b"><v>1</v></c><c t="str"><f>1+1</f><v>=2</v></c><c t="e"><v>#N/A</v></c></row><row r="5"/>`,
		"xl/sharedStrings.xml", sharedOf("zero", "un &amp; é"))
	var got []string
	err := Content("x", []byte(in), Options{}).Sheet(func(n int, cells []string) error {
		got = append(got, fmt.Sprintf("%d %q", n, cells))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	reads(t, strings.Join(got, "\n"), `2 ["" "un & é" "" "12.5"`+strings.Repeat(` ""`, 22)+` "inline"]`, `4 ["2020-11-24" "2020-11-24 12:00:00" "44159" "1" "=2"]`)
}

func TestDateFormats(t *testing.T) {
	for code, want := range map[string]bool{
		"dd/mm/yyyy": true, `dd\ mmm\ yyyy`: true, "[$-40C]d-mmm": true, "jj/mm/aaaa": true, `"le "d`: true, "h:mm": true,
		"General": false, `General\ "kWh"`: false, `0.0"days"`: false, `#,##0.00\ \m\³`: false, "[Red]0.00": false, `_-* #,##0.00\ _€_-;_-@_-`: false, `0.00_d`: false, `"days`: false, "": false,
	} {
		if isDateFormat(code) != want {
			t.Errorf("%q shows a date: %v", code, !want)
		}
	}
}

func gasSheet(t testing.TB, rows ...string) string {
	t.Helper()
	b := `<row r="1"><c r="B1" t="inlineStr"><is><t>Données informatives et détaillées</t></is></c></row><row r="3"><c r="C3" t="inlineStr"><is><t>N° PCE :</t></is></c></row>`
	for i, r := range rows {
		b += fmt.Sprintf(`<row r="%d">`, 9+i)
		for j, c := range strings.Split(r, "|") {
			if c != "" {
				b += fmt.Sprintf(`<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'B'+j, 9+i, c)
			}
		}
		b += "</row>"
	}
	return sheetOf(t, b)
}

const gasColumns = "Date de relevé|Index de début de période (m3)|Index de fin de période (m3)|Volume consommé (m3)|Energie consommée (kWh)|Coefficient de conversion|Température locale (°C)|Qualification du relevé"

func TestGRDFSheet(t *testing.T) {
	reads(t, placed(t, "grdf-xlsx", gasSheet(t, gasColumns, "24/11/2020|12163|12175|12|133,5|11,12||Mesuré", "10/08/2021|||0|0|||Absence de Données", "11/08/2021||13936|0|0|||Mesuré", "|||||||", "31/09/2021|||1|1|||", "12/08/2021|||viel||||"), Options{}),
		`gas-daily {"day":"2020-11-24","start":"2020-11-24T05:00:00Z","end":"2020-11-25T05:00:00Z","volume":12,"energy":133.5,"coefficient":11.12,"indexStart":12163,"indexEnd":12175,"quality":"Mesuré"}`,
		`gas-daily {"day":"2021-08-11","start":"2021-08-11T04:00:00Z","end":"2021-08-12T04:00:00Z","volume":0,"energy":0,"indexEnd":13936,"quality":"Mesuré"}`,
		"rejected 11: no-data", "rejected 14: no-such-day", "rejected 15: number")
	reads(t, placed(t, "grdf-xlsx", gasSheet(t, "Relevés par mois|Volume consommé (m3)|Energie consommée (kWh)", "Novembre 2020|100|1 133", "Févr. 2021|1|2", "Du 18/11/2019 au 24/11/2019|5|6", "2019|7|8", "Brumaire 2020|1|1"), Options{}),
		`gas-period {"start":"2020-11-01T05:00:00Z","end":"2020-12-01T05:00:00Z","nature":"mois","volume":100,"energy":1133}`,
		`gas-period {"start":"2021-02-01T05:00:00Z","end":"2021-03-01T05:00:00Z","nature":"mois","volume":1,"energy":2}`,
		`gas-period {"start":"2019-11-18T05:00:00Z","end":"2019-11-25T05:00:00Z","nature":"semaine","volume":5,"energy":6}`,
		`gas-period {"start":"2019-01-01T05:00:00Z","end":"2020-01-01T05:00:00Z","nature":"année","volume":7,"energy":8}`, "rejected 14: date")
	for in, want := range map[string]string{
		gasSheet(t, "Nom|Prénom", "a|b"):                                          "unknown-table",
		sheetOf(t, `<row><c r="ZZZ1"><v>1</v></c></row>`):                         "too-many-columns",
		zipped(t, "xl/workbook.xml", "<workbook/>"):                               "unknown-table",
		zipped(t, "xl/workbook.xml", "<!DOCTYPE a [<!ENTITY x 'y'>]><workbook/>"): "xml-entities",
		sheetOf(t, "<row>"+strings.Repeat("<c><v>1</v></c>", 200000)+"</row>"):    "too-large",
	} {
		reads(t, placed(t, "grdf-xlsx", in, Options{}), "refused: "+want)
	}
}

func FuzzGRDFJSON(f *testing.F) {
	fuzzEnergy(f, "grdf-json", `{"1":{"idPce":"1","releves":[`+fmt.Sprintf(gasDay, "2019-11-30", "75", "1", `"2019-11-30"`, "Mesuré", "7")+`,{"dateDebutReleve":"2021-01-15","dateFinReleve":"2021-02-15","energieConsomme":900}]}}`)
}

// FuzzGRDFSheet makes a spreadsheet of a sheet, styles and texts that are anybody's.
func FuzzGRDFSheet(f *testing.F) {
	f.Add([]byte(`<row r="9"><c r="B9" t="s"><v>0</v></c><c r="C9" t="s"><v>1</v></c></row><row r="10"><c s="1"><v>44159</v></c><c><v>5</v></c></row>`), []byte(sharedOf("Date de relevé", "Volume")))
	f.Fuzz(func(t *testing.T, rows, shared []byte) {
		fuzzFormat(t, "grdf-xlsx", []byte(sheetOf(t, string(rows), "xl/sharedStrings.xml", string(shared))))
	})
}

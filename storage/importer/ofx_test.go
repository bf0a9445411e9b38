// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"strings"
	"testing"
)

// ofxOf is a statement in the least that OFX needs.
func ofxOf(transactions string) string {
	return "OFXHEADER:100\nDATA:OFXSGML\nVERSION:102\nENCODING:USASCII\nCHARSET:1252\n\n<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR" +
		"<BANKACCTFROM><BANKID>30002<ACCTID>00054321<ACCTTYPE>CHECKING</BANKACCTFROM><BANKTRANLIST>\n" + transactions +
		"</BANKTRANLIST><LEDGERBAL><BALAMT>12.5<DTASOF>20260516</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\n"
}

const ofxRow = "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260203<TRNAMT>-42.50<FITID>F1<NAME>CAFE</STMTTRN>\n"

func TestOFXTraps(t *testing.T) {
	row := func(leaves string) string { return ofxOf("<STMTTRN>" + leaves + "</STMTTRN>\n") }
	plain := `"amount":-42.5 | "date":"2026-02-03" | "account":"…4321" | "currency":"EUR" | "label":"CAFE" | "vendorId":"F1"`
	readStatements(t, "ofx", []statement{
		{name: "plain", in: ofxOf(ofxRow), want: []string{plain}, accounts: []string{`"account":"…4321" | "number":"00054321" | "balance":12.5 | "balanceDate":"2026-05-16" | "type":"Checkings"`}},
		{name: "no header, small letters", in: strings.ToLower(strings.SplitN(ofxOf(ofxRow), "\n\n", 2)[1]), want: []string{`"amount":-42.5 | "label":"cafe" | "currency":"EUR"`}},
		{name: "header on one line", in: strings.ReplaceAll(strings.SplitN(ofxOf(ofxRow), "\n\n", 2)[0], "\n", " ") + strings.SplitN(ofxOf(ofxRow), "\n\n", 2)[1], want: []string{plain}},
		{name: "comma decimals", in: row("<DTPOSTED>20260203<TRNAMT>-1234,56<FITID>1"), want: []string{`"amount":-1234.56`}},
		{name: "three decimals after a comma", in: row("<DTPOSTED>20260203<TRNAMT>-1,500<FITID>1"), want: []string{`"amount":-1.5`}},
		{name: "thousands all the same", in: row("<DTPOSTED>20260203<TRNAMT>-1,234.56<FITID>1"), want: []string{`"amount":-1234.56`}},
		{name: "Windows-1252", in: row("<DTPOSTED>20260203<TRNAMT>-1<NAME>CAF\xc9 \x80"), want: []string{`"label":"CAFÉ €"`}},
		{name: "UTF-8 that says 1252", in: row("<DTPOSTED>20260203<TRNAMT>-1<NAME>CAFÉ €"), want: []string{`"label":"CAFÉ €"`}},
		{name: "the day of the bank's zone", in: row("<DTPOSTED>20260203233000.000[-5:EST]<TRNAMT>-1"), want: []string{`"date":"2026-02-03"`}},
		{name: "a list never closed", in: strings.Replace(ofxOf(ofxRow+ofxRow), "</BANKTRANLIST>", "", 1), want: []string{plain, plain}, accounts: []string{`"balance":12.5`}},
		{name: "transactions never closed", in: strings.ReplaceAll(ofxOf(ofxRow+strings.ReplaceAll(ofxRow, "F1", "F2")), "</STMTTRN>", ""), want: []string{plain, `"vendorId":"F2"`}},
		{name: "several lists", in: ofxOf(ofxRow + "</BANKTRANLIST><BANKTRANLIST>" + ofxRow), want: []string{plain, plain}},
		{name: "wrong declaration", in: `<?xml version="1.0" encoding="utf-16"?><?OFX OFXHEADER="200" VERSION="203"?>` + strings.SplitN(ofxOf(ofxRow), "\n\n", 2)[1], want: []string{plain}},
		{name: "comments", in: ofxOf("<!-- <STMTTRN><TRNAMT>-1 --> <STMTTRN> <!-- a --> <DTPOSTED>20260203 <!-- <b> ---><TRNAMT>-42.50<FITID>F1<NAME>CAFE</STMTTRN>"), want: []string{plain}},
		{name: "a smaller-than", in: row("<DTPOSTED>20260203<TRNAMT>-1<NAME>TOM <3 JERRY &amp; A<B\n<MEMO>x"), want: []string{`"label":"TOM <3 JERRY & A<B" | "memo":"x"`}},
		{name: "CDATA", in: row("<DTPOSTED>20260203<TRNAMT>-1<NAME><![CDATA[A & B]]></NAME>"), want: []string{`"label":"A & B"`}},
		{name: "memo alone", in: row("<DTPOSTED>20260203<TRNAMT>-1<MEMO>VIR"), want: []string{`"label":"VIR" | !"memo"`}},
		{name: "a party by name", in: row("<DTPOSTED>20260203<TRNAMT>-1<PAYEE><NAME>Bob<CITY>Lyon</PAYEE><BANKACCTTO><ACCTID>999999</BANKACCTTO>"), want: []string{`"label":"Bob" | "account":"…4321"`}},
		{name: "another currency", in: row("<DTPOSTED>20260203<TRNAMT>-1<CURRENCY><CURRATE>1.1<CURSYM>CHF</CURRENCY>"), want: []string{`"currency":"CHF"`}},
		{name: "a currency converted from", in: row("<DTPOSTED>20260203<TRNAMT>-1<ORIGCURRENCY><CURRATE>1.1<CURSYM>CHF</ORIGCURRENCY>"), want: []string{`"currency":"EUR"`}},
		{name: "references that are none", in: ofxOf(strings.ReplaceAll(ofxRow, ">F1", ">0") + strings.ReplaceAll(ofxRow, ">F1", ">NONREF")), want: []string{`!"vendorId"`, `!"vendorId"`}},
		{name: "pending, and corrections", in: ofxOf(ofxRow + "<STMTTRN><CORRECTFITID>F0<CORRECTACTION>DELETE<DTPOSTED>20260203<TRNAMT>-1</STMTTRN>\n</BANKTRANLIST><BANKTRANLISTP><STMTTRNP><TRNAMT>-5</STMTTRNP></BANKTRANLISTP>"),
			want: []string{plain}, rejected: []string{"9 correction", "10 not-booked"}},
		{name: "no day, no amount, no number", in: ofxOf(ofxRow + "<STMTTRN><TRNAMT>-1</STMTTRN>\n<STMTTRN><DTPOSTED>20260203</STMTTRN>\n<STMTTRN><DTPOSTED>20260231<TRNAMT>1</STMTTRN>\n<STMTTRN><DTPOSTED>20260203<TRNAMT>abc</STMTTRN>\n"),
			want: []string{plain}, rejected: []string{"9 missing", "10 missing", "11 no-such-day", "12 number"}},
		{name: "a formula", in: row("<DTPOSTED>20260203<TRNAMT>-1<NAME>=HYPERLINK(1)"), want: []string{`"label":"=HYPERLINK(1)"`}},
		{name: "health", in: row("<DTPOSTED>20260203<TRNAMT>5<NAME>VIR CPAM LYON"), want: []string{`"amount":5`}, warned: []string{"bank-health"}},
		{name: "a very long name", in: ofxOf("<STMTTRN><DTPOSTED>20260203<TRNAMT>-1<NAME>" + strings.Repeat("x", 100_000) + "</STMTTRN>\n" + ofxRow), want: []string{plain}, rejected: []string{"8 text-too-long"}},
		{name: "cut in a transaction", in: strings.SplitN(ofxOf(ofxRow+ofxRow), "F1<NAME>CAFE</STMTTRN>\n<", 2)[0] + "F1", refused: "cut"},
		{name: "cut between two", in: strings.SplitN(ofxOf(ofxRow+ofxRow), "</BANKTRANLIST>", 2)[0], refused: "cut"},
		{name: "no account", in: strings.Replace(ofxOf(ofxRow), "<ACCTID>00054321", "", 1), refused: "no-account"},
		{name: "an account said", in: strings.Replace(ofxOf(ofxRow), "<ACCTID>00054321", "", 1), o: Options{Account: "Livret A"}, want: []string{`"account":"Livret A"`}},
		{name: "investments", in: "<OFX><INVSTMTMSGSRSV1><INVSTMTTRNRS><INVSTMTRS><CURDEF>USD<INVACCTFROM><ACCTID>1</INVACCTFROM><INVTRANLIST><INVBANKTRAN>" + ofxRow + "</INVBANKTRAN></INVTRANLIST></INVSTMTRS></OFX>", refused: "investment"},
		{name: "investments beside", in: strings.Replace(ofxOf(ofxRow), "</OFX>", "<INVSTMTMSGSRSV1><INVSTMTTRNRS><INVSTMTRS></INVSTMTRS></OFX>", 1), want: []string{plain}, warned: []string{"investment-left-out"}},
		{name: "the bank says no", in: "<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>15500<SEVERITY>ERROR<MESSAGE>Signon invalid</STATUS></SONRS></SIGNONMSGSRSV1></OFX>", refused: "ofx-error"},
		{name: "nothing", in: "<OFX></OFX>", refused: "no-statement"},
		{name: "deep", in: "<OFX>" + strings.Repeat("<BANKACCTTO>", 100), refused: "too-deep"},
		{name: "NUL", in: ofxOf(strings.Repeat(ofxRow, 1000) + "\x00"), refused: "nul"},
	})
}

func FuzzOFX(f *testing.F) {
	f.Add([]byte(ofxOf(ofxRow)))
	f.Add([]byte("<OFX><STMTRS><CURDEF>EUR<CCACCTFROM><ACCTID>1</CCACCTFROM><STMTTRN><TRNAMT>1<!-- --><DTPOSTED>20260101</STMTRS></OFX>"))
	f.Add([]byte("<OFX>\n<SIGNONMSGSRSV1>\n<STATUSCODE>0<OFX\n<<USEDE0\n</STATUS>\n<STMTTRN>"))
	fuzzBank(f, "ofx", Options{})
}

// A bank that numbers its payments anew at each download: what nobody can tell
// from second payments counts, and is told; what is not new is not told.
func TestRenumberedPayments(t *testing.T) {
	type payment struct{ day, id, label string }
	file := func(list ...payment) string {
		var b strings.Builder
		for _, p := range list {
			fmt.Fprintf(&b, "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>%s<TRNAMT>-42.50%s<NAME>%s</STMTTRN>\n", p.day, p.id, p.label)
		}
		return ofxOf(b.String())
	}
	cafe := func(id string) payment { return payment{"20260203", "<FITID>" + id, "CAFE"} }
	unnumbered := payment{"20260203", "", "CAFE"}
	rent := payment{"20260205", "<FITID>R1", "RENT"}
	tests := []struct {
		name          string
		first, second []payment
		rows, alike   int
	}{
		{"the same numbers", []payment{cafe("A"), cafe("B"), rent}, []payment{cafe("A"), cafe("B"), rent}, 3, 0},
		{"two in one file", []payment{rent}, []payment{cafe("A"), cafe("B"), rent}, 3, 0},
		{"other numbers", []payment{cafe("A"), cafe("B"), rent}, []payment{cafe("C"), cafe("D"), rent}, 5, 2},
		{"one of two has another number", []payment{cafe("A"), cafe("B")}, []payment{cafe("A"), cafe("C")}, 3, 1},
		{"one more than there was", []payment{cafe("A")}, []payment{cafe("A"), cafe("B")}, 2, 0},
		{"two for one", []payment{cafe("A")}, []payment{cafe("C"), cafe("D")}, 3, 1},
		{"numbers where there were none", []payment{unnumbered, unnumbered}, []payment{cafe("A"), cafe("B")}, 4, 2},
		{"no numbers where there were some", []payment{cafe("A"), cafe("B")}, []payment{unnumbered}, 3, 1},
		{"never any numbers", []payment{unnumbered, unnumbered}, []payment{unnumbered, unnumbered, unnumbered}, 3, 0},
		{"another day", []payment{cafe("A")}, []payment{{"20260204", "<FITID>C", "CAFE"}}, 2, 0},
		{"another label", []payment{cafe("A")}, []payment{{"20260203", "<FITID>C", "PUB"}}, 2, 0},
		{"the bank says it otherwise", []payment{cafe("A")}, []payment{{"20260203", "<FITID>A", "PUB"}}, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHeld(t)
			h.add(t, file(tt.first...))
			if h.alike != 0 {
				t.Errorf("of the first file %d are alike", h.alike)
			}
			h.add(t, file(tt.second...))
			if got := h.set.Len(); got != tt.rows || h.alike != tt.alike {
				t.Errorf("%d payments, %d alike; want %d and %d", got, h.alike, tt.rows, tt.alike)
			}
			if h.add(t, file(tt.second...)) || h.alike != 0 {
				t.Errorf("the same again: %d alike", h.alike)
			}
			if tt.alike == 0 {
				return
			}
			h.undo(t, 2)
			h.add(t, file(tt.second...))
			if got := h.set.Len(); got != tt.rows || h.alike != tt.alike {
				t.Errorf("taken back, and again: %d payments, %d alike; want %d and %d", got, h.alike, tt.rows, tt.alike)
			}
		})
	}
}

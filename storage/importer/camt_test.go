// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func camtOf(statements ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr>` +
		strings.Join(statements, "\n") + `</BkToCstmrStmt></Document>`
}

const camtAccount = `<Acct><Id><IBAN>FR1420041010050500013M02606</IBAN></Id><Ccy>EUR</Ccy></Acct>`

func camtStmt(entries ...string) string {
	return "<Stmt><Id>1</Id>" + camtAccount + strings.Join(entries, "\n") + "</Stmt>"
}

// camtEntry is an entry with an amount, its sign, and whatever else.
func camtEntry(amount, sign, rest string) string {
	if !strings.Contains(rest, "BookgDt") {
		rest += "<BookgDt><Dt>2026-02-03</Dt></BookgDt>"
	}
	return `<Ntry><Amt Ccy="EUR">` + amount + `</Amt><CdtDbtInd>` + sign + `</CdtDbtInd>` + rest + `</Ntry>`
}

func TestCAMTTraps(t *testing.T) {
	one := camtEntry("8.85000", "DBIT", "<Sts>BOOK</Sts><AcctSvcrRef>R1</AcctSvcrRef><AddtlNtryInf>CAFÉ</AddtlNtryInf>")
	plain := `"amount":-8.85 | "date":"2026-02-03" | "account":"…2606" | "currency":"EUR" | "label":"CAFÉ" | "vendorId":"R1"`
	detail := func(s string) string { return "<NtryDtls><TxDtls>" + s + "</TxDtls></NtryDtls>" }
	readStatements(t, "camt", []statement{
		{name: "plain", in: camtOf(camtStmt(one)), want: []string{plain}, accounts: []string{`"iban":"FR1420041010050500013M02606" | "account":"…2606" | !"number"`}},
		{name: "several statements", in: camtOf(camtStmt(one), strings.ReplaceAll(camtStmt(one), "FR1420041010050500013M02606", "GB33BUKB20201555555555")), want: []string{plain, `"account":"…5555"`}, accounts: []string{`"…2606"`, `"…5555"`}},
		{name: "a namespace with a name", in: strings.NewReplacer("</", "</n:", "<", "<n:", "<?", "<?").Replace(camtOf(camtStmt(one)))[len(`<n:?xml version="1.0" encoding="UTF-8"?>`):], want: []string{plain}},
		{name: "no declaration, another version", in: strings.Replace(camtOf(camtStmt(one))[38:], "camt.053.001.08", "camt.053.001.99", 1), want: []string{plain}},
		{name: "of the day, and notices", in: strings.NewReplacer("Stmt>", "Rpt>", "BkToCstmrStmt", "BkToCstmrAcctRpt").Replace(camtOf(camtStmt(one))), want: []string{plain}},
		{name: "notices of single movements", in: strings.NewReplacer("Stmt>", "Ntfctn>", "BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn", "camt.053.001.08", "camt.054.001.02").Replace(camtOf(camtStmt(one))), want: []string{plain}},
		{name: "Latin-1", in: strings.Replace(strings.Replace(camtOf(camtStmt(one)), "UTF-8", "ISO-8859-1", 1), "É", "\xc9", 1), want: []string{plain}},
		{name: "day or instant", in: camtOf(camtStmt(camtEntry("1", "CRDT", "<BookgDt><DtTm>2026-02-03T23:30:00.000000000-05:00</DtTm></BookgDt><ValDt><Dt>2026-02-04</Dt></ValDt>"))), want: []string{`"date":"2026-02-03" | "valueDate":"2026-02-04" | "amount":1`}},
		{name: "booked on no day", in: camtOf(camtStmt(`<Ntry><Amt Ccy="EUR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><ValDt><Dt>2026-02-04</Dt></ValDt></Ntry>`)), want: []string{`"date":"2026-02-04"`}},
		{name: "one entry of many payments", in: camtOf(camtStmt(camtEntry("9", "CRDT", "<NtryDtls><TxDtls><Amt Ccy=\"CHF\">4</Amt><CdtDbtInd>DBIT</CdtDbtInd><RmtInf><Ustrd>one</Ustrd></RmtInf></TxDtls><TxDtls><Amt Ccy=\"EUR\">5</Amt></TxDtls></NtryDtls>"))), want: []string{`"amount":9 | "currency":"EUR" | !"one"`}},
		{name: "a reversal has its own sign", in: camtOf(camtStmt(camtEntry("9", "CRDT", "<RvslInd>true</RvslInd>"))), want: []string{`"amount":9`}},
		{name: "balances are no entries", in: camtOf(camtStmt(`<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-01</Dt></Dt></Bal>`,
			`<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">2,50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><DtTm>2026-02-28T00:00:00</DtTm></Dt></Bal>`,
			`<Bal><Tp><CdOrPrtry><Cd>CLAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">3</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-02-28</Dt></Dt></Bal>`, one)),
			want: []string{plain}, accounts: []string{`"balance":-2.5 | "balanceDate":"2026-02-28"`}},
		{name: "a party and a purpose", in: camtOf(camtStmt(camtEntry("9", "DBIT", detail("<Refs><TxId>T7</TxId></Refs><RltdPties><Dbtr><Nm>Me</Nm></Dbtr><Cdtr><Pty><Nm>Bob</Nm></Pty></Cdtr></RltdPties><RmtInf><Ustrd>Rent</Ustrd><Ustrd>May</Ustrd></RmtInf>")))),
			want: []string{`"counterparty":"Bob" | "label":"Rent May" | "vendorId":"T7" | !"Me"`}},
		{name: "another currency", in: camtOf(camtStmt(camtEntry("9", "DBIT", detail(`<AmtDtls><InstdAmt><Amt Ccy="CHF">10</Amt></InstdAmt></AmtDtls>`)))), want: []string{`"originalAmount":-10 | "originalCurrency":"CHF"`}},
		{name: "what is not booked yet", in: camtOf(camtStmt(one, camtEntry("1", "CRDT", "<Sts><Cd>PDNG</Cd></Sts>"), camtEntry("1", "CRDT", "<Sts>INFO</Sts>"), camtEntry("1", "CRDT", "<Sts><Cd>BOOK</Cd></Sts>"))),
			want: []string{plain, `"amount":1`}, rejected: []string{"2 not-booked", "3 not-booked"}},
		{name: "bad entries", in: camtOf(camtStmt(one, camtEntry("x", "CRDT", ""), camtEntry("1", "", ""), camtEntry("1", "CRDT", "<BookgDt><Dt>2026-02-30</Dt></BookgDt>"), "<Ntry><CdtDbtInd>CRDT</CdtDbtInd></Ntry>", camtEntry("1", "CRDT", "<BookgDt></BookgDt>"))),
			want: []string{plain}, rejected: []string{"2 number", "3 missing", "4 no-such-day", "5 missing", "6 missing"}},
		{name: "two that share a reference", in: camtOf(camtStmt(one, strings.Replace(one, "8.85", "9.85", 1))), want: []string{plain, `"vendorId":"R1" | "amount":-9.85`}},
		{name: "health", in: camtOf(camtStmt(camtEntry("9", "CRDT", detail("<RmtInf><Ustrd>REMBOURSEMENT AMELI</Ustrd></RmtInf>")))), want: []string{`"amount":9`}, warned: []string{"bank-health"}},
		{name: "no account", in: strings.Replace(camtOf(camtStmt(one)), camtAccount, "", 1), refused: "no-account"},
		{name: "an account said", in: strings.Replace(camtOf(camtStmt(one)), camtAccount, "", 1), o: Options{Account: "PEL"}, want: []string{`"account":"PEL"`}},
		{name: "cut", in: camtOf(camtStmt(one))[:400], refused: "cut"},
		{name: "no statement", in: camtOf(), refused: "no-statement"},
		{name: "entities", in: `<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + camtOf(camtStmt(one)), refused: "xml-entities"},
		{name: "an endless entry", in: camtOf(camtStmt(camtEntry("1", "CRDT", strings.Repeat("<a>b</a>", 200_000)))), refused: "too-large"},
	})
}

// Banks pack the statements of a month into a zip.
func TestCAMTZip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "statements.zip")
	entry := camtEntry("8.85", "DBIT", "")
	if err := os.WriteFile(path, []byte(zipped(t, "a.xml", camtOf(camtStmt(entry)), "b.xml", camtOf(camtStmt(entry, entry)))), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := Files(t.Context(), path, Options{}, func(s *Source) error {
		r, err := Read(t.Context(), s, &Sink{})
		got = append(got, fmt.Sprint(r.File, " ", r.Format, " ", r.Kinds[1].Kind, " ", r.Kinds[1].Rows))
		return err
	})
	if diff := cmp.Diff([]string{"statements.zip/a.xml camt bank-operations 1", "statements.zip/b.xml camt bank-operations 2"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func FuzzCAMT(f *testing.F) {
	f.Add([]byte(camtOf(camtStmt(camtEntry("8.85", "DBIT", "<Sts>BOOK</Sts><NtryDtls><TxDtls><RmtInf><Ustrd>x</Ustrd></RmtInf></TxDtls></NtryDtls>")))))
	fuzzBank(f, "camt", Options{})
}

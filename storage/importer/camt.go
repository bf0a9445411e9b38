// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// camt is what banks report to those who have accounts with them by ISO 20022:
// camt.052 (of the day under way), camt.053 (statements) and camt.054
// (notifications), in any version; namespaces are passed over. One entry is one
// row, with the amount and the sign of the entry, whatever its details say;
// balances are no entries.
var camt = Format{Name: "camt", Fits: fitsCAMT, Read: readCAMT}

var camtStart = regexp.MustCompile(`<(?:[\w.-]+:)?(?:BkToCstmr(?:Stmt|AcctRpt|DbtCdtNtfctn)|Document\s[^>]*urn:iso:std:iso:20022:tech:xsd:camt\.05[234]\.)`)

func fitsCAMT(h Head) Fit {
	if camtStart.MatchString(h.Text) {
		return Sure
	}
	return No
}

// maxEntry is how much one entry may hold, in bytes: batches have details.
const maxEntry = 16 << 20

func readCAMT(ctx context.Context, src *Source, to *Sink) error {
	if err := statementSize(src); err != nil {
		return err
	}
	x, err := src.XML()
	if err != nil {
		return err
	}
	defer x.Close()
	f := &camtFile{bank: newBank(src.Options, to), said: src.Account}
	for {
		start, err := x.Start("Stmt", "Rpt", "Ntfctn", "Acct", "Bal", "Ntry")
		switch {
		case err == io.EOF && !f.open:
			return Why("no-statement")
		case err == io.EOF:
			return f.endStatement(x.Line())
		case err != nil:
			return err
		}
		switch start.Name.Local {
		case "Stmt", "Rpt", "Ntfctn":
			err = f.endStatement(x.Line())
			f.open, f.statement, f.closing = true, account{}, 0
		default:
			var e *Element
			if e, err = x.Tree(start, maxEntry); err == nil {
				err = f.take(e)
			}
		}
		if err != nil {
			return err
		}
	}
}

type camtFile struct {
	bank      *bank
	said      string
	open      bool
	statement account
	closing   int // how good the balance is that statement has: see balances
}

func (f *camtFile) take(e *Element) error {
	switch e.Name {
	case "Acct":
		f.account(e)
	case "Bal":
		f.balance(e)
	case "Ntry":
		if f.statement.account.IsNull() {
			if f.said == "" {
				return Why("no-account")
			}
			f.statement.named(f.said)
		}
		return f.entry(e)
	}
	return nil
}

func (f *camtFile) account(e *Element) {
	for _, number := range []string{e.Say("Id", "IBAN"), e.Say("Id", "Othr", "Id"), e.Say("Id", "PrtryAcct", "Id")} {
		if number != "" && f.statement.account.IsNull() {
			f.statement.named(number)
		}
	}
	f.statement.currency = currency(e.Say("Ccy"))
	f.statement.label = record.Str(e.Say("Nm"))
	keeper := e.At("Svcr", "FinInstnId")
	for _, name := range []string{keeper.Say("Nm"), keeper.Say("BICFI"), keeper.Say("BIC")} {
		if f.statement.institution.IsNull() {
			f.statement.institution = record.Str(name)
		}
	}
}

// balances are the codes of balances that tell what was booked, by how well they
// say what was on the account at last.
var balances = map[string]int{"PRCD": 1, "OPBD": 2, "ITBD": 3, "CLBD": 4}

func (f *camtFile) balance(e *Element) {
	rank := balances[e.Say("Tp", "CdOrPrtry", "Cd")]
	day, err := camtDay(e.At("Dt"))
	amount, code, wrong := camtAmount(e)
	foreign := !f.statement.currency.IsNull() && code != f.statement.currency
	if rank <= f.closing || err != nil || wrong != nil || amount.IsNull() || foreign {
		return
	}
	f.closing = rank
	f.statement.balance, f.statement.balanceDate, f.statement.currency = amount, day, code
}

func (f *camtFile) endStatement(line int) error {
	if !f.open || f.statement.account.IsNull() {
		return nil
	}
	return f.bank.account(line, &f.statement)
}

func (f *camtFile) entry(e *Element) error {
	status := e.Say("Sts")
	if cd := e.Say("Sts", "Cd"); cd != "" {
		status = cd
	}
	if status != "" && status != "BOOK" {
		f.bank.to.Reject(e.Line, Why("not-booked"))
		return nil
	}
	amount, code, err := camtAmount(e)
	if err != nil {
		f.bank.to.Reject(e.Line, err)
		return nil
	}
	booked, err := camtDay(e.At("BookgDt"))
	value, late := camtDay(e.At("ValDt"))
	if err == nil && booked.IsNull() {
		booked, err = value, late
	}
	if err != nil {
		f.bank.to.Reject(e.Line, err)
		return nil
	}
	o := operation{
		account: f.statement.account, date: booked, valueDate: value, amount: amount, currency: code,
		kind: record.Str(camtType(e.At("BkTxCd"))), vendorID: reference(e.Say("AcctSvcrRef")), fullLabel: record.Str(e.Say("AddtlNtryInf")),
	}
	f.details(e, &o)
	if o.label.IsNull() {
		o.label, o.fullLabel = o.fullLabel, record.Null
	}
	if o.label.IsNull() {
		o.label = o.counterparty
	}
	return f.bank.operation(e.Line, &o)
}

// details are what an entry of a single payment tells about it. An entry of
// many has no other party and no text but its own.
func (f *camtFile) details(e *Element, o *operation) {
	var all []*Element
	for _, d := range e.All("NtryDtls") {
		all = append(all, d.All("TxDtls")...)
	}
	if len(all) != 1 {
		return
	}
	d := all[0]
	other := "Dbtr"
	if n, _ := o.amount.Unscaled(); n < 0 {
		other = "Cdtr"
	}
	for _, name := range []string{d.Say("RltdPties", other, "Nm"), d.Say("RltdPties", other, "Pty", "Nm")} {
		if o.counterparty.IsNull() {
			o.counterparty = record.Str(name)
		}
	}
	var said []string
	for _, text := range d.At("RmtInf").All("Ustrd") {
		said = append(said, text.Text)
	}
	o.label = record.Str(strings.Join(said, " "))
	o.memo = record.Str(d.Say("AddtlTxInf"))
	if o.label.IsNull() {
		o.label, o.memo = o.memo, record.Null
	}
	for _, name := range []string{"AcctSvcrRef", "TxId"} {
		if o.vendorID.IsNull() {
			o.vendorID = reference(d.Say("Refs", name))
		}
	}
	instructed := d.At("AmtDtls", "InstdAmt", "Amt")
	if amount, err := Number(instructed.Say(), 0); err == nil && instructed != nil {
		o.originalAmount, o.originalCurrency = signed(amount, other == "Cdtr"), currency(instructed.Attr["Ccy"])
	}
	o.realised, _ = camtDay(d.At("RltdDts", "TxDt"))
	if o.realised.IsNull() {
		o.realised, _ = camtDay(d.At("RltdDts"))
	}
}

// camtAmount is the amount of an entry or a balance, with the sign that it says
// itself. An entry that takes back another says so too, and has its own sign.
func camtAmount(e *Element) (amount, code record.Value, err error) {
	amt := e.At("Amt")
	if amt == nil {
		return record.Null, record.Null, Why("missing", "field", "Amt")
	}
	if amount, err = Number(amt.Text, 0); err != nil {
		return record.Null, record.Null, err
	}
	switch e.Say("CdtDbtInd") {
	case "CRDT":
	case "DBIT":
		amount = signed(amount, true)
	default:
		return record.Null, record.Null, Why("missing", "field", "CdtDbtInd")
	}
	return amount, currency(amt.Attr["Ccy"]), nil
}

// signed is a number with its sign turned or not.
func signed(v record.Value, turn bool) record.Value {
	if n, scale := v.Unscaled(); turn && !v.IsNull() {
		return record.Dec(-n, scale)
	}
	return v
}

// camtDay is the day of a choice of Dt and DtTm, as it stands there, in whatever
// zone; null where there is none.
func camtDay(e *Element) (record.Value, error) {
	for _, name := range []string{"Dt", "DtTm", "TxDtTm"} {
		if s := e.Say(name); s != "" {
			return Date(s, "ymd")
		}
	}
	return record.Null, nil
}

var camtFamilies = map[string]string{
	"RCDT": "transfer", "ICDT": "transfer", "RRCT": "transfer", "IRCT": "transfer", "RDDT": "debit", "IDDT": "debit",
	"CCRD": "card", "MCRD": "card", "DRFT": "check", "RCHQ": "check", "ICHQ": "check", "CNTR": "cash",
}

func camtType(e *Element) string {
	family := e.At("Domn", "Fmly")
	switch family.Say("SubFmlyCd") {
	case "FEES", "CHRG", "COMM", "COMI":
		return "fee"
	case "INTR":
		return "interest"
	case "CWDL":
		return "cash"
	}
	return camtFamilies[family.Say("Cd")]
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"regexp"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// qif is the Quicken Interchange Format: a line for each field, its first letter
// says which. It says neither its currency nor the order of day and month nor
// its decimal mark: all its dates and numbers together tell, or the order is
// asked for. Investments are refused.
var qif = Format{Name: "qif", Fits: fitsQIF, Read: readQIF}

var (
	qifStart  = regexp.MustCompile(`(?i)^\s*!(?:type:|account|option:|clear:)`)
	qifRecord = regexp.MustCompile(`^\s*D[^\n]{4,20}\r?\n(?:[A-Z$][^\n]*\n){1,20}\^`)
)

func fitsQIF(h Head) Fit {
	switch {
	case qifStart.MatchString(h.Text):
		return Sure
	case qifRecord.MatchString(h.Text):
		return Likely
	}
	return No
}

func readQIF(ctx context.Context, src *Source, to *Sink) error {
	if err := statementSize(src); err != nil {
		return err
	}
	votes := &qifVotes{}
	if err := eachQIF(src, votes.see); err != nil {
		return err
	}
	switch {
	case votes.records == 0 && votes.investments > 0:
		return Why("investment")
	case votes.records == 0:
		return Why("no-statement")
	case votes.dates.read == 0 && votes.dates.bad != "":
		return Why("no-dates", "example", votes.dates.bad)
	case votes.investments > 0:
		to.Warn(Why("investment-left-out"))
	}
	order, err := votes.dates.order(src.Dates)
	if err != nil {
		return err
	}
	mark, err := votes.marks.mark(0)
	if err != nil {
		return err
	}
	f := &qifFile{bank: newBank(src.Options, to), order: order, mark: mark, said: src.Account}
	return eachQIF(src, f.take)
}

// qifEntry is one record of an account.
type qifEntry struct {
	kind   string // of its section: "bank", "ccard", "cash", "oth a", "oth l", "invst"
	holder string // the account, where the file names it
	line   int    // where it begins
	fields map[byte]string
	cut    bool // the file ended within it
}

// eachQIF gives all records of accounts and of investments.
func eachQIF(src *Source, visit func(*qifEntry) error) error {
	section, holder := "bank", ""
	var e *qifEntry
	done := func(cut bool) error {
		entry := e
		e = nil
		switch {
		case entry == nil:
			return nil
		case section == "account":
			holder = entry.fields['N']
			return nil
		case !qifSections[section]:
			return nil
		}
		entry.kind, entry.holder, entry.cut = section, holder, cut
		return visit(entry)
	}
	err := src.Lines(func(number int, line string) error {
		line = strings.TrimRight(Plain(line), " \t")
		switch {
		case line == "":
			return nil
		case line[0] == '!':
			if err := done(false); err != nil {
				return err
			}
			section = qifSection(line, section)
			return nil
		case line[0] == '^':
			return done(false)
		}
		if e == nil {
			e = &qifEntry{line: number, fields: map[byte]string{}}
		}
		if strings.IndexByte(qifFields, line[0]) >= 0 {
			e.fields[line[0]] = strings.TrimSpace(line[1:])
		}
		return nil
	})
	if err != nil {
		return err
	}
	return done(true)
}

// qifFields are the letters of the fields that are kept: date, amount (twice),
// number or name, memo, party, category.
const qifFields = "DTUNMPL"

// qifSections are those with records of payments; of others (categories,
// classes, prices, what to remember) there is nothing to keep.
var qifSections = map[string]bool{"bank": true, "ccard": true, "cash": true, "oth a": true, "oth l": true, "invst": true}

var qifNames = map[string]string{"banque": "bank", "carte": "ccard", "espèces": "cash", "autre a": "oth a", "autre l": "oth l", "port": "invst"}

func qifSection(line, before string) string {
	line = strings.ToLower(strings.TrimSpace(line))
	switch {
	case strings.HasPrefix(line, "!account"):
		return "account"
	case strings.HasPrefix(line, "!type:"):
		name := strings.Join(strings.Fields(line[len("!type:"):]), " ")
		if known, ok := qifNames[name]; ok {
			return known
		}
		return name
	}
	return before // !Option, !Clear
}

type qifVotes struct {
	dates                dateVotes
	marks                markVotes
	records, investments int
}

func (v *qifVotes) see(e *qifEntry) error {
	if e.kind == "invst" {
		v.investments++
		return nil
	}
	v.records++
	v.dates.see(e.fields['D'])
	v.marks.see(e.amount())
	return nil
}

// amount is T, or U where a program wrote that alone.
func (e *qifEntry) amount() string {
	if e.fields['T'] != "" {
		return e.fields['T']
	}
	return e.fields['U']
}

type qifFile struct {
	bank  *bank
	order string
	mark  byte
	said  string
}

var qifTypes = map[string]string{"ATM": "cash", "DEP": "deposit", "TXFR": "transfer", "XFER": "transfer", "EFT": "transfer", "POS": "card", "CHK": "check", "VIR": "transfer", "PRLV": "debit", "CB": "card"}

func (f *qifFile) take(e *qifEntry) error {
	if e.kind == "invst" {
		return nil
	}
	reject := func(why error) error {
		f.bank.to.Reject(e.line, why)
		return nil
	}
	if e.cut {
		return reject(Why("cut", "line", itoa(e.line)))
	}
	date, err := Date(e.fields['D'], f.order)
	if err != nil {
		return reject(err)
	}
	amount, err := Number(e.amount(), f.mark)
	if err != nil {
		return reject(err)
	}
	o := operation{
		account: shortened(e.holder), date: date, amount: amount, label: record.Str(e.fields['P']),
		memo: record.Str(e.fields['M']), category: record.Str(strings.Trim(e.fields['L'], "[]")), kind: record.Str(qifTypes[strings.ToUpper(e.fields['N'])]),
	}
	if o.kind.IsNull() && strings.Trim(e.fields['N'], "0123456789") == "" {
		o.checkNumber = record.Str(e.fields['N'])
	}
	if strings.HasPrefix(e.fields['L'], "[") {
		o.category, o.kind = record.Null, record.Str("transfer")
	}
	if o.label.IsNull() {
		o.label, o.memo = o.memo, record.Null
	}
	if o.account.IsNull() {
		o.account = shortened(f.said)
	}
	return f.bank.operation(e.line, &o)
}

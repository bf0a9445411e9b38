// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"cmp"
	"context"
	"encoding/csv"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/traboule/traboule/storage/record"
)

// bankCSV is a statement as a table, each bank's another: its columns are
// known by their headings in French and English. What the headings leave open
// needs a [Mapping], which [Suggest] begins.
var bankCSV = Format{Name: "bank-csv", Fits: fitsBankCSV, Read: readBankCSV}

func fitsBankCSV(h Head) Fit {
	l := layoutOf(h.Text)
	switch {
	case l == nil:
		return No
	case slices.Contains(bankProfiles, l.profile):
		return Sure
	}
	return Likely
}

func readBankCSV(ctx context.Context, src *Source, to *Sink) error {
	if err := statementSize(src); err != nil {
		return err
	}
	l := layoutOf(src.Head.Text)
	switch {
	case l == nil:
		return Why("columns-open")
	case l.shares:
		return Why("investment")
	}
	return readTable(src, l.mapping(src.Options), to)
}

// layout is what the beginning of a table tells.
type layout struct {
	separator rune
	headings  []string
	line      int // of the headings
	roles     []role
	before    map[string]string // what the lines before say: "account", "currency"
	profile   string
	shares    bool // a list of what was bought and sold on a stock exchange
}

// role is what a column is: a field and a part, and how well its heading says
// so. A column of no role has the field "".
type role struct {
	field string
	part  Part
	rank  int
}

// layoutOf finds the headings of a bank's table, or nil.
func layoutOf(head string) *layout {
	if head == "" || strings.ContainsRune("<{[!%", firstOf(head)) {
		return nil
	}
	for _, separator := range []rune{';', ',', '\t', '|'} {
		l := &layout{separator: separator, before: map[string]string{}}
		for n, r := range firstRecords(head, separator, 60) {
			if l.headingsIn(r.cells) {
				l.line = r.line
				return l
			}
			if n < 40 {
				l.preamble(r.cells)
			}
		}
	}
	return nil
}

func firstOf(s string) rune {
	for _, r := range strings.TrimLeftFunc(s, unicode.IsSpace) {
		return r
	}
	return 0
}

type firstRecord struct {
	line  int
	cells []string
}

// firstRecords are the first records of a text that may be cut anywhere.
func firstRecords(head string, separator rune, limit int) (list []firstRecord) {
	r := csv.NewReader(strings.NewReader(head))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = separator, true, -1
	for len(list) < limit {
		cells, err := r.Read()
		if err != nil {
			return list
		}
		for i, s := range cells {
			cells[i] = Plain(s)
		}
		line, _ := r.FieldPos(0)
		list = append(list, firstRecord{line, cells})
	}
	return list
}

// headingsIn says whether a record has the headings of a statement, and takes
// them: a day, an amount, and something that says what for.
func (l *layout) headingsIn(cells []string) bool {
	if len(cells) < 3 || len(cells) > maxMappingColumns {
		return false
	}
	var roles []role
	has := map[string]bool{}
	for _, s := range cells {
		r := roleOf(s)
		roles = append(roles, r)
		l.shares = l.shares || shareHeadings[headingOf(s)]
		has[r.field+string(r.part)] = true
	}
	amount := has["amount"] || has["amountdebit"] || has["amountcredit"]
	says := has["label"] || has["counterparty"] || has["type"] && has["amountdebit"]
	if !has["date"] || !amount || !says {
		l.shares = false
		return false
	}
	l.headings, l.roles = cells, roles
	l.profile = Fold(strings.Join(cells, ";"))
	l.elect()
	return true
}

// elect leaves each field to the column that says it best; the others get what
// comes next to it.
func (l *layout) elect() {
	l.foreign()
	for i, r := range l.roles {
		for j, other := range l.roles {
			better := other.rank > r.rank || other.rank == r.rank && j < i
			if i != j && r.field != "" && other.field == r.field && other.part == r.part && better {
				l.roles[i] = l.second(r)
				break
			}
		}
	}
	taken := map[role]bool{}
	for i, r := range l.roles {
		r.rank = 0
		if taken[r] && r.field != "memo" {
			l.roles[i] = role{}
		}
		taken[r] = true
	}
}

// foreign sees the amount in another currency: beside it, "currency" means that
// one.
func (l *layout) foreign() {
	original, named := false, false
	for _, r := range l.roles {
		original = original || r.field == "originalAmount"
		named = named || r.field == "originalCurrency"
	}
	for i, r := range l.roles {
		if original && !named && r.field == "currency" {
			l.roles[i].field = "originalCurrency"
		}
	}
}

// second is what a column is when another says its field better.
func (l *layout) second(r role) role {
	next := map[string]string{"date": "realisationDate", "label": "memo", "counterparty": "memo"}[r.field]
	if r.part != "" {
		next = ""
	}
	return role{field: next}
}

// preamble keeps what a line before the headings says about the account.
func (l *layout) preamble(cells []string) {
	for i, s := range cells {
		name, value, _ := strings.Cut(s, ":")
		if value = Plain(value); value == "" && i+1 < len(cells) {
			value = cells[i+1]
		}
		switch name = headingOf(name); {
		case value == "" || strings.HasSuffix(value, ":"):
		case accountNames[name]:
			l.keep("account", value)
		case name == "devise" || name == "currency" || name == "compte tenu en" || name == "monnaie":
			l.keep("currency", currency(value).String())
		}
		for _, pattern := range accountPatterns {
			if m := pattern.FindStringSubmatch(s); m != nil {
				l.keep("account", strings.TrimSpace(m[1]))
			}
		}
	}
}

// accountPatterns find the number of an account that has no name beside it: the
// cell ="0001234567", by which programs keep a spreadsheet from dropping its
// zeros; digits alone, or behind stars; a line such as "Compte de dépôt n° 1234".
var accountPatterns = []*regexp.Regexp{
	regexp.MustCompile(`^="?(\d{5,34})"?$`), regexp.MustCompile(`^(\d{10,34})$`), regexp.MustCompile(`^([*•]{2,} ?\d{3,})$`),
	regexp.MustCompile(`(?i)\b(?:compte|carte|account)\b.{0,60}\bn(?:°|o|um[ée]ro)\s*:?\s*([0-9X*][0-9X* ]{4,33})`),
}

func (l *layout) keep(what, value string) {
	if l.before[what] == "" && len(value) <= 128 {
		l.before[what] = value
	}
}

var accountNames = stringSet("numero de compte", "numero compte", "n de compte", "n compte", "no de compte", "compte", "compte n", "compte numero", "account",
	"account number", "account no", "account name", "iban", "numero du compte", "numero de carte", "carte", "card number")

// shareHeadings are those of lists of shares.
var shareHeadings = stringSet("isin", "code isin", "quantite", "quantity", "cours", "ticker", "symbol", "shares")

// bankProfiles are headings that are one bank's and nobody else's, folded.
var bankProfiles = []string{
	"dateop;dateval;label;category;categoryparent;supplierfound;amount;accountnum;accountlabel;accountbalance",
	"dateop;dateval;label;category;categoryparent;supplierfound;amount;comment;accountnum;accountlabel;accountbalance",
	"dateop;dateval;label;category;categoryparent;amount;accountnum;accountlabel;accountbalance",
}

// mapping is how a table of this layout is read.
func (l *layout) mapping(o Options) *Mapping {
	m := &Mapping{Kind: "bank-operations", Separator: string(l.separator), Always: map[string]string{}}
	if slices.Contains(bankProfiles, l.profile) {
		m.Always["currency"] = "EUR" // Boursobank keeps accounts in euros
	}
	seen := map[string]bool{"": true}
	for i, heading := range l.headings {
		r := l.roles[i]
		c := Column{Column: heading, Field: r.field, Part: r.part}
		if seen[Fold(heading)] {
			c.Column, c.Number = "", i+1
		}
		seen[Fold(heading)] = true
		m.Columns = append(m.Columns, c)
		if _, code := withoutCurrency(headingOf(heading)); r.field == "amount" && !code.IsNull() {
			m.Always["currency"] = code.String()
		}
	}
	if code := l.before["currency"]; code != "" {
		m.Always["currency"] = code
	}
	if name := cmp.Or(o.Account, l.before["account"]); name != "" && !slices.ContainsFunc(l.roles, func(r role) bool { return r.field == "account" }) {
		m.Always["account"] = name
	}
	return m
}

// bankRow finishes a row of a bank and gives it to the sink.
func (t *table) bankRow(line int, row record.Row) error {
	var o operation
	for i, p := range o.places() {
		at, _ := t.kind.Index(operationFields[i])
		*p = row[at]
	}
	number := o.account.String()
	if number == "" {
		number = t.src.Account
	}
	o.account = shortened(number)
	if err := t.tell(line, number, o.account); err != nil {
		return err
	}
	o.vendorID, o.currency, o.originalCurrency = reference(o.vendorID.String()), currency(o.currency.String()), currency(o.originalCurrency.String())
	if n, _ := o.originalAmount.Unscaled(); n == 0 {
		o.originalAmount = record.Null
	}
	if o.label.IsNull() {
		o.label, o.counterparty = o.counterparty, record.Null
	}
	if o.label.IsNull() {
		o.label, o.memo = o.memo, record.Null
	}
	return t.bank.operation(line, &o)
}

// tell gives the number in full of an account whose operations have its end, to
// the accounts, once.
func (t *table) tell(line int, number string, short record.Value) error {
	full := record.Str(strings.Clone(number))
	if full == short || t.known[full] || len(t.known) == 1000 {
		return nil
	}
	if t.known == nil {
		t.known = map[record.Value]bool{}
	}
	t.known[full] = true
	var a account
	a.named(number)
	return t.bank.account(line, &a)
}

// remark says of a record of a statement that it is none of its rows: a
// balance, a total, headings once more, a line of text.
func (t *table) remark(cells []string) bool {
	dated, numbered, digits := false, false, false
	text := ""
	for i := range t.cells {
		c := &t.cells[i]
		s := c.of(cells)
		switch {
		case s == "":
		case c.Field == "date":
			_, err := Date(s, t.dates)
			dated = dated || err == nil
			digits = digits || strings.ContainsAny(s, "0123456789")
			if err != nil {
				text = s + " " + text
			}
		case c.typ == record.Decimal && c.Part != Direction:
			number, _ := cutCurrency(s)
			v, err := Number(number, c.mark)
			numbered = numbered || err == nil && !v.IsNull()
		case c.Field == "label":
			text += s
		}
	}
	if !dated && !numbered {
		return !digits
	}
	text = Fold(text)
	for _, word := range []string{"solde", "total", "balance", "opening balance", "closing balance", "sous total", "ancien solde", "nouveau solde"} {
		if strings.HasPrefix(text, word) {
			return !dated || !numbered
		}
	}
	return false
}

func stringSet(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

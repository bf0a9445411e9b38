// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"cmp"
	"context"
	"encoding/csv"
	"slices"
	"strings"
	"unicode"

	"github.com/traboule/traboule/storage/catalogue"
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
	l := layoutOf(src.Head.Text)
	if l == nil {
		return Why("columns-open")
	}
	return readTable(src, l.mapping(src.Options), to)
}

// layout is what the beginning of a table tells.
type layout struct {
	separator rune
	headings  []string
	line      int // of the headings
	roles     []role
	before    map[string]string // what the lines before say: "account", "currency", "label"
	profile   string
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
		has[r.field+string(r.part)] = true
	}
	amount := has["amount"] || has["amountdebit"] || has["amountcredit"]
	says := has["label"] || has["counterparty"] || has["type"] && has["amountdebit"]
	if !has["date"] || !amount || !says {
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
		name, value, found := strings.Cut(s, ":")
		if value = Plain(value); value == "" && i+1 < len(cells) {
			value = cells[i+1]
		}
		switch name = headingOf(name); {
		case value == "" || strings.HasSuffix(value, ":"):
		case accountNames[name]:
			l.keep("account", value)
		case name == "devise" || name == "currency" || name == "compte tenu en" || name == "monnaie":
			l.keep("currency", currency(value).String())
		case name == "nom du compte" || name == "libelle du compte" || name == "intitule du compte":
			l.keep("label", value)
		}
		if number, ok := formula(s); ok && !found {
			l.keep("account", number)
		}
	}
}

func (l *layout) keep(what, value string) {
	if l.before[what] == "" && len(value) <= 128 {
		l.before[what] = value
	}
}

// formula is the number in ="0001234567", by which programs keep a spreadsheet
// from dropping its zeros.
func formula(s string) (string, bool) {
	s, found := strings.CutPrefix(s, "=")
	s = strings.Trim(s, `"`)
	return s, found && len(s) >= 5 && strings.Trim(s, "0123456789") == ""
}

var accountNames = stringSet("numero de compte", "numero compte", "n de compte", "n compte", "no de compte", "compte", "compte n", "compte numero", "account",
	"account number", "account no", "account name", "iban", "numero du compte", "numero de carte", "carte", "card number")

// headings says what columns are, the surest heading of a field first.
var headings = map[string][]string{
	"date": {
		"date comptable", "date de comptabilisation", "date comptabilisation", "date d enregistrement", "booking date", "bookingdate", "posting date", "posted date", "post date", "date posted", "completed date", "date completed", "buchungstag",
		"date", "dateop", "date op", "date operation", "date d operation", "date de l operation", "date oper", "operation date", "date ecriture", "date de l ecriture", "jour", "day", "datum",
		"transaction date", "trans date", "date transaction", "date de transaction", "date de la transaction", "started date", "date d achat", "date achat", "purchase date", "date utc", "created on",
	},
	"valueDate": {"date de valeur", "date valeur", "dateval", "date val", "valeur", "value date", "valuta", "effective date"},
	"label": {
		"libelle", "label", "libelle simplifie", "libelle court", "description", "libelle operation", "libelle de l operation", "libelle d operation", "intitule", "designation", "transaction description", "transactions", "transaction", "narrative", "operation", "operations",
		"nature de l operation", "nature operation", "details", "detail", "libelles", "wording", "particulars", "motif", "objet", "communication", "libelle complet", "detail de l ecriture", "detail de l operation", "informations complementaires", "information complementaire",
		"payment reference", "memo", "note", "notes", "comment", "commentaire", "commentaires", "reference text",
	},
	"counterparty":     {"counterparty", "counterparty name", "partner name", "tiers", "payee", "beneficiaire", "beneficiary", "merchant", "merchant name", "commercant", "name", "nom", "destinataire", "emetteur", "supplierfound", "payer"},
	"amount":           {"montant", "amount", "montant de l operation", "montant operation", "montant net", "transaction amount", "net amount", "net", "valeur operation", "betrag", "value"},
	"amount debit":     {"debit", "debits", "montant debit", "debit amount", "montant au debit", "depense", "depenses", "retrait", "retraits", "sortie", "sorties", "withdrawal", "withdrawals", "paid out", "money out", "out"},
	"amount credit":    {"credit", "credits", "montant credit", "credit amount", "montant au credit", "recette", "recettes", "versement", "versements", "depot", "depots", "entree", "entrees", "deposit", "deposits", "paid in", "money in", "in"},
	"amount sign":      {"sens", "d c", "c d", "dc", "cd", "debit credit", "credit debit", "dr cr", "cr dr", "signe", "sign", "indicateur debit credit", "credit debit indicator", "debit credit indicator", "debit ou credit", "soll haben"},
	"amount fee":       {"fee", "fees"},
	"currency":         {"devise", "currency", "monnaie", "ccy", "currency code", "code devise", "devise du compte", "account currency"},
	"type":             {"type", "type operation", "type d operation", "type de l operation", "type de transaction", "type transaction", "transaction type", "mode de paiement", "moyen de paiement"},
	"category":         {"category", "categorie", "sous categorie", "categories", "rubrique", "spending category"},
	"account":          {"accountnum", "account number", "account no", "numero de compte", "numero compte", "n compte", "n de compte", "no compte", "compte", "account", "iban du compte", "account id"},
	"vendorId":         {"transaction id", "id transaction", "id", "identifiant", "identifiant operation", "operation id", "numero d operation", "numero operation", "n operation", "fitid", "transaction reference", "reference de l operation", "reference operation", "reference", "ref"},
	"checkNumber":      {"numero de cheque", "n cheque", "n de cheque", "cheque", "check number", "check no", "check", "cheque number"},
	"originalAmount":   {"original amount", "amount currency", "amount foreign currency", "montant d origine", "montant en devise", "montant devise", "foreign amount", "local amount", "orig amount", "montant devise d origine"},
	"originalCurrency": {"original currency", "type foreign currency", "foreign currency", "devise d origine", "devise origine", "local currency", "orig currency"},
	" state":           {"state", "status", "statut", "etat"},
}

var roles = func() map[string]role {
	m := map[string]role{}
	for name, words := range headings {
		field, part, _ := strings.Cut(name, " ")
		for i, w := range words {
			m[w] = role{field, Part(part), len(words) - i}
		}
	}
	return m
}()

func roleOf(heading string) role {
	full := headingOf(heading)
	if r, ok := roles[full]; ok {
		return r
	}
	name, _ := withoutCurrency(full)
	return roles[name]
}

// headingOf is a heading as the lists have it: letters, digits and single
// spaces, small, without accents.
func headingOf(s string) string {
	words := strings.FieldsFunc(Fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(words, " ")
}

// withoutCurrency cuts the currency off a heading: "montant euros", "amount
// eur", "debit en euros".
func withoutCurrency(heading string) (name string, code record.Value) {
	name, last := heading, ""
	if i := strings.LastIndexByte(heading, ' '); i > 0 {
		name, last = heading[:i], heading[i+1:]
	}
	switch last {
	case "eur", "euro", "euros", "usd", "gbp", "chf", "cad":
		return strings.TrimSuffix(strings.TrimSuffix(name, " en"), " in"), currency(last)
	}
	return heading, record.Null
}

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
	full := record.Str(number)
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

// Suggest makes a first guess at how a table is read into a kind (nil for bank
// operations): what its headings say, or, without headings, what its values
// look like. Columns that say nothing are there with no field, to be filled in.
func Suggest(ctx context.Context, src *Source, kind *record.Schema) (*Mapping, error) {
	src.ctx = ctx
	if src.Head.Bytes == nil {
		if err := src.look(); err != nil {
			return nil, err
		}
	}
	if kind == nil {
		if l := layoutOf(src.Head.Text); l != nil {
			return l.mapping(src.Options), nil
		}
		kind, _ = catalogue.Kind("bank-operations")
	}
	separator := Separator(src.Head.Text)
	records := firstRecords(src.Head.Text, separator, 60)
	if len(records) == 0 {
		return nil, Why("no-table")
	}
	m := &Mapping{Kind: kind.Kind, Separator: string(separator), Schema: kind}
	if own, ok := catalogue.Kind(kind.Kind); ok && own == kind {
		m.Schema = nil
	}
	if at := headingsOf(kind, records); at >= 0 {
		m.byHeadings(kind, records[at].cells)
	} else {
		m.byValues(kind, records)
	}
	if len(m.Columns) == 0 {
		return nil, Why("no-table")
	}
	return m, nil
}

// headingsOf finds the record that has most names of fields, or failing these
// the first of the width that most have, if it has no numbers; -1 for none.
func headingsOf(kind *record.Schema, records []firstRecord) int {
	best, most, widths := -1, 0, map[int]int{}
	for i, r := range records {
		n := 0
		for _, s := range r.cells {
			if fieldNamed(kind, s) != "" {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
		widths[len(r.cells)]++
	}
	if best >= 0 {
		return best
	}
	for i, r := range records {
		if widths[len(r.cells)]*2 <= len(records) {
			continue
		}
		for _, s := range r.cells {
			if strings.ContainsAny(s, "0123456789") || s == "" {
				return -1
			}
		}
		return i
	}
	return -1
}

// fieldNamed finds the field that a heading names: by its name, or by its title
// in French or English.
func fieldNamed(kind *record.Schema, heading string) string {
	heading = headingOf(heading)
	for _, f := range kind.Fields {
		if heading != "" && (headingOf(f.Name) == heading || headingOf(f.Words["fr"].Title) == heading || headingOf(f.Words["en"].Title) == heading) {
			return f.Name
		}
	}
	return ""
}

func (m *Mapping) byHeadings(kind *record.Schema, cells []string) {
	taken, seen := map[string]bool{"": true}, map[string]bool{"": true}
	for i, s := range cells {
		c := Column{Column: s, Field: fieldNamed(kind, s)}
		if taken[c.Field] {
			c.Field = ""
		}
		if taken[c.Field] = true; seen[Fold(s)] {
			c.Column, c.Number = "", i+1
		}
		seen[Fold(s)] = true
		m.Columns = append(m.Columns, c)
	}
}

// byValues guesses from what the values look like: the first column of days is
// the time of the kind, the first of numbers its first number, the one with the
// longest texts its first text that is no category.
func (m *Mapping) byValues(kind *record.Schema, records []firstRecord) {
	widths := map[int]int{}
	for _, r := range records {
		widths[len(r.cells)]++
	}
	width := len(records[len(records)-1].cells)
	for w, n := range widths {
		if n > widths[width] {
			width = w
		}
	}
	looks := make([]record.Type, width)
	longest, at := 0, -1
	for i := range width {
		total := 0
		looks[i], total = looksLike(records, width, i)
		if looks[i] == record.Text && total > longest {
			longest, at = total, i
		}
	}
	left := map[record.Type]string{}
	for _, f := range slices.Backward(kind.Fields) {
		if !f.Category {
			left[f.Type] = f.Name
		}
	}
	if f, ok := kind.Field(kind.Time); ok {
		left[record.Day] = f.Name
	}
	for i, look := range looks {
		c := Column{Number: i + 1, Field: left[look]}
		if look == record.Text && i != at {
			c.Field = ""
		}
		if c.Field != "" {
			left[look] = ""
		}
		m.Columns = append(m.Columns, c)
	}
	for _, r := range records {
		if len(r.cells) == width {
			m.First = r.line
			break
		}
	}
}

// looksLike is what most values of a column are, and how long they are in all.
func looksLike(records []firstRecord, width, column int) (record.Type, int) {
	days, numbers, texts, length := 0, 0, 0, 0
	for _, r := range records {
		if len(r.cells) != width || r.cells[column] == "" {
			continue
		}
		s := r.cells[column]
		number, _ := cutCurrency(s)
		_, notNumber := Number(number, 0)
		switch _, notDay := Date(s, ""); {
		case notDay == nil:
			days++
		case notNumber == nil:
			numbers++
		default:
			texts++
			length += len(s)
		}
	}
	switch {
	case days > numbers+texts:
		return record.Day, 0
	case numbers > days+texts:
		return record.Decimal, 0
	case texts > 0:
		return record.Text, length
	}
	return "", 0
}

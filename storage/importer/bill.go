// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// A bill is read by the words that bills put before their figures: nothing is
// guessed. Of the pages the first counts that says a thing; when it says it in
// the same words twice and differently, the bill is refused. Figures that other
// words give otherwise (what will be taken from the account, a balance) are
// told, and the total of the bill stands.
const (
	dayPattern    = `(\d{1,2}(?:er)?[ ./-](?:\d{1,2}|\pL{3,9}\.?)[ ./-]\d{4}|\d{4}-\d{2}-\d{2}|\d{2}/\d{2}/\d{2})\b`
	amountPattern = `(?:^|[^\d.,/])(-? ?\d{1,3}(?:[ .]\d{3})+[,.]\d{2}|-? ?\d+[,.]\d{2})(?:$|[^\d.,/])`
)

var (
	aDay     = regexp.MustCompile(dayPattern)
	anAmount = regexp.MustCompile(amountPattern)

	// dateWords are what stands around the day of a bill, the surest first.
	dateWords = []*regexp.Regexp{
		regexp.MustCompile(`(?:date de (?:la |votre )?facture|date d'(?:emission|edition|etablissement)|date facture|invoice date|date of issue|facture(?: n\S* ?\S+)? (?:du|le|en date du)|avoir(?: n\S* ?\S+)? du|emise? le|etablie? le|editee? le)\W*` + dayPattern),
		regexp.MustCompile(`^(?:[\pL' -]+, ?)?le ` + dayPattern + `\.?$`),
		regexp.MustCompile(`^(?:[^d]|d[^u]|du[^ ])*\bau ` + dayPattern), // not "du … au …", which is a span
	}
	paidDay = regexp.MustCompile(`(?:date limite de paiement|prelevement a partir du|preleve\w*(?: le| au)?|payer avant le|paiement (?:avant )?le|echeance(?: le)?|due date|payable (?:le|by))\W*` + dayPattern)

	// What stands before a total: of the bill, of what is to be paid, of what is
	// taken from an account.
	totalWords = regexp.MustCompile(`total (?:general |facture |de la facture |a payer )?(?:t\.?t\.?c|toutes taxes)|montant (?:total )?(?:de la |de votre )?(?:facture )?t\.?t\.?c|total (?:de (?:la|votre) )?facture|montant total|facture ttc|invoice total|grand total`)
	dueWords   = regexp.MustCompile(`(?:net|somme|total|montant|reste|solde) a (?:payer|regler)|amount due|balance due|total due`)
	takenWords = regexp.MustCompile(`montant preleve|montant du prelevement|\bsera prelevee?\b`)
	notTotal   = regexp.MustCompile(`hors tva|hors taxe|soumis a|\btva\b.*%|peut differer|remboursement`)

	billNumber = regexp.MustCompile(`(?i)(?:facture\s*n[°ºo]\.?|n[°ºo]\s*(?:de\s+)?(?:la\s+)?facture|num[ée]ro\s+de\s+facture|invoice\s+(?:no\.?|number))\s*[:\s]*([A-Z0-9][A-Z0-9/_.-]{3,})`)
	creditNote = regexp.MustCompile(`\bavoir n|facture d'avoir|note de credit|\bcredit note\b`)

	// frenchBill are words that no English bill has: its days have the day first.
	frenchBill = regexp.MustCompile(`\b(?:factures?|facturation|montant|prelev\w+|echeance|t\.?t\.?c|toutes taxes|hors taxes?|a (?:payer|regler)|emise? le|virements?|remboursements?|janvier|fevrier|avril|juin|juillet|aout|septembre|octobre|novembre|decembre)\b`)

	refundPaid   = regexp.MustCompile(`^(?:somme|montant) (?:viree?|versee?|remboursee?)\b.*?\ble ` + dayPattern)
	refundDetail = regexp.MustCompile(`^` + dayPattern + `\t([^\t]*\pL[^\t]*)\t`)
	refundTotal  = regexp.MustCompile(`total de vos remboursements`)
)

// paper is what a page says: its lines as they are, and folded column by column
// to be compared.
type paper struct{ lines, folded []string }

func paperOf(page []string) paper {
	p := paper{lines: page}
	for _, line := range page {
		columns := strings.Split(line, "\t")
		for i := range columns {
			columns[i] = Fold(columns[i])
		}
		p.folded = append(p.folded, strings.Join(columns, "\t"))
	}
	return p
}

func readBill(pages [][]string, o Options, to *Sink) error {
	var papers []paper
	for _, page := range pages {
		papers = append(papers, paperOf(page))
	}
	var err error
	if o.Dates, err = billOrder(papers, o); err != nil {
		return err
	}
	date, err := billDate(papers, o)
	if err != nil {
		return err
	}
	if date.IsNull() {
		return Why("bill-no-date")
	}
	b := &bill{pages: papers, options: o, date: date, vendor: vendorOf(papers[0])}
	if b.currency, err = b.theCurrency(); err != nil {
		return err
	}
	if slices.ContainsFunc(papers[0].folded, refundPaid.MatchString) {
		return b.refunds(papers[0], to)
	}
	return b.one(to)
}

// billOrder is the order of day and month on a bill: what the user said, that of
// French where its words are French, else what its days tell. Where they leave
// it open and the days that would be kept depend on it, the user is asked.
func billOrder(papers []paper, o Options) (string, error) {
	var votes dateVotes
	for _, p := range papers {
		for _, line := range p.folded {
			if frenchBill.MatchString(line) && o.Dates == "" {
				o.Dates = "dmy"
			}
			for _, day := range aDay.FindAllString(line, -1) {
				votes.see(day)
			}
		}
	}
	order, err := votes.order(o.Dates)
	if err != nil && slices.Equal(billDays(papers, "dmy"), billDays(papers, "mdy")) {
		return "dmy", nil
	}
	return order, err
}

// billDays are the days that a bill would be kept with, read in one order.
func billDays(papers []paper, order string) (list []record.Value) {
	o := Options{Dates: order}
	date, _ := billDate(papers, o)
	list = append(list, date)
	for _, p := range papers {
		list = append(list, daysAfter(p.folded, paidDay, o)...)
	}
	return list
}

// billDate is the day of the bill, by the surest words on the first page that
// has any.
func billDate(papers []paper, o Options) (record.Value, error) {
	for _, p := range papers {
		for _, words := range dateWords {
			v, other := theOne(daysAfter(p.folded, words, o))
			if !other.IsNull() {
				return record.Null, Why("bill-dates", "one", v.String(), "other", other.String())
			}
			if !v.IsNull() {
				return v, nil
			}
		}
	}
	return record.Null, nil
}

// daysAfter are the days that the words stand before, in any column.
func daysAfter(lines []string, words *regexp.Regexp, o Options) (list []record.Value) {
	for _, line := range lines {
		for _, part := range append(strings.Split(line, "\t"), line) {
			for _, m := range words.FindAllStringSubmatch(part, -1) {
				if v, err := Date(m[1], o.Dates); err == nil {
					list = append(list, v)
				}
			}
		}
	}
	return list
}

// theOne is the value that all have; other is one that differs from it.
func theOne(list []record.Value) (v, other record.Value) {
	for i, w := range list {
		switch {
		case i == 0:
			v = w
		case v != w:
			return v, w
		}
	}
	return v, record.Null
}

// bill is one that is being read.
type bill struct {
	pages    []paper
	options  Options
	date     record.Value
	vendor   vendor
	currency record.Value
}

var currencySigns = map[string]*regexp.Regexp{
	"EUR": regexp.MustCompile(`€|\beur(?:os?)?\b`), "CHF": regexp.MustCompile(`\bchf\b`), "GBP": regexp.MustCompile(`£|\bgbp\b`), "USD": regexp.MustCompile(`\$|\busd\b`),
}

// theCurrency is the one whose sign is on the first page; of several, or none,
// what the user said.
func (b *bill) theCurrency() (record.Value, error) {
	found := ""
	text := strings.Join(b.pages[0].folded, "\n")
	for _, code := range slices.Sorted(maps.Keys(currencySigns)) {
		if !currencySigns[code].MatchString(text) {
			continue
		}
		if found != "" && b.options.Currency == "" {
			return record.Null, Why("bill-currencies", "one", found, "other", code)
		}
		found = code
	}
	if b.options.Currency != "" {
		found = b.options.Currency
	}
	return record.Str(found), nil
}

// amountsOf are the amounts of a line, days left out.
func amountsOf(line string) (list []record.Value) {
	line = aDay.ReplaceAllString(line, "\t")
	for rest := line; ; {
		m := anAmount.FindStringSubmatchIndex(rest)
		if m == nil {
			return list
		}
		if v, err := Number(strings.ReplaceAll(rest[m[2]:m[3]], " ", ""), 0); err == nil {
			list = append(list, v)
		}
		rest = rest[m[3]:]
	}
}

// totals are the last amounts of the lines with such words, or of the line
// behind when that holds nothing but an amount.
func (p paper) totals(words *regexp.Regexp) (list []record.Value) {
	for i, line := range p.folded {
		spaced := strings.ReplaceAll(line, "\t", " ") // letters set wide look like columns
		if !words.MatchString(spaced) || notTotal.MatchString(spaced) {
			continue
		}
		found := amountsOf(line)
		if len(found) == 0 && i+1 < len(p.folded) && !strings.ContainsFunc(currencyWords.ReplaceAllString(p.folded[i+1], ""), isLetter) {
			found = amountsOf(p.folded[i+1])
		}
		if len(found) > 0 {
			list = append(list, found[len(found)-1])
		}
	}
	return list
}

var currencyWords = regexp.MustCompile(`\b(?:eur|euros?|chf|ttc)\b`)

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' }

// one gives the row of an ordinary bill.
func (b *bill) one(to *Sink) error {
	for _, p := range b.pages {
		total, another := theOne(p.totals(totalWords))
		due, anotherDue := theOne(p.totals(dueWords))
		if !another.IsNull() {
			return Why("bill-totals", "one", total.String(), "other", another.String())
		}
		if !anotherDue.IsNull() {
			return Why("bill-totals", "one", due.String(), "other", anotherDue.String())
		}
		taken := p.totals(takenWords)
		amount := firstValue(append([]record.Value{total, due}, taken...)...)
		if amount.IsNull() {
			continue
		}
		for _, v := range append(taken, due) {
			if !v.IsNull() && v != amount {
				to.Warn(Why("bill-other-total", "total", amount.String(), "other", v.String()))
			}
		}
		return b.add(to, p, amount, firstValue(append([]record.Value{due}, taken...)...))
	}
	return Why("bill-no-total")
}

func firstValue(list ...record.Value) record.Value {
	for _, v := range list {
		if !v.IsNull() {
			return v
		}
	}
	return record.Null
}

func (b *bill) add(to *Sink, p paper, amount, due record.Value) error {
	credit := slices.ContainsFunc(p.folded, creditNote.MatchString)
	if n, scale := amount.Unscaled(); credit && n < 0 {
		amount = record.Dec(-n, scale)
	}
	paid := alone(daysAfter(p.folded, paidDay, b.options))
	rows := to.Rows("bills", "vendor", "vendorRef", "date", "amount", "currency", "isRefund", "dueDate", "amountDue", "type")
	return rows.Add(1, record.Str(b.vendor.name), b.number(p), b.date, amount, b.currency, record.Bool(credit), paid, due, record.Str(b.vendor.kind))
}

// number is the number of the bill, when the page has one alone.
func (b *bill) number(p paper) record.Value {
	var list []record.Value
	for _, line := range p.lines {
		for _, m := range billNumber.FindAllStringSubmatch(line, -1) {
			list = append(list, record.Str(m[1]))
		}
	}
	return alone(list)
}

// alone is the value that all have, or null.
func alone(list []record.Value) record.Value {
	if v, other := theOne(list); other.IsNull() {
		return v
	}
	return record.Null
}

// refund is a line of a statement of refunds.
type refund struct {
	date     record.Value // of what is refunded
	title    string
	original record.Value
	amount   record.Value
}

// refunds gives the rows of a statement of refunds: each transfer, and what it
// refunds. A transfer of more than a year before the statement belongs to
// another one and is rejected.
func (b *bill) refunds(p paper, to *Sink) error {
	rows := to.Rows("bills", "vendor", "date", "amount", "currency", "isRefund", "dueDate", "groupAmount", "originalDate", "originalAmount", "title", "type")
	var parts []refund
	sum, stated := new(big.Rat), record.Null
	for i, line := range p.folded {
		found := amountsOf(line)
		if len(found) == 0 {
			continue
		}
		last := found[len(found)-1]
		paid := daysAfter(p.folded[i:i+1], refundPaid, b.options)
		switch {
		case refundTotal.MatchString(line):
			stated = last
		case len(paid) > 0:
			sum.Add(sum, ratOf(last))
			if b.date.Days()-paid[0].Days() > 366 {
				to.Reject(i+1, Why("bill-refund-old", "paid", paid[0].String(), "statement", b.date.String(), "amount", last.String()))
			} else if err := b.refund(rows, i+1, paid[0], last, parts); err != nil {
				return err
			}
			parts = nil
		default:
			parts = append(parts, partOf(p.lines[i], found, b.options)...)
		}
	}
	if !stated.IsNull() && ratOf(stated).Cmp(sum) != 0 {
		to.Warn(Why("bill-other-total", "total", decimalOf(sum), "other", stated.String()))
	}
	return nil
}

// partOf reads "06/02/2019 ⇥ Consultation ⇥ 25,00 ⇥ … ⇥ 7,50".
func partOf(line string, found []record.Value, o Options) []refund {
	m := refundDetail.FindStringSubmatch(line)
	if m == nil || len(found) < 2 {
		return nil
	}
	date, err := Date(m[1], o.Dates)
	if err != nil {
		return nil
	}
	return []refund{{date, m[2], found[0], found[len(found)-1]}}
}

// refund gives the parts of a transfer when they add up to it, or else the
// transfer as a whole.
func (b *bill) refund(rows *Rows, line int, paid, amount record.Value, parts []refund) error {
	sum := new(big.Rat)
	for _, part := range parts {
		sum.Add(sum, ratOf(part.amount))
	}
	if len(parts) == 0 || sum.Cmp(ratOf(amount)) != 0 {
		parts = []refund{{amount: amount}}
	}
	for _, part := range parts {
		err := rows.Add(line, record.Str(b.vendor.name), b.date, part.amount, b.currency, record.Bool(true), paid, amount,
			part.date, part.original, record.Str(part.title), record.Str(b.vendor.kind))
		if err != nil {
			return err
		}
	}
	return nil
}

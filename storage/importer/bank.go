// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/traboule/traboule/storage/record"
)

// operation is one row of the kind bank-operations.
type operation struct {
	account, date, label, amount, currency, kind, category record.Value
	valueDate, realised, counterparty, memo, checkNumber   record.Value
	originalAmount, originalCurrency, vendorID, fullLabel  record.Value
	dateOperation, typeID                                  record.Value
}

var operationFields = []string{
	"account", "date", "label", "amount", "currency", "type", "category", "valueDate", "realisationDate",
	"counterparty", "memo", "checkNumber", "originalAmount", "originalCurrency", "vendorId", "originalBankLabel", "dateOperation", "typeId",
}

// places are the values in the order of operationFields.
func (o *operation) places() []*record.Value {
	return []*record.Value{
		&o.account, &o.date, &o.label, &o.amount, &o.currency, &o.kind, &o.category, &o.valueDate, &o.realised,
		&o.counterparty, &o.memo, &o.checkNumber, &o.originalAmount, &o.originalCurrency, &o.vendorID, &o.fullLabel, &o.dateOperation, &o.typeID,
	}
}

// account is one row of the kind bank-accounts.
type account struct {
	account, label, institution, kind, number, iban, balance, balanceDate, currency record.Value
}

var accountFields = []string{"account", "label", "institutionLabel", "type", "number", "iban", "balance", "balanceDate", "currency"}

// named says which account it is. What its number is shortened to is what its
// operations say, so that they can be shown without it.
func (a *account) named(number string) {
	number = Plain(number)
	a.account = shortened(number)
	if packed := strings.ReplaceAll(number, " ", ""); isIBAN(packed) {
		a.iban = record.Str(packed)
	} else {
		a.number = record.Str(number)
	}
}

// bank takes the rows of one bank file.
type bank struct {
	to         *Sink
	operations *Rows
	accounts   *Rows
	currency   record.Value // of amounts whose file names none
}

// maxStatement is the largest statement that is read, in bytes: a million
// movements, and more.
const maxStatement = 256 << 20

// statementSize refuses what is too large to be one before much of it is read.
func statementSize(src *Source) error {
	if src.Head.Size > maxStatement {
		return tooLarge(maxStatement)
	}
	return nil
}

func newBank(o Options, to *Sink) *bank {
	return &bank{
		to: to, currency: currency(o.Currency),
		operations: to.Rows("bank-operations", operationFields...),
		accounts:   to.Rows("bank-accounts", accountFields...),
	}
}

func (b *bank) operation(line int, o *operation) error {
	if o.currency.IsNull() {
		o.currency = b.currency
	}
	if o.originalCurrency == o.currency || o.originalAmount.IsNull() {
		o.originalAmount, o.originalCurrency = record.Null, record.Null
	}
	for _, p := range []*record.Value{&o.label, &o.memo, &o.counterparty, &o.fullLabel} {
		*p = record.Str(strings.Join(strings.Fields(p.String()), " "))
	}
	if o.memo == o.label || o.memo == o.fullLabel {
		o.memo = record.Null
	}
	values := make([]record.Value, len(operationFields))
	for i, p := range o.places() {
		values[i] = *p
		if v := *p; v.Type() == record.Text && len(v.String()) > maxBankText {
			b.to.Reject(line, Why("text-too-long", "limit", itoa(maxBankText)))
			return nil
		}
	}
	if Health(o.label.String()) || Health(o.memo.String()) || Health(o.counterparty.String()) {
		b.to.Warn(Why("bank-health"))
	}
	return b.operations.Add(line, values...)
}

// maxBankText is the longest text of an operation in bytes; the longest that
// standards know, CAMT's, has 500 characters.
const maxBankText = 4 << 10

func (b *bank) account(line int, a *account) error {
	if a.currency.IsNull() && !a.balance.IsNull() {
		a.currency = b.currency
	}
	return b.accounts.Add(line, a.account, a.label, a.institution, a.kind, a.number, a.iban, a.balance, a.balanceDate, a.currency)
}

// currency is a code of ISO 4217, or null for what is none.
func currency(s string) record.Value {
	s = strings.ToUpper(Plain(s))
	switch s {
	case "€", "EURO", "EUROS":
		s = "EUR"
	case "$":
		s = "USD"
	case "£":
		s = "GBP"
	}
	if len(s) != 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return record.Null
	}
	return record.Str(s)
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func isCurrency(s string) bool { return currencyCode.MatchString(s) }

// cutCurrency takes the currency off a number: "12,50 €", "EUR 12.50".
func cutCurrency(s string) (number string, code record.Value) {
	s = Plain(s)
	digit := func(r rune) bool { return unicode.IsDigit(r) || strings.ContainsRune("+-−–.,()", r) }
	first, last := strings.IndexFunc(s, digit), strings.LastIndexFunc(s, digit)
	if first < 0 {
		return s, record.Null
	}
	before, after := strings.TrimSpace(s[:first]), strings.TrimSpace(s[last:])
	after = strings.TrimLeftFunc(after, digit)
	if code = currency(before); !code.IsNull() {
		return Plain(s[first:]), code
	}
	if code = currency(after); !code.IsNull() {
		return Plain(strings.TrimSuffix(s, after)), code
	}
	return s, record.Null
}

// shortened is the end of an account's number, or a name that has none.
func shortened(number string) record.Value {
	kept, digits := []rune{}, 0
	for _, r := range number {
		if unicode.IsDigit(r) {
			digits++
		}
		if unicode.IsDigit(r) || unicode.IsLetter(r) {
			kept = append(kept, r)
		}
	}
	masked := strings.ContainsAny(number, "*•…") || strings.Contains(strings.ToUpper(number), "XXX")
	if (digits < 5 && !masked) || len(kept) <= 4 && !masked {
		return record.Str(number)
	}
	return record.Str("…" + string(kept[max(0, len(kept)-4):]))
}

// isIBAN checks the two digits of an IBAN (ISO 13616).
func isIBAN(s string) bool {
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	rest := 0
	for i := range len(s) {
		c := s[(i+4)%len(s)]
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

// reference is what the bank calls a row, or null for what only fills the field.
func reference(s string) record.Value {
	s = Plain(s)
	if strings.Trim(s, "0-*.") == "" {
		return record.Null
	}
	switch strings.ToUpper(s) {
	case "NONREF", "NOTPROVIDED", "NONE", "NULL", "N/A", "UNKNOWN":
		return record.Null
	}
	return record.Str(s)
}

// healthWords are words of labels that tell of health: insurers, carers, shops.
// In French statements such lines make the whole special-category data (GDPR,
// article 9).
var healthWords = wordSet(`cpam cnam ameli secu mgen mgefi mutuelle mutuelles harmonie malakoff humanis almerys viamedis sante santeclair
	pharmacie pharmacies pharma parapharmacie docteur medecin medecins medical medicale dentiste dentaire orthodontiste ophtalmo ophtalmologue
	ophtalmologie opticien optique optic kine kinesitherapeute osteopathe psychologue psychiatre psychotherapeute gynecologue dermatologue
	cardiologue pediatre sagefemme infirmier infirmiere orthophoniste podologue radiologie imagerie irm laboratoire biologie hopital hopitaux
	clinique chu chru aphp ehpad centre-medical cpm health hospital pharmacy doctor dentist clinic optician physio medicare medicaid nhs`)

var healthPhrases = []string{" assurance maladie ", " caisse primaire ", " centre ophtalm", " sage femme ", " securite sociale ", " selarl dr ", " ap hp ", " laboratoire d analyse"}

// Health says whether a label tells of health. It errs towards yes.
func Health(label string) bool {
	words := strings.FieldsFunc(Fold(label), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if healthWords[w] || w == "dr" && (i == 0 || len(words) > i+1) || strings.HasPrefix(w, "ophtalm") {
			return true
		}
	}
	text := " " + strings.Join(words, " ") + " "
	for _, p := range healthPhrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

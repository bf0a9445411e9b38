// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
	"unicode"

	"github.com/traboule/traboule/storage/record"
)

// headings says what columns are, the surest heading of a field first.
var headings = map[string][]string{
	"date": {
		"date comptable", "date de comptabilisation", "date comptabilisation", "date d enregistrement", "booking date", "bookingdate", "posting date", "posted date", "post date", "date posted", "completed date", "date completed", "date de fin", "buchungstag",
		"date", "dateop", "date op", "date operation", "date d operation", "date de l operation", "date oper", "operation date", "dt ope", "dt operation", "date ecriture", "date de l ecriture", "jour", "day", "datum",
		"transaction date", "trans date", "date transaction", "date de transaction", "date de la transaction", "started date", "date de debut", "date d achat", "date achat", "purchase date", "date utc", "created on",
	},
	"valueDate": {"date de valeur", "date de la valeur", "date valeur", "dt val", "dt valeur", "dateval", "date val", "valeur", "value date", "valuta", "effective date"},
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
	"amount fee":       {"fee", "fees", "frais"},
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

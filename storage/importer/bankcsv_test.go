// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"strings"
	"testing"
)

// latin is a text in Windows-1252.
func latin(s string) string {
	var b []byte
	for _, r := range s {
		if r == '€' {
			r = 0x80
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// The layouts are those of banks; what is in them is made up.
func TestBankTables(t *testing.T) {
	readStatements(t, "bank-csv", []statement{
		{name: "mark, other decimals beside, an account's balance", in: "\ufeffdateOp;dateVal;label;category;categoryParent;supplierFound;amount;comment;accountNum;accountLabel;accountbalance\r\n" +
			"2026-09-12;2026-09-13;\"CARTE 11/09/26 SHOP\";\"Alimentation\";\"Vie\";\"shop\";-1 023,45;\"mine\";00012345;Compte;1234.56\r\n",
			want:     []string{`"date":"2026-09-12" | "valueDate":"2026-09-13" | "label":"CARTE 11/09/26 SHOP" | "category":"Alimentation" | "amount":-1023.45 | "memo":"mine" | "account":"…2345" | "currency":"EUR" | "counterparty":"shop"`},
			accounts: []string{`"number":"00012345" | "account":"…2345" | !"balance"`}},
		{name: "debit without a sign, and twice the same", in: "Date;Date de valeur;Débit;Crédit;Libellé;Solde\n06/08/2026;07/08/2026;;735,00;VIR;850,00\n25/08/2026;06/08/2026;105,00;;CB;115,00\n25/08/2026;06/08/2026;105,00;;CB;10,00\n",
			want: []string{`"amount":735 | "date":"2026-08-06" | "valueDate":"2026-08-07"`, `"amount":-105 | "label":"CB"`, `"amount":-105 | "label":"CB"`}},
		{name: "debit with a sign, no-break spaces, Latin-1", in: latin("Date;Date de valeur;Débit;Crédit;Libellé;Solde\n25/09/2026;01/09/2026;-1\u00a0234,56;;PRÉL;8\u00a0765,44\n25/09/2026;02/09/2026;;2\u00a0500,00;VIR;11\u00a0265,44\n"),
			want: []string{`"amount":-1234.56 | "label":"PRÉL"`, `"amount":2500`}},
		{name: "a closing separator, Fortuneo", in: "Date opération;Date valeur;libellé;Débit;Crédit;\n18/11/2019;18/11/2019;CARTE;-2;;\n18/11/2019;18/11/2019;VIR;;255,1;\n", want: []string{`"amount":-2`, `"amount":255.1`}},
		{name: "lines before, lines in a cell, Crédit Agricole", in: latin("Téléchargement du 13/03/2026;\n\nM. X\nCompte de Dépôt carte n° 12345678901;\nSolde au 13/03/2026 1 234,56 €\n\nListe des opérations du compte entre le 01/01/2026 et le 13/03/2026;\n\nDate;Libellé;Débit Euros;Crédit Euros;\n13/03/2026;\"PAIEMENT PAR CARTE          \nX1234 LIDL \";23,40;;\n"),
			want: []string{`"label":"PAIEMENT PAR CARTE X1234 LIDL" | "amount":-23.4 | "currency":"EUR" | "account":"…8901"`}, accounts: []string{`"number":"12345678901"`}},
		{name: "names before, La Banque Postale", in: "Numéro Compte   :;0984209Z024\nType            :;CCP\nCompte tenu en  :;euros\nDate            :;12/07/2026\nSolde (EUROS)   :;1234,56\nSolde (FRANCS)  :;8098,18\n\nDate;Libellé;Montant(EUROS);Montant(FRANCS)\n10/07/2026;\"PRELEVEMENT DE EDF\";-45,67;-299,58\n19/07/2026;VIREMENT;+123,45;809,78\n",
			want: []string{`"amount":-45.67 | "currency":"EUR" | "account":"…Z024"`, `"amount":123.45`}},
		{name: "the same with tabulators", in: "Numéro Compte\t0984209Z024\nType\tCCP\nCompte tenu en  \teuros\n\nDate\tLibellé\tMontant(EUROS)\n15/07/2026\tEDF\t-45,67\n", want: []string{`"amount":-45.67 | "account":"…Z024"`}},
		{name: "a formula for a number, Société Générale", in: "=\"0234500012345678\";21/11/2025;19/02/2026;36;19/02/2026;1234,37 EUR\n\nDate de l'opération;Libellé;Détail de l'écriture;Montant de l'opération;Devise\n19/02/2026;VIR RECU 508160;VIR RECU 508160 DE: X ;50,00;EUR\n18/02/2026;COTISATION;COTISATION ;-8,10;EUR\n",
			want: []string{`"amount":50 | "account":"…5678" | "label":"VIR RECU 508160" | "memo":"VIR RECU 508160 DE: X" | "currency":"EUR"`, `"amount":-8.1 | !"memo"`}},
		{name: "thirteen columns, Caisse d'Epargne", in: "Date de comptabilisation;Libelle simplifie;Libelle operation;Reference;Informations complementaires;Type operation;Categorie;Sous categorie;Debit;Credit;Date operation;Date de valeur;Pointage operation\n" +
			"01/09/2026;CB SHOP;CARTE 31/08 SHOP;REF1;;Carte bancaire;Alimentation;Supermarche;-50,10;;31/08/2026;01/09/2026;0\n",
			want: []string{`"date":"2026-09-01" | "realisationDate":"2026-08-31" | "label":"CB SHOP" | "memo":"CARTE 31/08 SHOP" | "vendorId":"REF1" | "type":"Carte bancaire" | "category":"Alimentation" | "amount":-50.1`}},
		{name: "its elder, with balances below", in: "Code de la banque : 12345;Code de l'agence : 678;Date de début de téléchargement : 01/01/2026;;\nNuméro de compte : 04012345678;Nom du compte : COMPTE;Devise : EUR;;\n\nSolde en fin de période;;;;1234,56\nDate;Numéro d'opération;Libellé;Débit;Crédit;Détail;\n13/01/26;A1;CB;-1,00;;x;\nSolde en début de période;;;;1235,56\n",
			want: []string{`"amount":-1 | "vendorId":"A1" | "currency":"EUR" | "account":"…5678" | "memo":"x"`}},
		{name: "stars, BNP", in: "Compte de chèques;Compte de chèques;****1234;13/03/2026;;1 234,56\nDate operation;Libelle court;Type operation;Libelle operation;Montant operation en euro\n13/03/2026;;CARTE;FACTURE CARTE DU 120326 SHOP;-12,50\n",
			want: []string{`"amount":-12.5 | "account":"…1234" | "label":"FACTURE CARTE DU 120326 SHOP" | "currency":"EUR" | "type":"CARTE"`}},
		{name: "times, fees and states, Revolut", in: "Type,Product,Started Date,Completed Date,Description,Amount,Fee,Currency,State,Balance\nCARD_PAYMENT,Current,2026-05-02 10:15:00,2026-05-03 12:00:00,Music,-9.99,0.01,EUR,COMPLETED,490.01\nCARD_PAYMENT,Current,2026-05-03 10:15:00,,Shop,-12.50,0.00,USD,PENDING,\n",
			want: []string{`"date":"2026-05-03" | "realisationDate":"2026-05-02" | "amount":-10 | "currency":"EUR"`}, rejected: []string{"3 not-booked"}},
		{name: "the same in French", in: "Type,Produit,Date de début,Date de fin,Description,Montant,Frais,Devise,État,Solde\nPaiement,Actuel,2026-05-02 10:15:00,2026-05-03 12:00:00,Musique,-9.99,0.01,EUR,TERMINÉ,490.01\n", want: []string{`"date":"2026-05-03" | "amount":-10`}},
		{name: "another currency, N26", in: "\"Booking Date\",\"Value Date\",\"Partner Name\",\"Partner Iban\",Type,\"Payment Reference\",\"Account Name\",\"Amount (EUR)\",\"Original Amount\",\"Original Currency\",\"Exchange Rate\"\n2026-05-03,2026-05-04,Café,FR1420041010050500013M02606,Presentment,,Main,-9.5,-10,CHF,1.05\n",
			want: []string{`"amount":-9.5 | "currency":"EUR" | "originalAmount":-10 | "originalCurrency":"CHF" | "label":"Café" | !"2606" | !"counterparty"`}},
		{name: "the sign in a column", in: "Date,Libelle,Montant,Sens\n13/01/2026,A,\"1.234,56\",D\n13/01/2026,B,\"-2,00\",C\n13/01/2026,C,\"2,00\",?\n", want: []string{`"amount":-1234.56`, `"amount":2`}, rejected: []string{"4 value"}},
		{name: "comma in one column, point in another", in: "Date;Libellé;Débit;Crédit\n13/01/2026;A;1.500,00;\n13/01/2026;B;;2,500.00\n", want: []string{`"amount":-1500`, `"amount":2500`}},
		{name: "thousands that another column tells", in: "Date;Libellé;Débit;Crédit\n13/01/2026;A;1.500;\n13/01/2026;B;;2,50\n", want: []string{`"amount":-1500`, `"amount":2.5`}},
		{name: "thousands or decimals", in: "Date;Libellé;Montant\n13/01/2026;A;1.500\n", refused: "decimals-open"},
		{name: "months in words, and money signs", in: "Date,Description,Amount\n04 Nov 2009,A,$1.50\n\"1er févr. 2026\",B,\"(12.50)\"\n5 août 2026,C,12.00-\n", want: []string{`"date":"2009-11-04" | "amount":1.5 | "currency":"USD"`, `"date":"2026-02-01" | "amount":-12.5`, `"date":"2026-08-05" | "amount":-12`}},
		{name: "day or month", in: "Date,Description,Amount\n03/04/2026,A,1.50\n", refused: "dates-open"},
		{name: "day or month, said", in: "Date,Description,Amount\n03/04/2026,A,1.50\n", o: Options{Dates: "mdy", Account: "PEL", Currency: "EUR"}, want: []string{`"date":"2026-03-04" | "account":"PEL" | "currency":"EUR"`}},
		{name: "bad rows, remarks, headings again", in: "Date;Libellé;Montant;Solde\n13/01/2026;A;1,50;\nxx12;B;1,00;\n13/01/2026;C;;\n13/01/2026;D;1,5x;\n31/09/2026;E;1,00;\n13/01/2026;F;1,00;;;zu viel\n;;;\nTotal;;2,50;\nDate;Libellé;Montant;Solde\n13/01/2026;Solde initial;;12,00\nFin du relevé\n",
			want: []string{`"amount":1.5`}, rejected: []string{"3 date", "4 missing", "5 number", "6 no-such-day", "7 columns"}},
		{name: "formulas stay text", in: "Date;Libellé;Montant\n13/01/2026;=1+1;1,50\n13/01/2026;\"=HYPERLINK(\"\"x\"\")\";1,50\n", want: []string{`"label":"=1+1"`, `"label":"=HYPERLINK(\"x\")"`}},
		{name: "UTF-16", in: "\xff\xfe" + strings.Join(strings.Split("Date;Label;Amount\n13/01/2026;A;1,50\n", ""), "\x00") + "\x00", want: []string{`"amount":1.5`}},
		{name: "health", in: "Date;Libellé;Montant\n13/01/2026;VIR CPAM;1,50\n13/01/2026;HARMONIE MUTUELLE;1,50\n", want: []string{`"amount":1.5`, `"amount":1.5`}, warned: []string{"bank-health"}},
		{name: "shares", in: "Date opération;Date valeur;Opération;Valeur;Code ISIN;Montant;Quantité;Cours\n13/01/2026;13/01/2026;ACHAT;X;FR00;-1,5;1;1,5\n", refused: "investment"},
		{name: "no headings", in: "13/01/2026;CARTE;-1,50\n14/01/2026;CARTE;-1,50\n", refused: "unknown-format"},
		{name: "a timetable of something else", in: "Date;Heure;Valeur\n13/01/2026;10:00;12\n", refused: "unknown-format"},
		{name: "a quote that never ends", in: "Date;Libellé;Montant\n13/01/2026;\"A;1,50\n" + strings.Repeat("14/01/2026;B;1,50\n", 200_000), refused: "line-too-long"},
	})
}

// What the headings leave open, a mapping that was suggested and changed tells.
func TestSuggestedMappingReads(t *testing.T) {
	in := "13/01/2026;CARTE DU 12/01;-1,50;EUR\n14/01/2026;VIR;2,00;EUR\n"
	m, err := Suggest(context.Background(), Content("x", []byte(in), Options{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "kind": "bank-operations",
  "separator": ";",
  "first": 1,
  "columns": [
    {
      "number": 1,
      "field": "date"
    },
    {
      "number": 2,
      "field": "label"
    },
    {
      "number": 3,
      "field": "amount"
    },
    {
      "number": 4,
      "field": ""
    }
  ]
}
`
	if string(m.Document()) != want {
		t.Fatalf("%s", m.Document())
	}
	m, err = ParseMapping([]byte(strings.Replace(want, `"field": ""`, `"field": "currency"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	r, rows := takeAll(t, in, Options{Map: m})
	if r.Refused != nil || r.Format != "csv-mapped" {
		t.Fatal(r.Format, r.Refused)
	}
	has(t, rows["bank-operations"], []string{`"date":"2026-01-13" | "amount":-1.5 | "currency":"EUR" | "label":"CARTE DU 12/01"`, `"amount":2`})
	m.Negate = true
	_, rows = takeAll(t, in, Options{Map: m})
	has(t, rows["bank-operations"], []string{`"amount":1.5`, `"amount":-2`})

	m, err = Suggest(context.Background(), Content("x", []byte("Date;Libellé;Débit;Crédit;Solde\n"), Options{}), nil)
	if err != nil || len(m.Columns) != 5 || m.Columns[2].Part != Debit || m.Columns[4].Field != "" {
		t.Errorf("of headings: %v %s", err, m.Document())
	}
}

func FuzzBankCSV(f *testing.F) {
	f.Add([]byte("Date;Libellé;Débit;Crédit;Solde\n13/01/2026;A;1,5;;2.5\nSolde;;;\n"))
	f.Add([]byte("Numéro Compte :;0984209Z024\n\nDate,Description,Amount (EUR),D/C,Fee,State\n04 Nov 2009,\"A\",1.500,C,1,ok\n"))
	fuzzBank(f, "bank-csv", Options{Dates: "dmy"})
}

func FuzzSuggest(f *testing.F) {
	f.Add([]byte("13/01/2026;CARTE;-1,50\n14/01/2026;VIR;2,00\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Suggest(context.Background(), Content("x", b, Options{Dates: "dmy"}), nil)
		if err != nil {
			return
		}
		again, err := ParseMapping(m.Document())
		if err != nil {
			t.Fatalf("suggested, and not to be read: %v\n%s", err, m.Document())
		}
		takeAll(t, string(b), Options{Map: again, Dates: "dmy"})
	})
}

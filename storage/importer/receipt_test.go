// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
	"testing"

	"github.com/traboule/traboule/storage/record"
)

func TestReceipts(t *testing.T) {
	tests := []struct {
		name, in string
		o        Options
		want     []string
	}{
		{"a French table", "Magasin;Date;Libellé;EAN;Qté;Unité;Prix unitaire (€);Montant\nÉpicerie;21/11/2026;Lait;3017620422003;2;L;1,15 €;2,30 €\nÉpicerie;21/11/2026;Pommes;;0,532;kg;2,99 €;\n", Options{},
			[]string{"receipts store=Épicerie date=2026-11-21 label=Lait gtin=3017620422003 quantity=2 unit=LTR price=1.15 total=2.3 currency=EUR",
				"receipts store=Épicerie date=2026-11-21 label=Pommes quantity=0.532 unit=KGM price=2.99 total=1.59068 currency=EUR"}},
		{"an English table, of two equal lines", "label,gtin,quantity,unit,price\nMilk,3017620422003,1,pc,1.15\nMilk,3017620422003,1,pc,1.15\n", Options{Currency: "GBP"},
			[]string{"receipts label=Milk gtin=3017620422003 quantity=1 unit=C62 price=1.15 total=1.15 currency=GBP", "receipts label=Milk gtin=3017620422003 quantity=1 unit=C62 price=1.15 total=1.15 currency=GBP"}},
		{"bad lines", "label,gtin,quantity,price\nMilk,3017620422004,1,1.15\n,3017620422003,1,1.15\nSalt,3.01762E+12,1,1.15\nEggs,,six,1.15\nTea,96385074,1,2\n", Options{},
			[]string{"receipts label=Tea gtin=96385074 quantity=1 price=2 total=2", "rejected 2: gtin", "rejected 3: receipt-no-label", "rejected 4: gtin", "rejected 5: number"}},
		{"a text longer than a row may have", "label,gtin,category\nTea,96385074,x\n" + strings.Repeat("a", record.MaxText-1) + " b,96385074,x\n", Options{}, []string{"receipts label=Tea gtin=96385074 category=x", "rejected 3: text-too-long"}},
		{"the order is told by a later date", "label,gtin,date\nTea,96385074,04/03/2026\nTea,96385074,04/13/2026\n", Options{}, []string{"receipts date=2026-04-03 label=Tea gtin=96385074", "receipts date=2026-04-13 label=Tea gtin=96385074"}},
		{"the order is left open", "label,gtin,date\nTea,96385074,04/03/2026\nTea,96385074,05/03/2026\n", Options{}, []string{"refused: dates-open"}},
		{"the order is left open", `[{"date":"04/03/2026","lines":[{"label":"Tea","gtin":"96385074"}]}]`, Options{}, []string{"refused: dates-open"}},
		{"the order is said", `[{"date":"04/03/2026","lines":[{"label":"Tea","gtin":"96385074"}]}]`, Options{Dates: "mdy"}, []string{"receipts date=2026-04-03 label=Tea gtin=96385074"}},
		{"a formula stays text", "label,gtin\n=1+1,96385074\n", Options{}, []string{"receipts label==1+1 gtin=96385074"}},
		{"a receipt", `{"store":{"name":"Épicerie"},"date":"2026-11-21T23:30:00Z","currency":"EUR","total":3.45,"payments":[{"amount":3.45,"method":"card"}],
		  "lines":[{"label":"Lait","ean13":"3017620422003","quantity":2,"unit":"L","unitPrice":1.15,"lineTotal":2.30},{"label":"Pain","quantity":1,"price":"1.15"}]}`, Options{},
			[]string{"receipts store=Épicerie date=2026-11-22 time=00:30 label=Lait gtin=3017620422003 quantity=2 unit=LTR price=1.15 total=2.3 currency=EUR",
				"receipts store=Épicerie date=2026-11-22 time=00:30 label=Pain quantity=1 price=1.15 total=1.15 currency=EUR"}},
		{"receipts", `[{"ticket":"7","date":"2026-11-21","items":[{"product":{"name":"Lait","barcode":"3017620422003"},"qty":2}]},{"ticket":"8","date":"31/09/2026","items":[{"name":"Pain","ean":"96385074"}]}]`, Options{},
			[]string{"receipts date=2026-11-21 receipt=7 label=Lait gtin=3017620422003 quantity=2", "rejected 1: no-such-day"}},
		{"a line that knows better", `{"date":"2026-11-21","currency":"EUR","lines":[{"label":"Lait","ean":"96385074","date":"2026-11-20","currency":"CHF"}]}`, Options{}, []string{"receipts date=2026-11-20 label=Lait gtin=96385074 currency=CHF"}},
		{"lines alone", `[{"libelle":"Lait","gtin":"3017620422003","quantite":1,"prix":1.1}]`, Options{}, []string{"receipts label=Lait gtin=3017620422003 quantity=1 price=1.1 total=1.1"}},
		{"cut", `[{"libelle":"Lait","gtin":"3017620422003"},{"libelle":`, Options{}, []string{"refused: cut"}},
		{"no objects", `[{"libelle":"Lait","gtin":"3017620422003"},7]`, Options{}, []string{"refused: json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, took(t, tt.in, tt.o), tt.want...) })
	}
}

// What looks like a bank's table is none of ours.
func TestReceiptsKnowThemselves(t *testing.T) {
	for _, in := range []string{"Date;Libellé;Montant\n01/02/2026;CARTE;-3,00\n", "date,label,debit,credit\n", "lat,lon,time\n", `{"date":"2026-01-01","label":"x","amount":3}`, `{"store":"x"}`} {
		h := Head{Text: in}
		if fitsReceiptCSV(h) != No || fitsReceiptJSON(h) != No {
			t.Errorf("%q is taken for a receipt", in)
		}
	}
}

func FuzzReceiptCSV(f *testing.F) {
	f.Add([]byte("Magasin;Date;Libellé;EAN;Qté;Unité;Prix unitaire (€);Montant\nÉpicerie;21/11/2026;Lait;3017620422003;2;L;1,15 €;2,30 €\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "receipt-csv", b) })
}

func FuzzReceiptJSON(f *testing.F) {
	f.Add([]byte(`[{"store":{"name":"x"},"date":"2026-11-21","lines":[{"product":{"label":"Lait","ean":"96385074"},"quantity":2,"price":"1,15 €"}]}]`))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "receipt-json", b) })
}

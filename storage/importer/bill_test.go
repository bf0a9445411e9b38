// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestBills(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
		{"a total and a day", []string{"EDF SA au capital de 1 000 000,00 €", "Facture n° A-12345 du 3 mars 2026", "Total TTC\t1 234,56 €"},
			[]string{"bills vendor=EDF vendorRef=A-12345 date=2026-03-03 amount=1234.56 currency=EUR isRefund=false type=energy"}},
		{"named by its legal line alone", []string{"Boulangerie Dupont - SARL au capital de 8 000 euros", "Date de facture\t: 03/03/2026", "Net à payer : 12,30 €"},
			[]string{"bills vendor=Boulangerie Dupont date=2026-03-03 amount=12.3 currency=EUR isRefund=false amountDue=12.3"}},
		{"nobody's name", []string{"Facture du 3 mars 2026", "Total TTC 12,30 €"},
			[]string{"bills date=2026-03-03 amount=12.3 currency=EUR isRefund=false"}},
		{"a balance from before", []string{"MAIF", "Facture du 3 mars 2026", "Total TTC 30,21 €", "Net à payer 720,21 €", "Prélèvement à partir du : 15 mars 2026"},
			[]string{"bills vendor=MAIF date=2026-03-03 amount=30.21 currency=EUR isRefund=false dueDate=2026-03-15 amountDue=720.21 type=insurance", "warned: bill-other-total"}},
		{"columns: the last is with tax", []string{"Facture du 3 mars 2026", "Montant EUR HT\tMontant EUR TTC", "Total facture\t100,00\t120,00"},
			[]string{"bills date=2026-03-03 amount=120 currency=EUR isRefund=false"}},
		{"a quantity beside the amount", []string{"Facture du 3 mars 2026", "Total TTC\t3\t100,00 €"},
			[]string{"bills date=2026-03-03 amount=100 currency=EUR isRefund=false"}},
		{"the amount on the line below", []string{"Facture du 3 mars 2026", "Total TTC", "45,00 €"},
			[]string{"bills date=2026-03-03 amount=45 currency=EUR isRefund=false"}},
		{"a day beside the amount", []string{"Facture du 3 mars 2026", "Montant prélevé le 12/03/2026 144,90 €"},
			[]string{"bills date=2026-03-03 amount=144.9 currency=EUR isRefund=false dueDate=2026-03-12 amountDue=144.9"}},
		{"a day in figures beside the amount", []string{"Facture du 2026-03-03", "Montant prélevé le 2026-03-12 144,90 €"},
			[]string{"bills date=2026-03-03 amount=144.9 currency=EUR isRefund=false dueDate=2026-03-12 amountDue=144.9"}},
		{"the total without tax is another", []string{"Facture du 3 mars 2026", "Montant total hors taxes 100,00 €", "Montant total TTC 120,00 €"},
			[]string{"bills date=2026-03-03 amount=120 currency=EUR isRefund=false"}},
		{"a word that is a name too", []string{"Facture du 3 mars 2026", "1 jus d'orange, sugar free", "Total TTC 3,00 €"},
			[]string{"bills date=2026-03-03 amount=3 currency=EUR isRefund=false"}},
		{"a credit note", []string{"Avoir n° 77 du 3 mars 2026", "Total TTC -45,00 €"},
			[]string{"bills date=2026-03-03 amount=45 currency=EUR isRefund=true"}},
		{"a span is no date", []string{"Période du 1er janvier 2026 au 31 mars 2026", "Total TTC 45,00 €"}, []string{"refused: bill-no-date"}},
		{"two totals", []string{"Facture du 3 mars 2026", "Total TTC 45,00 €", "Total TTC 46,00 €"}, []string{"refused: bill-totals"}},
		{"two days", []string{"Facture du 3 mars 2026", "Facture du 4 mars 2026", "Total TTC 45,00 €"}, []string{"refused: bill-dates"}},
		{"no total", []string{"Facture du 3 mars 2026", "Merci 45,00 €"}, []string{"refused: bill-no-total"}},
		{"no bill", []string{"Sonnet", "Shall I compare thee"}, []string{"refused: bill-no-date"}},
		{"31 September", []string{"Facture du 31/09/2026", "Total TTC 45,00 €"}, []string{"refused: bill-no-date"}},
		{"two currencies", []string{"Facture du 3 mars 2026", "Total TTC 45,00 €", "soit 42,00 CHF"}, []string{"refused: bill-currencies"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, took(t, onPaper("", tt.lines), Options{}), tt.want...) })
	}
}

// An English bill whose days leave their order open is asked about, unless what
// it says tells; a French one has the day first.
func TestBillDayOrder(t *testing.T) {
	bill := func(date string, more ...string) string {
		return onPaper("", append([]string{"Invoice date: " + date, "Invoice total 45.00"}, more...))
	}
	read := func(date string) []string {
		return []string{"bills date=" + date + " amount=45 isRefund=false"}
	}
	open := []string{"refused: dates-open"}
	tests := []struct {
		name, in string
		said     string
		want     []string
	}{
		{"left open", bill("03/04/2026"), "", open},
		{"said", bill("03/04/2026"), "dmy", read("2026-04-03")},
		{"said otherwise", bill("03/04/2026"), "mdy", read("2026-03-04")},
		{"a 25th of April tells", bill("03/04/2026", "Period to 25/04/2026"), "", read("2026-04-03")},
		{"an April 25th tells", bill("03/04/2026", "Period to 04/25/2026"), "", read("2026-03-04")},
		{"both tell", bill("03/04/2026", "Period 03/25/2026 to 25/04/2026"), "", []string{"refused: dates-mixed"}},
		{"itself", bill("25/04/2026"), "", read("2026-04-25")},
		{"itself otherwise", bill("04/25/2026"), "", read("2026-04-25")},
		{"the same either way", bill("04/04/2026"), "", read("2026-04-04")},
		{"no figures for the month", bill("3 April 2026"), "", read("2026-04-03")},
		{"the year first", bill("2026-04-03"), "", read("2026-04-03")},
		{"open where nothing is kept", bill("3 April 2026", "Meter read 03/04/2026"), "", read("2026-04-03")},
		{"open where it is to be paid", bill("3 April 2026", "Due date 05/04/2026"), "", open},
		{"French words", onPaper("", []string{"Facture du 03/04/2026", "Total TTC 45,00"}), "", read("2026-04-03")},
		{"French words elsewhere", bill("03/04/2026", "Montant 45,00"), "", read("2026-04-03")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, took(t, tt.in, Options{Dates: tt.said}), tt.want...) })
	}
}

// A statement of refunds gives what each transfer refunds; a transfer of
// another statement is rejected, and a total that fits nothing is told.
func TestRefunds(t *testing.T) {
	lines := []string{"Harmonie Mutuelle", "Le 10 février 2026",
		"06/02/2026\tConsultation\t25,00\t17,50", "Somme virée sur le compte XX le 20/02/2026\t17,50 €",
		"07/02/2026\tLunettes\t100,00\t20,00", "08/02/2026\tPharmacie\t9,00\t3,00", "Somme virée sur le compte XX le 21/02/2026\t23,00 €",
		"09/02/2026\tDentiste\t50,00\t30,00", "Somme virée sur le compte XX le 22/02/2026\t31,00 €",
		"18/01/2024\tSpécialiste\t30,00\t12,50", "Somme virée sur le compte XX le 25/01/2024\t12,50 €",
		"MONTANT TOTAL DE VOS REMBOURSEMENTS\t84,00 €"}
	got := took(t, onPaper("", lines), Options{}, "vendor", "amount", "isRefund", "dueDate", "groupAmount", "originalDate", "originalAmount", "title")
	want := []string{
		"bills vendor=Harmonie Mutuelle amount=17.5 isRefund=true dueDate=2026-02-20 originalDate=2026-02-06 originalAmount=25 groupAmount=17.5 title=Consultation",
		"bills vendor=Harmonie Mutuelle amount=20 isRefund=true dueDate=2026-02-21 originalDate=2026-02-07 originalAmount=100 groupAmount=23 title=Lunettes",
		"bills vendor=Harmonie Mutuelle amount=3 isRefund=true dueDate=2026-02-21 originalDate=2026-02-08 originalAmount=9 groupAmount=23 title=Pharmacie",
		"bills vendor=Harmonie Mutuelle amount=31 isRefund=true dueDate=2026-02-22 groupAmount=31",
		"rejected 11: bill-refund-old"}
	same(t, got, want...)
	lines[len(lines)-1] = "MONTANT TOTAL DE VOS REMBOURSEMENTS\t52,90 €"
	same(t, took(t, onPaper("", lines), Options{}, "vendor", "amount", "isRefund", "dueDate", "groupAmount", "originalDate", "originalAmount", "title"), append(want, "warned: bill-other-total")...)
}

// Of what is attached, the invoice is chosen by its name; it is never the
// second page of a delivery note, and an order is refused.
func TestFacturX(t *testing.T) {
	const attached = "/Names<</EmbeddedFiles<</Names[(a)6 0 R(b)7 0 R]>>>>"
	spec := func(name, at string) string { return "<</Type/Filespec/F(" + name + ")/EF<</F " + at + " 0 R>>>>" }
	paper := []string{"Facture du 3 mars 2026", "Total TTC 45,00 €"}
	file := func(first, second, one, two string) string {
		return onPaper(attached, paper, spec(first, "8"), spec(second, "9"), packedStream("/Type/EmbeddedFile", one), packedStream("/Type/EmbeddedFile", two))
	}
	note := "%PDF-1.4 Bon de livraison"
	onlyInvoice := []string{"invoices number=F 7", "invoice-lines number=F 7", "invoice-lines number=F 7"}
	bill := []string{"bills"}
	tests := []struct {
		name, in string
		want     []string
	}{
		{"behind a delivery note", file("Bon_de_livraison.pdf", "factur-x.xml", note, ciiText()), onlyInvoice},
		{"with an escaped name", file("Bon_de_livraison.pdf", `factur\055x\056xml`, note, ciiText()), onlyInvoice},
		{"the old name", file("ZUGFeRD-invoice.xml", "x.xml", ciiText(), "<x/>"), onlyInvoice},
		{"the German name", file("xrechnung.xml", "x.xml", ciiText(), "<x/>"), onlyInvoice},
		{"the first name counts most", file("xrechnung.xml", "factur-x.xml", "<x/>", ciiText()), onlyInvoice},
		{"an invoice by another name", file("Bon_de_livraison.pdf", "rechnung.xml", note, ciiText()), bill},
		{"an order", file("order-x.xml", "x.xml", ciiText("CrossIndustryInvoice", "SCRDMCCBDACIOMessageStructure"), "<x/>"), []string{"refused: order"}},
		{"an order by the name of an invoice", file("factur-x.xml", "x.xml", ciiText("CrossIndustryInvoice", "SCRDMCCBDACIOMessageStructure"), "<x/>"), []string{"refused: order"}},
		{"another language of invoices", file("factur-x.xml", "x.xml", `<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>`, "<x/>"), []string{"refused: not-an-invoice"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, took(t, tt.in, Options{}, "number"), tt.want...) })
	}
}

func TestPDFRefused(t *testing.T) {
	paper := onPaper("", []string{"Facture du 3 mars 2026", "Total TTC 45,00 €"})
	scan := onPaper("", nil)
	hidden := strings.Replace(paper, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>", "<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[]>>          ", 1)
	tests := []struct{ name, in, want string }{
		{"a scan", scan, "refused: pdf-no-text"},
		{"letters that mean nothing", hidden, "refused: pdf-hidden-text"},
		{"encrypted", strings.Replace(paper, "/Root 1 0 R", "/Root 1 0 R/Encrypt<</Filter/Standard>>", 1), "refused: encrypted"},
		{"cut", paper[:len(paper)-300], "refused: cut"},
		{"nothing but an end", paper[:20] + "%%EOF", "refused: pdf-damaged"},
		{"too large", paper + strings.Repeat(" ", 32<<20), "refused: too-large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, took(t, tt.in, Options{}), tt.want) })
	}
}

func TestPDFCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lines := []string{strings.Repeat("x", 200_000)}
	if _, err := Read(ctx, Content("x", []byte(onPaper("", lines)), Options{}), &Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzPDF(f *testing.F) {
	f.Add([]byte(onPaper("", []string{"Facture du 3 mars 2026", "Total TTC 45,00 €"})))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "pdf", b) })
}

// The words of a bill, without the PDF file around them.
func FuzzBill(f *testing.F) {
	f.Add("Facture n° A-12345 du 3 mars 2026\nTotal TTC\t1 234,56 €")
	f.Add("Le 10 février 2026\n06/02/2026\tConsultation\t25,00\t17,50\nSomme virée le 20/02/2026\t17,50 €\ntotal de vos remboursements 17,50")
	f.Fuzz(func(t *testing.T, text string) {
		err := readBill([][]string{strings.Split(text, "\n")}, Options{}, &Sink{})
		var why *Reason
		if err != nil && !errors.As(err, &why) {
			t.Fatalf("an error without a reason: %v", err)
		}
	})
}

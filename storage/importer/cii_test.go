// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
	"testing"
)

// ciiText is an invoice of two lines; each pair of changes replaces a text in it.
func ciiText(changes ...string) string {
	return strings.NewReplacer(changes...).Replace(`<?xml version="1.0" encoding="UTF-8"?>
<!-- <Other/> --><a:CrossIndustryInvoice xmlns:a="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:b="b" xmlns:c="c">
<a:ExchangedDocumentContext><b:GuidelineSpecifiedDocumentContextParameter><b:ID>urn:cen.eu:en16931:2017#compliant#urn:factur-x.eu:1p0:basic</b:ID></b:GuidelineSpecifiedDocumentContextParameter></a:ExchangedDocumentContext>
<a:ExchangedDocument><b:ID>F 7</b:ID><b:TypeCode>380</b:TypeCode><b:IssueDateTime><c:DateTimeString format="102">20260131</c:DateTimeString></b:IssueDateTime></a:ExchangedDocument>
<a:SupplyChainTradeTransaction>
<b:IncludedSupplyChainTradeLineItem><b:AssociatedDocumentLineDocument><b:LineID>1</b:LineID></b:AssociatedDocumentLineDocument>
<b:SpecifiedTradeProduct><b:GlobalID schemeID="0160">3017620422003</b:GlobalID><b:Name>Pâte à tartiner</b:Name></b:SpecifiedTradeProduct>
<b:SpecifiedLineTradeAgreement><b:NetPriceProductTradePrice><b:ChargeAmount>4.0000</b:ChargeAmount></b:NetPriceProductTradePrice></b:SpecifiedLineTradeAgreement>
<b:SpecifiedLineTradeDelivery><b:BilledQuantity unitCode="C62">2.000</b:BilledQuantity></b:SpecifiedLineTradeDelivery>
<b:SpecifiedLineTradeSettlement><b:ApplicableTradeTax><b:RateApplicablePercent>20.00</b:RateApplicablePercent></b:ApplicableTradeTax><b:SpecifiedTradeSettlementLineMonetarySummation><b:LineTotalAmount>8.00</b:LineTotalAmount></b:SpecifiedTradeSettlementLineMonetarySummation></b:SpecifiedLineTradeSettlement></b:IncludedSupplyChainTradeLineItem>
<b:IncludedSupplyChainTradeLineItem><b:AssociatedDocumentLineDocument><b:LineID>2</b:LineID></b:AssociatedDocumentLineDocument>
<b:SpecifiedTradeProduct><b:Name>Port</b:Name></b:SpecifiedTradeProduct>
<b:SpecifiedLineTradeSettlement><b:SpecifiedTradeSettlementLineMonetarySummation><b:LineTotalAmount>2.00</b:LineTotalAmount></b:SpecifiedTradeSettlementLineMonetarySummation></b:SpecifiedLineTradeSettlement></b:IncludedSupplyChainTradeLineItem>
<b:ApplicableHeaderTradeAgreement><b:SellerTradeParty><b:Name>Épicerie &amp; Cie</b:Name></b:SellerTradeParty></b:ApplicableHeaderTradeAgreement>
<b:ApplicableHeaderTradeSettlement><b:InvoiceCurrencyCode>EUR</b:InvoiceCurrencyCode>
<b:SpecifiedTradePaymentTerms><b:DueDateDateTime><c:DateTimeString format="102">20260302</c:DateTimeString></b:DueDateDateTime></b:SpecifiedTradePaymentTerms>
<b:SpecifiedTradeSettlementHeaderMonetarySummation><b:LineTotalAmount>10.00</b:LineTotalAmount><b:TaxBasisTotalAmount>10.00</b:TaxBasisTotalAmount><b:TaxTotalAmount currencyID="CHF">9.00</b:TaxTotalAmount><b:TaxTotalAmount currencyID="EUR">2.00</b:TaxTotalAmount>
<b:GrandTotalAmount>12.00</b:GrandTotalAmount><b:TotalPrepaidAmount>5</b:TotalPrepaidAmount><b:DuePayableAmount>7.00</b:DuePayableAmount></b:SpecifiedTradeSettlementHeaderMonetarySummation></b:ApplicableHeaderTradeSettlement>
</a:SupplyChainTradeTransaction></a:CrossIndustryInvoice>`)
}

const (
	ciiInvoice = "invoices number=F 7 type=invoice date=2026-01-31 dueDate=2026-03-02 seller=Épicerie & Cie net=10 tax=2 grandTotal=12 prepaid=5 amountDue=7 currency=EUR profile=basic"
	ciiLine1   = "invoice-lines seller=Épicerie & Cie number=F 7 date=2026-01-31 line=1 label=Pâte à tartiner gtin=3017620422003 quantity=2 unit=C62 price=4 total=8 taxRate=20 currency=EUR"
	ciiLine2   = "invoice-lines seller=Épicerie & Cie number=F 7 date=2026-01-31 line=2 label=Port total=2 currency=EUR"
)

func TestCII(t *testing.T) {
	same(t, took(t, ciiText(), Options{}), ciiInvoice, ciiLine1, ciiLine2)
	same(t, took(t, "\xEF\xBB\xBF"+ciiText(), Options{}), ciiInvoice, ciiLine1, ciiLine2)
}

// A credit note's amounts are written positive and stored with a minus; prices
// and rates are not turned.
func TestCIICreditNote(t *testing.T) {
	got := took(t, ciiText("<b:TypeCode>380<", "<b:TypeCode>381<"), Options{}, "type", "net", "tax", "grandTotal", "prepaid", "amountDue", "quantity", "price", "total", "taxRate")
	same(t, got, "invoices type=credit-note net=-10 tax=-2 grandTotal=-12 prepaid=-5 amountDue=-7",
		"invoice-lines quantity=-2 price=4 total=-8 taxRate=20", "invoice-lines total=-2")
}

// What does not add up is told and kept; stated rounding is no difference.
func TestCIISums(t *testing.T) {
	one := []string{"grandTotal", "amountDue"}
	plain := "invoices grandTotal=12 amountDue=7"
	tests := []struct {
		name    string
		changes []string
		want    []string
	}{
		{"rounded", []string{"<b:DuePayableAmount>7.00", "<b:RoundingAmount>0.05</b:RoundingAmount><b:DuePayableAmount>7.05"}, []string{"invoices grandTotal=12 amountDue=7.05"}},
		{"rounded and not stated", []string{"<b:DuePayableAmount>7.00", "<b:DuePayableAmount>7.05"}, []string{"invoices grandTotal=12 amountDue=7.05", "warned: invoice-sum-due"}},
		{"tax", []string{">2.00</b:TaxTotal", ">2.01</b:TaxTotal"}, []string{plain, "warned: invoice-sum-tax"}},
		{"lines", []string{">10.00</b:LineTotal", ">11.00</b:LineTotal"}, []string{plain, "warned: invoice-sum-lines"}},
		{"a line that only groups", []string{"<b:LineID>2</b:LineID>", "<b:LineID>2</b:LineID><b:LineStatusReasonCode>GROUP</b:LineStatusReasonCode>", ">10.00</b:LineTotal", ">8.00</b:LineTotal"}, []string{plain}},
		{"an article number with a wrong check digit", []string{"3017620422003", "3017620422004"}, []string{plain, "warned: gtin"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range took(t, ciiText(tt.changes...), Options{}, one...) {
				if s != "invoice-lines" {
					got = append(got, s)
				}
			}
			same(t, got, tt.want...)
		})
	}
}

func TestCIIRefused(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		want    string
	}{
		{"an order", []string{"CrossIndustryInvoice", "SCRDMCCBDACIOMessageStructure"}, "refused: order"},
		{"a delivery note", []string{"CrossIndustryInvoice", "SCRDMCCBDACIDAMessageStructure"}, "refused: delivery-note"},
		{"no number", []string{"<b:ID>F 7</b:ID>", ""}, "refused: invoice-lacks"},
		{"no total", []string{"GrandTotalAmount", "Nix"}, "refused: invoice-lacks"},
		{"no currency", []string{">EUR</b:Invoice", ">euros</b:Invoice"}, "refused: invoice-lacks"},
		{"31 September", []string{"20260131", "20260931"}, "refused: no-such-day"},
		{"a comma", []string{">12.00<", ">12,00<"}, "refused: number"},
		{"cut", []string{"</a:SupplyChainTradeTransaction></a:CrossIndustryInvoice>", ""}, "refused: cut"},
		{"entities", []string{"<!-- <Other/> -->", `<!DOCTYPE a [<!ENTITY lol "lol">]>`}, "refused: xml-entities"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { same(t, took(t, ciiText(tt.changes...), Options{}), tt.want) })
	}
}

// A bad line is left out, the invoice and its other lines are kept.
func TestCIIBadLine(t *testing.T) {
	got := took(t, ciiText(">8.00</b:LineTotal", ">acht</b:LineTotal"), Options{}, "number", "line")
	same(t, got, "invoices number=F 7", "invoice-lines number=F 7 line=2", "rejected 6: number", "warned: invoice-sum-lines")
}

// The smallest profile has no lines, and says so little of the sums that there is
// nothing to compare.
func TestCIIMinimum(t *testing.T) {
	cut := func(s, from, to string) string {
		before, rest, _ := strings.Cut(s, from)
		_, after, _ := strings.Cut(rest, to)
		return before + after
	}
	in := ciiText("urn:cen.eu:en16931:2017#compliant#urn:factur-x.eu:1p0:basic", "urn:factur-x.eu:1p0:minimum", "<b:LineTotalAmount>10.00</b:LineTotalAmount>", "", "<b:TotalPrepaidAmount>5</b:TotalPrepaidAmount>", "", "<b:DuePayableAmount>7.00", "<b:DuePayableAmount>12.00")
	for range 2 {
		in = cut(in, "<b:IncludedSupplyChainTradeLineItem>", "</b:IncludedSupplyChainTradeLineItem>")
	}
	in = cut(in, "<b:SpecifiedTradePaymentTerms>", "</b:SpecifiedTradePaymentTerms>")
	same(t, took(t, in, Options{}), "invoices number=F 7 type=invoice date=2026-01-31 seller=Épicerie & Cie net=10 tax=2 grandTotal=12 amountDue=12 currency=EUR profile=minimum")
}

// ZUGFeRD 1 has other names for the same.
func TestZUGFeRD1(t *testing.T) {
	got := took(t, ciiText("CrossIndustryInvoice", "CrossIndustryDocument", "a:ExchangedDocument>", "a:HeaderExchangedDocument>", "SupplyChainTradeTransaction>", "SpecifiedSupplyChainTradeTransaction>",
		"ApplicableHeaderTrade", "ApplicableSupplyChainTrade", "SpecifiedLineTrade", "SpecifiedSupplyChainTrade", "SettlementHeaderMonetary", "SettlementMonetary", "SettlementLineMonetary", "SettlementMonetary",
		"urn:cen.eu:en16931:2017#compliant#urn:factur-x.eu:1p0:basic", "urn:ferd:CrossIndustryDocument:invoice:1p0:comfort"), Options{})
	same(t, got, strings.Replace(ciiInvoice, "profile=basic", "profile=comfort", 1), ciiLine1, ciiLine2)
}

func TestGTIN(t *testing.T) {
	for in, want := range map[string]string{
		"3017620422003": "3017620422003", "3 017620 422003": "3017620422003", "96385074": "96385074", "036000291452": "0036000291452", "03017620422003": "3017620422003", "13017620422000": "13017620422000",
	} {
		if got, ok := GTIN(in); !ok || got != want {
			t.Errorf("%q is %q, %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "3017620422004", "301762042200", "3.01762E+12", "0000000000000", "30176204220031", "abc", "598785412598745"} {
		if got, ok := GTIN(in); ok {
			t.Errorf("%q is taken for %q", in, got)
		}
	}
}

func FuzzCII(f *testing.F) {
	f.Add([]byte(ciiText()))
	f.Add([]byte(ciiText("<b:TypeCode>380<", "<b:TypeCode>381<", "20260131", "2026-01-31")))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzFormat(t, "cii-xml", b) })
}

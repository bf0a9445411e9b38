// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// ciiFormat is the Cross Industry Invoice of UN/CEFACT in the profiles of
// Factur-X, ZUGFeRD (1 and 2), XRechnung and EN 16931. Its sisters for orders
// and deliveries are known by their roots, and refused.
var ciiFormat = Format{
	Name: "cii-xml",
	Fits: func(h Head) Fit {
		if _, ok := ciiRoots[h.root().Local]; ok {
			return Sure
		}
		return No
	},
	Read: readCII,
}

// ciiRoots are the roots of invoices, and of what is near them.
var ciiRoots = map[string]string{
	"CrossIndustryInvoice":           "invoice",
	"CrossIndustryDocument":          "invoice", // ZUGFeRD 1
	"SCRDMCCBDACIOMessageStructure":  "order",
	"SCRDMCCBDACIORMessageStructure": "order",
	"CrossIndustryOrder":             "order",
	"SCRDMCCBDACIDAMessageStructure": "delivery",
	"CrossIndustryDespatchAdvice":    "delivery",
}

// invoiceRoot says why a root is no invoice's; nil for one that is.
func invoiceRoot(name string) error {
	switch ciiRoots[name] {
	case "invoice":
		return nil
	case "order":
		return Why("order")
	case "delivery":
		return Why("delivery-note")
	}
	return Why("not-an-invoice", "root", clip(name))
}

// maxInvoice is how much one invoice may hold, in bytes.
const maxInvoice = 16 << 20

func readCII(_ context.Context, src *Source, to *Sink) error {
	x, err := src.XML()
	if err != nil {
		return err
	}
	defer x.Close()
	start, err := x.root()
	if err != nil {
		return err
	}
	if err := invoiceRoot(start.Name.Local); err != nil {
		return err
	}
	root, err := x.Tree(start, maxInvoice)
	if err != nil {
		return err
	}
	c, err := headOfCII(root)
	if err != nil {
		return err
	}
	return c.rows(to)
}

// cii is an invoice. Names that changed between versions are found by how they
// end.
type cii struct {
	document, agreement, settlement, sums *Element
	items                                 []*Element
	number, seller, currency, guideline   string
	date                                  record.Value
	credit                                bool // its amounts are positive, and owed to the buyer
}

// ending is the first element in e whose name ends so.
func (e *Element) ending(suffix string) *Element {
	if e == nil {
		return nil
	}
	for _, k := range e.Kids {
		if strings.HasSuffix(k.Name, suffix) {
			return k
		}
	}
	return nil
}

// creditNotes are the types (UNTDID 1001) that EN 16931 counts among credit
// notes.
var creditNotes = []string{"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"}

// invoiceTypes are the types that have a word; the others keep their code.
var invoiceTypes = map[string]string{
	"380": "invoice", "384": "corrected", "386": "prepayment", "389": "self-billed", "381": "credit-note", "261": "credit-note", "396": "credit-note",
}

// headOfCII reads what an invoice must have; without it the file is refused.
func headOfCII(root *Element) (*cii, error) {
	trade := root.ending("TradeTransaction")
	c := &cii{
		document:   root.ending("ExchangedDocument"),
		agreement:  trade.ending("TradeAgreement"),
		settlement: trade.ending("TradeSettlement"),
		items:      trade.All("IncludedSupplyChainTradeLineItem"),
	}
	c.sums = c.settlement.ending("MonetarySummation")
	c.number = c.document.Say("ID")
	c.seller = party(c.agreement.At("SellerTradeParty"))
	c.guideline = root.ending("ExchangedDocumentContext").Say("GuidelineSpecifiedDocumentContextParameter", "ID")
	c.currency = strings.ToUpper(c.settlement.Say("InvoiceCurrencyCode"))
	c.credit = slices.Contains(creditNotes, c.document.Say("TypeCode"))
	var err error
	if c.date, err = ciiDate(c.document.At("IssueDateTime")); err != nil {
		return nil, err
	}
	lacks := ""
	switch {
	case c.number == "":
		lacks = "number"
	case c.date.IsNull():
		lacks = "date"
	case !isCurrency(c.currency):
		lacks = "currency"
	case c.sums.Say("GrandTotalAmount") == "":
		lacks = "grandTotal"
	default:
		return c, nil
	}
	return nil, Why("invoice-lacks", "field", lacks)
}

func party(e *Element) string {
	if name := e.Say("Name"); name != "" {
		return name
	}
	return e.Say("SpecifiedLegalOrganization", "TradingBusinessName")
}

// registered is a number that a party is registered under.
func registered(e *Element) string {
	for _, id := range []string{e.Say("SpecifiedLegalOrganization", "ID"), e.Say("GlobalID"), e.Say("ID")} {
		if id != "" {
			return id
		}
	}
	return e.Say("SpecifiedTaxRegistration", "ID")
}

// ciiDate reads the date in an element: format 102 is 20260131, 203 has a time
// behind it (UNTDID 2379). Null when there is none.
func ciiDate(e *Element) (record.Value, error) {
	if e == nil {
		return record.Null, nil
	}
	in := e.ending("DateTimeString")
	if in == nil {
		in = e.ending("DateString")
	}
	if in == nil {
		in = e
	}
	s := in.Text
	if f := in.Attr["format"]; (f == "102" || f == "203" || f == "204") && len(s) >= 8 {
		s = s[:8]
	}
	if s == "" {
		return record.Null, nil
	}
	v, err := Date(s, "ymd")
	if err != nil {
		return record.Null, err
	}
	return v, nil
}

// amount reads a number, with its sign turned in a credit note.
func (c *cii) amount(s string) (record.Value, error) {
	if s == "" {
		return record.Null, nil
	}
	v, err := record.ParseDec(s)
	if err != nil {
		return record.Null, Why("number", "value", clip(s)).Because(err)
	}
	if n, scale := v.Unscaled(); c.credit {
		v = record.Dec(-n, scale)
	}
	return v, nil
}

// amounts reads several, and stops at the first that is no number.
func (c *cii) amounts(texts ...string) (list []record.Value, err error) {
	for _, s := range texts {
		v, err := c.amount(s)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// tax is the total of tax in the invoice's currency: a second may be there in
// the currency of the books.
func (c *cii) tax() string {
	all := c.sums.All("TaxTotalAmount")
	for _, e := range all {
		if id := e.Attr["currencyID"]; id == "" || strings.EqualFold(id, c.currency) {
			return e.Text
		}
	}
	return ""
}

func (c *cii) rows(to *Sink) error {
	money, err := c.amounts(c.sums.Say("TaxBasisTotalAmount"), c.tax(), c.sums.Say("GrandTotalAmount"), c.sums.Say("TotalPrepaidAmount"), c.sums.Say("DuePayableAmount"))
	if err != nil {
		return err
	}
	period := c.settlement.At("BillingSpecifiedPeriod")
	days := make([]record.Value, 3)
	for i, e := range []*Element{c.settlement.At("SpecifiedTradePaymentTerms", "DueDateDateTime"), period.At("StartDateTime"), period.At("EndDateTime")} {
		if days[i], err = ciiDate(e); err != nil {
			return err
		}
	}
	kind := c.document.Say("TypeCode")
	if word, ok := invoiceTypes[kind]; ok {
		kind = word
	} else if c.credit {
		kind = "credit-note"
	}
	seller := c.agreement.At("SellerTradeParty")
	c.compare(to, money)
	rows := to.Rows("invoices", "number", "type", "date", "dueDate", "seller", "sellerId", "buyer", "net", "tax", "grandTotal", "prepaid", "amountDue",
		"currency", "order", "corrects", "periodStart", "periodEnd", "paymentReference", "profile")
	err = rows.Add(c.document.Line, record.Str(c.number), record.Str(kind), c.date, days[0], record.Str(c.seller), record.Str(registered(seller)),
		record.Str(party(c.agreement.At("BuyerTradeParty"))), money[0], money[1], money[2], money[3], money[4], record.Str(c.currency),
		record.Str(c.agreement.Say("BuyerOrderReferencedDocument", "IssuerAssignedID")), record.Str(c.settlement.Say("InvoiceReferencedDocument", "IssuerAssignedID")),
		days[1], days[2], record.Str(c.settlement.Say("PaymentReference")), record.Str(c.profile()))
	if err != nil {
		return err
	}
	return c.lines(to)
}

var profileName = regexp.MustCompile(`(?i)minimum|basicwl|basic-wl|basic|comfort|extended|xrechnung|en16931`)

// profile says how much the invoice tells, by the guideline that it names.
func (c *cii) profile() string {
	last := ""
	for _, word := range profileName.FindAllString(c.guideline, -1) {
		last = strings.ToLower(word)
	}
	return strings.Replace(last, "basicwl", "basic-wl", 1)
}

// compare tells of totals that do not add up to each other, but for the
// rounding that the invoice states. What is stated is kept.
func (c *cii) compare(to *Sink, money []record.Value) {
	rounding, _ := c.amount(c.sums.Say("RoundingAmount"))
	net, tax, grand, prepaid, due := ratOf(money[0]), ratOf(money[1]), ratOf(money[2]), ratOf(money[3]), ratOf(money[4])
	if sum := new(big.Rat).Add(net, tax); !money[0].IsNull() && !money[1].IsNull() && sum.Cmp(grand) != 0 {
		to.Warn(Why("invoice-sum-tax", "stated", money[2].String(), "computed", decimalOf(sum)))
	}
	left := new(big.Rat).Add(new(big.Rat).Sub(grand, prepaid), ratOf(rounding))
	if !money[4].IsNull() && left.Cmp(due) != 0 {
		to.Warn(Why("invoice-sum-due", "stated", money[4].String(), "computed", decimalOf(left)))
	}
}

// lines gives each line; those of the extended profile that only group others
// or inform count nothing, and are left out.
func (c *cii) lines(to *Sink) error {
	rows := to.Rows("invoice-lines", "seller", "number", "date", "line", "label", "gtin", "sellerRef", "quantity", "unit", "price", "priceQuantity", "total", "taxRate", "currency")
	sum := new(big.Rat)
	for _, item := range c.items {
		about := item.At("AssociatedDocumentLineDocument")
		if status := about.Say("LineStatusReasonCode"); status == "GROUP" || status == "INFORMATION" {
			continue
		}
		values, err := c.item(to, item, about)
		if err != nil {
			to.Reject(item.Line, err)
			continue
		}
		sum.Add(sum, ratOf(values[11]))
		if err := rows.Add(item.Line, values...); err != nil {
			return err
		}
	}
	if stated, err := c.amount(c.sums.Say("LineTotalAmount")); err == nil && !stated.IsNull() && len(c.items) > 0 && ratOf(stated).Cmp(sum) != 0 {
		to.Warn(Why("invoice-sum-lines", "stated", stated.String(), "computed", decimalOf(sum)))
	}
	return nil
}

// item reads a line into the fields of invoice-lines.
func (c *cii) item(to *Sink, item, about *Element) ([]record.Value, error) {
	product := item.At("SpecifiedTradeProduct")
	price := item.ending("TradeAgreement").At("NetPriceProductTradePrice")
	quantity := item.ending("TradeDelivery").At("BilledQuantity")
	settlement := item.ending("TradeSettlement")
	signed, err := c.amounts(quantity.Say(), settlement.ending("MonetarySummation").Say("LineTotalAmount"))
	if err != nil {
		return nil, err
	}
	plain := &cii{} // prices and rates keep their signs
	other, err := plain.amounts(price.Say("ChargeAmount"), price.Say("BasisQuantity"), settlement.Say("ApplicableTradeTax", "RateApplicablePercent"))
	if err != nil {
		return nil, err
	}
	gtin := record.Null
	if id := product.At("GlobalID"); id != nil && id.Text != "" {
		if number, ok := GTIN(id.Text); ok {
			gtin = record.Str(number)
		} else if id.Attr["schemeID"] == "0160" {
			to.Warn(Why("gtin", "value", clip(id.Text)))
		}
	}
	unit := ""
	if quantity != nil {
		unit = quantity.Attr["unitCode"]
	}
	return []record.Value{record.Str(c.seller), record.Str(c.number), c.date, record.Str(about.Say("LineID")), record.Str(product.Say("Name")), gtin,
		record.Str(product.Say("SellerAssignedID")), signed[0], record.Str(unit), other[0], other[1], signed[1], other[2], record.Str(c.currency)}, nil
}

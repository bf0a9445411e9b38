// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// Receipts have no standard: these two formats take a table or a JSON whose
// columns or names say what they are, in French or English. One of them must be
// the article's, and with it its GTIN, or a quantity and a price.
var (
	receiptCSV = Format{Name: "receipt-csv", Fits: fitsReceiptCSV, Read: readReceiptCSV}

	receiptJSON = Format{Name: "receipt-json", Fits: fitsReceiptJSON, Read: readReceiptJSON}
)

// receiptFields are the fields of a line, in the order of [receiptLine].
var receiptFields = []string{"store", "date", "time", "receipt", "line", "label", "gtin", "quantity", "unit", "price", "total", "currency", "category"}

// receiptNames are the names, folded, that stand for each field.
var receiptNames = func() map[string]string {
	m := map[string]string{}
	for field, names := range map[string]string{
		"store":    "store,shop,magasin,enseigne,commerce,merchant,retailer,point de vente",
		"date":     "date,date d'achat,date achat,date du ticket,purchase date,purchasedate,day,jour,datetime",
		"time":     "time,heure",
		"receipt":  "receipt,receipt id,receiptid,receipt number,receiptnumber,ticket,numero de ticket,no ticket,n° ticket,ticket number,ticketid,transaction",
		"line":     "line,line number,linenumber,ligne,numero de ligne,n° ligne",
		"label":    "label,libelle,produit,product,product name,productname,article,designation,name,nom,description,item,intitule",
		"gtin":     "gtin,gtin13,gtin-13,gtin 13,ean,ean13,ean-13,ean 13,barcode,bar code,code-barres,code barres,codebarres,code barre,code_barres,upc,gencode,gencod",
		"quantity": "quantity,quantite,qty,qte,nombre,nb,amount of items",
		"unit":     "unit,unite,unit code,unitcode,uom",
		"price":    "price,prix,prix unitaire,unit price,unitprice,unit_price,prix_unitaire,pu,p.u.,prix ttc,pu ttc",
		"total":    "total,total ttc,montant,montant ttc,prix total,line total,linetotal,total price,totalprice,total_price,amount",
		"currency": "currency,devise,monnaie",
		"category": "category,categorie,rayon,department,famille",
	} {
		for _, name := range strings.Split(names, ",") {
			m[name] = field
		}
	}
	return m
}()

// receiptField is the field that a heading names; what stands in brackets
// behind it, a unit, does not count.
func receiptField(heading string) string {
	heading, _, _ = strings.Cut(Fold(heading), "(")
	return receiptNames[strings.TrimSpace(heading)]
}

// tellsReceipt says how surely the fields are those of receipts.
func tellsReceipt(fields map[string]bool) Fit {
	switch {
	case fields["label"] && fields["gtin"]: // nothing else numbers articles
		return Sure
	case fields["label"] && fields["quantity"] && fields["price"]:
		return Likely
	case fields["label"] && fields["quantity"] && fields["total"]:
		return Maybe
	}
	return No
}

func fitsReceiptCSV(h Head) Fit {
	text := strings.TrimSpace(h.Text)
	line, _, _ := strings.Cut(text, "\n")
	if text == "" || strings.ContainsAny(text[:1], "{[<") {
		return No
	}
	sep := Separator(h.Text)
	fields := map[string]bool{}
	for _, heading := range strings.Split(line, string(sep)) {
		fields[receiptField(strings.Trim(heading, "\"\r "))] = true
	}
	return tellsReceipt(fields)
}

func readReceiptCSV(_ context.Context, src *Source, to *Sink) error {
	return readReceipts(src, to, func(visit func(receiptLine, int) error) error {
		var columns []string
		return src.Records(0, func(at int, values []string) error {
			if columns == nil {
				if columns = receiptColumns(values); !slices.Contains(columns, "label") {
					return Why("no-column", "column", "label")
				}
				return nil
			}
			line := receiptLine{}
			for i, value := range values[:min(len(values), len(columns))] {
				if columns[i] != "" {
					line[columns[i]] = value
				}
			}
			return visit(line, at)
		})
	})
}

// receiptColumns are the fields that headings name, each once.
func receiptColumns(headings []string) []string {
	columns := make([]string, len(headings))
	for i, heading := range headings {
		if field := receiptField(heading); !slices.Contains(columns[:i], field) {
			columns[i] = field
		}
	}
	return columns
}

// readReceipts reads lines twice: the first time for what their dates tell about
// the order of day and month.
func readReceipts(src *Source, to *Sink, each func(visit func(l receiptLine, at int) error) error) error {
	if err := statementSize(src); err != nil {
		return err
	}
	var votes dateVotes
	err := each(func(l receiptLine, _ int) error {
		if s := Plain(l["date"]); s != "" {
			votes.see(s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	o := src.Options
	if o.Dates, err = votes.order(o.Dates); err != nil {
		return err
	}
	rows := to.Rows("receipts", receiptFields...)
	return each(func(l receiptLine, at int) error { return l.add(rows, to, at, o) })
}

// receiptLine is a line as the file has it, by the fields of the kind.
type receiptLine map[string]string

// add makes a row of a line, or rejects it.
func (l receiptLine) add(rows *Rows, to *Sink, at int, o Options) error {
	values, err := l.values(o)
	if err != nil {
		to.Reject(at, err)
		return nil
	}
	return rows.Add(at, values...)
}

var withTime = regexp.MustCompile(`[T ](\d{1,2}[:hH]\d{2}(?::\d{2})?)`)

func (l receiptLine) values(o Options) ([]record.Value, error) {
	if Plain(l["label"]) == "" {
		return nil, Why("receipt-no-label")
	}
	v := map[string]record.Value{}
	for _, field := range receiptFields {
		v[field] = record.Str(l[field])
	}
	for _, field := range []string{"quantity", "price", "total"} {
		n, err := Number(l[field], 0)
		if err != nil {
			return nil, err
		}
		v[field] = n
	}
	if s := l["date"]; s != "" {
		day, clock, err := receiptDay(s, o)
		if err != nil {
			return nil, err
		}
		v["date"] = day
		if v["time"].IsNull() {
			v["time"] = record.Str(clock)
		}
	}
	if s := l["gtin"]; s != "" {
		number, ok := GTIN(s)
		if !ok {
			return nil, Why("gtin", "value", clip(s))
		}
		v["gtin"] = record.Str(number)
	}
	v["unit"] = unitCode(l["unit"])
	v["currency"] = record.Str(receiptCurrency(l["currency"], l["price"]+l["total"], o.Currency))
	if v["total"].IsNull() {
		v["total"] = product(v["quantity"], v["price"])
	}
	list := make([]record.Value, len(receiptFields))
	for i, field := range receiptFields {
		list[i] = v[field]
	}
	return list, nil
}

// receiptDay reads a day, and the time of day when one stands behind it. An
// instant with an offset is told as clocks showed it in the user's zone.
func receiptDay(s string, o Options) (day record.Value, clock string, err error) {
	if at, wrong := time.Parse(time.RFC3339, s); wrong == nil {
		zone, err := o.Location()
		if err != nil {
			return record.Null, "", err
		}
		at = at.In(zone)
		return record.On(at.Date()), at.Format("15:04"), nil
	}
	if m := withTime.FindStringSubmatch(s); m != nil {
		clock = m[1]
	}
	day, err = Date(s, o.Dates)
	return day, clock, err
}

// product is exact, and null when one of both is missing or there are too many
// digits. Cents are not rounded: a shop may do it otherwise.
func product(a, b record.Value) record.Value {
	if a.IsNull() || b.IsNull() {
		return record.Null
	}
	v, err := record.ParseDec(decimalOf(new(big.Rat).Mul(ratOf(a), ratOf(b))))
	if err != nil {
		return record.Null
	}
	return v
}

// receiptCurrency is what the file says, or the sign beside an amount, or what
// the user said.
func receiptCurrency(stated, amounts, otherwise string) string {
	if code := strings.ToUpper(Plain(stated)); isCurrency(code) {
		return code
	}
	for _, sign := range []struct{ sign, code string }{{"€", "EUR"}, {"£", "GBP"}, {"$", "USD"}} {
		if strings.Contains(amounts+stated, sign.sign) {
			return sign.code
		}
	}
	return otherwise
}

// unitsOnReceipts are the units on receipts, by UN/CEFACT Recommendation 20.
var unitsOnReceipts = map[string]string{
	"": "", "u": "C62", "un": "C62", "pc": "C62", "pce": "C62", "pcs": "C62", "piece": "C62", "pieces": "C62", "unite": "C62", "unit": "C62", "units": "C62", "x": "C62",
	"kg": "KGM", "kilo": "KGM", "g": "GRM", "gr": "GRM", "mg": "MGM", "l": "LTR", "litre": "LTR", "litres": "LTR", "liter": "LTR", "cl": "CLT", "ml": "MLT", "m": "MTR", "cm": "CMT",
}

func unitCode(s string) record.Value {
	if code, ok := unitsOnReceipts[Fold(s)]; ok {
		return record.Str(code)
	}
	return record.Str(s)
}

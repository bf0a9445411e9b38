// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var receiptKey = regexp.MustCompile(`"([^"\\\n]{1,40})"\s*:`)

func fitsReceiptJSON(h Head) Fit {
	text := strings.TrimSpace(h.Text)
	if text == "" || !strings.ContainsAny(text[:1], "{[") {
		return No
	}
	fields := map[string]bool{}
	for _, m := range receiptKey.FindAllStringSubmatch(text, -1) {
		fields[receiptField(jsonName(m[1]))] = true
	}
	return tellsReceipt(fields)
}

// jsonName makes a heading of a name: unit_price and unitPrice are "unit price".
func jsonName(name string) string {
	if receiptNames[Fold(name)] != "" {
		return name
	}
	return camel.ReplaceAllString(strings.ReplaceAll(name, "_", " "), "$1 $2")
}

var camel = regexp.MustCompile(`([a-z])([A-Z])`)

// maxReceipt is how much one receipt may hold, in bytes.
const maxReceipt = 16 << 20

// readReceiptJSON reads a receipt, an array of receipts, or an array of lines.
// What a receipt says beside its lines holds for each of them.
func readReceiptJSON(_ context.Context, src *Source, to *Sink) error {
	return readReceipts(src, to, func(visit func(receiptLine, int) error) error {
		in, err := src.JSON()
		if err != nil {
			return err
		}
		defer in.Close()
		each := func(int) error {
			at := in.Line()
			tree, err := in.Tree(maxReceipt)
			if err != nil {
				return err
			}
			return receiptLines(tree, receiptLine{}, at, 0, visit)
		}
		if strings.HasPrefix(strings.TrimSpace(src.Head.Text), "[") {
			err = in.Array(each)
		} else {
			err = each(0)
		}
		if err != nil {
			return err
		}
		return in.Finish()
	})
}

// receiptLines takes an object for a receipt when it holds an array of lines, and
// else for a line.
func receiptLines(tree any, around receiptLine, at, depth int, visit func(receiptLine, int) error) error {
	object, ok := tree.(map[string]any)
	if !ok || depth > 3 {
		return Why("json", "line", itoa(at), "what", "no object where a receipt or a line should be")
	}
	line, inside := ownFields(object)
	if inside != nil {
		for _, field := range []string{"label", "total", "price", "quantity"} { // of the whole receipt
			delete(line, field)
		}
	}
	for field, value := range around {
		if line[field] == "" {
			line[field] = value
		}
	}
	if inside == nil {
		return visit(line, at)
	}
	for _, each := range inside {
		if err := receiptLines(each, line, at, depth+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// ownFields are the fields that an object names itself, the first name of each
// that says something, and the lines or receipts inside it; nil for none.
func ownFields(object map[string]any) (line receiptLine, inside []any) {
	line = receiptLine{}
	put := func(field, value string) {
		if field != "" && line[field] == "" {
			line[field] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		field := receiptField(jsonName(name))
		switch value := object[name].(type) {
		case []any:
			if holdsLines(value) {
				inside = append(inside, value...)
			}
		case map[string]any: // {"store": {"name": …}}, {"product": {"label": …, "gtin": …}}
			own, _ := ownFields(value)
			if field == "store" {
				put(field, own["label"])
			} else if field == "label" {
				put(field, own["label"])
				put("gtin", own["gtin"])
			}
		default:
			put(field, branch{value}.say())
		}
	}
	return line, inside
}

// holdsLines tells an array of lines, or of receipts, from others: payments, say.
func holdsLines(list []any) bool {
	if len(list) == 0 {
		return false
	}
	object, ok := list[0].(map[string]any)
	if !ok {
		return false
	}
	line, inside := ownFields(object)
	return line["label"] != "" || inside != nil
}

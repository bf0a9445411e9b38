// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// amountParts gathers what the columns of one row tell about one number.
type amountParts struct {
	total record.Value
	sign  int // 1 or -1 where a column says it
	code  record.Value
}

func (a *amountParts) add(c *cell, s string) error {
	if c.Part == Direction {
		if a.sign = direction(s); a.sign == 0 && s != "" {
			return Why("value", "field", c.Field, "value", clip(s))
		}
		return nil
	}
	number, code := cutCurrency(s)
	if strings.Trim(number, "-–—") == "" {
		return nil
	}
	v, err := Number(number, c.mark)
	if err != nil || v.IsNull() {
		return err
	}
	if n, scale := v.Unscaled(); c.Part == Fee || c.Part == Debit {
		v = record.Dec(-max(n, -n), scale)
	}
	if a.code.IsNull() {
		a.code = code
	}
	a.total, err = plus(a.total, v)
	return err
}

// into puts the number into the row.
func (a *amountParts) into(row record.Row, field int, t *table) {
	if a.total.IsNull() {
		return
	}
	n, scale := a.total.Unscaled()
	if a.sign != 0 {
		n = max(n, -n) * int64(a.sign)
	}
	named := t.kind.Fields[field].Currency
	if t.m.Negate && named != "" {
		n = -n
	}
	row[field] = record.Dec(n, scale)
	if i, ok := t.kind.Index(named); ok && row[i].IsNull() {
		row[i] = a.code
	}
}

// direction is 1 for what came in, -1 for what went out, and 0 for no answer.
func direction(s string) int {
	switch strings.Trim(Fold(s), ".") {
	case "d", "dr", "db", "dbit", "debit", "deb", "-", "out", "s", "soll", "sortie", "depense", "af", "withdrawal":
		return -1
	case "c", "cr", "crdt", "credit", "cred", "+", "in", "h", "haben", "entree", "recette", "bij", "deposit":
		return 1
	}
	return 0
}

// booked says of a state whether the row counts.
func booked(s string) bool {
	switch Fold(s) {
	case "pending", "declined", "reverted", "failed", "cancelled", "canceled", "rejected", "en attente", "en cours", "annule", "annulee", "refuse", "refusee", "a venir", "rejete", "rejetee":
		return false
	}
	return true
}

// plus adds two decimals exactly.
func plus(v, w record.Value) (record.Value, error) {
	if v.IsNull() {
		return w, nil
	}
	a, m := v.Unscaled()
	b, n := w.Unscaled()
	for ; m < n; m++ {
		a *= 10
		if a > 1e17 || a < -1e17 {
			return record.Null, Why("number", "value", v.String())
		}
	}
	for ; n < m; n++ {
		b *= 10
		if b > 1e17 || b < -1e17 {
			return record.Null, Why("number", "value", w.String())
		}
	}
	if sum := a + b; sum > -1e18 && sum < 1e18 {
		return record.Dec(sum, m), nil
	}
	return record.Null, Why("number", "value", v.String())
}

// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"math/big"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// Number reads a number as people and banks write it: spaces, apostrophes and
// the other mark between thousands, a sign before or behind, a plus, a currency
// sign, brackets for minus. mark is the decimal mark, ',' or '.'; 0 finds it
// out from this number alone: the last of the two is it, but not when it comes
// more than once. What finds it out for "1,234" is 1.234: where a file has more
// numbers, look at all of them ([DecimalMark]). "" is null.
func Number(s string, mark byte) (record.Value, error) {
	s = strings.Map(dropInNumbers, Plain(s))
	negative := false
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		s, negative = s[1:len(s)-1], true
	}
	if rest, ok := strings.CutSuffix(s, "-"); ok && rest != "" {
		s, negative = rest, !negative
	}
	if rest, ok := strings.CutSuffix(s, "+"); ok {
		s = rest
	}
	if s == "" {
		return record.Null, nil
	}
	if negative {
		s = "-" + s
	}
	if mark == 0 {
		mark = markOf(s)
	}
	other := ","
	if mark == ',' {
		other = "."
	}
	whole, fraction, has := strings.Cut(s, string(rune(mark)))
	if !goodThousands(whole, other) || strings.Contains(fraction, other) {
		return record.Null, Why("number", "value", clip(s))
	}
	whole = strings.ReplaceAll(whole, other, "")
	if has {
		whole += "." + fraction
	}
	v, err := record.ParseDec(whole)
	if err != nil {
		return record.Null, Why("number", "value", clip(s)).Because(err)
	}
	return v, nil
}

// dropInNumbers takes out what has no meaning in a number, and makes one minus
// of all.
func dropInNumbers(r rune) rune {
	switch r {
	case ' ', '\'', '’', '€', '$', '£':
		return -1
	case '−', '–':
		return '-'
	}
	return r
}

// goodThousands: a mark between thousands is followed by three digits.
func goodThousands(whole, mark string) bool {
	_, rest, found := strings.Cut(whole, mark)
	for found {
		var group string
		group, rest, found = strings.Cut(rest, mark)
		if len(group) != 3 {
			return false
		}
	}
	return true
}

func markOf(s string) byte {
	comma, point := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case comma > point && (point >= 0 || strings.Count(s, ",") == 1):
		return ','
	case point > comma && comma < 0 && strings.Count(s, ".") > 1:
		return ','
	}
	return '.'
}

// DecimalMark says which mark the numbers of one column have before their
// fractions, ',' or '.'; 0 when none of them tells.
func DecimalMark(column []string) byte {
	var comma, point int
	for _, s := range column {
		s = strings.TrimRight(strings.Map(dropInNumbers, Plain(s)), "-+)")
		i := strings.LastIndexAny(s, ",.")
		if i < 0 {
			continue
		}
		both := strings.Contains(s, ",") && strings.Contains(s, ".")
		alone := len(s)-i-1 != 3 && strings.Count(s, s[i:i+1]) == 1
		switch {
		case !both && !alone:
		case s[i] == ',':
			comma++
		default:
			point++
		}
	}
	switch {
	case comma > point:
		return ','
	case point > comma:
		return '.'
	}
	return 0
}

func ratOf(v record.Value) *big.Rat {
	r := new(big.Rat)
	if !v.IsNull() {
		r.SetString(v.String())
	}
	return r
}

// decimalOf spells a rational that is a decimal of few digits.
func decimalOf(r *big.Rat) string {
	s := r.FloatString(record.MaxDigits)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

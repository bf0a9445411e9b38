// SPDX-License-Identifier: Apache-2.0

package importer

import "strings"

// GTIN reads an article's number world-wide (GS1 General Specifications, 3.3):
// 8, 12, 13 or 14 digits of which the last checks the others, with spaces or
// hyphens between them. A number of 12 digits, and one of 14 that begins with 0,
// is told with 13. ok is false for what is no such number.
func GTIN(s string) (number string, ok bool) {
	number = strings.NewReplacer(" ", "", "-", "", "\u00A0", "").Replace(strings.TrimSpace(s))
	sum, weight := 0, 1
	for i := len(number) - 1; i >= 0; i-- {
		if number[i] < '0' || number[i] > '9' {
			return "", false
		}
		sum += weight * int(number[i]-'0')
		weight = 4 - weight
	}
	if sum%10 != 0 || sum == 0 {
		return "", false
	}
	switch n := len(number); {
	case n == 12:
		return "0" + number, true
	case n == 14 && number[0] == '0':
		return number[1:], true
	case n == 8 || n == 13 || n == 14:
		return number, true
	}
	return "", false
}

// SPDX-License-Identifier: Apache-2.0

package importer

import "testing"

func TestQIFTraps(t *testing.T) {
	readStatements(t, "qif", []statement{
		{name: "a date that fits one way", in: "!Type:Bank\nD1/2/26\nT-1.50\nPA\n^\nD25/12/25\nT2\nPB\n^\n", want: []string{`"date":"2026-02-01" | "amount":-1.5 | "label":"A" | !"currency"`, `"date":"2025-12-25"`}},
		{name: "the other way", in: "!Type:Bank\nD1/2/26\nT-1.50\n^\nD12/25/25\nT2\n^\n", want: []string{`"date":"2026-01-02"`, `"date":"2025-12-25"`}},
		{name: "open", in: "!Type:Bank\nD1/2/26\nT-1.50\n^\n", refused: "dates-open"},
		{name: "said", in: "!Type:Bank\nD1/2/26\nT-1.50\n^\n", o: Options{Dates: "mdy", Currency: "eur", Account: "00054321"}, want: []string{`"date":"2026-01-02" | "currency":"EUR" | "account":"…4321"`}},
		{name: "both ways", in: "!Type:Bank\nD13/2/26\nT-1.50\n^\nD2/13/26\nT1\n^\n", refused: "dates-mixed"},
		{name: "both ways, said", in: "!Type:Bank\nD13/2/26\nT-1.50\n^\nD2/13/26\nT1\n^\n", o: Options{Dates: "dmy"}, want: []string{`"date":"2026-02-13"`}, rejected: []string{"5 no-such-day"}},
		{name: "apostrophes and padding", in: "!Type:CCard\nD31/03'05\nT1\n^\nD 1/ 4'05\nT1\n^\nD31.12.1999\nT1\n^\nD1/ 4/98\nT1\n^\nD2026-02-03\nT1\n^\n", want: []string{"2005-03-31", "2005-04-01", "1999-12-31", "1998-04-01", "2026-02-03"}},
		{name: "thousands", in: "!Type:Bank\nD31/1/26\nT2,345.00\n^\nD31/1/26\nT3,300\n^\n", want: []string{`"amount":2345`, `"amount":3300`}},
		{name: "commas", in: "!Type:Bank\nD31/1/26\nT-42,50\n^\nD31/1/26\nT1.500\n^\nD31/1/26\nT1 234,5\n^\n", want: []string{`"amount":-42.5`, `"amount":1500`, `"amount":1234.5`}},
		{name: "commas or thousands", in: "!Type:Bank\nD31/1/26\nT2,345\n^\n", refused: "decimals-open"},
		{name: "parts count once", in: "!Type:Bank\nD31/1/26\nT-98.05\nPShop\nLBooks\nSBooks\nEx\n$-53.30\nSHome\n$-44.75\nMVisa\n^\n", want: []string{`"amount":-98.05 | "category":"Books" | "memo":"Visa"`}},
		{name: "two carets and spaces", in: "!Type:Bank \r\nD31/1/26\r\nT1\r\nM memo \r\n^^\r\n\r\nD31/1/26\r\nT2\r\n^^\r\n", want: []string{`"amount":1 | "label":"memo"`, `"amount":2`}},
		{name: "Latin-1", in: "!Type:Bank\nD31/1/26\nT1\nPCaf\xe9\n^\n", want: []string{`"label":"Café"`}},
		{name: "accounts by name", in: "!Option:AutoSwitch\n!Account\nNLivret A\nTBank\n^\n!Type:Bank\nD31/1/26\nT1\n^\n!Account\nNVisa\nTCCard\n^\n!Type:CCard\nD31/1/26\nT2\nL[Livret A]\n^\n!Type:Cat\nNFood\nE\n^\n",
			want: []string{`"account":"Livret A" | "amount":1`, `"account":"Visa" | "type":"transfer" | !"category"`}},
		{name: "cheques", in: "!Type:Bank\nD31/1/26\nT1\nN277\n^\nD31/1/26\nU2\nNATM\n^\n", want: []string{`"checkNumber":"277"`, `"type":"cash" | "amount":2`}},
		{name: "no type", in: "D31/1/26\nT1\nPA\n^\n", want: []string{`"amount":1`}},
		{name: "investments", in: "!Type:Invst\nD31/1/26\nNBuy\nYX\nT1\n^\n", refused: "investment"},
		{name: "investments beside", in: "!Type:Bank\nD31/1/26\nT1\n^\n!Type:Invst\nD31/1/26\nNBuy\nT1\n^\n", want: []string{`"amount":1`}, warned: []string{"investment-left-out"}},
		{name: "dates glued to texts", in: "!Type:Bank\nD03/25/099Share Withdrawal\nT-1\n^\n", refused: "no-dates"},
		{name: "some bad rows", in: "!Type:Bank\nD31/1/26\nT1\n^\nDx\nT1\n^\nD31/1/26\nPA\n^\nD31/1/26\nT1x\n^\nD30/2/26\nT1\n^\n", want: []string{`"amount":1`}, rejected: []string{"5 date", "8 missing", "11 number", "14 no-such-day"}},
		{name: "cut", in: "!Type:Bank\nD31/1/26\nT1\n^\nD31/1/26\nT12", want: []string{`"amount":1`}, rejected: []string{"5 cut"}},
		{name: "health", in: "!Type:Bank\nD31/1/26\nT1\nPPharmacie\n^\n", want: []string{`"amount":1`}, warned: []string{"bank-health"}},
		{name: "categories alone", in: "!Type:Cat\nNFood\nE\n^\n", refused: "no-statement"},
	})
}

func FuzzQIF(f *testing.F) {
	f.Add([]byte("!Type:Bank\nD12/25'05\nT-2,345.00\nPA\nS1\n$2\n^\n!Account\nNx\n^\n!Type:CCard\nD31.12.1999\nU1,5\n^^\n"))
	fuzzBank(f, "qif", Options{Dates: "dmy"})
}

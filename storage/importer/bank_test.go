// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// takeAll reads a text and keeps its rows as JSON, by kind.
func takeAll(t testing.TB, in string, o Options) (*Report, map[string][]string) {
	t.Helper()
	r, list := take(t, in, o)
	rows := map[string][]string{}
	for _, x := range list {
		rows[x.kind.Kind] = append(rows[x.kind.Kind], string(x.kind.AppendJSON(nil, x.row)))
	}
	return r, rows
}

// statement is a trap: a file, and what must be read of it.
type statement struct {
	name, in string
	o        Options
	want     []string // in each operation, in turn: JSON members, separated by spaces
	accounts []string // the same of accounts; nil: not looked at
	refused  string   // the code
	rejected []string // the codes, with their lines
	warned   []string
}

func readStatements(t *testing.T, format string, list []statement) {
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			r, rows := takeAll(t, s.in, s.o)
			if r.Refused != nil || s.refused != "" {
				if r.Refused == nil || r.Refused.Code != s.refused {
					t.Fatalf("refused: %v, want %q", r.Refused, s.refused)
				}
				return
			}
			if r.Format != format {
				t.Errorf("read by %s", r.Format)
			}
			has(t, rows["bank-operations"], s.want)
			if s.accounts != nil {
				has(t, rows["bank-accounts"], s.accounts)
			}
			var rejected, warned []string
			for _, x := range r.Rejected {
				rejected = append(rejected, fmt.Sprintf("%d %s", x.Line, x.Reason.Code))
			}
			if !slices.Equal(rejected, s.rejected) {
				t.Errorf("rejected %q, want %q", rejected, s.rejected)
			}
			for _, w := range r.Warnings {
				warned = append(warned, w.Reason.Code)
			}
			if !slices.Equal(warned, s.warned) {
				t.Errorf("warned %q, want %q", warned, s.warned)
			}
		})
	}
}

// has holds rows against the members they must have; one that begins with !
// they must not have.
func has(t *testing.T, rows, want []string) {
	t.Helper()
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d:\n%s", len(rows), len(want), strings.Join(rows, "\n"))
	}
	for i, members := range want {
		for member := range strings.SplitSeq(members, "|") {
			rest, not := strings.CutPrefix(strings.TrimSpace(member), "!")
			if strings.Contains(rows[i], rest) == not {
				t.Errorf("row %d: %s\nwant %s", i, rows[i], member)
			}
		}
	}
}

func TestHealth(t *testing.T) {
	for label, want := range map[string]bool{
		"CPAM DES HAUTS DE SEINE": true, "Remboursement C.P.A.M.": false, "HARMONIE MUTUELLE IP0169697530": true, "CENTRE OPHTALM": true,
		"DR CHOLLET CHQ 18708912": true, "SELARL DR COHEN": true, "PHARMACIE DES PENTES": true, "VIR ASSURANCE MALADIE": true, "Visite chez le médecin": true,
		"CREDIT MUTUEL": false, "CARTE 11/09/26 CARREFOUR CITY": false, "MAIF COTISATION": false, "Andrea Doria": false, "": false, "SNCF DRAGUIGNAN": false,
	} {
		if Health(label) != want {
			t.Errorf("%q: %v", label, !want)
		}
	}
}

func TestShortened(t *testing.T) {
	for in, want := range map[string]string{
		"00012345": "…2345", "FR7630002005500000157841Z25": "…1Z25", "MyAccount_****01233": "…1233", "XXXX XXXX XXXX 1234": "…1234",
		"Compte": "Compte", "Livret A": "Livret A", "4321": "4321", "": "", "11111111-UUID-UUID-UUID-111111111111": "…1111",
	} {
		if got := shortened(in).String(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]bool{"FR1420041010050500013M02606": true, "FR1420041010050500013M02607": false, "CH2909000000250094238": false, "GB33BUKB20201555555555": true, "": false, "NL26": false} {
		if isIBAN(in) != want {
			t.Errorf("%q is an IBAN: %v", in, !want)
		}
	}
}

func TestVotes(t *testing.T) {
	for _, c := range []struct {
		dates      string
		said, want string // the order, or the code
	}{
		{"6/17/97 8/1/97", "", "mdy"}, {"17/6/97 8/1/97", "", "dmy"}, {"2026-02-03 2026-02-04", "", "dmy"}, {"8/8/97", "", "dmy"},
		{"8/1/97", "", "dates-open"}, {"8/1/97", "mdy", "mdy"}, {"17/6/97 6/17/97", "", "dates-mixed"}, {"", "", "dmy"}, {"12/03'05 25/03'05", "", "dmy"},
	} {
		var v dateVotes
		for _, s := range strings.Fields(c.dates) {
			v.see(s)
		}
		got, err := v.order(c.said)
		if err != nil {
			got = asReason(err).Code
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.dates, got, c.want)
		}
	}
	var open dateVotes
	open.see("03/04/2026")
	_, err := open.order("")
	if why := asReason(err); why.Args["example"] != "03/04/2026" || why.Args["dmy"] != "2026-04-03" || why.Args["mdy"] != "2026-03-04" {
		t.Errorf("the question shows %v", why.Args)
	}
	for in, want := range map[string]string{
		"1,500": "decimals-open", "1,500 12,50": ",", "1,500 12.50": ".", "1.500 1,234.56": ".", "12": "\x00", "12,5 12.5": "\x00", "1.500 12,5 12.5": "decimals-open",
	} {
		var v markVotes
		for _, s := range strings.Fields(in) {
			v.see(s)
		}
		mark, err := v.mark(0)
		got := string(rune(mark))
		if err != nil {
			got = asReason(err).Code
		}
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

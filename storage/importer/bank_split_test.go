// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// payment is one line of the statements that the test writes.
type payment struct {
	day, cents int
	label      string
}

// writers spell a statement in each format.
var writers = map[string]func([]payment) string{
	"ofx": func(list []payment) string {
		var b strings.Builder
		for _, p := range list {
			fmt.Fprintf(&b, "<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>202601%02d<TRNAMT>%d,%02d<NAME>%s</STMTTRN>\n", p.day, p.cents/100, p.cents%100, p.label)
		}
		return ofxOf(b.String())
	},
	"camt": func(list []payment) string {
		var entries []string
		for _, p := range list {
			entries = append(entries, camtEntry(fmt.Sprintf("%d.%02d", p.cents/100, p.cents%100), "CRDT", fmt.Sprintf("<AddtlNtryInf>%s</AddtlNtryInf><BookgDt><Dt>2026-01-%02d</Dt></BookgDt>", p.label, p.day)))
		}
		return camtOf(camtStmt(entries...))
	},
	"qif": func(list []payment) string {
		b := strings.Builder{}
		b.WriteString("!Account\nNVisa\n^\n!Type:Bank\n")
		for _, p := range list {
			fmt.Fprintf(&b, "D%d/1'26\nT%d.%02d\nP%s\n^\n", p.day, p.cents/100, p.cents%100, p.label)
		}
		return b.String()
	},
	"bank-csv": func(list []payment) string {
		b := strings.Builder{}
		b.WriteString("Compte :;00054321\n\nDate;Libellé;Montant\n")
		for _, p := range list {
			fmt.Fprintf(&b, "%02d/01/2026;%s;%d,%02d\n", p.day, p.label, p.cents/100, p.cents%100)
		}
		return b.String()
	},
}

// held is a data set whose objects lie in memory.
type held struct {
	set     *record.Set
	objects map[string][]byte
	alike   int // as the last import says
}

func newHeld(t fataler) *held { return newHeldOf(t, "bank-operations") }

func newHeldOf(t fataler, name string) *held {
	kind, _ := catalogue.Kind(name)
	h := &held{objects: map[string][]byte{}}
	set, err := record.Create(kind, h)
	if err != nil {
		t.Fatal(err)
	}
	h.set = set.Over(h)
	return h
}

type fataler interface{ Fatal(...any) }

func (h *held) Get(_ context.Context, path string) ([]byte, error) {
	b, ok := h.objects[path]
	if !ok {
		return nil, os.ErrNotExist
	}
	return b, nil
}

func (h *held) Write(path string, content []byte) error {
	h.objects[path] = content
	return nil
}

// add imports a file, and says whether that changed anything.
func (h *held) add(t fataler, in string) bool {
	im := h.set.Import(context.Background(), h)
	sink := &Sink{Take: func(kind *record.Schema, row record.Row) error {
		if kind.Kind != h.set.Schema().Kind {
			return nil
		}
		return im.Add(row)
	}}
	r, err := Read(context.Background(), Content("statement", []byte(in), Options{Dates: "dmy"}), sink)
	if err != nil || r.Refused != nil || r.RejectedRows > 0 && r.Format != "veolia-csv" {
		t.Fatal(err, r.Refused, r.Rejected)
	}
	c, err := im.Finish(record.Meta{When: 1, Files: []string{"statement"}, Format: r.Format})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range c.Drop {
		delete(h.objects, path)
	}
	h.set, h.alike = c.Set.Over(h), c.Alike
	return c.Written
}

func (h *held) undo(t fataler, operation int) {
	c, err := h.set.Undo(h, operation, 1)
	if err != nil {
		t.Fatal(err)
	}
	h.set = c.Set.Over(h)
}

// rows are all that counts, as sorted JSON.
func (h *held) rows(t fataler) (list []string) {
	err := h.set.Rows(context.Background(), record.Query{}, func(_ record.Number, r record.Row) error {
		list = append(list, string(h.set.Schema().AppendJSON(nil, r)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// A month of payments, many of them alike, comes in one file, or in any number
// of files that each have some days in a row and overlap in any way, in any
// order: what is held in the end is the same.
func TestSplitStatements(t *testing.T) {
	for format, write := range writers {
		t.Run(format, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				list := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) payment {
					return payment{rapid.IntRange(1, 31).Draw(rt, "day"), rapid.SampledFrom([]int{150, 1000, 99999}).Draw(rt, "cents"), rapid.SampledFrom([]string{"CAFE", "VIR A"}).Draw(rt, "label")}
				}), 1, 30).Draw(rt, "payments")
				slices.SortStableFunc(list, func(a, b payment) int { return a.day - b.day })
				whole, parts := newHeld(rt), newHeld(rt)
				whole.add(rt, write(list))
				if n := whole.set.Len(); n != len(list) {
					rt.Fatalf("%d payments, %d held", len(list), n)
				}
				for _, days := range coverings(rt) {
					in := slices.DeleteFunc(slices.Clone(list), func(p payment) bool { return p.day < days[0] || p.day > days[1] })
					if len(in) > 0 {
						parts.add(rt, write(in))
					}
				}
				if diff := cmp.Diff(whole.rows(rt), parts.rows(rt)); diff != "" {
					rt.Fatal(diff)
				}
				if whole.add(rt, write(list)) || parts.add(rt, write(list)) {
					rt.Fatal("the same again changes something")
				}
			})
		})
	}
}

// coverings are spans of days that together have the whole month.
func coverings(t *rapid.T) (list [][2]int) {
	for from := 1; from <= 31; {
		to := rapid.IntRange(from, 31).Draw(t, "to")
		list = append(list, [2]int{max(1, from-rapid.IntRange(0, 10).Draw(t, "overlap")), to})
		from = to + 1
	}
	list = append(list, list[rapid.IntRange(0, len(list)-1).Draw(t, "again")])
	return rapid.Permutation(list).Draw(t, "order")
}

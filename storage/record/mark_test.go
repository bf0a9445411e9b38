// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Equal marks are of equal rows, whatever was done in between, compacting too,
// and after whichever operation; no mark is of no rows; all rows lie in the span.
func TestMarks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSchema(rt, t)
		d := newData(rt, s)
		files := [][]Row{drawFew(rt, s, 1, 12), drawFew(rt, s, 1, 12)}
		spans := []*Span{nil, {From: -1 << 62, To: 1 << 62}, drawSpan(rt), drawSpan(rt)}
		known := make([]map[string]string, len(spans)) // the rows of each mark
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			d.step(rt, files)
			set := d.set.At(rapid.IntRange(0, len(d.set.Operations())).Draw(rt, "at"))
			for i, span := range spans {
				rows, mark := rowsIn(rt, set, span), string(set.Mark(Query{Span: span}))
				if mark == "" && rows != "" {
					rt.Fatalf("no mark of %v, and there are\n%s", span, rows)
				}
				if known[i] == nil {
					known[i] = map[string]string{}
				}
				if before, ok := known[i][mark]; ok && before != rows {
					rt.Fatalf("the mark %x of %v was of\n%s\nand is of\n%s", mark, span, before, rows)
				}
				known[i][mark] = rows
			}
			checkSpan(rt, set)
		}
	})
}

func drawSpan(t *rapid.T) *Span {
	days := func(name string) int64 { return rapid.Int64Range(-2, 4).Draw(t, name) * 86400e6 }
	return &Span{days("from"), days("to"), rapid.Bool().Draw(t, "undated")}
}

// rowsIn spells the rows of a span.
func rowsIn(t fataler, set *Set, span *Span) string {
	t.Helper()
	var lines []string
	err := set.Rows(context.Background(), Query{Span: span}, func(n Number, r Row) error {
		lines = append(lines, n.String()+" "+string(set.schema.AppendJSON(nil, r)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func checkSpan(t fataler, set *Set) {
	t.Helper()
	first, last, ok := set.Span()
	err := set.Rows(context.Background(), Query{}, func(_ Number, r Row) error {
		if when, dated := set.schema.When(r); dated && (!ok || when < first || when > last) {
			t.Fatalf("a row at %d lies outside %d to %d, %v", when, first, last, ok)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

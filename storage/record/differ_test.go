// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Where two states of a set differ, whatever was done in between, compacting
// too, and in whichever order they are set beside each other: the rows of a span
// are the same if no row that differs begins in it, each that differs is told of
// once, and what there is in a span is not overlooked.
func TestDiffering(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSchema(rt, t)
		d := newData(rt, s)
		files := [][]Row{drawFew(rt, s, 1, 12), drawFew(rt, s, 1, 12)}
		spans := []*Span{{-1 << 62, 1 << 62, true}, drawSpan(rt), drawSpan(rt)}
		before, then := d.set.Roll(), make([]string, len(spans))
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			d.step(rt, files)
			set := d.set.At(rapid.IntRange(0, len(d.set.Operations())).Draw(rt, "at"))
			now := make([]string, len(spans))
			for i, span := range spans {
				now[i] = rowsIn(rt, set, span)
			}
			checkDiffering(rt, set, before, spans, now, then)
			checkSpan(rt, set)
			if rapid.Bool().Draw(rt, "then") {
				before, then = set.Roll(), now
			}
		}
	})
}

func checkDiffering(t fataler, set *Set, before Roll, spans []*Span, now, then []string) {
	t.Helper()
	told, touched := 0, make([]bool, len(spans))
	err := set.Differing(context.Background(), before, func(micros int64, dated bool) {
		told++
		for i, s := range spans {
			touched[i] = touched[i] || dated && s.From <= micros && micros < s.To || !dated && s.Undated
		}
	})
	if errors.Is(err, ErrNoRow) { // left out by a compaction: then all is new
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, span := range spans {
		if then[i] != now[i] && !touched[i] {
			t.Fatalf("no row of %v is told of, which had\n%s\nand has\n%s", span, then[i], now[i])
		}
		if now[i] != "" && !set.Any(Query{Span: span}) {
			t.Fatalf("nothing in %v, which has\n%s", span, now[i])
		}
		if i == 0 && told != differingLines(then[i], now[i]) {
			t.Fatalf("%d rows are told of, there were\n%s\nand are\n%s", told, then[i], now[i])
		}
	}
}

// differingLines counts the lines that one of two texts has.
func differingLines(a, b string) (n int) {
	lines := map[string]int{}
	for _, text := range []string{a, b} {
		for line := range strings.SplitSeq(text, "\n") {
			if line != "" {
				lines[line]++
			}
		}
	}
	for _, count := range lines {
		n += count % 2
	}
	return n
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

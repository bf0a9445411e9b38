// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
)

// TestFolds: sums at the edges of what a value holds, and how means are
// rounded.
func TestFolds(t *testing.T) {
	s := readings(t, "UTC", record.Instant)
	begins := time.Date(2011, time.May, 5, 5, 0, 0, 0, time.UTC)
	const tooLarge = "sum-too-large"
	for _, tt := range []struct {
		column string
		values string
		want   string
	}{
		{"energy/sum", "0.1 0.2", `0.3`},
		{"energy/sum", "1 0.001 1e-18", `1.001`}, // 19 digits: rounded to 18
		{"energy/sum", "1e-18 2e-18", `0.000000000000000003`},
		{"energy/sum", "999999999999999998 0.5", `999999999999999998`}, // half to even
		{"energy/sum", "999999999999999997 0.5", `999999999999999998`},
		{"energy/sum", "-999999999999999998 -0.5", `-999999999999999998`},
		{"energy/sum", "-999999999999999997 -0.5", `-999999999999999998`},
		{"energy/sum", "999999999999999999 0.5", tooLarge},
		{"energy/sum", "999999999999999999 1", tooLarge},
		{"energy/sum", "999999999999999999 999999999999999999 -999999999999999999", `999999999999999999`},
		{"energy/sum", strings.Repeat("999999999999999999 ", 12) + strings.Repeat("-999999999999999999 ", 12), `0`}, // beyond 64 bits and back
		{"energy/sum", strings.Repeat("-999999999999999999 ", 12) + "0.000000000000000001" + strings.Repeat(" 999999999999999999", 12), `0.000000000000000001`},
		{"energy/mean", strings.Repeat("999999999999999999 ", 12), `999999999999999999`},
		{"energy/mean", "0.000001 0.000002", `0.000002`}, // half to even, up
		{"energy/mean", "0.000002 0.000003", `0.000002`}, // and down
		{"energy/mean", "-0.000001 -0.000002", `-0.000002`},
		{"energy/mean", "-0.000002 -0.000003", `-0.000002`},
		{"energy/mean", "1 1 2", `1.333333`},
		{"energy/mean", "2 1 2", `1.666667`},
		{"energy/mean", "-2 -1 -2", `-1.666667`},
		{"energy/mean", "123456789012345.6 123456789012345.5", `123456789012345.55`},
		{"energy/mean", "12345678901234567 12345678901234568", `12345678901234567.5`},
		{"energy/min", "0.5 0.25 3", `0.25`},
		{"energy/max", "-0.5 -0.25 -3", `-0.25`},
		{"steps/sum", "4611686018427387904 4611686018427387904 -4611686018427387904", `4611686018427387904`},
		{"steps/sum", "4611686018427387904 4611686018427387904", tooLarge},
		{"steps/sum", "-4611686018427387904 -4611686018427387904", `-9223372036854775808`},
		{"steps/mean", "1 2", `1.5`},
		{"steps/mean", "4611686018427387904 0", tooLarge},
		{"steps/count", "1 2", `2`},
	} {
		name, _, _ := strings.Cut(tt.column, "/")
		field, _ := s.Index(name)
		var rows []record.Row
		for i, text := range strings.Fields(tt.values) {
			row := make(record.Row, len(s.Fields))
			var err error
			if row[field], err = s.Fields[field].ParseText(text); err != nil {
				t.Fatal(err)
			}
			start, _ := s.Index("start")
			row[start] = record.At(begins.Add(time.Duration(i) * time.Second))
			rows = append(rows, row)
		}
		v, err := view.Parse(s, view.Spec{Columns: []string{tt.column}, Rows: []string{"*"}, From: view.Earliest, To: view.Latest, Period: view.Day})
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 3, 100} { // of a batch, with a scale of its own
			got, err := v.Rows(context.Background(), shelve(s, rows, size), begins.AddDate(0, 0, 2))
			var e *view.Error
			switch {
			case tt.want == tooLarge:
				if !errors.As(err, &e) || e.Code != tooLarge || got != nil {
					t.Errorf("%s of %s: %v, %v, want %s", tt.column, tt.values, got, err, tt.want)
				}
			case err != nil || len(got) != 1 || got[0][0].String() != tt.want:
				t.Errorf("%s of %s in batches of %d: %v, %v, want %s", tt.column, tt.values, size, got, err, tt.want)
			}
		}
	}
}

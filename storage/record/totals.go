// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"math/big"
	"strings"
)

// Totals are what rows come to: how many there are, the first and last instant,
// the sum of each column of numbers. The zero Totals are those of no rows.
type Totals struct {
	Rows        int
	First, Last int64 // microseconds since 1970; only if Dated
	Dated       bool

	sums map[string]*Total
}

// Total is the exact sum of a column.
type Total struct {
	sum   big.Int // × 10^-18
	small [MaxDigits + 1]int64
}

// Add counts the rows of a batch of all columns of a schema.
func (t *Totals) Add(s *Schema, b *Batch) {
	t.Rows += b.Len
	if i, ok := s.Index(s.Time); ok {
		e := extent{}
		if e.date(s.instants(b.Columns[i])); e.dated > 0 {
			t.dated(e.least, e.most)
		}
	}
	for i, f := range s.Fields {
		if f.Type != Decimal && f.Type != Integer {
			continue
		}
		c, to := b.Columns[i], t.total(f.Name)
		for j := range c.Ints {
			if !c.Null(j) {
				to.add(c.Decimal(j))
			}
		}
	}
}

// AddRow counts one row.
func (t *Totals) AddRow(s *Schema, r Row) {
	t.Rows++
	if when, ok := s.When(r); ok {
		t.dated(when, when)
	}
	for i, f := range s.Fields {
		switch v := r[i]; v.kind {
		case decimal:
			t.total(f.Name).add(v.Unscaled())
		case integer:
			t.total(f.Name).add(v.n, 0)
		}
	}
}

func (t *Totals) dated(first, last int64) {
	if !t.Dated {
		t.First, t.Last, t.Dated = first, last, true
	}
	t.First, t.Last = min(t.First, first), max(t.Last, last)
}

func (t *Totals) total(name string) *Total {
	if t.sums == nil {
		t.sums = map[string]*Total{}
	}
	if t.sums[name] == nil {
		t.sums[name] = &Total{}
	}
	return t.sums[name]
}

// add adds n × 10^-scale, gathering what an int64 can hold.
func (t *Total) add(n int64, scale int) {
	sum := t.small[scale] + n
	if (sum > t.small[scale]) != (n > 0) && n != 0 { // it wrapped around
		t.spill(scale)
		sum = n
	}
	t.small[scale] = sum
}

func (t *Total) spill(scale int) {
	n := new(big.Int).Mul(big.NewInt(t.small[scale]), big.NewInt(pow10(uint8(MaxDigits-scale))))
	t.sum.Add(&t.sum, n)
	t.small[scale] = 0
}

// String spells a total as decimals are spelled, with as many digits as it has.
func (t *Total) String() string {
	for scale := range t.small {
		t.spill(scale)
	}
	s := new(big.Rat).SetFrac(&t.sum, big.NewInt(1e18)).FloatString(MaxDigits)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Sum spells the sum of a column of numbers, "0" for one without values.
func (t *Totals) Sum(name string) string { return t.total(name).String() }

// Totals are those of all rows that count.
func (s *Set) Totals(ctx context.Context) (t Totals, err error) {
	err = s.Scan(ctx, Query{}, func(b *Batch) error {
		t.Add(s.schema, b)
		return nil
	})
	return t, err
}

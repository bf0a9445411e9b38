// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// WriteParquet writes rows as one Parquet file that other programs read: a row
// group for each batch, of at most [MaxRows] rows; every column may have nulls,
// and a decimal column has one scale in all of them. scan hands over the batches,
// with all columns of the schema; it is called twice and must give the same,
// because Parquet says the scale before the first row. Memory is that of one
// batch.
func WriteParquet(out io.Writer, s *Schema, scan func(func(*Batch) error) error) error {
	scales := make([]scaling, len(s.Fields))
	batches := 0
	err := scan(func(b *Batch) error {
		if batches++; batches > math.MaxInt16 || b.Len > MaxRows || len(b.Columns) != len(s.Fields) {
			return errors.New("more rows or other columns than one file can have")
		}
		for i, c := range b.Columns {
			scales[i].see(c)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	w := newParquetWriter()
	w.same = true
	err = scan(func(b *Batch) error {
		if b.Len > 0 {
			w.batch(s, b, scales)
		}
		return w.flush(out)
	})
	if err == nil && len(w.groups) == 0 {
		w.describe(s)
	}
	if err == nil {
		_, err = w.finish()
	}
	if err == nil {
		err = w.flush(out)
	}
	if err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// batch writes a row group.
func (w *parquetWriter) batch(s *Schema, b *Batch, scales []scaling) {
	for i, f := range s.Fields {
		w.column(f, scales[i].of(b.Columns[i]), b.Len)
	}
	w.group(b.Len)
}

// describe says what columns there would be.
func (w *parquetWriter) describe(s *Schema) {
	for _, f := range s.Fields {
		leaf := newLeaf(f, &Column{}, true)
		if f.Type != Place {
			w.leaves = append(w.leaves, leaf)
			continue
		}
		leaf.Name = f.Name + latitude
		w.leaves = append(w.leaves, leaf)
		leaf.Name = f.Name + longitude
		w.leaves = append(w.leaves, leaf)
	}
}

// flush writes what there is of the file.
func (w *parquetWriter) flush(out io.Writer) error {
	n, err := out.Write(w.file)
	w.before, w.file = w.before+int64(n), w.file[:0]
	return err
}

// scaling finds the scale of all decimals of a column.
type scaling struct {
	scale int // digits behind the point
	whole int // digits before it
}

func (s *scaling) see(c *Column) {
	for i := range c.Ints {
		if c.Type != Decimal || c.Null(i) {
			continue
		}
		n, scale := c.Value(i).Unscaled()
		digits := -scale
		for ; n != 0; n /= 10 {
			digits++
		}
		s.scale, s.whole = max(s.scale, scale), max(s.whole, digits)
	}
}

// of is the column with that scale, or ready for the wide form if 18 digits
// cannot hold all.
func (s scaling) of(c *Column) *Column {
	if c.Type != Decimal {
		return c
	}
	out := &Column{Type: Decimal, Nulls: c.Nulls, Ints: make([]int64, len(c.Ints)), Scale: s.scale}
	wide := s.scale+s.whole > MaxDigits
	if wide {
		out.Scales = make([]uint8, len(c.Ints))
	}
	for i := range c.Ints {
		if c.Null(i) {
			continue
		}
		n, scale := c.Value(i).Unscaled()
		if wide {
			out.Ints[i], out.Scales[i] = n, uint8(scale)
		} else {
			out.Ints[i] = n * pow10(uint8(s.scale-scale))
		}
	}
	return out
}

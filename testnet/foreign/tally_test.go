// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/traboule/traboule/storage/record"
)

// tally counts, value by value, what there is to find in a file.
type tally struct {
	schema *record.Schema
	rows   int
	scale  []int
	whole  []int
	parts  [][]*part // of each field: one, of a place two
}

// part is a Parquet column.
type part struct {
	known         int
	sum, min, max *big.Rat
	texts         map[string]bool
	digest        hash.Hash
}

func newTally(s *record.Schema) *tally {
	n := len(s.Fields)
	ta := &tally{schema: s, scale: make([]int, n), whole: make([]int, n)}
	for _, f := range s.Fields {
		parts := []*part{newPart()}
		if f.Type == record.Place {
			parts = append(parts, newPart())
		}
		ta.parts = append(ta.parts, parts)
	}
	return ta
}

func newPart() *part { return &part{sum: new(big.Rat), texts: map[string]bool{}, digest: sha256.New()} }

func (ta *tally) add(b *record.Batch) {
	ta.rows += b.Len
	for i, c := range b.Columns {
		for j := range b.Len {
			ta.value(i, c.Value(j))
		}
	}
}

func (ta *tally) value(field int, v record.Value) {
	parts := ta.parts[field]
	switch {
	case v.IsNull():
		for _, p := range parts {
			p.digest.Write([]byte("-\n"))
		}
		return
	case v.Type() == record.Place:
		lat, lon := v.E7()
		parts[0].number(big.NewRat(int64(lat), 1))
		parts[1].number(big.NewRat(int64(lon), 1))
	case v.Type() == record.Text:
		parts[0].texts[v.String()] = true
		parts[0].text(v.String())
	case v.Type() == record.Decimal:
		n, ok := new(big.Rat).SetString(v.String())
		if !ok {
			panic(v.String())
		}
		whole, after, _ := strings.Cut(strings.TrimPrefix(v.String(), "-"), ".")
		ta.scale[field] = max(ta.scale[field], len(after))
		ta.whole[field] = max(ta.whole[field], len(strings.TrimLeft(whole, "0")))
		parts[0].number(n)
	case v.Type() == record.Boolean:
		parts[0].number(map[bool]*big.Rat{true: big.NewRat(1, 1), false: new(big.Rat)}[v.Bool()])
	case v.Type() == record.Instant:
		parts[0].number(big.NewRat(v.Micros(), 1))
	case v.Type() == record.Day:
		parts[0].number(big.NewRat(v.Days(), 1))
	default:
		parts[0].number(big.NewRat(v.Int(), 1))
	}
}

func (p *part) text(s string) {
	p.known++
	fmt.Fprintf(p.digest, "%d:%s\n", len(s), s)
}

func (p *part) number(n *big.Rat) {
	p.text(spell(n))
	p.sum.Add(p.sum, n)
	if p.min == nil || n.Cmp(p.min) < 0 {
		p.min = n
	}
	if p.max == nil || n.Cmp(p.max) > 0 {
		p.max = n
	}
}

// spell is a decimal without zeros behind its point that say nothing.
func spell(n *big.Rat) string {
	if n.IsInt() {
		return n.Num().String()
	}
	return strings.TrimRight(n.FloatString(18), "0")
}

// found is all of it; columns of nothing are left out of a segment that has
// others, and are there when they must be.
func (ta *tally) found(all bool) found {
	f := found{Rows: ta.rows}
	for i, field := range ta.schema.Fields {
		suffix := []string{""}
		if field.Type == record.Place {
			suffix = []string{"_lat", "_lon"}
		}
		for j, p := range ta.parts[i] {
			if p.known == 0 && !all && i > 0 {
				continue
			}
			c := inColumn{Name: field.Name + suffix[j], Type: ta.typeName(i), Known: p.known, Digest: hex.EncodeToString(p.digest.Sum(nil))}
			if field.Type == record.Text {
				c.Texts = slices.Sorted(maps.Keys(p.texts))
			} else if p.known > 0 {
				c.Sum, c.Min, c.Max = spell(p.sum), spell(p.min), spell(p.max)
			}
			f.Columns = append(f.Columns, c)
		}
	}
	return f
}

// typeName is what the types of protocol/spec/records.md are called in DuckDB.
func (ta *tally) typeName(field int) string {
	switch ta.schema.Fields[field].Type {
	case record.Instant:
		return "TIMESTAMP WITH TIME ZONE"
	case record.Day:
		return "DATE"
	case record.Integer:
		return "BIGINT"
	case record.Boolean:
		return "BOOLEAN"
	case record.Text:
		return "VARCHAR"
	case record.Place:
		return "INTEGER"
	}
	if ta.scale[field]+ta.whole[field] > record.MaxDigits {
		return fmt.Sprintf("DECIMAL(%d,%d)", 2*record.MaxDigits, record.MaxDigits)
	}
	return fmt.Sprintf("DECIMAL(%d,%d)", record.MaxDigits, ta.scale[field])
}

// writePrivate writes a file for the readers.
func writePrivate(path string, content []byte) error { return os.WriteFile(path, content, 0o600) }

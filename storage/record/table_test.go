// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"testing"
)

// What an import remembers grows with a batch, not with what is here: also where
// all rows are alike, or of one key.
func TestImportAgainIsBounded(t *testing.T) {
	defer func(was struct{ rows, few, tail, held int }) { limits = was }(limits)
	limits.rows, limits.few, limits.held = 64, 0, 128
	const many = 64 * 40
	alike := func(int) Row { return Row{Micros(1), Int(7), Int(1)} }
	apart := func(i int) Row { return Row{Micros(int64(i)), Int(int64(i)), Int(1)} }
	ofOneKey := func(i int) Row { return Row{Micros(1), Int(7), Int(int64(i))} }
	for _, c := range []struct {
		name string
		keys [][]string
		row  func(int) Row
	}{
		{"alike", nil, alike}, {"apart", nil, apart}, {"alike with a key", [][]string{{name(1)}}, alike},
		{"apart by a key", [][]string{{name(1)}}, apart}, {"of one key", [][]string{{name(1)}}, ofOneKey},
		{"at one time", [][]string{{name(0), name(1)}}, ofOneKey},
	} {
		notes := map[string]any{"time": name(0)}
		if c.keys != nil {
			notes["keys"] = c.keys
		}
		d := newData(t, schemaOf(t, notes, Instant, Integer, Integer))
		var rows []Row
		for i := range many {
			rows = append(rows, c.row(i))
		}
		d.load(rows)
		im := d.set.Import(context.Background(), store{})
		for _, r := range rows {
			if err := im.Add(r); err != nil {
				t.Fatal(err)
			}
			held := 0
			for _, p := range im.held {
				held += len(p.row)
			}
			if len(im.here.lines) > 4*limits.rows || held > limits.held {
				t.Fatalf("%s: a batch of %d rows may meet %d, and %d are held", c.name, limits.rows, len(im.here.lines), held)
			}
		}
		if change, err := im.Finish(Meta{When: 9}); err != nil || change.Written {
			t.Fatalf("%s: the same again: %+v, %v", c.name, change.Operation, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

const (
	paymentsSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:traboule:kind:payments","title":"Payments","type":"object",
		"properties":{"account":{"type":"string"},"ref":{"type":"string"},"day":{"type":"string","format":"date"},"amount":{"type":"number"},"label":{"type":"string"}},
		"traboule":{"time":"day","keys":[["account","ref","day","amount"],["account","day","amount","label"]]}}`
	walksSchema = `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"urn:traboule:kind:walks","title":"Walks","type":"object",
		"properties":{"steps":{"type":"integer"},"at":{"type":"string","format":"date-time"},"place":{"type":"object"},"wet":{"type":"boolean"},"price":{"type":"number"}},
		"traboule":{"time":"at"}}`
)

// payment spells one: an empty reference is none.
func payment(ref, label string) json.RawMessage {
	if ref != "" {
		ref = fmt.Sprintf(`,"ref":%q`, ref)
	}
	return json.RawMessage(fmt.Sprintf(`{"account":"a","day":"2026-02-03","amount":-42.5,"label":%q%s}`, label, ref))
}

func imports(rows ...json.RawMessage) storyStep { return storyStep{Import: rows} }

func edits(n Number, to json.RawMessage) storyStep { return storyStep{Edit: &storyEdit{n, to}} }

func undoes(n int) storyStep { return storyStep{Undo: n} }

// toldStories are each about one rule of section 6.
func toldStories() (all []storyVector) {
	cafe, pub := payment("", "CAFE"), payment("", "PUB")
	one, otherwise, another := payment("1", "CAFE"), payment("1", "PUB"), payment("2", "CAFE")
	for _, s := range []struct {
		name  string
		steps []storyStep
	}{
		{"two that are alike are two", []storyStep{imports(cafe, cafe, pub)}},
		{"the same again", []storyStep{imports(cafe, cafe, pub), imports(pub, cafe, cafe)}},
		{"an overlap", []storyStep{imports(cafe, pub), imports(cafe, cafe)}},
		{"the holder says something else", []storyStep{imports(one), imports(otherwise)}},
		{"what was said before changes nothing", []storyStep{imports(one), imports(otherwise), imports(one)}},
		{"another number is another payment", []storyStep{imports(one), imports(another)}},
		{"no number is another payment", []storyStep{imports(one), imports(cafe)}},
		{"without a number it is no correction", []storyStep{imports(cafe), imports(pub)}},
		{"an edited row stays edited", []storyStep{imports(one, cafe), edits(1, pub), imports(one, cafe)}},
		{"an edited row keeps its key", []storyStep{imports(one), edits(0, another), imports(another), imports(otherwise)}},
		{"an edit undone", []storyStep{imports(one), edits(0, otherwise), undoes(2), imports(otherwise)}},
		{"a deleted row stays deleted", []storyStep{imports(cafe, cafe), {Delete: []Number{1}}, imports(cafe, cafe), imports(cafe, cafe, cafe)}},
		{"a deletion undone", []storyStep{imports(cafe, pub), {Delete: []Number{0, 1}}, undoes(2)}},
		{"an import undone, and done again", []storyStep{imports(cafe, pub), undoes(1), imports(pub)}},
		{"found by two imports, of which one is undone", []storyStep{imports(cafe), imports(cafe, pub), undoes(1), undoes(2)}},
		{"a correction undone, and said again", []storyStep{imports(one), imports(otherwise), undoes(2), imports(otherwise)}},
		{"what was corrected undone", []storyStep{imports(one), imports(otherwise), undoes(1), imports(one)}},
	} {
		all = append(all, storyVector{Name: s.name, Schema: json.RawMessage(paymentsSchema), Steps: s.steps})
	}
	walk := func(rest string) json.RawMessage { return json.RawMessage("{" + rest + "}") }
	all = append(all, storyVector{Name: "rows are numbered in order", Schema: json.RawMessage(walksSchema), Steps: []storyStep{imports(
		walk(`"steps":10,"at":"2026-02-03T10:00:00Z"`), walk(`"steps":9,"at":"2026-02-03T10:00:00.5Z"`), walk(`"steps":9,"at":"2026-02-03T10:00:00Z"`), walk(`"steps":11`), walk(`"at":"2026-02-03T10:00:00Z"`),
		walk(`"wet":true`), walk(`"wet":false`), walk(`"price":-1.5`), walk(`"price":-1.25`), walk(`"price":10`), walk(`"price":9.75`),
		walk(`"place":{"lat":45.5,"lon":-4.5}`), walk(`"place":{"lat":45.5,"lon":4.5}`), walk(`"place":{"lat":-45.5,"lon":4.5}`), walk(`"at":"1969-12-31T23:59:59Z"`),
	)}})
	return all
}

// drawnStories are drawn, from a seed, of few values so that rows meet.
func drawnStories(t *testing.T) (all []storyVector) {
	r := rand.New(rand.NewPCG(4, 5))
	row := func() json.RawMessage {
		return payment([]string{"", "1", "2"}[r.IntN(3)], []string{"CAFE", "PUB"}[r.IntN(2)])
	}
	for i := range 40 {
		s := storyVector{Name: fmt.Sprintf("drawn %d", i+1), Schema: json.RawMessage(paymentsSchema)}
		for len(s.Steps) < 10 {
			step := storyStep{}
			_, rows := s.play(t)
			var counts []Number
			for n := range rows {
				counts = append(counts, n)
			}
			slices.Sort(counts)
			switch draw := r.IntN(8); {
			case draw == 0 && len(counts) > 0:
				step.Edit = &storyEdit{counts[r.IntN(len(counts))], row()}
			case draw == 1 && len(counts) > 0:
				step.Delete = []Number{counts[r.IntN(len(counts))]}
			case draw < 4:
				step.Undo = s.undoable(t, r)
			}
			if step.Edit == nil && step.Delete == nil && step.Undo == 0 {
				for range 1 + r.IntN(4) {
					step.Import = append(step.Import, row())
				}
			}
			s.Steps = append(s.Steps, step)
		}
		all = append(all, s)
	}
	return all
}

// undoable draws an operation that can be undone; 0 if there is none.
func (s storyVector) undoable(t *testing.T, r *rand.Rand) int {
	log, _ := s.play(t)
	b, _ := hex.DecodeString(log)
	h, err := openLog(context.Background(), store{LogPath: b})
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	undone := h.undone(len(h.all))
	for i, o := range h.all {
		if o.Kind != Undid && !undone[i] {
			all = append(all, i+1)
		}
	}
	if len(all) == 0 {
		return 0
	}
	return all[r.IntN(len(all))]
}

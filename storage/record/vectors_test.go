// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectorFile = "../../protocol/spec/vectors/records.json"

// vectors are what another implementation of the page on records tests itself
// with.
type vectors struct {
	Comment string        `json:"comment"`
	Licence string        `json:"licence"`
	Logs    []logVector   `json:"logs"`
	Stories []storyVector `json:"stories"`
}

// logVector is a log, and which rows count after each of its operations.
type logVector struct {
	Name    string            `json:"name"`
	Objects map[string]string `json:"objects"` // path: hex
	Outcome string            `json:"outcome"` // ok, refused, version
	Next    Number            `json:"next,omitempty"`
	Counts  [][][2]Number     `json:"counts,omitempty"`
}

// storyVector is what was done to a data set, and the log that this leads to.
type storyVector struct {
	Name   string                     `json:"name"`
	Schema json.RawMessage            `json:"schema"`
	Steps  []storyStep                `json:"steps"`
	Log    string                     `json:"log"` // hex
	Rows   map[Number]json.RawMessage `json:"rows"`
}

// storyStep is one of these; the time of each is its place, from 1.
type storyStep struct {
	Import []json.RawMessage `json:"import,omitempty"`
	Edit   *storyEdit        `json:"edit,omitempty"`
	Delete []Number          `json:"delete,omitempty"`
	Undo   int               `json:"undo,omitempty"`
}

type storyEdit struct {
	Row Number          `json:"row"`
	To  json.RawMessage `json:"to"`
}

func TestVectors(t *testing.T) {
	if *update {
		b, err := json.MarshalIndent(makeVectors(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, l := range v.Logs {
		if diff := gocmp.Diff(l, l.read(t)); diff != "" {
			t.Errorf("log %q: %s", l.Name, diff)
		}
	}
	for _, s := range v.Stories {
		log, rows := s.play(t)
		if log != s.Log {
			t.Errorf("story %q: log %s, not %s", s.Name, log, s.Log)
		}
		if diff := gocmp.Diff(s.spelled(t), rows); diff != "" {
			t.Errorf("story %q: %s", s.Name, diff)
		}
	}
}

// read is the vector as this implementation says it.
func (l logVector) read(t *testing.T) logVector {
	objects := store{}
	for path, text := range l.Objects {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		objects[path] = b
	}
	out := logVector{Name: l.Name, Objects: l.Objects, Outcome: "ok"}
	h, err := openLog(context.Background(), objects)
	switch {
	case errors.Is(err, ErrVersion):
		out.Outcome = "version"
	case err != nil:
		out.Outcome = "refused"
	default:
		out.Next = h.next
		for k := range h.all {
			counts := [][2]Number{}
			for _, r := range h.state(k+1, h.undone(k+1)).counts {
				counts = append(counts, [2]Number{r.First, r.Count})
			}
			out.Counts = append(out.Counts, counts)
		}
	}
	return out
}

// play does what the steps say, and gives the log and the rows that count.
func (s storyVector) play(t *testing.T) (log string, rows map[Number]string) {
	t.Helper()
	schema, err := ParseSchema(s.Schema)
	if err != nil {
		t.Fatal(err)
	}
	d := newData(t, schema)
	for i, step := range s.Steps {
		w, when := store{}, int64(i+1)
		var c Change
		switch {
		case step.Edit != nil:
			c, err = d.set.Edit(context.Background(), w, step.Edit.Row, rowOf(t, schema, step.Edit.To), "", when)
		case step.Delete != nil:
			c, err = d.set.Delete(w, step.Delete, "", when)
		case step.Undo > 0:
			c, err = d.set.Undo(w, step.Undo, when)
		default:
			im := d.set.Import(context.Background(), w)
			for _, r := range step.Import {
				if err := im.Add(rowOf(t, schema, r)); err != nil {
					t.Fatal(err)
				}
			}
			c, err = im.Finish(Meta{When: when})
		}
		d.apply(w, c, err)
	}
	rows = map[Number]string{}
	err = d.set.Rows(context.Background(), Query{}, func(n Number, r Row) error {
		rows[n] = string(schema.AppendJSON(nil, r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(d.objs[LogPath]), rows
}

func (s storyVector) spelled(t *testing.T) map[Number]string {
	out := map[Number]string{}
	for n, r := range s.Rows {
		var b bytes.Buffer
		if err := json.Compact(&b, r); err != nil {
			t.Fatal(err)
		}
		out[n] = b.String()
	}
	return out
}

func rowOf(t *testing.T, s *Schema, text json.RawMessage) Row {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	r := make(Row, len(s.Fields))
	for i, f := range s.Fields {
		if b, ok := fields[f.Name]; ok {
			v, err := f.ParseJSON(b)
			if err != nil {
				t.Fatal(err)
			}
			r[i] = v
		}
	}
	return r
}

func makeVectors(t *testing.T) vectors {
	v := vectors{
		Comment: "Logs of data sets of records, and what was done to lead to one, see ../records.md. Bytes are lower-case hex; counts are, after each operation, ranges of rows.",
		Licence: "CC BY 4.0",
	}
	for _, l := range makeLogs(t) {
		v.Logs = append(v.Logs, l.read(t))
	}
	for _, s := range append(toldStories(), drawnStories(t)...) {
		log, rows := s.play(t)
		s.Log, s.Rows = log, map[Number]json.RawMessage{}
		for n, r := range rows {
			s.Rows[n] = json.RawMessage(r)
		}
		v.Stories = append(v.Stories, s)
	}
	return v
}

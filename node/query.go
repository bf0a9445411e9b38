// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// QueryRequest asks for rows of a data set of records, as they are or coarser.
type QueryRequest struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns,omitempty"` // as in a grant: "energy/sum"; none: the most natural
	Where   []string `json:"where,omitempty"`   // conditions, of which one must hold
	From    string   `json:"from,omitempty"`    // a day, or an instant
	To      string   `json:"to,omitempty"`      // the last day, or an instant that is not in it any more
	By      string   `json:"by,omitempty"`      // half-hour, hour, day, month, year
	Grid    string   `json:"grid,omitempty"`    // 100m, 1km, 10km
	Format  string   `json:"format"`            // csv, jsonl, parquet, table (a JSON array of texts for each row)
	Limit   int      `json:"limit,omitempty"`   // rows; 0 for all
	Numbers bool     `json:"numbers,omitempty"` // each row's number, for corrections; of rows as they are
	Draw    bool     `json:"draw,omitempty"`    // for a picture: when, one column (its first fold, if none is said), and its currency
}

// QueryResult says what came in the parts before.
type QueryResult struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Zone    string   `json:"zone"`             // in which days and buckets are cut; instants are UTC all the same
	Begins  string   `json:"begins,omitempty"` // the column that says when a row, or its bucket, begins
	By      string   `json:"by,omitempty"`
	Rows    int      `json:"rows"`
	More    bool     `json:"more,omitempty"`   // the limit left rows out
	Longer  int      `json:"longer,omitempty"` // rows that are longer than the buckets, and in none
}

// Column is a column of an answer.
type Column struct {
	Name     string            `json:"name"`
	Type     string            `json:"type"`
	Title    map[string]string `json:"title"`
	Unit     string            `json:"unit,omitempty"`
	Currency string            `json:"currency,omitempty"`
}

// errEnough ends a query at its limit.
var errEnough = errors.New("enough rows")

// query answers in parts: bytes of the format asked for. It is the owner's own:
// the bucket that is not over yet is in it.
func (n *Node) query(ctx context.Context, q QueryRequest, progress func(Progress)) (QueryResult, error) {
	d, err := n.lookup(q.Name)
	if err != nil {
		return QueryResult{}, err
	}
	set, err := n.records(ctx, d)
	if err != nil {
		return QueryResult{}, err
	}
	if q.Draw {
		if q, err = q.drawn(d.Name, set.Schema()); err != nil {
			return QueryResult{}, err
		}
	}
	if q.Numbers {
		return n.numbered(ctx, d, set, q, progress)
	}
	v, err := q.view(set)
	if err != nil {
		return QueryResult{}, about(err, "name", d.Name)
	}
	out, err := newRowWriter(v.Schema(), q, progress)
	if err != nil {
		return QueryResult{}, err
	}
	r := queryResult(d, v)
	r.By = q.By
	src, atLast := allOf(set), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // when all buckets are over
	err = out.write(func(row func(string, record.Row) error) error {
		counts, err := v.Cut(ctx, src, v.Parts(src, atLast), func(_ view.Part, rows []record.Row) error {
			for _, r := range rows {
				if err := row("", r); err != nil {
					return err
				}
			}
			return nil
		})
		r.Longer = counts.Longer
		return err
	})
	return out.finish(r, about(err, "name", d.Name))
}

// numbered gives rows as they are, each with its number.
func (n *Node) numbered(ctx context.Context, d vault.Dataset, set *record.Set, q QueryRequest, progress func(Progress)) (QueryResult, error) {
	if q.By != "" || q.Grid != "" {
		return QueryResult{}, problem.New(problem.Usage, "records.numbers-raw")
	}
	v, err := q.view(set)
	if err != nil {
		return QueryResult{}, about(err, "name", d.Name)
	}
	out, err := newRowWriter(v.Schema(), q, progress)
	if err != nil {
		return QueryResult{}, err
	}
	query, columns := record.Query{Span: spanOf(v.Spec())}, v.Spec().Columns // of rows as they are: names of fields
	if len(q.Where) == 0 {
		query.Columns = columns
	}
	shown := make(record.Row, len(columns))
	err = set.Rows(ctx, query, func(number record.Number, row record.Row) error {
		if len(q.Where) == 0 {
			return out.row(number.String(), row)
		}
		if !v.Holds(row) {
			return nil
		}
		for i, name := range columns {
			field, _ := set.Schema().Index(name)
			shown[i] = row[field]
		}
		return out.row(number.String(), shown)
	})
	return out.finish(queryResult(d, v), about(err, "name", d.Name))
}

// spanOf is when the rows of a view begin; nil if that does not matter.
func spanOf(spec view.Spec) *record.Span {
	if spec.From == view.Earliest && spec.To == view.Latest {
		return nil
	}
	span := &record.Span{From: math.MinInt64, To: math.MaxInt64}
	if spec.From != view.Earliest {
		span.From = spec.From * 1e6
	}
	if spec.To != view.Latest {
		span.To = spec.To * 1e6
	}
	return span
}

// view is the view that is asked for.
func (q QueryRequest) view(set *record.Set) (*view.View, error) {
	spec, err := q.spec(set)
	if err != nil {
		return nil, err
	}
	return view.Parse(set.Schema(), spec)
}

func queryResult(d vault.Dataset, v *view.View) QueryResult {
	s := v.Schema()
	return QueryResult{Name: d.Name, Zone: s.Zone, Begins: s.Time, Columns: columnsOf(s)}
}

// spec is the view that is asked for.
func (q QueryRequest) spec(set *record.Set) (view.Spec, error) {
	s := set.Schema()
	period, grid := view.Raw, view.Exact
	if q.By != "" {
		p, ok := view.PeriodNamed(q.By)
		if !ok {
			return view.Spec{}, problem.New(problem.Usage, "usage.by", "value", q.By)
		}
		period = p
	}
	if q.Grid != "" {
		g, ok := view.GridNamed(q.Grid)
		if !ok {
			return view.Spec{}, problem.New(problem.Usage, "usage.grid", "value", q.Grid)
		}
		grid = g
	}
	from, to, err := q.span(s)
	if err != nil {
		return view.Spec{}, err
	}
	spec := view.Spec{Columns: q.Columns, Rows: q.Where, From: from, To: to, Period: period, Grid: grid}
	if len(spec.Rows) == 0 {
		spec.Rows = []string{view.AllRows}
	}
	if len(spec.Columns) == 0 && period == view.Raw && grid == view.Exact { // the owner sees all
		for _, f := range s.Fields {
			spec.Columns = append(spec.Columns, f.Name)
		}
	} else if len(spec.Columns) == 0 {
		spec.Columns = view.Default(s, period, grid)
	}
	return spec, nil
}

// span reads the first and last day, in the zone of the data set.
func (q QueryRequest) span(s *record.Schema) (from, to int64, err error) {
	from, to = view.Earliest, view.Latest
	if q.From != "" {
		t, _, err := momentIn(q.From, s.Location())
		if err != nil {
			return 0, 0, err
		}
		from = t.Unix()
	}
	if q.To != "" {
		t, day, err := momentIn(q.To, s.Location())
		if err != nil {
			return 0, 0, err
		}
		if day {
			t = t.AddDate(0, 0, 1)
		}
		to = t.Unix()
	}
	return from, to, nil
}

// momentIn reads a day, whose beginning it returns, or an instant.
func momentIn(text string, zone *time.Location) (t time.Time, day bool, err error) {
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t, true, nil
	}
	t, err = time.Parse(time.RFC3339, text)
	if err != nil {
		return t, false, problem.New(problem.Usage, "usage.moment", "value", text).Because(err)
	}
	return t, false, nil
}

func columnsOf(s *record.Schema) (list []Column) {
	for _, f := range s.Fields {
		list = append(list, Column{Name: f.Name, Type: string(f.Type), Title: titles(f.Words), Unit: f.Unit, Currency: f.Currency})
	}
	return list
}

// partSize is how many bytes of rows leave together.
const partSize = 64 << 10

// rowWriter writes rows in a format, in parts.
type rowWriter struct {
	schema *record.Schema
	q      QueryRequest
	send   func(Progress)
	buffer bytes.Buffer
	csv    *csv.Writer
	count  int
}

func newRowWriter(s *record.Schema, q QueryRequest, send func(Progress)) (*rowWriter, error) {
	w := &rowWriter{schema: s, q: q, send: send}
	switch q.Format {
	case "csv":
		w.csv = csv.NewWriter(&w.buffer)
		var head []string
		if q.Numbers {
			head = append(head, "row")
		}
		for _, f := range s.Fields {
			head = append(head, f.Name)
		}
		_ = w.csv.Write(head) // into memory
	case "jsonl", "table", "parquet":
	default:
		return nil, problem.New(problem.Usage, "usage.format", "value", q.Format)
	}
	return w, nil
}

// write takes the rows that each hands over, which for Parquet it does twice.
func (w *rowWriter) write(each func(row func(string, record.Row) error) error) error {
	if w.q.Format != "parquet" {
		return each(w.row)
	}
	more := error(nil)
	err := record.WriteParquet(w, w.schema, func(fn func(*record.Batch) error) error {
		b := record.NewBuilder(w.schema)
		group := func() error {
			if b.Len() == 0 {
				return nil
			}
			defer b.Reset()
			return fn(b.Batch())
		}
		w.count = 0
		err := each(func(_ string, row record.Row) error {
			if err := w.next(); err != nil {
				return err
			}
			if b.Add(row); b.Full() {
				return group()
			}
			return nil
		})
		if more = nil; errors.Is(err, errEnough) {
			more, err = err, nil
		}
		if err != nil {
			return err
		}
		return group()
	})
	return errors.Join(err, more)
}

// next counts one more row, if the limit allows it.
func (w *rowWriter) next() error {
	if w.q.Limit > 0 && w.count == w.q.Limit {
		return errEnough
	}
	w.count++
	return nil
}

// Write sends bytes of a file.
func (w *rowWriter) Write(b []byte) (int, error) {
	for part := range slices.Chunk(b, partSize) {
		w.buffer.Write(part)
		if w.buffer.Len() >= partSize {
			w.flush()
		}
	}
	return len(b), nil
}

func (w *rowWriter) row(number string, row record.Row) error {
	if err := w.next(); err != nil {
		return err
	}
	switch w.q.Format {
	case "csv":
		_ = w.csv.Write(w.texts(number, row)) // into memory
		w.csv.Flush()
	case "table":
		line, err := json.Marshal(w.texts(number, row))
		if err != nil {
			return err
		}
		w.buffer.Write(append(line, '\n'))
	case "jsonl":
		line := w.schema.AppendJSON(nil, row)
		if number != "" {
			line = append([]byte(`{"row":`+strconv.Quote(number)+`,`), line[1:]...)
		}
		w.buffer.Write(append(line, '\n'))
	}
	if w.buffer.Len() >= partSize {
		w.flush()
	}
	return nil
}

func (w *rowWriter) texts(number string, row record.Row) []string {
	var line []string
	if w.q.Numbers {
		line = append(line, number)
	}
	for _, v := range row {
		line = append(line, v.String())
	}
	return line
}

func (w *rowWriter) flush() {
	if w.buffer.Len() > 0 {
		w.send(Progress{Step: "rows", Part: bytes.Clone(w.buffer.Bytes())})
		w.buffer.Reset()
	}
}

// finish sends what is left.
func (w *rowWriter) finish(r QueryResult, err error) (QueryResult, error) {
	r.More = errors.Is(err, errEnough)
	if err != nil && !r.More {
		return QueryResult{}, err
	}
	if w.csv != nil {
		w.csv.Flush()
	}
	w.flush()
	r.Rows = w.count
	return r, nil
}

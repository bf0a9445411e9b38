// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
)

// Format is one importer: how a file of it is known, and how it is read.
type Format struct {
	Name string // "enedis-json"; told to people and scripts, never changed

	// Fits says how surely a file is of this format, by how it begins. It must
	// be quick and never fail.
	Fits func(h Head) Fit

	// Read gives the sink all rows. Its error refuses the whole file: a
	// [*Reason] for what people are told, or what the source or sink returned.
	Read func(ctx context.Context, src *Source, to *Sink) error
}

// Fit is how surely a file is of a format.
type Fit int

// Fits. Of several formats that fit a file the surest reads it.
const (
	No     Fit = iota
	Maybe      // nothing speaks against it; another may know better
	Likely     // it looks like it
	Sure       // it says so itself, or has a mark that nothing else has
)

// Reason says why a row is rejected or a file refused: a code, and what belongs
// to it. What people read is in node/messages under "import." and the code.
type Reason struct {
	Code string
	Args map[string]string
	Err  error // what a library said, or nil
}

// Why makes a Reason; args are names and values in turn.
func Why(code string, args ...string) *Reason {
	r := &Reason{Code: code, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		r.Args[args[i]] = args[i+1]
	}
	return r
}

// Because adds what went wrong below.
func (r *Reason) Because(err error) *Reason {
	r.Err = err
	return r
}

// Error is for logs and scripts.
func (r *Reason) Error() string {
	s := r.Code
	if len(r.Args) > 0 {
		s += fmt.Sprint(" ", r.Args)
	}
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap is what went wrong below.
func (r *Reason) Unwrap() error { return r.Err }

// Rejected is a row that was left out.
type Rejected struct {
	Line   int // from 1; of formats without lines the number of the record
	Reason *Reason
}

// Hopeless is how many rows may be rejected before one is good: a file with more
// is not what it seems to be, and is not read to its end.
const Hopeless = 100_000

// MaxRejected is how many rejected rows are kept with their reasons; more are
// counted.
const MaxRejected = 1000

// Sink takes the rows of files, one after the other. It is for one goroutine.
type Sink struct {
	// Take gets each row that fits the description of its kind, and must not
	// keep the slice. nil takes none: for a dry run.
	Take func(kind *record.Schema, row record.Row) error

	count    int // rows rejected
	rejected []Rejected
	warnings []Warning
	kinds    []*tally
}

// begin forgets the file before.
func (s *Sink) begin() { *s = Sink{Take: s.Take} }

// report puts into r what was found since begin.
func (s *Sink) report(r *Report) {
	r.Rejected, r.RejectedRows, r.Warnings = s.rejected, s.count, s.warnings
	for _, t := range s.kinds {
		if t.rows > 0 {
			r.Kinds = append(r.Kinds, t.report())
		}
	}
	slices.SortFunc(r.Kinds, func(a, b KindReport) int { return strings.Compare(a.Kind, b.Kind) })
}

// Rows is where the rows of one kind go.
type Rows struct {
	sink   *Sink
	tally  *tally
	places []int // in the row, of each value that Add gets
	row    record.Row
	rules  *catalogue.Rules // of a kind of the user's own
	text   []byte           // the row as they judge it
}

// Rows opens the way for rows of a kind, whose values come in the order of
// fields; the others are null. It panics on what the catalogue does not have:
// that is the importer's fault, not the file's.
func (s *Sink) Rows(kind string, fields ...string) *Rows {
	schema, ok := catalogue.Kind(kind)
	if !ok {
		panic("importer: no kind " + kind)
	}
	return s.RowsOf(schema, fields...)
}

// RowsOf is Rows for a description that is not in the catalogue, whose rules
// each row must hold.
func (s *Sink) RowsOf(kind *record.Schema, fields ...string) *Rows {
	rules, err := catalogue.RulesOf(kind)
	if err != nil {
		panic("importer: " + err.Error())
	}
	r := &Rows{sink: s, tally: s.tally(kind), row: make(record.Row, len(kind.Fields)), rules: rules}
	for _, name := range fields {
		i, ok := kind.Index(name)
		if !ok {
			panic("importer: " + kind.Kind + " has no field " + name)
		}
		r.places = append(r.places, i)
	}
	return r
}

func (s *Sink) tally(kind *record.Schema) *tally {
	for _, t := range s.kinds {
		if t.schema == kind {
			return t
		}
	}
	t := newTally(kind)
	s.kinds = append(s.kinds, t)
	return t
}

// Add takes a row, with its texts in normal form C: a file that spells é as e and
// an accent says the same. A row that the description does not allow is rejected,
// which is no error.
func (r *Rows) Add(line int, values ...record.Value) error {
	clear(r.row)
	for i, v := range values {
		r.row[r.places[i]] = composed(v)
	}
	if why := fault(r.tally.schema, r.row); why != nil {
		r.sink.Reject(line, why)
		return nil
	}
	if why := r.broken(); why != nil {
		r.sink.Reject(line, why)
		return nil
	}
	r.tally.add(r.row)
	if r.sink.Take == nil {
		return nil
	}
	return r.sink.Take(r.tally.schema, r.row)
}

// composed is a value whose text is in Unicode's normal form C.
func composed(v record.Value) record.Value {
	if v.Type() != record.Text {
		return v
	}
	s := v.String()
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return record.Str(norm.NFC.String(s))
		}
	}
	return v
}

// broken is the rule that the row breaks; nil for none.
func (r *Rows) broken() *Reason {
	if r.rules == nil {
		return nil
	}
	r.text = r.tally.schema.AppendJSON(r.text[:0], r.row)
	return Broken(r.rules, r.tally.schema.Kind, r.text)
}

// Broken says which rule of a kind a row breaks, written as
// [record.Schema.AppendJSON] does; nil for none.
func Broken(rules *catalogue.Rules, kind string, row []byte) *Reason {
	err := rules.Check(row)
	var w *catalogue.Wrong
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &w):
		return Why("row", "kind", kind, "what", err.Error())
	case w.Fault == catalogue.Missing:
		return Why("rule-missing", "field", w.Field, "kind", kind).Because(err)
	case w.Field == "":
		return Why("rule-row", "rule", w.Rule, "kind", kind).Because(err)
	}
	return Why("rule", "field", w.Field, "value", w.Got, "rule", w.Rule, "kind", kind).Because(err)
}

// fault is what [record.Schema.Check] finds wrong with a row, in words for people.
func fault(kind *record.Schema, row record.Row) *Reason {
	err := kind.Check(row)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, record.ErrTooLong):
		return Why("text-too-long", "limit", itoa(record.MaxText)).Because(err)
	}
	for i, f := range kind.Fields {
		if f.Required && row[i].IsNull() {
			return Why("missing", "field", f.Name)
		}
	}
	return Why("row", "kind", kind.Kind, "what", err.Error())
}

// Reject leaves a row out.
func (s *Sink) Reject(line int, why error) {
	s.count++
	if len(s.rejected) < MaxRejected {
		s.rejected = append(s.rejected, Rejected{line, asReason(why)})
	}
}

// hopeless says whether so much is bad that the rest need not be read.
func (s *Sink) hopeless() bool {
	return s.count > Hopeless && !slices.ContainsFunc(s.kinds, func(t *tally) bool { return t.rows > 0 })
}

// nothingGood refuses a file whose rows are all rejected.
func (s *Sink) nothingGood() *Reason {
	return Why("nothing-good", "rejected", itoa(s.count)).Because(s.rejected[0].Reason)
}

// Warn tells something about the file; the same code once more is only counted.
func (s *Sink) Warn(why *Reason) {
	for i := range s.warnings {
		if s.warnings[i].Reason.Code == why.Code {
			s.warnings[i].Times++
			return
		}
	}
	s.warnings = append(s.warnings, Warning{why, 1})
}

// ErrUnknown is what [Read] says of a file of no format that is known.
var ErrUnknown = errors.New("no importer knows this file")
